"""Figures 6 and S6: a typical test image at several distances from focus, refocused."""

import pandas as pd
from matplotlib.patches import Rectangle

from deepr.figures import style
from deepr.figures.images import (
    busiest_region,
    mark_absent,
    nearest_plane,
    read_patch,
    scores_text,
    signed,
    typical_patch,
)
from deepr.metrics import rmse, ssim

REGION_SHARE = 1 / 4
SIZE_MM = 32.5
KINDS = {"input": ("Input", style.INPUT_COLOUR), "output": ("Deep-R output", style.OUTPUT_COLOUR)}


@style.paper_style
def draw_series(measurements, manifest, slides, predictions, range_um, wanted_um, data_source, scale, output_base):
    """Draw inputs and outputs of one patch at several z beside its ground truth, whole and magnified.

    Parameters
    ----------
    measurements, manifest, slides, predictions, range_um, data_source, scale, output_base
        As for `deepr.figures.figure_2.draw_figure_2`.
    wanted_um : sequence of float
        Distances from focus to show; the nearest planes are taken, and one that the stack lacks is
        marked.

    Notes
    -----
    The patch is the one of median output quality, the region the one whose ground truth varies most.
    """
    patch = typical_patch(measurements, range_um)
    images = read_patch(patch, manifest, slides, predictions)
    region = busiest_region(images["truth"], max(7, round(REGION_SHARE * len(images["truth"]))))
    limits = style.grey_limits(images["truth"])
    figure = style.new_figure(height_mm=4 * (SIZE_MM + 1.2) + 13)
    rows = []
    for column, wanted in enumerate(wanted_um):
        z_um = nearest_plane(images["input"], wanted)
        for line, (part, kind) in enumerate([(None, "input"), (None, "output"), (region, "input"), (region, "output")]):
            axes = _panel(figure, column, line)
            label, colour = KINDS[kind]
            if line == 0:
                axes.set_title(f"z = {signed(wanted if z_um is None else z_um)} µm", pad=2)
            if column == 0:
                axes.set_ylabel(label, color=colour, labelpad=2)
            image = images[kind].get(z_um)
            if image is None:
                mark_absent(axes)
                continue
            shown, truth = (image, images["truth"]) if part is None else (image[part], images["truth"][part])
            style.show_image(axes, shown, limits, normalised=True)
            style.inset_text(axes, scores_text(shown, truth))
            if part is None:
                _frame(axes, region)
                name = "patch"
            else:
                name = "region"
            scores = {"ssim": ssim(shown, truth), "rmse": rmse(shown, truth)}
            rows.append({**patch, "part": name, "image": kind, "z_um": z_um, **scores})
    _draw_truth(figure, images, region, limits, len(wanted_um))
    style.provenance_line(figure, data_source, scale)
    style.save_figure(figure, output_base)
    style.save_numbers(pd.DataFrame(rows), output_base)


def _panel(figure, column, line):
    x_mm = 6 + column * (SIZE_MM + 1.2)
    return style.axes_mm(figure, x_mm, 5 + line * (SIZE_MM + 1.2) + (1.5 if line > 1 else 0), SIZE_MM, SIZE_MM)


def _frame(axes, region):
    rows, columns = region
    corner = (columns.start - 0.5, rows.start - 0.5)
    size = (columns.stop - columns.start, rows.stop - rows.start)
    axes.add_patch(Rectangle(corner, *size, fill=False, ec=style.BEST_COLOUR, lw=0.8))


def _draw_truth(figure, images, region, limits, columns):
    for line, image in ((0, images["truth"]), (2, images["truth"][region])):
        axes = _panel(figure, columns, line)
        style.show_image(axes, image, limits, normalised=True)
        style.scale_bar(axes, images["pixel_um"])
        if line == 0:
            axes.set_title("Ground truth", pad=2)
            _frame(axes, region)
