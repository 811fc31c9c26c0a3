"""Defocus of every pixel: a decoder reads it off a frozen Deep-R network."""

DECODERS = list(NETWORKS.index[NETWORKS["kind"] == "decoder"])


rule train_decoder:
    input:
        manifests=lambda wildcards: expand(
            "results/{dataset}/manifest.tsv", dataset=datasets_of(NETWORKS.loc[wildcards.network])
        ),
        slides=lambda wildcards: [
            f"results/{dataset}/aligned/{slide}.ome.tif"
            for dataset in datasets_of(NETWORKS.loc[wildcards.network])
            for slide in slides_of(dataset, "train")
        ],
        generator=lambda wildcards: start_of_network(wildcards),
    output:
        decoder="results/networks/{network}/decoder.keras",
        config="results/networks/{network}/config.json",
        history="results/networks/{network}/history.tsv",
    log:
        "results/logs/networks/{network}/train.log",
    benchmark:
        "results/benchmarks/networks/{network}/train.tsv"
    wildcard_constraints:
        network=any_of(DECODERS),
    conda:
        "../../envs/networks.yaml"
    threads: config["training"]["threads"]
    resources:
        mem_mb=memory_of_training,
        runtime=1440,
        gpu=1,
    params:
        code=source_hash("train_decoder.py"),
        row=lambda wildcards: row_of_network(wildcards),
        seed=config["seed"],
        settings=lambda wildcards: training_of_network(wildcards),
        habits=habits_of_training,
        scale=config["scale"],
    message:
        "Train the decoder {wildcards.network} on uniform defocus; the network that it reads stays as it is."
    script:
        "../scripts/train_decoder.py"


rule test_decoder:
    input:
        generator=lambda wildcards: start_of_network(wildcards),
        decoder="results/networks/{network}/decoder.keras",
        manifest="results/{dataset}/manifest.tsv",
        slides=lambda wildcards: test_slides(wildcards.dataset),
    output:
        table="results/depth/{network}/{dataset}/defocus.tsv",
        images="results/depth/{network}/{dataset}/images.ome.tif",
    log:
        "results/logs/depth/{network}/{dataset}.log",
    benchmark:
        "results/benchmarks/depth/{network}/{dataset}.tsv"
    wildcard_constraints:
        network=any_of(DECODERS),
    conda:
        "../../envs/networks.yaml"
    threads: config["training"]["threads"]
    resources:
        mem_mb=memory_of_testing,
        runtime=60,
    params:
        code=source_hash("test_decoder.py"),
        # Sums in another order differ in their last digits, so the number does not follow the machine.
        threads=config["training"]["threads"],
        range_um=lambda wildcards: range_of(wildcards.network),
    message:
        "Estimate the defocus of every pixel on the test slides of {wildcards.dataset} with {wildcards.network}."
    script:
        "../scripts/test_decoder.py"


offer(
    "fig7",
    networks=["breast_5", "decoder"],
    datasets=["breast", "breast_tilted"],
    evidence={
        "uniform": "results/depth/decoder/breast/defocus.tsv",
        "tilted": "results/depth/decoder/breast_tilted/defocus.tsv",
    },
    facts=lambda: {
        "range_um": range_of("decoder"),
        "tilt_deg": config["datasets"]["breast_tilted"]["tilt_deg"],
        "field_um": config["datasets"]["breast_tilted"]["patch_px"]
        * OBJECTIVES[config["datasets"]["breast_tilted"]["objective"]].pixel_um,
    },
)


rule draw_figure_7:
    input:
        uniform="results/depth/decoder/breast/defocus.tsv",
        uniform_images="results/depth/decoder/breast/images.ome.tif",
        tilted_images="results/depth/decoder/breast_tilted/images.ome.tif",
    output:
        report("results/figures/fig7.svg", caption="../report/fig7.rst", category="Figures"),
        multiext("results/figures/fig7", ".pdf", ".png", ".tsv"),
    log:
        "results/logs/figures/fig7.log",
    benchmark:
        "results/benchmarks/figures/fig7.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        code=source_hash("draw_figure_7.py"),
        range_um=lambda wildcards: range_of("decoder"),
        tilt_deg=lambda wildcards: config["datasets"]["breast_tilted"]["tilt_deg"],
        data_source=lambda wildcards: sources_of(["breast", "breast_tilted"]),
        scale=config["scale"],
    message:
        "Draw Figure 7: the defocus distance of every pixel, on uniform and on tilted samples."
    script:
        "../scripts/draw_figure_7.py"
