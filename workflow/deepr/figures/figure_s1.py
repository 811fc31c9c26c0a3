"""Figure S1: tilted fields, refocused by a network that has seen level ones only."""

import math

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon

from deepr.figures import style
from deepr.slides import open_slide

IMAGES = {"input": ("Input", style.INPUT_COLOUR), "output": ("Deep-R output", style.OUTPUT_COLOUR)}
SIZE_MM = 42.0


@style.paper_style
def draw_figure_s1(rows, images_path, tilt_deg, data_source, scale, output_base):
    """Draw Figure S1 and write it as PDF, SVG, PNG and a table of its numbers.

    Parameters
    ----------
    rows : DataFrame
        One row per field, position, image and row of the image: slide, fov, z_um, image ("input" or
        "output"), row, y_um, sharpness, deviation; see `deepr.tilt.measure_field`.
    images_path : str or Path
        One series "{slide}_{fov}" per field: the inputs, the outputs, the reference, normalised.
    tilt_deg : float
    data_source : {"simulated", "BBBC006", "own"}
    scale : str
    output_base : str or Path
        Path without suffix.

    Raises
    ------
    ValueError
        If nothing was measured.

    Notes
    -----
    The field shown is the one whose outputs are of median sharpness, averaged over rows and positions.
    """
    if rows.empty:
        raise ValueError("the table of row sharpness is empty, wanted at least one field")
    slide, field = typical_field(rows)
    own = rows[(rows["slide"] == slide) & (rows["fov"] == field)]
    positions = list(dict.fromkeys(own["z_um"]))
    with open_slide(images_path) as series:
        images, pixel_um = np.asarray(series.stack(f"{slide}_{field}")), series.pixel_um
    figure = style.new_figure(height_mm=46 + len(positions) * (SIZE_MM + 6) + 57)
    height_um = images.shape[1] * pixel_um * math.sin(math.radians(tilt_deg))
    _draw_geometry(figure, images.shape[1] * pixel_um, height_um, tilt_deg)
    _draw_images(figure, images, positions, pixel_um, top=46.0)
    top = 46 + len(positions) * (SIZE_MM + 6) + 4
    statistics = sharpness_over_fields(rows)
    _draw_rows(figure, own, positions, top)
    _draw_statistics(figure, statistics, rows, top)
    figure.legend(
        handles=[Line2D([], [], color=colour, label=label) for label, colour in IMAGES.values()],
        loc="lower center",
        bbox_to_anchor=(0.5, 0.012),
        ncols=2,
    )
    style.provenance_line(figure, data_source, scale)
    style.save_figure(figure, output_base)
    single = own.rename(columns={"sharpness": "mean", "deviation": "std"}).assign(panel="c", n=1)
    order = ["panel", "z_um", "image", "row", "y_um", "mean", "std", "n"]
    style.save_numbers(pd.concat([single[order], statistics.assign(panel="d")[order]], ignore_index=True), output_base)


