"""Figures, drawn from results only; a change of style never retrains."""


rule draw_figure_2:
    input:
        measurements="results/predictions/{}/{}/measurements.tsv".format(*SHOWN_IN_FIGURE["fig2"]),
        predictions="results/predictions/{}/{}/slides".format(*SHOWN_IN_FIGURE["fig2"]),
        manifest="results/{1}/manifest.tsv".format(*SHOWN_IN_FIGURE["fig2"]),
        slides=lambda wildcards: test_slides_of_figure("fig2"),
    output:
        report("results/figures/fig2.svg", caption="../report/fig2.rst", category="Figures"),
        multiext("results/figures/fig2", ".pdf", ".png", ".tsv"),
    log:
        "results/logs/figures/fig2.log",
    benchmark:
        "results/benchmarks/figures/fig2.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        code=source_hash("deepr.figures.figure_2", "deepr.slides"),
        range_um=lambda wildcards: range_of_figure("fig2"),
        data_source=lambda wildcards: source_of_figure("fig2"),
        scale=config["scale"],
    message:
        "Draw Figure 2: one defocused image refocused, and image quality against defocus."
    script:
        "../scripts/draw_figure_2.py"


rule draw_figure_s8:
    input:
        "results/networks/{}/history.tsv".format(SHOWN_IN_FIGURE["figS8"][0]),
    output:
        report("results/figures/figS8.svg", caption="../report/figS8.rst", category="Figures"),
        multiext("results/figures/figS8", ".pdf", ".png", ".tsv"),
    log:
        "results/logs/figures/figS8.log",
    benchmark:
        "results/benchmarks/figures/figS8.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        code=source_hash("deepr.figures.figure_s8"),
        data_source=lambda wildcards: source_of_figure("figS8"),
        scale=config["scale"],
    message:
        "Draw Figure S8: losses of training and validation by iteration."
    script:
        "../scripts/draw_figure_s8.py"


rule draw_figure_s9:
    input:
        "results/networks/{}/layers.tsv".format(SHOWN_IN_FIGURE["figS9"][0]),
    output:
        report("results/figures/figS9.svg", caption="../report/figS9.rst", category="Figures"),
        multiext("results/figures/figS9", ".pdf", ".png", ".tsv"),
    log:
        "results/logs/figures/figS9.log",
    benchmark:
        "results/benchmarks/figures/figS9.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        code=source_hash("deepr.figures.figure_s9"),
        scale=config["scale"],
    message:
        "Draw Figure S9: generator and discriminator as they were built."
    script:
        "../scripts/draw_figure_s9.py"
