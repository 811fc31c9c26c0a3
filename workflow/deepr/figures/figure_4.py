"""Figure 4: the image of a bead through focus, and its width, before and after two networks."""

from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from deepr.figures import style
from deepr.figures.images import signed
from deepr.slides import open_slide

SHOWN_UM = (-9, -7, -5, -3, -1, 1, 3, 5, 7, 9)
Z_LIMIT_UM = 10.0
REGION_UM = 5.2
COLOURS = ("input", style.INPUT_COLOUR), ("first", style.OUTPUT_COLOUR), ("second", style.SECOND_COLOUR)


@style.paper_style
def draw_figure_4(widths, networks, ranges_um, slides, predictions, data_source, scale, output_base):
    """Draw Figure 4 and write it as PDF, SVG, PNG and a table of its numbers.

    Parameters
    ----------
    widths : DataFrame
        One row per network ("" for the input), bead and plane: network, slide, fov, y, x, bead, plane, z_um,
        y_px, x_px, fwhm_um, kept.
    networks : list of str
        The two networks, the one of the smaller range first.
    ranges_um : list of float
        Their training ranges.
    slides : list of path
        Aligned test slides.
    predictions : dict of list of path
        Outputs by network, as for `deepr.figures.figure_2.draw_figure_2`.
    data_source, scale, output_base
        As for `deepr.figures.figure_2.draw_figure_2`.

    Notes
    -----
    The bead shown is the one whose width in focus is the median of all that were kept. Every plane of it is
    scaled by itself, for in focus it is far brighter; the x-z slices are scaled plane by plane as well.
    """
    figure = style.new_figure(height_mm=166)
    kinds = ["", *networks]
    labels = ["Input", *(f"Deep-R, ±{value:g} µm" for value in ranges_um)]
    bead = typical_bead(widths)
    if bead is None:
        figure.text(0.5, 0.7, "no bead could be measured", ha="center", color=style.NOTE_COLOUR)
    else:
        stacks = _read_stacks(bead, networks, slides, predictions)
        for row, (kind, label) in enumerate(zip(kinds, labels, strict=True)):
            _draw_bead(figure, *stacks[kind], label, COLOURS[row][1], 6 + row * 32, bead["pixel_um"])
    style.panel_letter(figure, "a", 0.5, 0.5)
    summary = widths_by_defocus(widths)
    _draw_widths(figure, summary, kinds, labels, ranges_um)
    style.provenance_line(figure, data_source, scale)
    style.save_figure(figure, output_base)
    style.save_numbers(summary, output_base)


