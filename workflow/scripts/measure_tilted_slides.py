"""Refocus tilted fields and measure the sharpness of their rows against a projection of the planes in focus."""

from pathlib import Path

import numpy as np
import pandas as pd
from deepr.networks.generator import load_generator
from deepr.networks.reproducibility import fix_threads
from deepr.runtime import logged, progress
from deepr.slides import SlideWriter, open_slide
from deepr.tables import InputError, write_table
from deepr.tilt import measure_field


def measure(generator_path, slide_paths, patch_px, rows_path, images_path):
    """Write one row per field, position, image and row of the image, and the images themselves."""
    generator = load_generator(generator_path)
    frames = []
    with open_slide(slide_paths[0]) as first:
        facts = {"pixel_um": first.pixel_um, "objective": first.objective, "channel": first.channel}
        source = first.source
    with SlideWriter(
        images_path, source=source, description="Tilted fields: inputs, outputs, reference", **facts
    ) as writer:
        for path in slide_paths:
            name = Path(path).name.removesuffix(".ome.tif")
            with open_slide(path) as slide:
                for field in progress(slide.fields, desc=name):
                    stack = _middle(slide.stack(field), patch_px, f"{path}, field {field}")
                    try:
                        rows, images, _ = measure_field(stack, slide.z_um(field), generator)
                    except ValueError as error:
                        raise InputError(f"{path}, field {field}: {error}") from error
                    y_um = rows["row"] * slide.pixel_um
                    frames.append(rows.assign(slide=name, fov=field, y_um=y_um.round(4)))
                    # Series need a z of each plane; here it is no height but the number of the image.
                    writer.write(f"{name}_{field}", images, np.arange(len(images), dtype=float))
    order = ["slide", "fov", "z_um", "image", "row", "y_um", "sharpness", "deviation"]
    write_table(pd.concat(frames, ignore_index=True)[order], rows_path)


def _middle(stack, patch_px, where):
    """Cut a square of patch_px out of the middle of every plane."""
    top, left = ((side - patch_px) // 2 for side in stack.shape[1:3])
    if min(top, left) < 0:
        raise InputError(f"{where}: {stack.shape[1:3]} px are left after alignment, wanted patch_px {patch_px} a side")
    return stack[:, top : top + patch_px, left : left + patch_px]


if __name__ == "__main__":
    with logged(snakemake):
        fix_threads(snakemake.params.threads)
        measure(
            generator_path=snakemake.input.generator,
            slide_paths=snakemake.input.slides,
            patch_px=snakemake.params.patch_px,
            rows_path=snakemake.output.rows,
            images_path=snakemake.output.images,
        )
