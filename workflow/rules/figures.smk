"""Figures, drawn from results only; a change of style never retrains."""

offer(
    "fig2",
    networks=["ovary_5"],
    datasets=["ovary"],
    evidence={"measurements": predictions_of("ovary_5", "ovary")},
    facts=lambda: {"range_um": range_of("ovary_5"), "depth_of_field_um": depth_of_field_um("ovary")},
)


rule draw_figure_2:
    input:
        measurements=predictions_of("ovary_5", "ovary"),
        predictions=prediction_slides("ovary_5", "ovary"),
        manifest="results/ovary/manifest.tsv",
        slides=lambda wildcards: test_slides("ovary"),
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
        range_um=lambda wildcards: range_of("ovary_5"),
        data_source=lambda wildcards: source_of("ovary"),
        scale=config["scale"],
    message:
        "Draw Figure 2: one defocused image refocused, and image quality against defocus."
    script:
        "../scripts/draw_figure_2.py"


offer(
    "figS8",
    networks=["breast_5"],
    datasets=["breast"],
    evidence={"history": "results/networks/breast_5/history.tsv"},
)


rule draw_figure_s8:
    input:
        "results/networks/breast_5/history.tsv",
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
        data_source=lambda wildcards: source_of("breast"),
        scale=config["scale"],
    message:
        "Draw Figure S8: losses of training and validation by iteration."
    script:
        "../scripts/draw_figure_s8.py"


offer(
    "figS9",
    networks=["breast_5"],
    datasets=["breast"],
    evidence={"layers": "results/networks/breast_5/layers.tsv"},
)


rule draw_figure_s9:
    input:
        "results/networks/breast_5/layers.tsv",
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
