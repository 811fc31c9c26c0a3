"""Network structure, training and validation."""


rule train_network:
    input:
        manifests=lambda wildcards: expand(
            "results/{dataset}/manifest.tsv", dataset=datasets_of(NETWORKS.loc[wildcards.network])
        ),
        slides=lambda wildcards: [
            f"results/{dataset}/aligned/{slide}.ome.tif"
            for dataset in datasets_of(NETWORKS.loc[wildcards.network])
            for slide in slides_of(dataset, "train")
        ],
        start_from=lambda wildcards: start_of_network(wildcards),
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
        network=any_of(DEEPR),
    conda:
        "../../envs/networks.yaml"
    threads: config["training"]["threads"]
    resources:
        mem_mb=memory_of_training,
        runtime=2880,
        gpu=1,
    params:
        code=source_hash("train_network.py"),
        row=lambda wildcards: row_of_network(wildcards),
        seed=config["seed"],
        settings=lambda wildcards: training_of_network(wildcards),
        habits=habits_of_training,
        scale=config["scale"],
    message:
        "Train the network {wildcards.network}; an interrupted training goes on from its checkpoint."
    script:
        "../scripts/train_network.py"


rule describe_network:
    input:
        generator="results/networks/{network}/generator.keras",
        discriminator="results/networks/{network}/discriminator.keras",
    output:
        "results/networks/{network}/layers.tsv",
    log:
        "results/logs/networks/{network}/describe.log",
    benchmark:
        "results/benchmarks/networks/{network}/describe.tsv"
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        code=source_hash("describe_network.py"),
    message:
        "List the layers of {wildcards.network} as they were built."
    script:
        "../scripts/describe_network.py"


rule export_network:
    input:
        generator="results/networks/{network}/generator.keras",
        config="results/networks/{network}/config.json",
        manifests=lambda wildcards: expand(
            "results/{dataset}/manifest.tsv", dataset=datasets_of(NETWORKS.loc[wildcards.network])
        ),
        slides=lambda wildcards: [
            slide for dataset in datasets_of(NETWORKS.loc[wildcards.network]) for slide in test_slides(dataset)
        ],
        measurements=lambda wildcards: [
            predictions_of(wildcards.network, dataset) for dataset in datasets_of(NETWORKS.loc[wildcards.network])
        ],
    output:
        "results/networks/{network}/{network}.zip",
    log:
        "results/logs/networks/{network}/export.log",
    benchmark:
        "results/benchmarks/networks/{network}/export.tsv"
    wildcard_constraints:
        network=any_of(DEEPR),
    conda:
        "../../envs/export.yaml"
    threads: config["training"]["threads"]
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        code=source_hash("export_network.py"),
        # Sums in another order differ in their last digits, so the number does not follow the machine.
        threads=config["training"]["threads"],
    message:
        "Package {wildcards.network} for the BioImage Model Zoo, tested on a test slide of its own."
    script:
        "../scripts/export_network.py"
