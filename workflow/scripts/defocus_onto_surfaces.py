"""Defocus images in focus onto tilted and curved surfaces with Deep-Z, and refocus them with Deep-R."""

from pathlib import Path

import numpy as np
import pandas as pd
from deepr.metrics import rmse, ssim
from deepr.networks.blind_refocusing import refocus_stack
from deepr.networks.generator import load_generator
from deepr.networks.reproducibility import fix_threads
from deepr.networks.virtual_refocusing import propagate_through
from deepr.runtime import logged, progress
from deepr.slides import SlideWriter, open_slide
from deepr.surfaces import SURFACES, defocus_surface
from deepr.tables import InputError, read_table, write_table


def defocus(deepz_path, deepr_path, manifest_path, slide_paths, amplitude_um, table_path, images_path):
    """Write one row per test patch, surface and image, and the images themselves."""
    deepz, deepr = load_generator(deepz_path), load_generator(deepr_path)
    manifest = read_table(manifest_path)
    manifest = manifest[manifest["kept"] & (manifest["split"] == "test")]
    if manifest.empty:
        raise InputError(f"{manifest_path}: no test patch was kept, wanted at least one; column reason says why")
    rows = []
    with open_slide(slide_paths[0]) as slide:
        facts = {name: getattr(slide, name) for name in ("pixel_um", "objective", "channel", "source")}
    with SlideWriter(images_path, description="Surfaces (um), defocused and refocused images", **facts) as writer:
        for path in slide_paths:
            name = Path(path).name.removesuffix(".ome.tif")
            with open_slide(path) as slide:
                for patch in progress(manifest[manifest["slide"] == name].to_dict("records"), desc=name):
                    field, y, x, size = patch["fov"], patch["y"], patch["x"], patch["size"]
                    truth = np.asarray(slide.stack(field)[patch["focus_plane"], y : y + size, x : x + size])
                    surfaces = np.stack([defocus_surface(kind, truth.shape, amplitude_um) for kind in SURFACES])
                    defocused = propagate_through(truth, surfaces, deepz)
                    outputs = refocus_stack(defocused, deepr)
                    place = {key: patch[key] for key in ("dataset", "slide", "fov", "y", "x")}
                    for number, kind in enumerate(SURFACES):
                        for image, pixels in (("input", defocused[number]), ("output", outputs[number])):
                            scores = {"ssim": ssim(pixels, truth), "rmse": rmse(pixels, truth)}
                            rows.append({**place, "surface": kind, "image": image, **scores})
                    series = f"{name}_{field}_y{y}_x{x}"
                    groups = {"truth": truth[None], "surface": surfaces, "input": defocused, "output": outputs}
                    for kind, images in groups.items():
                        # Series need a z of each plane; here it is no height but the number of the surface.
                        writer.write(f"{series}_{kind}", images.astype(np.float32), np.arange(len(images), dtype=float))
    write_table(pd.DataFrame(rows), table_path)


if __name__ == "__main__":
    with logged(snakemake):
        fix_threads(snakemake.params.threads)
        defocus(
            deepz_path=snakemake.input.deepz,
            deepr_path=snakemake.input.deepr,
            manifest_path=snakemake.input.manifest,
            slide_paths=snakemake.input.slides,
            amplitude_um=snakemake.params.amplitude_um,
            table_path=snakemake.output.table,
            images_path=snakemake.output.images,
        )
