"""Figure 5: one patch at four distances from focus, deconvolved with the measured PSF and refocused by Deep-R."""

import numpy as np
import pandas as pd

from deepr.figures import style
from deepr.figures.images import (
    busiest_region,
    mark_absent,
    nearest_plane,
    read_patch,
    signed,
)
from deepr.metrics import normalise
from deepr.slides import open_slide

SIZE_MM = 28.0
REGION_SHARE = 3 / 8
PSF_UM = {True: 12.0, False: 6.0}
METHODS = (
    ("input", "Input", style.INPUT_COLOUR),
    ("landweber", "Landweber", style.NOTE_COLOUR),
    ("richardson_lucy", "Richardson–Lucy", style.NOTE_COLOUR),
    ("deepr", "Deep-R", style.OUTPUT_COLOUR),
)


@style.paper_style
def draw_figure_5(
    measurements, manifest, slides, predictions, images_path, psf_path, shown_um, data_source, scale, output_base
):
    """Draw Figure 5 and write it as PDF, SVG, PNG and a table of its numbers.

    Parameters
    ----------
    measurements : DataFrame
        One row per patch, plane and method: dataset, slide, fov, y, x, z_um, method, iterations, ssim, rmse.
    manifest, slides, predictions, data_source, scale, output_base
        As for `deepr.figures.figure_2.draw_figure_2`.
    images_path, psf_path : str or Path
        Deconvolved planes, one series "{slide}_{fov}_y{y}_x{x}_{method}" per patch and method; the PSF.
    shown_um : sequence of float

    Notes
    -----
    The patch is the one of median Deep-R SSIM. What is written over a panel is of the whole patch without ten pixels
    at each edge, for all methods alike.
    """
    patch = _typical(measurements)
    images = read_patch(patch, manifest, slides, predictions)
    series = f"{patch['slide']}_{patch['fov']}_y{patch['y']}_x{patch['x']}"
    with open_slide(images_path) as deconvolutions:
        for method in ("landweber", "richardson_lucy"):
            name = f"{series}_{method}"
            stack, z_um = deconvolutions.stack(name), deconvolutions.z_um(name)
            images[method] = {round(float(z), 3) + 0.0: normalise(stack[i]) for i, z in enumerate(z_um)}
    images["deepr"] = images["output"]
    with open_slide(psf_path) as psfs:
        psf, psf_z_um, pixel_um = np.asarray(psfs.stack("psf")), psfs.z_um("psf"), psfs.pixel_um
    truth = images["truth"]
    region = busiest_region(truth, max(7, round(REGION_SHARE * len(truth))))
    limits = style.grey_limits(truth)
    own = measurements[np.all([measurements[key] == value for key, value in patch.items()], axis=0)]
    figure = style.new_figure(height_mm=len(shown_um) * (SIZE_MM + 1.2) + 12)
    for line, wanted in enumerate(shown_um):
        z_um = nearest_plane(images["landweber"], wanted)
        top = 6 + line * (SIZE_MM + 1.2)
        for column, (method, title, colour) in enumerate(METHODS):
            axes = style.axes_mm(figure, 6 + column * (SIZE_MM + 1), top, SIZE_MM, SIZE_MM)
            if line == 0:
                axes.set_title(title, color=colour, pad=2)
            if column == 0:
                axes.set_ylabel(f"z = {signed(wanted if z_um is None else z_um)} µm", labelpad=2)
            if z_um is None or z_um not in images[method]:
                mark_absent(axes)
                continue
            style.show_image(axes, images[method][z_um][region], limits, normalised=True)
            row = own[(own["method"] == method) & np.isclose(own["z_um"], z_um)].iloc[0]
            style.inset_text(axes, f"SSIM {row['ssim']:.2f}\nRMSE {row['rmse']:.2f}")
        axes = style.axes_mm(figure, 6 + 4 * (SIZE_MM + 1), top, SIZE_MM, SIZE_MM)
        style.show_image(axes, truth[region], limits, normalised=True)
        style.scale_bar(axes, images["pixel_um"])
        panel = style.axes_mm(figure, 6 + 5 * (SIZE_MM + 1), top, SIZE_MM, SIZE_MM)
        _draw_psf(panel, psf, psf_z_um, pixel_um, z_um)
        if line == 0:
            axes.set_title("Ground truth", pad=2)
            panel.set_title("Measured PSF", pad=2)
    style.provenance_line(figure, data_source, scale)
    style.save_figure(figure, output_base)
    style.save_numbers(_numbers(measurements), output_base)


def _typical(measurements):
    keys = ["dataset", "slide", "fov", "y", "x"]
    outputs = measurements[measurements["method"] == "deepr"]
    means = outputs.groupby(keys)["ssim"].mean().sort_values(kind="stable")
    return dict(zip(keys, means.index[(len(means) - 1) // 2], strict=True))


def _draw_psf(axes, psf, psf_z_um, pixel_um, z_um):
    if z_um is None:
        mark_absent(axes)
        return
    image = psf[int(np.argmin(np.abs(psf_z_um - z_um)))]
    half = min(len(image) // 2, int(PSF_UM[abs(z_um) > 3.5] / pixel_um))
    middle = len(image) // 2
    image = image[middle - half : middle + half + 1, middle - half : middle + half + 1]
    axes.imshow(image, cmap="inferno", vmin=0)
    style.bare(axes)
    style.scale_bar(axes, pixel_um)


def _numbers(measurements):
    """Mean, deviation and number over the test patches by method, metric and z."""
    frames = []
    for metric in ("ssim", "rmse"):
        groups = measurements.groupby(["method", "z_um"])[metric]
        frames.append(groups.agg(mean="mean", std="std", n="count").reset_index().assign(metric=metric))
    return pd.concat(frames, ignore_index=True)[["metric", "method", "z_um", "mean", "std", "n"]]
