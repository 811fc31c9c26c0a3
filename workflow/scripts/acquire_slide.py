"""Acquire the z-stacks of one slide with the simulated microscope."""

import pandas as pd
from deepr.configuration import planes_um
from deepr.focus import brent_search, vollath5
from deepr.optics.acquisition import acquire_slide
from deepr.runtime import logged, progress
from deepr.slides import SlideWriter
from deepr.tables import write_table


def acquire(stacks_path, truth_path, planes_path, dataset, slide, settings, microscope, seed, threads):
    """Write a slide of z-stacks, and beside it what the simulator knows to be true."""


if __name__ == "__main__":
    with logged(snakemake):
        acquire(
            stacks_path=snakemake.output.stacks,
            truth_path=snakemake.output.truth,
            planes_path=snakemake.output.planes,
            dataset=snakemake.wildcards.dataset,
            slide=snakemake.wildcards.slide,
            settings=snakemake.params.settings,
            microscope=snakemake.params.microscope,
            seed=snakemake.params.seed,
            threads=snakemake.threads,
        )
