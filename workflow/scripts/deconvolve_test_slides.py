"""Deconvolve the defocused planes of every test patch with the measured PSF, beside what the network makes of them."""

from pathlib import Path

import numpy as np
import pandas as pd
from deepr.point_spread import nearest_psf
from deepr.rivals import compare, deconvolve_planes
from deepr.runtime import logged, progress
from deepr.slides import SlideWriter, open_slide
from deepr.tables import InputError, read_table, write_table

METHODS = ("richardson_lucy", "landweber")


def deconvolve(
    manifest_path,
    slide_paths,
    predictions_folder,
    psf_path,
    z_um,
    shown_um,
    offset,
    threads,
    measurements_path,
    images_path,
):
    """Write one row per patch, plane and method, and the shown images of every patch."""
    manifest = read_table(manifest_path)
    manifest = manifest[manifest["kept"] & (manifest["split"] == "test")]
    if manifest.empty:
        raise InputError(f"{manifest_path}: no test patch was kept, wanted at least one; column reason says why")
    with open_slide(psf_path) as psfs:
        psf, psf_z_um = np.asarray(psfs.stack("psf")), psfs.z_um("psf")
        facts = {"pixel_um": psfs.pixel_um, "objective": psfs.objective, "channel": psfs.channel, "source": psfs.source}
    rows = []
    with SlideWriter(images_path, description="Deconvolved planes; z counts from the focus plane", **facts) as writer:
        for path in slide_paths:
            name = Path(path).name.removesuffix(".ome.tif")
            patches = manifest[manifest["slide"] == name].to_dict("records")
            with open_slide(path) as slide, open_slide(Path(predictions_folder) / f"{name}.ome.tif") as outputs:
                for patch in progress(patches, desc=name):
                    series = f"{patch['fov']}_y{patch['y']}_x{patch['x']}"
                    window = tuple(slice(patch[key], patch[key] + patch["size"]) for key in ("y", "x"))
                    stack = slide.stack(patch["fov"])
                    heights = np.round(slide.z_um(patch["fov"]) - patch["focus_z_um"], 3)
                    step_um = float(np.median(np.diff(heights)))
                    chosen = _chosen(heights, psf, psf_z_um, [*z_um, *shown_um], step_um)
                    truth = np.asarray(stack[patch["focus_plane"]][window])
                    planes = np.stack([stack[plane][window] for plane, _ in chosen])
                    kernels = [_fitting(kernel, patch["size"]) for _, kernel in chosen]
                    measured, images = deconvolve_planes(planes, kernels, truth, offset, threads)
                    place = {key: patch[key] for key in ("dataset", "slide", "fov", "y", "x")}
                    for (plane, _), methods in zip(chosen, measured, strict=True):
                        at = {**place, "z_um": float(heights[plane])}
                        rows.append({**at, "method": "input", "iterations": 0, **compare(stack[plane][window], truth)})
                        output = np.asarray(outputs.stack(series)[plane])
                        rows.append({**at, "method": "deepr", "iterations": 0, **compare(output, truth)})
                        rows.extend({**at, **row} for row in methods)
                    chosen_um = np.array([heights[plane] for plane, _ in chosen])
                    for number, method in enumerate(METHODS):
                        writer.write(f"{name}_{series}_{method}", images[:, number], chosen_um)
    write_table(pd.DataFrame(rows), measurements_path)


def _chosen(heights, psf, psf_z_um, wanted_um, step_um):
    """Give (plane, PSF) of the planes nearest to the wanted heights that have a PSF, each once, in order of z."""
    found = {}
    for wanted in wanted_um:
        plane = int(np.argmin(np.abs(heights - wanted)))
        kernel = nearest_psf(psf, psf_z_um, heights[plane], step_um / 2)
        if abs(heights[plane] - wanted) <= step_um / 2 + 1e-3 and kernel is not None:
            found[plane] = kernel
    if not found:
        raise InputError(f"no plane near {wanted_um} um has a PSF, wanted one; the PSF has {psf_z_um.tolist()} um")
    return sorted(found.items())


def _fitting(kernel, size):
    """Cut a PSF down to the patch's size where it is larger."""
    excess = max(0, len(kernel) - size)
    low = (excess + 1) // 2
    return kernel[low : len(kernel) - low, low : len(kernel) - low]


if __name__ == "__main__":
    with logged(snakemake):
        deconvolve(
            manifest_path=snakemake.input.manifest,
            slide_paths=snakemake.input.slides,
            predictions_folder=snakemake.input.predictions,
            psf_path=snakemake.input.psf,
            z_um=snakemake.params.z_um,
            shown_um=snakemake.params.shown_um,
            offset=snakemake.params.offset,
            threads=snakemake.threads,
            measurements_path=snakemake.output.measurements,
            images_path=snakemake.output.images,
        )
