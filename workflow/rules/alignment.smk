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
    conda:
        "../../envs/imaging.yaml"
    # The longest of the steps before training: one slide after the other leaves no core idle at the end.
    threads: 2
    resources:
        mem_mb=memory_for_stack,
        runtime=240,
    params:
        code=source_hash("align_slide.py"),
        anchor=config["alignment"]["anchor"],
        limits=lambda wildcards: {
            "max_rotation_deg": config["alignment"]["max_rotation_deg"],
            "max_shift_px": config["datasets"][wildcards.dataset]["max_shift_px"],
        },
        patch_px=lambda wildcards: config["datasets"][wildcards.dataset]["patch_px"],
    message:
        "Align the planes of every z-stack of {wildcards.dataset} slide {wildcards.slide}."
    script:
        "../scripts/align_slide.py"
