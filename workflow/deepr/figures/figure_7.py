"""Figure 7: the defocus distance of every pixel, read off a frozen Deep-R network."""

import numpy as np
import pandas as pd
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from deepr.depth import fit_slope, true_slope
from deepr.figures import style
from deepr.slides import open_slide

SIZE_MM = 33.0
GAP_MM = 1.5
MAP_COLOURS = "RdBu_r"


@style.paper_style
def draw_figure_7(uniform, uniform_images, tilted_images, range_um, tilt_deg, data_source, scale, output_base):
    """Draw Figure 7 from results and write it as PDF, SVG, PNG and a table of its numbers.

    Parameters
    ----------
    uniform : DataFrame
        One row per test patch and plane: z_um, mean_um, deviation_um, median_um, slide, fov, y, x.
    uniform_images, tilted_images : path
        Slides with series "{patch}_input", "_output" and "_map" (um) of a few planes.
    range_um : float
        Training range of the decoder.
    tilt_deg : float
    data_source, scale : str
    output_base : str or Path
        Path without suffix.

    Notes
    -----
    The first patch of each data set is shown; the curves are over all of them.
    """
    figure = style.new_figure(height_mm=196)
    _draw_scheme(figure)
    style.panel_letter(figure, "b", 0.5, 36)
    planes, pixel_um, patch = _read_first(uniform_images)
    shown = [min(planes), max(planes)]
    for number, z_um in enumerate(shown):
        _draw_row(figure, 41 + number * (SIZE_MM + GAP_MM + 4), planes[z_um], z_um, pixel_um, range_um)
    numbers = [_draw_estimates(figure, uniform, range_um)]
    style.panel_letter(figure, "c", 0.5, 118)
    planes, pixel_um, tilted_patch = _read_first(tilted_images)
    z_um = min(planes, key=abs)
    _draw_row(figure, 123, planes[z_um], z_um, pixel_um, range_um, titled=True)
    numbers.append(_draw_slope(figure, planes[z_um]["map"], pixel_um, tilt_deg, z_um))
    style.provenance_line(figure, data_source, scale)
    style.save_figure(figure, output_base)
    frame = pd.concat(numbers, ignore_index=True)
    frame["shown"] = np.where(frame["panel"] == "b", patch, tilted_patch)
    style.save_numbers(frame, output_base)


def _read_first(path):
    """Read the images of the first patch of a slide: by z, each a dict of input, output and map."""
    with open_slide(path) as slide:
        patch = slide.fields[0].removesuffix("_input")
        stacks = {kind: np.array(slide.stack(f"{patch}_{kind}")) for kind in ("input", "output", "map")}
        heights = slide.z_um(slide.fields[0])
        planes = {float(z): {kind: stack[plane] for kind, stack in stacks.items()} for plane, z in enumerate(heights)}
        return planes, slide.pixel_um, patch


def _draw_scheme(figure):
    """Draw what is frozen and what is trained."""
    style.panel_letter(figure, "a", 0.5, 0.5)
    axes = style.axes_mm(figure, 6, 3, 168, 30)
    style.bare(axes)
    axes.set(xlim=(-0.5, 169), ylim=(30, 0))
    frozen, trained = "#e4e4e4", style.WITHIN_COLOUR
    boxes = {
        "image": (0, 10, 26, 10, "Defocused image", "white"),
        "down": (38, 10, 40, 10, "Down-sampling path\n(frozen Deep-R)", frozen),
        "up": (92, 2, 40, 10, "Up-sampling path\n(frozen Deep-R)", frozen),
        "decoder": (92, 18, 40, 10, "Decoder: another\nup-sampling path (trained)", trained),
        "output": (144, 2, 24, 10, "Deep-R output", "white"),
        "map": (144, 18, 24, 10, "Defocus map", "white"),
    }
    for x, y, width, height, text, colour in boxes.values():
        box = FancyBboxPatch(
            (x, y), width, height, boxstyle="round,pad=0,rounding_size=1.2", fc=colour, ec="#444", lw=0.6
        )
        axes.add_patch(box)
        axes.text(x + width / 2, y + height / 2, text, ha="center", va="center", size=6.5)
    links = [("image", "down"), ("down", "up"), ("down", "decoder"), ("up", "output"), ("decoder", "map")]
    for start, end in links:
        x0, y0, width, height = boxes[start][:4]
        x1, y1, _, end_height = boxes[end][:4]
        arrow = FancyArrowPatch(
            (x0 + width, y0 + height / 2), (x1, y1 + end_height / 2), arrowstyle="-|>", mutation_scale=6, lw=0.8
        )
        axes.add_patch(arrow)
    axes.text(84, 23, "skips and\nbottleneck", ha="right", va="center", size=5.5, color=style.NOTE_COLOUR)


