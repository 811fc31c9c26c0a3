"""Deep-Z: virtual refocusing by a given distance, as a source of defocus and for comparison."""

DEEPZ = list(NETWORKS.index[NETWORKS["kind"] == "deepz"])


rule train_deepz:
    input:
        manifests=lambda wildcards: expand(
            "results/{dataset}/manifest.tsv", dataset=datasets_of(NETWORKS.loc[wildcards.network])
        ),
        slides=lambda wildcards: [
            f"results/{dataset}/aligned/{slide}.ome.tif"
            for dataset in datasets_of(NETWORKS.loc[wildcards.network])
            for slide in slides_of(dataset, "train")
        ],
    output:
        generator="results/networks/{network}/generator.keras",
        discriminator="results/networks/{network}/discriminator.keras",
        config="results/networks/{network}/config.json",
        history="results/networks/{network}/history.tsv",
    log:
        "results/logs/networks/{network}/train.log",
    benchmark:
        "results/benchmarks/networks/{network}/train.tsv"
    wildcard_constraints:
        network=any_of(DEEPZ),
    conda:
        "../../envs/networks.yaml"
    threads: config["training"]["threads"]
    resources:
        mem_mb=memory_of_training,
        runtime=2880,
        gpu=1,
    params:
        code=source_hash("train_deepz.py"),
        row=lambda wildcards: row_of_network(wildcards),
        seed=config["seed"],
        settings=lambda wildcards: training_of_network(wildcards),
        habits=habits_of_training,
        scale=config["scale"],
    message:
        "Train the Deep-Z network {wildcards.network}; an interrupted training goes on from its checkpoint."
    script:
        "../scripts/train_deepz.py"


rule defocus_onto_surfaces:
    input:
        deepz="results/networks/{deepz}/generator.keras",
        deepr="results/networks/{network}/generator.keras",
        manifest="results/{dataset}/manifest.tsv",
        slides=lambda wildcards: test_slides(wildcards.dataset),
    output:
        table="results/virtual/{deepz}/{network}/{dataset}/surfaces.tsv",
        images="results/virtual/{deepz}/{network}/{dataset}/surfaces.ome.tif",
    log:
        "results/logs/virtual/{deepz}/{network}/{dataset}/surfaces.log",
    benchmark:
        "results/benchmarks/virtual/{deepz}/{network}/{dataset}/surfaces.tsv"
    wildcard_constraints:
        deepz=any_of(DEEPZ),
        network=any_of(DEEPR),
    conda:
        "../../envs/networks.yaml"
    threads: config["training"]["threads"]
    resources:
        mem_mb=memory_of_testing,
        runtime=60,
    params:
        code=source_hash("defocus_onto_surfaces.py"),
        # Sums in another order differ in their last digits, so the number does not follow the machine.
        threads=config["training"]["threads"],
        # The surfaces reach half of the range to both sides, which leaves room on either.
        amplitude_um=lambda wildcards: range_of(wildcards.deepz) / 2,
    message:
        "Defocus {wildcards.dataset} onto surfaces with {wildcards.deepz} and refocus the images with {wildcards.network}."
    script:
        "../scripts/defocus_onto_surfaces.py"


rule measure_virtual_stacks:
    input:
        deepz="results/networks/{deepz}/generator.keras",
        deepr="results/networks/{network}/generator.keras",
        manifest="results/{dataset}/manifest.tsv",
        slides=lambda wildcards: test_slides(wildcards.dataset),
    output:
        table="results/virtual/{deepz}/{network}/{dataset}/stacks.tsv",
        images="results/virtual/{deepz}/{network}/{dataset}/stacks.ome.tif",
    log:
        "results/logs/virtual/{deepz}/{network}/{dataset}/stacks.log",
    benchmark:
        "results/benchmarks/virtual/{deepz}/{network}/{dataset}/stacks.tsv"
    wildcard_constraints:
        deepz=any_of(DEEPZ),
        network=any_of(DEEPR),
    conda:
        "../../envs/networks.yaml"
    threads: config["training"]["threads"]
    resources:
        mem_mb=memory_of_testing,
        runtime=60,
    params:
        code=source_hash("measure_virtual_stacks.py"),
        # Sums in another order differ in their last digits, so the number does not follow the machine.
        threads=config["training"]["threads"],
        dataset=lambda wildcards: settings_of(wildcards, "saturation"),
    message:
        "Propagate defocused {wildcards.dataset} with {wildcards.deepz}, refocus them with {wildcards.network}, measure the beads."
    script:
        "../scripts/measure_virtual_stacks.py"


offer(
    "fig8",
    networks=["deepz_10", "beads_10"],
    datasets=["beads"],
    evidence={
        "surfaces": "results/virtual/deepz_10/beads_10/beads/surfaces.tsv",
        "beads": "results/virtual/deepz_10/beads_10/beads/stacks.tsv",
    },
)


rule draw_figure_8:
    input:
        surfaces="results/virtual/deepz_10/beads_10/beads/surfaces.tsv",
        images="results/virtual/deepz_10/beads_10/beads/surfaces.ome.tif",
    output:
        report("results/figures/fig8.svg", caption="../report/fig8.rst", category="Figures"),
        multiext("results/figures/fig8", ".pdf", ".png", ".tsv"),
    log:
        "results/logs/figures/fig8.log",
    benchmark:
        "results/benchmarks/figures/fig8.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        code=source_hash("draw_figure_8.py"),
        data_source=lambda wildcards: source_of("beads"),
        scale=config["scale"],
    message:
        "Draw Figure 8: images defocused onto surfaces, and refocused."
    script:
        "../scripts/draw_figure_8.py"


offer(
    "figS2",
    networks=["deepz_10", "beads_10"],
    datasets=["beads"],
    evidence={"beads": "results/virtual/deepz_10/beads_10/beads/stacks.tsv"},
)


rule draw_figure_s2:
    input:
        beads="results/virtual/deepz_10/beads_10/beads/stacks.tsv",
        images="results/virtual/deepz_10/beads_10/beads/stacks.ome.tif",
    output:
        report("results/figures/figS2.svg", caption="../report/figS2.rst", category="Figures"),
        multiext("results/figures/figS2", ".pdf", ".png", ".tsv"),
    log:
        "results/logs/figures/figS2.log",
    benchmark:
        "results/benchmarks/figures/figS2.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        code=source_hash("draw_figure_s2.py"),
        data_source=lambda wildcards: source_of("beads"),
        scale=config["scale"],
    message:
        "Draw Figure S2: bead widths in Deep-Z's virtual stack, before and after Deep-R."
    script:
        "../scripts/draw_figure_s2.py"
