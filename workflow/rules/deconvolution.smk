"""Deconvolution with a measured point spread function, the offline rival of Deep-R."""

from deepr.optics.camera import Camera

# The paper shows these; every whole um within the training range is measured.
FIGURE_5_UM = [-5.0, -3.0, 2.0, 4.0]
DECONVOLVED_UM = [float(z) for z in range(-5, 6) if z != 0]


rule measure_psf:
    input:
        lambda wildcards: test_slides(wildcards.dataset),
    output:
        "results/{dataset}/psf.ome.tif",
    log:
        "results/logs/{dataset}/measure_psf.log",
    benchmark:
        "results/benchmarks/{dataset}/measure_psf.tsv"
    wildcard_constraints:
        dataset=any_of(SIMULATED),
    conda:
        "../../envs/imaging.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        code=source_hash("measure_psf.py"),
        # What the outermost deconvolved plane spreads a point over.
        blur_um=lambda wildcards: OBJECTIVES[config["datasets"][wildcards.dataset]["objective"]].blur_radius_um(
            max(DECONVOLVED_UM)
        ),
    message:
        "Measure the point spread function at each defocus on the beads of {wildcards.dataset}."
    script:
        "../scripts/measure_psf.py"


rule deconvolve_test_slides:
    input:
        manifest="results/ovary/manifest.tsv",
        slides=lambda wildcards: test_slides("ovary"),
        predictions=prediction_slides("ovary_5", "ovary"),
        psf="results/beads_psf/psf.ome.tif",
    output:
        measurements="results/deconvolution/ovary/measurements.tsv",
        images="results/deconvolution/ovary/images.ome.tif",
    log:
        "results/logs/deconvolution/ovary.log",
    benchmark:
        "results/benchmarks/deconvolution/ovary.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: 2
    resources:
        mem_mb=3000,
        runtime=240,
    params:
        code=source_hash("deconvolve_test_slides.py"),
        z_um=DECONVOLVED_UM,
        shown_um=FIGURE_5_UM,
        offset=Camera().offset,
    message:
        "Deconvolve the defocused planes of the ovary test slides by Richardson-Lucy and Landweber."
    script:
        "../scripts/deconvolve_test_slides.py"


offer(
    "fig5",
    networks=["ovary_5"],
    datasets=["ovary", "beads_psf"],
    evidence={"measurements": "results/deconvolution/ovary/measurements.tsv"},
)


rule draw_figure_5:
    input:
        measurements="results/deconvolution/ovary/measurements.tsv",
        images="results/deconvolution/ovary/images.ome.tif",
        psf="results/beads_psf/psf.ome.tif",
        manifest="results/ovary/manifest.tsv",
        slides=lambda wildcards: test_slides("ovary"),
        predictions=prediction_slides("ovary_5", "ovary"),
    output:
        report("results/figures/fig5.svg", caption="../report/fig5.rst", category="Figures"),
        multiext("results/figures/fig5", ".pdf", ".png", ".tsv"),
    log:
        "results/logs/figures/fig5.log",
    benchmark:
        "results/benchmarks/figures/fig5.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        code=source_hash("draw_figure_5.py"),
        shown_um=FIGURE_5_UM,
        data_source=lambda wildcards: sources_of(["ovary", "beads_psf"]),
        scale=config["scale"],
    message:
        "Draw Figure 5: Deep-R beside deconvolution with the measured point spread function."
    script:
        "../scripts/draw_figure_5.py"
