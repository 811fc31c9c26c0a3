"""Acquire the z-stacks of one slide with the simulated microscope."""

import pandas as pd
from deepr.focus import brent_search, vollath5
from deepr.optics.acquisition import acquire_slide
from deepr.optics.microscope import StageDrift
from deepr.optics.objective import OBJECTIVES
from deepr.runtime import logged, progress
from deepr.slides import SlideWriter
from deepr.tables import write_table


def acquire(
    stacks_path,
    truth_path,
    planes_path,
    dataset,
    slide,
    settings,
    z_um,
    fields,
    drift,
    truth_range_um,
    seed,
    threads,
):
    """Write a slide of z-stacks, and beside it what the simulator knows: noise-free planes, focus, drift."""
    metadata = {"channel": settings["channel"], "objective": settings["objective"], "source": "simulated"}
    acquired = acquire_slide(
        specimen=settings["specimen"],
        objective=settings["objective"],
        emission_um=settings["emission_um"],
        frame_px=settings["frame_px"],
        z_um=z_um,
        fields=fields,
        slide=slide,
        seed=seed,
        truth_range_um=truth_range_um,
        threads=threads,
        search=brent_search,
        score=vollath5,
        dataset=dataset,
        cover_glass_um=settings["cover_glass_um"],
        tilt_deg=settings["tilt_deg"],
        specimen_parameters=settings["specimen_parameters"],
        drift=StageDrift(**drift),
    )
    pixel_um = OBJECTIVES[settings["objective"]].pixel_um
    rows = []
    with (
        SlideWriter(stacks_path, pixel_um, description=f"Simulated {settings['specimen']}", **metadata) as stacks,
        SlideWriter(truth_path, pixel_um, description="Noise-free planes near focus", **metadata) as truth,
    ):
        for view in progress(acquired, total=fields, desc="fields"):
            stacks.write(view.field, view.stack, view.z_um)
            truth.write(view.field, view.truth_planes, view.truth_z_um)
            rows.extend(view.truth_rows)
    write_table(pd.DataFrame(rows), planes_path)


if __name__ == "__main__":
    with logged(snakemake):
        acquire(
            stacks_path=snakemake.output.stacks,
            truth_path=snakemake.output.truth,
            planes_path=snakemake.output.planes,
            dataset=snakemake.wildcards.dataset,
            slide=snakemake.wildcards.slide,
            **snakemake.params.slide,
            drift=snakemake.params.drift,
            seed=snakemake.params.seed,
            threads=snakemake.threads,
        )
