"""Make virtual stacks of defocused beads with Deep-Z, refocus them with Deep-R, and measure the beads."""

from pathlib import Path

import numpy as np
import pandas as pd
from deepr.networks.generator import load_generator
from deepr.networks.reproducibility import fix_threads
from deepr.runtime import logged, progress
from deepr.slides import SlideWriter, open_slide
from deepr.tables import InputError, read_table, write_table
from deepr.virtual_stacks import measure_virtual_stack


def measure(deepz_path, deepr_path, manifest_path, slide_paths, saturation, table_path, images_path):
    """Write one row per bead, curve and z of all test patches, and the images around one bead of each patch."""
    deepz, deepr = load_generator(deepz_path), load_generator(deepr_path)
    manifest = read_table(manifest_path)
    manifest = manifest[manifest["kept"] & (manifest["split"] == "test")]
    if manifest.empty:
        raise InputError(f"{manifest_path}: no test patch was kept, wanted at least one; column reason says why")
    frames = []
    with open_slide(slide_paths[0]) as slide:
        facts = {name: getattr(slide, name) for name in ("pixel_um", "objective", "channel", "source")}
    with SlideWriter(images_path, description="One bead through virtual stacks", **facts) as writer:
        # A slide needs a field even where no bead was found.
        writer.write("none", np.zeros((1, 8, 8), np.float32), [0.0])
        for path in slide_paths:
            name = Path(path).name.removesuffix(".ome.tif")
            with open_slide(path) as slide:
                for patch in progress(manifest[manifest["slide"] == name].to_dict("records"), desc=name):
                    field, y, x, size = patch["fov"], patch["y"], patch["x"], patch["size"]
                    rows, images = measure_virtual_stack(
                        planes=np.asarray(slide.stack(field)[:, y : y + size, x : x + size]),
                        z_um=np.round(slide.z_um(field) - patch["focus_z_um"], 3),
                        focus_plane=int(patch["focus_plane"]),
                        pixel_um=slide.pixel_um,
                        deepz=deepz,
                        deepr=deepr,
                        saturation=saturation,
                    )
                    place = {key: patch[key] for key in ("dataset", "slide", "fov", "y", "x")}
                    frames.append(rows.assign(**place))
                    for curve, stack in images.items():
                        z_um = np.sort(rows.loc[rows["curve"] == curve, "z_um"].unique())
                        writer.write(f"{name}_{field}_y{y}_x{x}_{curve}", stack.astype(np.float32), z_um)
    order = ["dataset", "slide", "fov", "y", "x", "bead", "curve", "z_um", "fwhm_um", "kept"]
    write_table(pd.concat(frames, ignore_index=True)[order], table_path)


if __name__ == "__main__":
    with logged(snakemake):
        fix_threads(snakemake.params.threads)
        measure(
            deepz_path=snakemake.input.deepz,
            deepr_path=snakemake.input.deepr,
            manifest_path=snakemake.input.manifest,
            slide_paths=snakemake.input.slides,
            saturation=snakemake.params.dataset["saturation"],
            table_path=snakemake.output.table,
            images_path=snakemake.output.images,
        )
