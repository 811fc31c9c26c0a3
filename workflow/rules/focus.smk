"""Data pre-processing, second part: all-in-focus images, the focus plane of every patch, the manifest."""


rule fuse_extended_depth_of_field:
    input:
        "results/{dataset}/aligned/{slide}.ome.tif",
    output:
        "results/{dataset}/edof/{slide}.ome.tif",
    log:
        "results/logs/{dataset}/edof/{slide}.log",
    benchmark:
        "results/benchmarks/{dataset}/edof/{slide}.tsv"
    priority: 10
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_stack,
        runtime=60,
    params:
        code=source_hash("fuse_extended_depth_of_field.py"),
        edof=config["edof"],
    message:
        "Fuse each z-stack of {wildcards.dataset} slide {wildcards.slide} into one all-in-focus image."
    script:
        "../scripts/fuse_extended_depth_of_field.py"


rule find_focus_planes:
    input:
        stacks="results/{dataset}/aligned/{slide}.ome.tif",
        composites="results/{dataset}/edof/{slide}.ome.tif",
    output:
        "results/{dataset}/patches/{slide}.tsv",
    log:
        "results/logs/{dataset}/patches/{slide}.log",
    benchmark:
        "results/benchmarks/{dataset}/patches/{slide}.tsv"
    priority: 10
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=memory_for_stack,
        runtime=60,
    params:
        code=source_hash("find_focus_planes.py"),
        dataset=lambda wildcards: settings_of(wildcards, "patch_px", "min_contrast"),
    message:
        "Find the plane of {wildcards.dataset} slide {wildcards.slide} that is most like the fused image, patch by patch."
    script:
        "../scripts/find_focus_planes.py"


rule build_manifest:
    input:
        lambda wildcards: expand(
            "results/{dataset}/patches/{slide}.tsv",
            dataset=wildcards.dataset,
            slide=slides_of(wildcards.dataset),
        ),
    output:
        "results/{dataset}/manifest.tsv",
    log:
        "results/logs/{dataset}/manifest.log",
    benchmark:
        "results/benchmarks/{dataset}/manifest.tsv"
    priority: 10
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=source_hash("build_manifest.py"),
        seed=config["seed"],
        test_slides=lambda wildcards: slides_of(wildcards.dataset, "test"),
        validation_fraction=config["split"]["validation_fraction"],
        wanted=lambda wildcards: ["train", "test"] if trained_on(wildcards.dataset) else [],
    message:
        "Divide the patches of {wildcards.dataset} into training, validation and test by field of view."
    script:
        "../scripts/build_manifest.py"


rule check_focus_planes:
    input:
        manifest="results/{dataset}/manifest.tsv",
        planes=lambda wildcards: expand(
            "results/{dataset}/truth/{slide}.tsv",
            dataset=wildcards.dataset,
            slide=slides_of(wildcards.dataset),
        ),
        transforms=lambda wildcards: expand(
            "results/{dataset}/aligned/{slide}.tsv",
            dataset=wildcards.dataset,
            slide=slides_of(wildcards.dataset),
        ),
    output:
        "results/{dataset}/checks.tsv",
    log:
        "results/logs/{dataset}/check_focus_planes.log",
    benchmark:
        "results/benchmarks/{dataset}/check_focus_planes.tsv"
    wildcard_constraints:
        dataset=any_of(SIMULATED),
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=source_hash("check_focus_planes.py"),
        slides=lambda wildcards: slides_of(wildcards.dataset),
        frame_px=lambda wildcards: config["datasets"][wildcards.dataset]["frame_px"],
    message:
        "Compare the focus planes and the alignment of {wildcards.dataset} with the simulator's truth."
    script:
        "../scripts/check_focus_planes.py"
