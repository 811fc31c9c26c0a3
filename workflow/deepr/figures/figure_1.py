"""Figure 1: the concept, drawn from real results: a mechanical search, and one exposure with Deep-R."""

import numpy as np
import pandas as pd
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from deepr.figures import style
from deepr.figures.images import Z_LIMIT_UM, nearest_plane, read_counts, read_patch, scores_text, signed, typical_patch
from deepr.focus import brent_search, vollath5

START_SHARE = -0.8  # where the objective stands, as a share of the training range
SIZE_MM = 36.0
SHOWN = 4


@style.paper_style
def draw_figure_1(measurements, manifest, slides, predictions, range_um, data_source, scale, output_base):
    """Draw Figure 1 and write it as PDF, SVG, PNG and a table of its numbers.

    Parameters
    ----------
    measurements, manifest, slides, predictions, range_um, data_source, scale, output_base
        As for `deepr.figures.figure_2.draw_figure_2`.

    Notes
    -----
    The search is the one that the paper compares with, Brent's with the score of Vollath, on the planes of the
    shown test patch; between two planes the score is interpolated. It starts where the single exposure is taken.
    """
    patch = typical_patch(measurements, range_um)
    images = read_patch(patch, manifest, slides, predictions)
    start_um = nearest_plane(images["input"], START_SHARE * range_um)
    if start_um is None:
        raise ValueError(f"the patch has no plane near {START_SHARE * range_um:g} um")
    counts = read_counts(patch, manifest, slides)
    planes_um = np.array(sorted(counts))
    scores = np.array([vollath5(counts[z]) for z in planes_um])
    search = brent_search(lambda z_um: float(np.interp(z_um, planes_um, scores)), start_um=float(start_um))
    figure = style.new_figure(height_mm=106)
    _draw_search(figure, images, planes_um, scores, search)
    _draw_single_exposure(figure, images, start_um)
    style.provenance_line(figure, data_source, scale)
    style.save_figure(figure, output_base)
    style.save_numbers(_numbers(planes_um, scores, search, start_um), output_base)


def _draw_search(figure, images, planes_um, scores, search):
    style.panel_letter(figure, "a", 0.5, 0.5)
    figure.text(0.035, 0.985, f"Mechanical search: {len(search.evaluations)} exposures", va="top", weight="bold")
    axes = style.axes_mm(figure, 17, 9, 49, 36)
    scale = 10 ** np.floor(np.log10(np.abs(scores).max()))
    axes.plot(planes_um, scores / scale, color=style.NOTE_COLOUR, lw=0.9)
    z_um, score = (np.array(values) for values in zip(*search.evaluations, strict=True))
    score = score / scale
    axes.plot(z_um, score, "o", ms=3.5, color=style.SECOND_COLOUR)
    for number, (z, value) in enumerate(zip(z_um, score, strict=True), start=1):
        if number <= SHOWN or number == len(z_um):
            axes.annotate(str(number), (z, value), xytext=(2.5, 2.5), textcoords="offset points", size=6)
    axes.axvline(search.z_um, color=style.OUTPUT_COLOUR, lw=0.8, ls=":")
    axes.set(
        xlabel="Stage position z (µm)", ylabel=f"Focus score (Vollath), {scale:.0e}", xlim=(-Z_LIMIT_UM, Z_LIMIT_UM)
    )
    limits = style.grey_limits(images["truth"])
    chosen = [*range(min(SHOWN - 1, len(z_um) - 1)), len(z_um) - 1]
    size = 25.0
    for column, number in enumerate(chosen):
        panel = style.axes_mm(figure, 71 + column * (size + 2), 12, size, size)
        nearest = min(images["input"], key=lambda z: abs(z - z_um[number]))
        style.show_image(panel, images["input"][nearest], limits, normalised=True)
        panel.set_title(f"{number + 1}: z = {signed(round(float(z_um[number]), 2))} µm", pad=2)
        if number == len(z_um) - 1:
            style.scale_bar(panel, images["pixel_um"])
    below = "...each after a move of the stage, until the score no longer grows"
    figure.text(0.395, 0.64, below, va="top", color=style.NOTE_COLOUR)


def _draw_single_exposure(figure, images, start_um):
    top = 64.0
    style.panel_letter(figure, "b", 0.5, top - 8)
    height = figure.get_size_inches()[1] * style.MM_PER_INCH
    figure.text(0.035, 1 - (top - 8) / height, "Deep-R: one exposure, no move", va="top", weight="bold")
    limits = style.grey_limits(images["truth"])
    shown = [
        (14, f"Input, z = {signed(start_um)} µm", images["input"][start_um], style.INPUT_COLOUR),
        (90, "Deep-R output", images["output"][start_um], style.OUTPUT_COLOUR),
        (132, "Ground truth, z = 0 µm", images["truth"], style.TRUTH_COLOUR),
    ]
    for x_mm, title, image, colour in shown:
        axes = style.axes_mm(figure, x_mm, top, SIZE_MM, SIZE_MM)
        style.show_image(axes, image, limits, normalised=True)
        axes.set_title(title, color=colour, pad=2.5)
        if image is images["truth"]:
            style.scale_bar(axes, images["pixel_um"])
        else:
            style.inset_text(axes, scores_text(image, images["truth"]))
    box = style.axes_mm(figure, 52, top, 36, SIZE_MM)
    box.set(xlim=(0, 1), ylim=(0, 1))
    style.bare(box)
    box.add_patch(
        FancyBboxPatch((0.25, 0.36), 0.5, 0.28, boxstyle="round,pad=0.03", fc="#eef2f8", ec=style.SECOND_COLOUR)
    )
    box.text(0.5, 0.5, "Deep-R\ngenerator", ha="center", va="center", color=style.SECOND_COLOUR)
    for start, end in ((0.0, 0.21), (0.79, 1.0)):
        box.add_patch(
            FancyArrowPatch((start, 0.5), (end, 0.5), arrowstyle="-|>", mutation_scale=9, color=style.NOTE_COLOUR)
        )


def _numbers(planes_um, scores, search, start_um):
    curve = pd.DataFrame({"curve": "score", "exposure": 0, "z_um": planes_um, "score": scores})
    taken = pd.DataFrame(search.evaluations, columns=["z_um", "score"])
    taken = taken.assign(curve="search", exposure=np.arange(1, len(taken) + 1))
    single = pd.DataFrame({"curve": ["deep-r"], "exposure": [1], "z_um": [start_um], "score": [np.nan]})
    return pd.concat([curve, taken, single], ignore_index=True)[["curve", "exposure", "z_um", "score"]]
