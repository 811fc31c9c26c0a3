"""A person's own stacks: what networks make of them, in figures and a table."""


rule own:
    input:
        wanted_own_files,


rule draw_own_figure:
    input:
        measurements="results/predictions/{network}/{dataset}/measurements.tsv",
        predictions="results/predictions/{network}/{dataset}/slides",
        manifest="results/{dataset}/manifest.tsv",
        slides=lambda wildcards: test_slides(wildcards.dataset),
    output:
        report("results/own/{network}/{dataset}/quality.svg", caption="../report/own.rst", category="Own stacks"),
        multiext("results/own/{network}/{dataset}/quality", ".pdf", ".png", ".tsv"),
    log:
        "results/logs/own/{network}/{dataset}.log",
    benchmark:
        "results/benchmarks/own/{network}/{dataset}.tsv"
    wildcard_constraints:
        dataset=any_of(OWN),
        network=any_of(DEEPR),
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        code=source_hash("draw_figure_2.py"),
        range_um=lambda wildcards: range_of(wildcards.network),
        data_source="own",
        scale=config["scale"],
        # The paper's figures end at 10 um; own stacks may be of any range.
        z_limit_um=None,
    message:
        "Draw what {wildcards.network} makes of unseen stacks of {wildcards.dataset}, and image quality against defocus."
    script:
        "../scripts/draw_figure_2.py"


rule compare_own_networks:
    input:
        lambda wildcards: [predictions_of(network, wildcards.dataset) for network in own_networks_of(wildcards.dataset)],
    output:
        report("results/own/{dataset}_networks.svg", caption="../report/own_networks.rst", category="Own stacks"),
        multiext("results/own/{dataset}_networks", ".pdf", ".png", ".tsv"),
    log:
        "results/logs/own/{dataset}_networks.log",
    benchmark:
        "results/benchmarks/own/{dataset}_networks.tsv"
    wildcard_constraints:
        dataset=any_of(OWN),
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        code=source_hash("draw_quality_curves.py"),
        names=lambda wildcards: own_networks_of(wildcards.dataset),
        ranges_um=lambda wildcards: [range_of(network) for network in own_networks_of(wildcards.dataset)],
        data_source="own",
        scale=config["scale"],
        z_limit_um=None,
    message:
        "Draw image quality against defocus of every network on unseen stacks of {wildcards.dataset}."
    script:
        "../scripts/draw_quality_curves.py"


rule summarise_own_tests:
    input:
        [predictions_of(network, dataset) for network, dataset in OWN_PAIRS],
    output:
        "results/own/summary.tsv",
    log:
        "results/logs/own/summary.log",
    benchmark:
        "results/benchmarks/own/summary.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=source_hash("summarise_own_tests.py"),
    message:
        "Tabulate SSIM and RMSE of input and output against defocus for every own network."
    script:
        "../scripts/summarise_own_tests.py"
