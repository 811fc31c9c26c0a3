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
        code=source_hash("draw_figure_2.py"),
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
        code=source_hash("draw_figure_s8.py"),
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
        code=source_hash("draw_figure_s9.py"),
        scale=config["scale"],
    message:
        "Draw Figure S9: generator and discriminator as they were built."
    script:
        "../scripts/draw_figure_s9.py"


offer(
    "fig1",
    networks=["ovary_5"],
    datasets=["ovary"],
    evidence={"numbers": "results/figures/fig1.tsv"},
)


rule draw_figure_1:
    input:
        measurements=predictions_of("ovary_5", "ovary"),
        predictions=prediction_slides("ovary_5", "ovary"),
        manifest="results/ovary/manifest.tsv",
        slides=lambda wildcards: test_slides("ovary"),
    output:
        report("results/figures/fig1.svg", caption="../report/fig1.rst", category="Figures"),
        multiext("results/figures/fig1", ".pdf", ".png", ".tsv"),
    log:
        "results/logs/figures/fig1.log",
    benchmark:
        "results/benchmarks/figures/fig1.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        code=source_hash("draw_figure_1.py"),
        range_um=lambda wildcards: range_of("ovary_5"),
        data_source=lambda wildcards: source_of("ovary"),
        scale=config["scale"],
    message:
        "Draw Figure 1: the exposures of a mechanical search, and the one of Deep-R."
    script:
        "../scripts/draw_figure_1.py"


offer(
    "fig3",
    networks=["breast_5"],
    datasets=["breast"],
    evidence={"numbers": "results/figures/fig3.tsv"},
)


rule draw_figure_3:
    input:
        measurements=predictions_of("breast_5", "breast"),
        predictions=prediction_slides("breast_5", "breast"),
        manifest="results/breast/manifest.tsv",
        slides=lambda wildcards: test_slides("breast"),
    output:
        report("results/figures/fig3.svg", caption="../report/fig3.rst", category="Figures"),
        multiext("results/figures/fig3", ".pdf", ".png", ".tsv"),
    log:
        "results/logs/figures/fig3.log",
    benchmark:
        "results/benchmarks/figures/fig3.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        code=source_hash("draw_figure_3.py"),
        range_um=lambda wildcards: range_of("breast_5"),
        data_source=lambda wildcards: source_of("breast"),
        scale=config["scale"],
    message:
        "Draw Figure 3: autofluorescent tissue below and above focus, refocused."
    script:
        "../scripts/draw_figure_3.py"


offer(
    "fig6",
    networks=["prostate_10"],
    datasets=["prostate"],
    evidence={"numbers": "results/figures/fig6.tsv", "measurements": predictions_of("prostate_10", "prostate")},
)


rule draw_figure_6:
    input:
        measurements=predictions_of("prostate_10", "prostate"),
        predictions=prediction_slides("prostate_10", "prostate"),
        manifest="results/prostate/manifest.tsv",
        slides=lambda wildcards: test_slides("prostate"),
    output:
        report("results/figures/fig6.svg", caption="../report/fig6.rst", category="Figures"),
        multiext("results/figures/fig6", ".pdf", ".png", ".tsv"),
    log:
        "results/logs/figures/fig6.log",
    benchmark:
        "results/benchmarks/figures/fig6.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        code=source_hash("draw_series.py"),
        range_um=lambda wildcards: range_of("prostate_10"),
        wanted_um=[-8.0, -4.0, 4.0, 8.0],
        data_source=lambda wildcards: source_of("prostate"),
        scale=config["scale"],
    message:
        "Draw Figure 6: stained tissue in brightfield, refocused."
    script:
        "../scripts/draw_series.py"


offer(
    "figS4",
    networks=["prostate_10"],
    datasets=["prostate"],
    evidence={"measurements": predictions_of("prostate_10", "prostate")},
    facts=lambda: {"range_um": range_of("prostate_10"), "depth_of_field_um": depth_of_field_um("prostate")},
)


rule draw_figure_s4:
    input:
        predictions_of("prostate_10", "prostate"),
    output:
        report("results/figures/figS4.svg", caption="../report/figS4.rst", category="Figures"),
        multiext("results/figures/figS4", ".pdf", ".png", ".tsv"),
    log:
        "results/logs/figures/figS4.log",
    benchmark:
        "results/benchmarks/figures/figS4.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        code=source_hash("draw_quality_curves.py"),
        names=["prostate"],
        ranges_um=lambda wildcards: [range_of("prostate_10")],
        data_source=lambda wildcards: source_of("prostate"),
        scale=config["scale"],
    message:
        "Draw Figure S4: image quality of stained tissue against defocus."
    script:
        "../scripts/draw_quality_curves.py"


offer(
    "figS5",
    networks=["ovary_2", "ovary_5", "ovary_10"],
    datasets=["ovary"],
    evidence={"measurements": [predictions_of(f"ovary_{number}", "ovary") for number in (2, 5, 10)]},
    facts=lambda: {"ranges_um": [range_of(f"ovary_{number}") for number in (2, 5, 10)]},
)


