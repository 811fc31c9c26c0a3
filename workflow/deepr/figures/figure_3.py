"""Figure 3: two regions of autofluorescent tissue, each below and above focus, with what is left of the error."""

import numpy as np
import pandas as pd

from deepr.figures import style
from deepr.figures.images import busiest_region, mark_absent, nearest_plane, read_patch, scores_text, signed
from deepr.metrics import rmse, ssim

REGION_SHARE = 3 / 8
Z_SHARES = (-0.8, 0.8)  # of the training range
SIZE_MM = 32.5


@style.paper_style
def draw_figure_3(measurements, manifest, slides, predictions, range_um, data_source, scale, output_base):
    """Draw Figure 3 and write it as PDF, SVG, PNG and a table of its numbers.

    Parameters
    ----------
    measurements, manifest, slides, predictions, range_um, data_source, scale, output_base
        As for `deepr.figures.figure_2.draw_figure_2`.

    Notes
    -----
    The regions are the busiest ones of the two test patches whose output quality is nearest to the
    median. The differences of all four rows are on one scale, on which the largest error is 255.
    """
    lines = []
    for letter, patch in zip("ab", typical_patches(measurements, range_um, 2), strict=False):
        images = read_patch(patch, manifest, slides, predictions)
        region = busiest_region(images["truth"], max(7, round(REGION_SHARE * len(images["truth"]))))
        for share in Z_SHARES:
            z_um = nearest_plane(images["input"], share * range_um)
            lines.append((letter, patch, images, region, share * range_um, z_um))
    largest = max(
        (
            _error(images, kind, z_um, region).max()
            for _, _, images, region, _, z_um in lines
            if z_um is not None
            for kind in ("input", "output")
        ),
        default=1.0,
    )
    figure = style.new_figure(height_mm=len(lines) * (SIZE_MM + 1.5) + 21)
    rows = []
    for line, (letter, patch, images, region, wanted_um, z_um) in enumerate(lines):
        limits = style.grey_limits(images["truth"])
        truth = images["truth"][region]
        panels = [
            ("Input", "input", style.INPUT_COLOUR),
            ("Deep-R output", "output", style.OUTPUT_COLOUR),
            ("Ground truth", "truth", style.TRUTH_COLOUR),
            ("|Input $-$ ground truth|", "input", style.INPUT_COLOUR),
            ("|Output $-$ ground truth|", "output", style.OUTPUT_COLOUR),
        ]
        if line % 2 == 0:
            style.panel_letter(figure, letter, 0.5, 2 + line * (SIZE_MM + 1.5))
        for column, (title, kind, colour) in enumerate(panels):
            top = 6 + line * (SIZE_MM + 1.5)
            axes = style.axes_mm(figure, 8 + column * (SIZE_MM + 1.5), top, SIZE_MM, SIZE_MM)
            if line == 0:
                axes.set_title(title, color=colour, pad=2)
            if column == 0:
                axes.set_ylabel(f"z = {signed(wanted_um if z_um is None else z_um)} µm", labelpad=2)
            if z_um is None and kind != "truth":
                mark_absent(axes)
            elif column < 3:
                image = truth if kind == "truth" else images[kind][z_um][region]
                style.show_image(axes, image, limits, normalised=True)
                if kind == "truth":
                    style.scale_bar(axes, images["pixel_um"])
                else:
                    style.inset_text(axes, scores_text(image, truth))
                    scores = {"ssim": ssim(image, truth), "rmse": rmse(image, truth)}
                    rows.append({"region": letter, **patch, "z_um": z_um, "image": kind, **scores})
            else:
                shown = axes.imshow(
                    255 * _error(images, kind, z_um, region) / largest, vmin=0, vmax=255, cmap="inferno"
                )
                style.bare(axes)
    if any(z_um is not None for *_, z_um in lines):
        bar = style.axes_mm(figure, 8 + 3 * (SIZE_MM + 1.5), len(lines) * (SIZE_MM + 1.5) + 7, 2 * SIZE_MM + 1.5, 2)
        figure.colorbar(shown, cax=bar, orientation="horizontal", ticks=[0, 85, 170, 255])
    style.provenance_line(figure, data_source, scale)
    style.save_figure(figure, output_base)
    style.save_numbers(pd.DataFrame(rows), output_base)


def typical_patches(measurements, range_um, count):
    """Give the test patches whose output quality is nearest to the median, as dicts of dataset, slide, fov, y, x."""
    within = measurements["z_um"].abs().between(1e-3, range_um + 1e-3)
    outputs = measurements[(measurements["image"] == "output") & within]
    if outputs.empty:
        raise ValueError(f"no output was measured within {range_um:g} um of focus")
    keys = ["dataset", "slide", "fov", "y", "x"]
    means = outputs.groupby(keys)["ssim"].mean()
    order = (means - means.median()).abs().sort_values(kind="stable").index[:count]
    return [dict(zip(keys, place, strict=True)) for place in sorted(order)]


def _error(images, kind, z_um, region):
    error = np.abs(images[kind][z_um][region] - images["truth"][region])
    return error.mean(axis=-1) if error.ndim == 3 else error