def typical_field(rows):
    """Find the field whose outputs are of median sharpness.

    Parameters
    ----------
    rows : DataFrame
        As for `draw_figure_s1`.

    Returns
    -------
    slide, fov : str
    """
    outputs = rows[rows["image"] == "output"]
    means = outputs.groupby(["slide", "fov"])["sharpness"].mean().sort_values(kind="stable")
    return means.index[(len(means) - 1) // 2]


def sharpness_over_fields(rows):
    """Average the sharpness of each row over all fields.

    Parameters
    ----------
    rows : DataFrame
        As for `draw_figure_s1`.

    Returns
    -------
    DataFrame
        z_um, image, row, y_um, mean, std, n.
    """
    groups = rows.groupby(["z_um", "image", "row", "y_um"], sort=False)["sharpness"]
    return groups.agg(mean="mean", std=lambda values: values.std(ddof=0), n="size").reset_index()


def _draw_geometry(figure, side_um, height_um, tilt_deg):
    """Draw the tilted section between the objective's focal plane and its own ends, to scale along y."""
    style.panel_letter(figure, "a", 0.5, 0.5)
    axes = style.axes_mm(figure, 16, 5, 110, 30)
    half = height_um / 2
    thickness = 0.35
    edge = np.array([[0, -half], [side_um, half], [side_um, half + thickness], [0, -half + thickness]])
    axes.add_patch(Polygon(edge, fc=style.WITHIN_COLOUR, ec=style.INPUT_COLOUR, lw=0.8))
    axes.axhline(0, color=style.OUTPUT_COLOUR, lw=0.8, ls=(0, (5, 2)))
    axes.text(0.01 * side_um, 0.15, "focal plane", color=style.OUTPUT_COLOUR, va="bottom")
    axes.annotate(
        "",
        (side_um * 1.02, -half),
        (side_um * 1.02, half),
        arrowprops={"arrowstyle": "<->", "lw": 0.7},
        annotation_clip=False,
    )
    axes.text(side_um * 1.03, 0, f"$\\delta z$ = {height_um:.3f} µm", va="center", clip_on=False)
    axes.text(side_um * 0.62, -0.5 * half, f"section, tilted by {tilt_deg:g}°", color=style.INPUT_COLOUR, va="top")
    axes.set(xlim=(0, side_um), ylim=(-half * 1.35, half * 1.45), xlabel="y (µm)", ylabel="z (µm)")


def _draw_images(figure, images, positions, pixel_um, top):
    style.panel_letter(figure, "b", 0.5, top - 3)
    reference = images[-1]
    limits = style.grey_limits(reference)
    for line, z_um in enumerate(positions):
        shown = [
            (f"Input, z = {_signed(z_um)} µm", images[line], style.INPUT_COLOUR),
            ("Deep-R output", images[len(positions) + line], style.OUTPUT_COLOUR),
            ("Reference (projection)", reference, style.TRUTH_COLOUR),
        ]
        for column, (title, image, colour) in enumerate(shown):
            axes = style.axes_mm(figure, 16 + column * (SIZE_MM + 8), top + line * (SIZE_MM + 6), SIZE_MM, SIZE_MM)
            axes.set_title(title, color=colour, pad=2.5)
            style.show_image(axes, image, limits, normalised=True)
            style.scale_bar(axes, pixel_um)
            if column == 0:
                axes.set_ylabel("y, along the tilt")


def _draw_rows(figure, own, positions, top):
    style.panel_letter(figure, "c", 0.5, top - 3)
    pair = []
    for column, z_um in enumerate(positions):
        axes = style.axes_mm(figure, 13 + column * 40, top, 33, 34)
        for name, (_, colour) in IMAGES.items():
            curve = own[(own["z_um"] == z_um) & (own["image"] == name)]
            style.mean_and_band(axes, curve["y_um"], curve["sharpness"], curve["deviation"], colour, None, lw=0.7)
        _finish(axes, f"one field, z = {_signed(z_um)} µm", own["y_um"].max())
        pair.append(axes)
    _share_ordinate(pair)


def _draw_statistics(figure, statistics, rows, top):
    style.panel_letter(figure, "d", 93, top - 3)
    fields = rows[["slide", "fov"]].drop_duplicates().shape[0]
    # The positions that most fields have; a field whose planes lie elsewhere has its own rows in the table.
    counts = statistics.groupby("z_um")["n"].max().sort_values(ascending=False, kind="stable")
    pair = []
    for column, z_um in enumerate(sorted(counts.index[:2], reverse=True)):
        axes = style.axes_mm(figure, 103 + column * 40, top, 33, 34)
        for name, (_, colour) in IMAGES.items():
            curve = statistics[(statistics["z_um"] == z_um) & (statistics["image"] == name)]
            style.mean_and_band(axes, curve["y_um"], curve["mean"], curve["std"], colour, None, lw=0.7)
        _finish(axes, f"{fields} fields, z = {_signed(z_um)} µm", statistics["y_um"].max())
        pair.append(axes)
    _share_ordinate(pair)


def _finish(axes, title, side_um):
    axes.set_title(title, pad=2.5)
    axes.set(xlim=(0, side_um), xlabel="y (µm)")


def _share_ordinate(row):
    """Give axes side by side one scale from zero, labelled at the first."""
    top = max(axes.get_ylim()[1] for axes in row)
    for axes in row:
        axes.set_ylim(0, top)
        axes.tick_params(labelleft=axes is row[0])
    row[0].set_ylabel("Row sharpness")


def _signed(z_um):
    return f"{z_um:g}".replace("-", "\N{MINUS SIGN}")