rule draw_figure_s5:
    input:
        [predictions_of(f"ovary_{number}", "ovary") for number in (2, 5, 10)],
    output:
        report("results/figures/figS5.svg", caption="../report/figS5.rst", category="Figures"),
        multiext("results/figures/figS5", ".pdf", ".png", ".tsv"),
    log:
        "results/logs/figures/figS5.log",
    benchmark:
        "results/benchmarks/figures/figS5.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        code=source_hash("draw_quality_curves.py"),
        names=["ovary", "ovary", "ovary"],
        ranges_um=lambda wildcards: [range_of(f"ovary_{number}") for number in (2, 5, 10)],
        data_source=lambda wildcards: source_of("ovary"),
        scale=config["scale"],
    message:
        "Draw Figure S5: what a larger training range gives and costs."
    script:
        "../scripts/draw_quality_curves.py"


offer(
    "figS6",
    networks=["ovary_10"],
    datasets=["ovary"],
    evidence={"measurements": predictions_of("ovary_10", "ovary")},
    facts=lambda: {"range_um": range_of("ovary_10")},
)


rule draw_figure_s6:
    input:
        measurements=predictions_of("ovary_10", "ovary"),
        predictions=prediction_slides("ovary_10", "ovary"),
        manifest="results/ovary/manifest.tsv",
        slides=lambda wildcards: test_slides("ovary"),
    output:
        report("results/figures/figS6.svg", caption="../report/figS6.rst", category="Figures"),
        multiext("results/figures/figS6", ".pdf", ".png", ".tsv"),
    log:
        "results/logs/figures/figS6.log",
    benchmark:
        "results/benchmarks/figures/figS6.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        code=source_hash("draw_series.py"),
        range_um=lambda wildcards: range_of("ovary_10"),
        wanted_um=[-9.0, -7.0, 7.0, 9.0],
        data_source=lambda wildcards: source_of("ovary"),
        scale=config["scale"],
    message:
        "Draw Figure S6: ovary tissue far out of focus, refocused."
    script:
        "../scripts/draw_series.py"


# Networks of Figure S7 by way of training and type of the test images.
CELL_TYPES = ["nuclei", "phalloidin"]
CELL_NETWORKS = {
    ("same", "nuclei"): "nuclei_10",
    ("same", "phalloidin"): "phalloidin_10",
    ("mixed", "nuclei"): "mixed_10",
    ("mixed", "phalloidin"): "mixed_10",
    ("other", "nuclei"): "phalloidin_10",
    ("other", "phalloidin"): "nuclei_10",
}

offer(
    "figS7",
    networks=set(CELL_NETWORKS.values()),
    datasets=CELL_TYPES,
    evidence={
        way: [predictions_of(CELL_NETWORKS[way, name], name) for name in CELL_TYPES]
        for way in ("same", "mixed", "other")
    },
    facts=lambda: {"types": CELL_TYPES, "range_um": range_of("nuclei_10")},
)


rule draw_figure_s7:
    input:
        measurements=[predictions_of(network, name) for (_, name), network in CELL_NETWORKS.items()],
        predictions=[prediction_slides(network, name) for (_, name), network in CELL_NETWORKS.items()],
        manifests=expand("results/{dataset}/manifest.tsv", dataset=CELL_TYPES),
        slides=lambda wildcards: [path for name in CELL_TYPES for path in test_slides(name)],
    output:
        report("results/figures/figS7.svg", caption="../report/figS7.rst", category="Figures"),
        multiext("results/figures/figS7", ".pdf", ".png", ".tsv"),
    log:
        "results/logs/figures/figS7.log",
    benchmark:
        "results/benchmarks/figures/figS7.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        code=source_hash("draw_figure_s7.py"),
        pairs=list(CELL_NETWORKS),
        types=CELL_TYPES,
        range_um=lambda wildcards: range_of("nuclei_10"),
        data_source=lambda wildcards: sources_of(CELL_TYPES),
        scale=config["scale"],
    message:
        "Draw Figure S7: networks trained on one type of cells, the other, and both."
    script:
        "../scripts/draw_figure_s7.py"


offer(
    "figTransfer",
    networks=["phalloidin_10", "phalloidin_from_nuclei"],
    datasets=["phalloidin"],
    evidence={
        "histories": [f"results/networks/{name}/history.tsv" for name in ("phalloidin_10", "phalloidin_from_nuclei")],
        "measurements": [predictions_of(name, "phalloidin") for name in ("phalloidin_10", "phalloidin_from_nuclei")],
    },
    facts=lambda: {"range_um": range_of("phalloidin_10")},
)


rule draw_figure_transfer:
    input:
        scratch_history="results/networks/phalloidin_10/history.tsv",
        transfer_history="results/networks/phalloidin_from_nuclei/history.tsv",
        scratch_measurements=predictions_of("phalloidin_10", "phalloidin"),
        transfer_measurements=predictions_of("phalloidin_from_nuclei", "phalloidin"),
    output:
        report("results/figures/figTransfer.svg", caption="../report/figTransfer.rst", category="Figures"),
        multiext("results/figures/figTransfer", ".pdf", ".png", ".tsv"),
    log:
        "results/logs/figures/figTransfer.log",
    benchmark:
        "results/benchmarks/figures/figTransfer.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        code=source_hash("draw_figure_transfer.py"),
        range_um=lambda wildcards: range_of("phalloidin_10"),
        data_source=lambda wildcards: source_of("phalloidin"),
        scale=config["scale"],
    message:
        "Draw transfer learning: actin from scratch, and from the network of the nuclei."
    script:
        "../scripts/draw_figure_transfer.py"
