"""Tilted samples: the sharpness of rows before and after refocusing."""


rule measure_tilted_slides:
    input:
        generator="results/networks/{network}/generator.keras",
        slides=lambda wildcards: test_slides(wildcards.dataset),
    output:
        rows="results/tilt/{network}/{dataset}/row_sharpness.tsv",
        images="results/tilt/{network}/{dataset}/images.ome.tif",
    log:
        "results/logs/tilt/{network}/{dataset}.log",
    benchmark:
        "results/benchmarks/tilt/{network}/{dataset}.tsv"
    wildcard_constraints:
        network=any_of(DEEPR),
    conda:
        "../../envs/networks.yaml"
    threads: config["training"]["threads"]
    resources:
        mem_mb=memory_of_testing,
        runtime=60,
    params:
        code=source_hash("measure_tilted_slides.py"),
        # Sums in another order differ in their last digits, so the number does not follow the machine.
        threads=config["training"]["threads"],
        patch_px=lambda wildcards: config["datasets"][wildcards.dataset]["patch_px"],
    message:
        "Refocus the tilted fields of {wildcards.dataset} with {wildcards.network} and measure their sharpness row by row."
    script:
        "../scripts/measure_tilted_slides.py"


offer(
    "figS1",
    networks=["breast_5"],
    datasets=["breast_tilted"],
    evidence={"rows": "results/tilt/breast_5/breast_tilted/row_sharpness.tsv"},
)


rule draw_figure_s1:
    input:
        rows="results/tilt/breast_5/breast_tilted/row_sharpness.tsv",
        images="results/tilt/breast_5/breast_tilted/images.ome.tif",
    output:
        report("results/figures/figS1.svg", caption="../report/figS1.rst", category="Figures"),
        multiext("results/figures/figS1", ".pdf", ".png", ".tsv"),
    log:
        "results/logs/figures/figS1.log",
    benchmark:
        "results/benchmarks/figures/figS1.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        code=source_hash("draw_figure_s1.py"),
        tilt_deg=lambda wildcards: config["datasets"]["breast_tilted"]["tilt_deg"],
        data_source=lambda wildcards: source_of("breast_tilted"),
        scale=config["scale"],
    message:
        "Draw Figure S1: a tilted sample refocused, and its sharpness row by row."
    script:
        "../scripts/draw_figure_s1.py"
