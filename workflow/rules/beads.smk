"""Beads: their width in every plane, before and after the networks, and beads in a volume."""

BEAD_NETWORKS = ["beads_5", "beads_8"]


rule measure_bead_widths:
    input:
        manifest="results/{dataset}/manifest.tsv",
        slides=lambda wildcards: test_slides(wildcards.dataset),
        predictions=lambda wildcards: [prediction_slides(name, wildcards.dataset) for name in BEAD_NETWORKS],
    output:
        "results/{dataset}/bead_widths.tsv",
    log:
        "results/logs/{dataset}/measure_bead_widths.log",
    benchmark:
        "results/benchmarks/{dataset}/measure_bead_widths.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        code=source_hash("measure_bead_widths.py"),
        dataset=lambda wildcards: settings_of(wildcards, "saturation"),
        networks=BEAD_NETWORKS,
    message:
        "Measure the width of every bead of {wildcards.dataset} through focus, before and after the networks."
    script:
        "../scripts/measure_bead_widths.py"


rule refocus_volume:
    input:
        generators=[f"results/networks/{name}/generator.keras" for name in BEAD_NETWORKS],
        slides=lambda wildcards: test_slides(wildcards.dataset),
    output:
        table="results/{dataset}/volume.tsv",
        images="results/{dataset}/volume.ome.tif",
    log:
        "results/logs/{dataset}/refocus_volume.log",
    benchmark:
        "results/benchmarks/{dataset}/refocus_volume.tsv"
    conda:
        "../../envs/networks.yaml"
    threads: config["training"]["threads"]
    resources:
        mem_mb=memory_of_testing,
        runtime=60,
    params:
        code=source_hash("refocus_volume.py"),
        # Sums in another order differ in their last digits, so the number does not follow the machine.
        threads=config["training"]["threads"],
        networks=BEAD_NETWORKS,
    message:
        "Refocus one plane of the volume of beads of {wildcards.dataset} and measure every bead."
    script:
        "../scripts/refocus_volume.py"


offer(
    "fig4",
    networks=BEAD_NETWORKS,
    datasets=["beads"],
    evidence={"widths": "results/beads/bead_widths.tsv"},
    facts=lambda: {"networks": BEAD_NETWORKS, "ranges_um": [range_of(name) for name in BEAD_NETWORKS]},
)


rule draw_figure_4:
    input:
        widths="results/beads/bead_widths.tsv",
        slides=lambda wildcards: test_slides("beads"),
        predictions=[prediction_slides(name, "beads") for name in BEAD_NETWORKS],
    output:
        report("results/figures/fig4.svg", caption="../report/fig4.rst", category="Figures"),
        multiext("results/figures/fig4", ".pdf", ".png", ".tsv"),
    log:
        "results/logs/figures/fig4.log",
    benchmark:
        "results/benchmarks/figures/fig4.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        code=source_hash("draw_figure_4.py"),
        networks=BEAD_NETWORKS,
        ranges_um=lambda wildcards: [range_of(name) for name in BEAD_NETWORKS],
        data_source=lambda wildcards: source_of("beads"),
        scale=config["scale"],
    message:
        "Draw Figure 4: the image of a bead through focus, and its width against defocus."
    script:
        "../scripts/draw_figure_4.py"


offer(
    "figS3",
    networks=BEAD_NETWORKS,
    datasets=["beads_volume"],
    evidence={"table": "results/beads_volume/volume.tsv"},
    facts=lambda: {"networks": BEAD_NETWORKS, "ranges_um": [range_of(name) for name in BEAD_NETWORKS]},
)


rule draw_figure_s3:
    input:
        table="results/beads_volume/volume.tsv",
        images="results/beads_volume/volume.ome.tif",
    output:
        report("results/figures/figS3.svg", caption="../report/figS3.rst", category="Figures"),
        multiext("results/figures/figS3", ".pdf", ".png", ".tsv"),
    log:
        "results/logs/figures/figS3.log",
    benchmark:
        "results/benchmarks/figures/figS3.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        code=source_hash("draw_figure_s3.py"),
        networks=BEAD_NETWORKS,
        ranges_um=lambda wildcards: [range_of(name) for name in BEAD_NETWORKS],
        data_source=lambda wildcards: source_of("beads_volume"),
        scale=config["scale"],
    message:
        "Draw Figure S3: beads in a volume, one image refocused by two networks."
    script:
        "../scripts/draw_figure_s3.py"
