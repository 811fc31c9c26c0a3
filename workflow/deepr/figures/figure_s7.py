"""Figure S7: networks trained on one kind of cells, on the other, and on both, tested on each kind."""

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from deepr.figures import style
from deepr.figures.images import (
    Z_LIMIT_UM,
    busiest_region,
    mark_absent,
    nearest_plane,
    read_patch,
    signed,
    typical_patch,
)
from deepr.metrics import rmse, summarise_by_defocus

# The paper's colours of this figure, which are not those of the others.
WAYS = {
    "input": ("Input", "#1f5fbf"),
    "other": ("Trained on the other type", "#2f9e44"),
    "mixed": ("Trained on both types", "#c0182b"),
    "same": ("Trained on the same type", "#d9a400"),
}
REGION_SHARE = 3 / 8
Z_SHARE = -0.6


@style.paper_style
def draw_figure_s7(tests, range_um, data_source, scale, output_base):
    """Draw Figure S7 and write it as PDF, SVG, PNG and a table of its numbers.

    Parameters
    ----------
    tests : dict
        By type of cells: dict with ``manifest`` (DataFrame), ``slides`` (list of path), and by way of training
        ("same", "mixed", "other") ``measurements`` (dict of DataFrame) and ``predictions`` (dict of lists
        of path).
    range_um : float
        Training range of all networks.
    data_source, scale, output_base
        As for `deepr.figures.figure_2.draw_figure_2`.

    Notes
    -----
    The shown patch is the one of median quality for the network of its own type.
    """
    figure = style.new_figure(height_mm=128)
    style.panel_letter(figure, "a", 0.5, 0.5)
    style.panel_letter(figure, "b", 48, 0.5)
    frames = []
    for row, (name, test) in enumerate(tests.items()):
        patch = typical_patch(test["measurements"]["same"], range_um)
        images = {
            way: read_patch(patch, test["manifest"], test["slides"], test["predictions"][way])
            for way in ("same", "mixed", "other")
        }
        limits = style.grey_limits(images["same"]["truth"])
        axes = style.axes_mm(figure, 7, 5 + row * 33, 28, 28)
        axes.set_ylabel(name.capitalize(), labelpad=2)
        style.show_image(axes, images["same"]["truth"], limits, normalised=True)
        style.scale_bar(axes, images["same"]["pixel_um"])
        frames.extend(_draw_curves(figure, name, test, 60 + row * 62))
        frames.append(_draw_crops(figure, name, images, limits, range_um, row).assign(**patch))
    figure.legend(
        handles=[Line2D([], [], color=colour, label=label) for label, colour in WAYS.values()],
        loc="lower center",
        bbox_to_anchor=(0.62, 0.49),
        ncols=4,
        columnspacing=1.2,
        handlelength=1.4,
    )
    style.provenance_line(figure, data_source, scale)
    style.save_figure(figure, output_base)
    style.save_numbers(pd.concat(frames, ignore_index=True), output_base)


def _draw_curves(figure, name, test, x_mm):
    axes = style.axes_mm(figure, x_mm, 6, 50, 42)
    axes.set_title(f"Test images: {name}", pad=2.5)
    for way, (_, colour) in WAYS.items():
        measurements = test["measurements"]["same" if way == "input" else way]
        kind = "input" if way == "input" else "output"
        summary = summarise_by_defocus(measurements, "rmse")
        curve = summary[(summary["image"] == kind) & (summary["z_um"].abs() <= Z_LIMIT_UM + 1e-3)]
        style.mean_and_band(axes, curve["z_um"], curve["mean"], curve["std"].fillna(0), colour, None)
        yield curve.assign(panel="b", type=name, way=way)
    axes.set(xlabel="Axial defocus distance z (µm)", xlim=(-Z_LIMIT_UM, Z_LIMIT_UM))
    axes.set_xticks(np.arange(-Z_LIMIT_UM, Z_LIMIT_UM + 1, 5))
    axes.set_ylabel("RMSE (standard deviations)")
    axes.set_ylim(bottom=0)


def _draw_crops(figure, name, images, limits, range_um, row):
    """Draw one region as input, as each network's output and as ground truth."""
    top = 73 + row * 27.0
    style.panel_letter(figure, "cd"[row], 0.5, top - 1)
    truth = images["same"]["truth"]
    region = busiest_region(truth, max(7, round(REGION_SHARE * len(truth))))
    z_um = nearest_plane(images["same"]["input"], Z_SHARE * range_um)
    rows = []
    for column, way in enumerate([*WAYS, "truth"]):
        size = 24.0
        axes = style.axes_mm(figure, 9 + column * 34, top, size, size)
        if row == 0:
            label, colour = WAYS.get(way, ("Ground truth", style.TRUTH_COLOUR))
            if way == "input" and z_um is not None:
                label = f"Input, z = {signed(z_um)} µm"
            axes.set_title(label, color=colour, pad=2, size=6.5)
        if column == 0:
            axes.set_ylabel(name.capitalize(), labelpad=2)
        if way == "truth":
            style.show_image(axes, truth[region], limits, normalised=True)
            style.scale_bar(axes, images["same"]["pixel_um"])
            continue
        image = (
            None if z_um is None else images["same" if way == "input" else way]["input" if way == "input" else "output"]
        )
        if image is None or z_um not in image:
            mark_absent(axes)
            continue
        style.show_image(axes, image[z_um][region], limits, normalised=True)
        error = rmse(image[z_um][region], truth[region])
        style.inset_text(axes, f"RMSE {error:.2f}")
        rows.append({"panel": "cd"[row], "type": name, "way": way, "z_um": z_um, "mean": error, "n": 1})
    return pd.DataFrame(rows)
