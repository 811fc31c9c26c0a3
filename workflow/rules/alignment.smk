"""Data pre-processing, first part: stage drift is taken out by rigid registration of neighbouring planes."""


rule align_slide:
    input:
        "results/{dataset}/raw/{slide}.ome.tif",
    output:
        stacks="results/{dataset}/aligned/{slide}.ome.tif",
        transforms="results/{dataset}/aligned/{slide}.tsv",
    log:
        "results/logs/{dataset}/align/{slide}.log",
    benchmark:
        "results/benchmarks/{dataset}/align/{slide}.tsv"
    # Before trainings, so that all of them are ready when cores are shared out.
    priority: 10
    conda:
        "../../envs/imaging.yaml"
    # One slide per core: a job of two threads would wait for a second core while trainings of one thread take it.
    threads: 1
    resources:
        mem_mb=memory_for_stack,
        runtime=240,
    params:
        code=source_hash("align_slide.py"),
        anchor=config["alignment"]["anchor"],
        max_rotation_deg=config["alignment"]["max_rotation_deg"],
        dataset=lambda wildcards: settings_of(wildcards, "max_shift_px", "patch_px"),
    message:
        "Align the planes of every z-stack of {wildcards.dataset} slide {wildcards.slide}."
    script:
        "../scripts/align_slide.py"
