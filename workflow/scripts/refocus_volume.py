"""Refocus the middle plane of beads in a volume with several networks and measure every bead."""

from pathlib import Path

import numpy as np
import pandas as pd
from deepr.networks.generator import load_generator
from deepr.networks.reproducibility import fix_threads
from deepr.runtime import logged, progress
from deepr.slides import SlideWriter, open_slide
from deepr.tables import write_table
from deepr.volume import measure_volume


def refocus_volume(generator_paths, networks, slide_paths, table_path, images_path):
    """Write one row per bead and image, and the images of every field."""
    generators = {name: load_generator(path) for name, path in zip(networks, generator_paths, strict=True)}
    frames = []
    with open_slide(slide_paths[0]) as first:
        facts = {"pixel_um": first.pixel_um, "objective": first.objective, "channel": first.channel}
        source = first.source
    with SlideWriter(images_path, source=source, description="Input, outputs, projection", **facts) as writer:
        for path in slide_paths:
            name = Path(path).name.removesuffix(".ome.tif")
            with open_slide(path) as slide:
                for field in progress(slide.fields, desc=name):
                    rows, images = measure_volume(
                        np.asarray(slide.stack(field)), slide.z_um(field), slide.pixel_um, generators
                    )
                    frames.append(rows.assign(slide=name, fov=field))
                    # No heights: the planes are the input, each network's output, the projection.
                    writer.write(f"{name}_{field}", images, np.arange(len(images), dtype=float))
    order = ["slide", "fov", "bead", "y_px", "x_px", "bead_z_um", "image", "fwhm_um", "peak", "kept", "reason"]
    write_table(pd.concat(frames, ignore_index=True)[order], table_path)


if __name__ == "__main__":
    with logged(snakemake):
        fix_threads(snakemake.params.threads)
        refocus_volume(
            generator_paths=snakemake.input.generators,
            networks=snakemake.params.networks,
            slide_paths=snakemake.input.slides,
            table_path=snakemake.output.table,
            images_path=snakemake.output.images,
        )
