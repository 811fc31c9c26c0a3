"""Image acquisition: slides of z-stacks from the simulated microscope, from BBBC006 or from a person's own files."""


rule acquire_slide:
    output:
        stacks=temp("results/{dataset}/raw/{slide}.ome.tif"),
        truth="results/{dataset}/truth/{slide}.ome.tif",
        planes="results/{dataset}/truth/{slide}.tsv",
    log:
        "results/logs/{dataset}/acquire/{slide}.log",
    benchmark:
        "results/benchmarks/{dataset}/acquire/{slide}.tsv"
    wildcard_constraints:
        dataset=any_of(SIMULATED),
    priority: 10
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=memory_of_acquisition,
        runtime=120,
    params:
        code=source_hash("acquire_slide.py"),
        seed=config["seed"],
        slide=slide_to_acquire,
        drift=config["microscope"]["drift"],
    message:
        "Acquire the z-stacks of {wildcards.dataset} slide {wildcards.slide} with the simulated microscope."
    script:
        "../scripts/acquire_slide.py"


rule import_slide:
    input:
        lambda wildcards: files_of_slide(wildcards),
    output:
        temp("results/{dataset}/raw/{slide}.ome.tif"),
    log:
        "results/logs/{dataset}/import/{slide}.log",
    benchmark:
        "results/benchmarks/{dataset}/import/{slide}.tsv"
    wildcard_constraints:
        dataset=any_of(OWN),
    # A stack that cannot be used must be found before anything is trained.
    priority: 100
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_stack,
        runtime=60,
    params:
        code=source_hash("import_slide.py"),
        rows=lambda wildcards: fields_of_slide(wildcards),
        cells=cells_of_slide,
    message:
        "Import the z-stacks of {wildcards.dataset} slide {wildcards.slide} from its own files."
    script:
        "../scripts/import_slide.py"


rule fetch_slide:
    output:
        temp("results/{dataset}/raw/{slide}.ome.tif"),
    log:
        "results/logs/{dataset}/fetch/{slide}.log",
    benchmark:
        "results/benchmarks/{dataset}/fetch/{slide}.tsv"
    wildcard_constraints:
        dataset=any_of(BBBC006),
    # Images that are not there must be found before anything is trained.
    priority: 100
    conda:
        "../../envs/imaging.yaml"
    # Planes that are fetched side by side.
    threads: 4
    resources:
        mem_mb=1500,
        runtime=240,
    params:
        code=source_hash("fetch_slide.py"),
        wells=lambda wildcards: wells_of(wildcards),
        settings=lambda wildcards: public_source_of(wildcards),
        place=public_place_of,
        # Not an output: what is whole stays when a job is interrupted, and is not fetched again.
        cache=lambda wildcards: f"results/{wildcards.dataset}/download",
    message:
        "Fetch the z-stacks of {wildcards.dataset} slide {wildcards.slide} from BBBC006."
    script:
        "../scripts/fetch_slide.py"
