"""Blind testing: the network refocuses every plane of slides that it has never seen."""


rule test_network:
    input:
        generator="results/networks/{network}/generator.keras",
        manifest="results/{dataset}/manifest.tsv",
        slides=lambda wildcards: expand(
            "results/{dataset}/aligned/{slide}.ome.tif",
            dataset=wildcards.dataset,
            slide=slides_of(wildcards.dataset, "test"),
        ),
        transforms=lambda wildcards: expand(
            "results/{dataset}/aligned/{slide}.tsv",
            dataset=wildcards.dataset,
            slide=slides_of(wildcards.dataset, "test"),
        ),
        truth=lambda wildcards: expand(
            "results/{dataset}/truth/{slide}.ome.tif",
            dataset=wildcards.dataset,
            slide=slides_of(wildcards.dataset, "test") if wildcards.dataset in SIMULATED else [],
        ),
    output:
        measurements="results/predictions/{network}/{dataset}/measurements.tsv",
        slides=directory("results/predictions/{network}/{dataset}/slides"),
    log:
        "results/logs/predictions/{network}/{dataset}.log",
    benchmark:
        "results/benchmarks/predictions/{network}/{dataset}.tsv"
    wildcard_constraints:
        network=any_of(DEEPR),
    conda:
        "../../envs/networks.yaml"
    threads: config["training"]["threads"]
    resources:
        mem_mb=memory_of_testing,
        runtime=240,
    params:
        code=source_hash("test_network.py"),
        # Sums in another order differ in their last digits, so the number does not follow the machine.
        threads=config["training"]["threads"],
    message:
        "Refocus every plane of the test slides of {wildcards.dataset} with {wildcards.network} and measure the result."
    script:
        "../scripts/test_network.py"
