"""Figure S2: beads in the virtual stack that Deep-Z makes of one defocused image, before and after Deep-R."""

import numpy as np

from deepr.figures import style
from deepr.metrics import normalise
from deepr.scorecard.virtual_refocusing import summarise_beads
from deepr.slides import open_slide

DEEPZ_COLOUR = style.OUTPUT_COLOUR  # the paper's: Deep-Z red, Deep-R blue, the baseline black
DEEPR_COLOUR = style.SECOND_COLOUR
GAP_COLOUR = "#e8890c"
SHOWN_Z_UM = (-2.0, -1.0, 0.0, 1.0, 2.0)
SIZE_MM = 23.0


@style.paper_style
def draw_figure_s2(beads, images_path, data_source, scale, output_base):
    """Draw Figure S2 from results and write it as PDF, SVG, PNG and a table of its numbers.

    Parameters
    ----------
    beads : DataFrame
        One row per bead, curve and z; see `deepr.virtual_stacks.measure_virtual_stack`.
    images_path : path
        Slide with the series "{patch}_{curve}" around one bead.
    data_source, scale : str
    output_base : str or Path
        Path without suffix.
    """
    figure = style.new_figure(height_mm=132)
    style.panel_letter(figure, "a", 0.5, 0.5)
    _draw_images(figure, images_path)
    style.panel_letter(figure, "b", 0.5, 63)
    summary = summarise_beads(beads)
    _draw_widths(figure, summary)
    style.provenance_line(figure, data_source, scale)
    style.save_figure(figure, output_base)
    style.save_numbers(summary, output_base)


def _draw_images(figure, path):
    """Draw the input, planes of the virtual stack, and Deep-R's output of each, of the first patch with a bead."""
    with open_slide(path) as slide:
        names = [name for name in slide.fields if name.endswith("_deepz")]
        if not names:
            axes = style.axes_mm(figure, 8, 6, 164, 52)
            style.bare(axes)
            axes.text(0.5, 0.5, "no bead that can be measured", ha="center", va="center", color=style.NOTE_COLOUR)
            return
        patch = names[0].removesuffix("_deepz")
        stacks = {
            curve: (np.array(slide.stack(f"{patch}_{curve}")), slide.z_um(f"{patch}_{curve}"))
            for curve in ("input", "deepz", "deepr_on_input", "deepr_on_deepz")
        }
        pixel_um = slide.pixel_um
    rows = (
        ("input", "deepz", "Before Deep-R", DEEPZ_COLOUR),
        ("deepr_on_input", "deepr_on_deepz", "After Deep-R", DEEPR_COLOUR),
    )
    for row, (alone, virtual, label, colour) in enumerate(rows):
        top = 9 + row * (SIZE_MM + 1.5)
        stack, z_um = stacks[alone]
        panels = [(f"Input, z = {z_um[0]:.1f} µm", stack[0])]
        stack, z_um = stacks[virtual]
        for wanted_um in SHOWN_Z_UM:
            plane = int(np.argmin(np.abs(z_um - wanted_um)))
            panels.append((f"Deep-Z, {round(float(z_um[plane]), 1) + 0.0:.1f} µm", stack[plane]))
        for column, (title, image) in enumerate(panels):
            x = 11 + column * (SIZE_MM + 1.5) + (3 if column else 0)
            axes = style.axes_mm(figure, x, top, SIZE_MM, SIZE_MM)
            image = normalise(image)
            style.show_image(axes, image, (float(image.min()), float(image.max())), normalised=True)
            if row == 0:
                axes.set_title(title, pad=2, size=6.5, color=style.TRUTH_COLOUR if column == 0 else DEEPZ_COLOUR)
            if column == 0:
                axes.set_ylabel(label, color=colour, labelpad=2)
                style.scale_bar(axes, pixel_um, 1.0)


def _draw_widths(figure, summary):
    """Draw mean and standard deviation of the widths against z."""
    axes = style.axes_mm(figure, 14, 67, 120, 52)
    curves = {curve: table.sort_values("z_um") for curve, table in summary.groupby("curve")}
    lines = {"deepz": ("Deep-Z", DEEPZ_COLOUR), "deepr_on_deepz": ("Deep-R on Deep-Z", DEEPR_COLOUR)}
    for curve, (label, colour) in lines.items():
        if curve in curves:
            table = curves[curve]
            style.mean_and_band(axes, table["z_um"], table["mean"], table["std"].fillna(0), colour, label)
    if "deepr_on_input" in curves:
        single = curves["deepr_on_input"].iloc[0]
        axes.axhline(single["mean"], color=style.TRUTH_COLOUR, lw=0.9, label="Deep-R on the input itself")
        axes.axhspan(*(single["mean"] + np.array([-1, 1]) * single["std"]), color=style.TRUTH_COLOUR, alpha=0.08, lw=0)
        if "deepr_on_deepz" in curves:
            _mark_gap(axes, single["mean"], curves["deepr_on_deepz"])
    if "input" in curves:
        point = curves["input"].iloc[0]
        axes.plot(point["z_um"], point["mean"], "o", ms=3.5, color=style.INPUT_COLOUR, label="Input, measured as it is")
    axes.axvline(0, color=style.NOTE_COLOUR, lw=0.8, ls="--", label="True focus")
    axes.set(xlabel="z of the Deep-Z image (µm)", ylabel="Lateral FWHM (µm)", xlim=(-2.15, 2.15))
    axes.set_ylim(bottom=0)
    if len(summary):
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0))
        fewest, most = summary["n"].min(), summary["n"].max()
        count = f"{most}" if fewest == most else f"{fewest} to {most}"
        axes.set_title(f"Mean and standard deviation of {count} beads", size=6.5)


def _mark_gap(axes, baseline, curve):
    """Point at the gap between Deep-R on the input and Deep-R on what Deep-Z made of it at a distance of 0."""
    first = curve.iloc[0]
    axes.annotate(
        "",
        xy=(first["z_um"] - 0.06, first["mean"]),
        xytext=(first["z_um"] - 0.06, baseline),
        arrowprops={"arrowstyle": "<->", "color": GAP_COLOUR, "lw": 1, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 6},
    )
    axes.plot([], [], color=GAP_COLOUR, lw=1, label=f"Gap at dz = 0: {first['mean'] - baseline:+.3f} µm")
