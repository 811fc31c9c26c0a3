"""Tables, and the scorecard of the paper's claims."""

offer(
    "tableS1",
    evidence={"manifests": expand("results/{dataset}/manifest.tsv", dataset=DATASETS)},
    facts=lambda: {"validation_fraction": config["split"]["validation_fraction"]},
)


rule tabulate_data_sets:
    input:
        manifests=expand("results/{dataset}/manifest.tsv", dataset=DATASETS),
        slides=[f"results/{dataset}/aligned/{slide}.ome.tif" for dataset in DATASETS for slide in slides_of(dataset)],
    output:
        report("results/tables/tableS1.html", caption="../report/tableS1.rst", category="Tables"),
        multiext("results/tables/tableS1", ".tsv", ".png"),
    log:
        "results/logs/tables/tableS1.log",
    benchmark:
        "results/benchmarks/tables/tableS1.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        code=source_hash("tabulate_data_sets.py"),
        datasets=DATASETS,
        scale=config["scale"],
    message:
        "Tabulate the fields, areas and planes of every data set (Table S1)."
    script:
        "../scripts/tabulate_data_sets.py"


rule judge_claims:
    input:
        unpack(evidence_of),
    output:
        "results/scorecard/{target}.tsv",
    log:
        "results/logs/scorecard/{target}.log",
    benchmark:
        "results/benchmarks/scorecard/{target}.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=source_hash("judge_claims.py"),
        facts=lambda wildcards: facts_of(wildcards),
    message:
        "Judge the paper's claims about {wildcards.target}."
    script:
        "../scripts/judge_claims.py"


rule join_scorecard:
    input:
        lambda wildcards: [f"results/scorecard/{target}.tsv" for target in (*TARGETS, *ROAD)],
    output:
        report("results/scorecard.tsv", caption="../report/scorecard.rst", category="Scorecard"),
    log:
        "results/logs/scorecard/all.log",
    benchmark:
        "results/benchmarks/scorecard/all.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=source_hash("join_scorecard.py"),
    message:
        "Put the verdicts on all claims into one table."
    script:
        "../scripts/join_scorecard.py"


# What the page shows: the targets on offer, and what was made of a person's own stacks.
REPORTED = {
    "figures": {
        **{name: f"results/figures/{name}.png" for name in TARGETS if name.startswith("fig")},
        **{
            f"own/{network}/{dataset}": f"results/own/{network}/{dataset}/quality.png" for network, dataset in OWN_PAIRS
        },
        **{
            f"own_networks/{dataset}": f"results/own/{dataset}_networks.png"
            for dataset in OWN
            if own_networks_of(dataset)
        },
    },
    "tables": {
        **{name: f"results/tables/{name}.tsv" for name in TARGETS if name.startswith("table")},
        **({"ownSummary": "results/own/summary.tsv"} if OWN_PAIRS else {}),
    },
}


rule write_report:
    input:
        figures=list(REPORTED["figures"].values()),
        tables=list(REPORTED["tables"].values()),
        captions=[
            HERE / "workflow" / "report" / f"{name}.rst"
            for name in sorted({name.split("/")[0] for kind in REPORTED.values() for name in kind})
        ],
        scorecard="results/scorecard.tsv",
        template=HERE / "workflow/report/page.html.jinja",
        ledger=HERE / "docs/assumptions.md",
    output:
        "results/report.html",
    log:
        "results/logs/report.log",
    benchmark:
        "results/benchmarks/report.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        code=source_hash("write_report.py"),
        figures=list(REPORTED["figures"]),
        tables=list(REPORTED["tables"]),
        sources={
            name: TARGETS[name][1]["data_source"] if name in TARGETS else "own"
            for kind in REPORTED.values()
            for name in kind
        },
        data_sets=[facts_of_dataset(dataset) for dataset in DATASETS],
        scale=config["scale"],
        seed=config["seed"],
    message:
        "Put every figure and table, the scorecard and the ledger into one page."
    script:
        "../scripts/write_report.py"
