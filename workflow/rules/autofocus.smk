"""The time of mechanical autofocusing and of Deep-R."""


# Reads no file: the search drives the simulated microscope, which makes the field that it is asked for.
rule search_focus:
    output:
        "results/autofocus/searches.tsv",
    log:
        "results/logs/autofocus/search_focus.log",
    benchmark:
        "results/benchmarks/autofocus/search_focus.tsv"
    conda:
        "../../envs/imaging.yaml"
    # Scores are timed: beside another job they would look slower than they are.
    threads: 2
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=source_hash("search_focus.py"),
        fields=4,
        starts=4,
        frame_px=512 if config["scale"] != "tiny" else 128,
        seed=config["seed"],
    message:
        "Focus simulated beads by mechanical search with four scores, from 16 heights each."
    script:
        "../scripts/search_focus.py"


rule time_refocusing:
    input:
        generator="results/networks/{network}/generator.keras",
    output:
        "results/autofocus/{network}.tsv",
    log:
        "results/logs/autofocus/{network}.log",
    benchmark:
        "results/benchmarks/autofocus/{network}.tsv"
    wildcard_constraints:
        network=any_of(DEEPR),
    conda:
        "../../envs/networks.yaml"
    # All cores are timed, and nothing else may run beside.
    threads: lambda wildcards: workflow.cores
    resources:
        mem_mb=6000,
        runtime=30,
    params:
        code=source_hash("time_refocusing.py"),
        repeats=3 if config["scale"] != "tiny" else 1,
    message:
        "Time {wildcards.network} on the area of a whole camera frame."
    script:
        "../scripts/time_refocusing.py"


offer(
    "tableS2",
    networks=["breast_5"],
    datasets=["breast"],
    evidence={"table": "results/tables/tableS2.tsv", "refocusing": "results/autofocus/breast_5.tsv"},
)


rule tabulate_times:
    input:
        searches="results/autofocus/searches.tsv",
        refocusing="results/autofocus/breast_5.tsv",
    output:
        report("results/tables/tableS2.html", caption="../report/tableS2.rst", category="Tables"),
        multiext("results/tables/tableS2", ".tsv", ".png"),
    log:
        "results/logs/tables/tableS2.log",
    benchmark:
        "results/benchmarks/tables/tableS2.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=source_hash("tabulate_times.py"),
        data_source=lambda wildcards: source_of("breast"),
        scale=config["scale"],
    message:
        "Tabulate the time per area of mechanical searches and of Deep-R (Table S2)."
    script:
        "../scripts/tabulate_times.py"