def typical_bead(widths):
    """Give the bead of median width in focus, a dict of slide, fov, y, x, bead, y_px, x_px; None if there is none."""
    inputs = widths[(widths["network"] == "") & widths["kept"].astype(bool)]
    in_focus = inputs[inputs["z_um"].abs() < 1e-6].sort_values("fwhm_um", kind="stable")
    if in_focus.empty:
        return None
    keys = ["slide", "fov", "y", "x", "bead", "y_px", "x_px"]
    return in_focus.iloc[(len(in_focus) - 1) // 2][keys].to_dict()


def widths_by_defocus(widths):
    """Mean and standard deviation of the beads' widths by network and z.

    Parameters
    ----------
    widths : DataFrame
        As for `draw_figure_4`.

    Returns
    -------
    DataFrame
        network, z_um, mean, std (NaN for a single bead), n, beads (all that were kept in focus).
    """
    kept = widths[widths["kept"].astype(bool) & (widths["z_um"].abs() <= Z_LIMIT_UM + 1e-3)]
    kept = kept.assign(z_um=kept["z_um"].astype(float).round(3) + 0.0)
    summary = kept.groupby(["network", "z_um"])["fwhm_um"].agg(mean="mean", std="std", n="count").reset_index()
    inputs = kept[(kept["network"] == "") & (kept["z_um"] == 0)]
    return summary.assign(beads=len(inputs))


def _read_stacks(bead, networks, slides, predictions):
    """Read the region round the bead in every plane of the input and of each output, with the planes' z."""
    stacks = {}
    path = next(path for path in slides if Path(path).name == f"{bead['slide']}.ome.tif")
    with open_slide(path) as slide:
        bead["pixel_um"] = slide.pixel_um
        half = round(REGION_UM / slide.pixel_um / 2)
        rows, columns = (slice(max(0, int(bead[key]) - half), int(bead[key]) + half + 1) for key in ("y_px", "x_px"))
        shift = [slice(s.start + int(bead[o]), s.stop + int(bead[o])) for s, o in ((rows, "y"), (columns, "x"))]
        z_um = slide.z_um(bead["fov"])
        inputs = np.array(slide.stack(bead["fov"])[:, shift[0], shift[1]], dtype=float)
    series = f"{bead['fov']}_y{bead['y']}_x{bead['x']}"
    for network in networks:
        path = next(path for path in predictions[network] if Path(path).name == f"{bead['slide']}.ome.tif")
        with open_slide(path) as slide:
            heights = slide.z_um(series)
            stacks[network] = (np.array(slide.stack(series)[:, rows, columns], dtype=float), heights)
            stacks[""] = (inputs, heights if len(heights) == len(z_um) else z_um)
    return stacks


def _draw_bead(figure, stack, z_um, label, colour, top, pixel_um):
    """Draw the x-z slice along the figure's width, and below it the planes of some z at their places."""
    left, width = 16.0, 158.0
    slice_xz = stack[:, stack.shape[1] // 2]
    lowest, highest = (f(slice_xz, axis=1, keepdims=True) for f in (np.min, np.max))
    scaled = (slice_xz - lowest) / np.maximum(highest - lowest, 1e-9)
    axes = style.axes_mm(figure, left, top, width, 11)
    half_um = stack.shape[2] * pixel_um / 2
    step_um = float(np.median(np.diff(z_um)))
    extent = (z_um[0] - step_um / 2, z_um[-1] + step_um / 2, half_um, -half_um)
    axes.imshow(scaled.T, cmap="gray", aspect="auto", extent=extent, vmin=0, vmax=1)
    axes.set(xlim=(-Z_LIMIT_UM, Z_LIMIT_UM), yticks=[], xticks=[])
    axes.set_ylabel("x–z", labelpad=2)
    axes.set_title(label, color=colour, loc="left", pad=2)
    size = 14.6
    for wanted in SHOWN_UM:
        nearest = int(np.argmin(np.abs(z_um - wanted)))
        centre = left + (wanted + Z_LIMIT_UM) / (2 * Z_LIMIT_UM) * width
        panel = style.axes_mm(figure, centre - size / 2, top + 11.6, size, size)
        style.bare(panel)
        if abs(z_um[nearest] - wanted) > step_um / 2 + 1e-3:
            panel.set_facecolor("#eeeeee")
            continue
        image = stack[nearest]
        panel.imshow(image, cmap="gray", vmin=image.min(), vmax=max(image.max(), image.min() + 1e-9))
        style.inset_text(panel, f"{signed(round(float(z_um[nearest]), 1))} µm")
        if wanted == SHOWN_UM[-1]:
            style.scale_bar(panel, pixel_um, 2.0)


def _draw_widths(figure, summary, kinds, labels, ranges_um):
    top = 106.0
    style.panel_letter(figure, "b", 0.5, top - 3)
    axes = style.axes_mm(figure, 16, top, 158, 42)
    style.shade_training_range(axes, max(ranges_um))
    for kind, (_, colour) in zip(kinds, COLOURS, strict=True):
        curve = summary[summary["network"] == kind]
        style.mean_and_band(
            axes, curve["z_um"], curve["mean"], curve["std"].fillna(0), colour, None, marker="o", ms=1.8
        )
    for value, (_, colour) in zip(ranges_um, COLOURS[1:], strict=True):
        for side in (-value, value):
            axes.axvline(side, color=colour, lw=0.6, ls=":")
    axes.set(xlabel="Axial defocus distance z (µm)", ylabel="Lateral FWHM (µm)")
    axes.set_ylim(bottom=0)
    beads = int(summary["beads"].max()) if len(summary) else 0
    handles = [Line2D([], [], color=c, label=label) for (_, c), label in zip(COLOURS, labels, strict=True)]
    handles.append(Patch(fc=style.NOTE_COLOUR, alpha=0.25, lw=0, label=f"Standard deviation, N = {beads} beads"))
    figure.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 0.018), ncols=4)