def _draw_row(figure, top, images, z_um, pixel_um, range_um, titled=False):
    """Draw input, output and map side by side, the map with its scale of colours."""
    name = "Tilted sample" if titled else "Uniform defocus"
    titles = (
        (f"{name}, z = {z_um:.1f} µm", style.INPUT_COLOUR),
        ("Deep-R output", style.OUTPUT_COLOUR),
        (f"Defocus map, median {np.median(images['map']):.1f} µm", style.SECOND_COLOUR),
    )
    limits = style.grey_limits(images["output"])
    for column, (kind, (title, colour)) in enumerate(zip(("input", "output", "map"), titles, strict=True)):
        axes = style.axes_mm(figure, 5 + column * (SIZE_MM + GAP_MM), top, SIZE_MM, SIZE_MM)
        axes.set_title(title, color=colour, pad=2, size=6)
        if kind == "map":
            shown = axes.imshow(images[kind], cmap=MAP_COLOURS, vmin=-range_um, vmax=range_um)
            style.bare(axes)
            bar = style.axes_mm(figure, 5 + 3 * (SIZE_MM + GAP_MM), top + 3, 2, SIZE_MM - 6)
            figure.colorbar(shown, cax=bar).set_label("µm", size=6, labelpad=0)
            bar.tick_params(labelsize=5.5, length=2)
        else:
            style.show_image(axes, images[kind], limits)
            style.scale_bar(axes, pixel_um)


def _draw_estimates(figure, uniform, range_um):
    """Draw estimated against true distance over all test patches, with the line of perfect estimates."""
    by_z = uniform.groupby(uniform["z_um"].round(3))
    summary = by_z["mean_um"].agg(mean_um="mean", between_um="std", n="count").reset_index()
    summary["within_um"] = by_z["deviation_um"].mean().to_numpy()
    axes = style.axes_mm(figure, 133, 52, 44, 48)
    axes.axline((0, 0), slope=1, color=style.TRUTH_COLOUR, lw=0.7, ls="--", label="Equal")
    axes.axhline(0, color=style.NOTE_COLOUR, lw=0.5, ls=":", label="Constant zero")
    style.mean_and_band(
        axes, summary["z_um"], summary["mean_um"], summary["within_um"], style.SECOND_COLOUR, "Mean of the maps"
    )
    axes.set_xlim(-range_um, range_um)
    axes.set_ylim(-1.25 * range_um, 1.25 * range_um)
    axes.set(xlabel="True defocus z (µm)", ylabel="Estimated defocus (µm)")
    axes.legend(loc="upper left", fontsize=5.5, borderaxespad=0.1)
    axes.set_title(f"All {summary['n'].max()} test patches", size=6.5)
    columns = {"z_um": "x", "mean_um": "mean", "within_um": "deviation"}
    curve = summary[[*columns, "n"]].rename(columns=columns)
    return curve.assign(panel="b", curve="estimated against true defocus, um")


def _draw_slope(figure, map_um, pixel_um, tilt_deg, z_um):
    """Draw the map's row means against y, and the line of the true slope through their mean."""
    mean, deviation = map_um.mean(axis=1, dtype=np.float64), map_um.std(axis=1, dtype=np.float64)
    y_um = np.arange(len(mean)) * pixel_um
    middle = y_um.mean()
    slope = true_slope(tilt_deg)
    line = mean.mean() + slope * (y_um - middle)
    axes = style.axes_mm(figure, 133, 123, 44, 48)
    style.mean_and_band(axes, y_um, mean, deviation, style.SECOND_COLOUR, "Row mean, deviation")
    axes.plot(y_um, line, color=style.BEST_COLOUR, lw=1.6, label="Slope of the tilt")
    axes.set(xlabel="y (µm)", ylabel="dz (µm)", xlim=(0, y_um[-1]))
    low, high = min((mean - deviation).min(), line.min()), max((mean + deviation).max(), line.max())
    axes.set_ylim(low - 0.1 * (high - low), high + 0.3 * (high - low))
    axes.legend(loc="upper right", fontsize=5.5, borderaxespad=0.1)
    found = fit_slope(map_um, pixel_um)
    axes.set_title(f"Fitted {1000 * found:.1f}, true {1000 * slope:.1f} nm per µm", size=6.5)
    frames = [
        pd.DataFrame({"x": y_um, "mean": mean, "deviation": deviation, "curve": "row mean of the map, um"}),
        pd.DataFrame({"x": y_um, "mean": line, "curve": "line of the true slope, um"}),
    ]
    return pd.concat(frames, ignore_index=True).assign(panel="c", z_um=z_um)
