"""Transfer learning: a training that starts from another network beside one from scratch, for the same iterations."""

import pandas as pd
from matplotlib.lines import Line2D

from deepr.figures import style
from deepr.metrics import summarise_by_defocus

WAYS = {"scratch": ("From scratch", style.SECOND_COLOUR), "transfer": ("From the other network", style.OUTPUT_COLOUR)}


@style.paper_style
def draw_figure_transfer(histories, measurements, range_um, data_source, scale, output_base):
    """Draw validation losses by iteration, and test SSIM against z, of both trainings.

    Parameters
    ----------
    histories : dict of DataFrame
        "scratch" and "transfer": iteration and validation_berhu (missing between validations).
    measurements : dict of DataFrame
        The same keys; as for `deepr.figures.figure_2.draw_figure_2`, on the same test patches.
    range_um : float
    data_source, scale, output_base
        As for `deepr.figures.figure_2.draw_figure_2`.
    """
    figure = style.new_figure(height_mm=68)
    left, right = (style.axes_mm(figure, 13 + 88 * column, 7, 72, 42) for column in range(2))
    style.panel_letter(figure, "a", 0.5, 0.5)
    style.panel_letter(figure, "b", 90, 0.5)
    frames = []
    for way, (_, colour) in WAYS.items():
        history = histories[way][["iteration", "validation_berhu"]].dropna()
        left.plot(history["iteration"], history["validation_berhu"], color=colour, marker="o", ms=2, lw=0.9)
        frames.append(history.rename(columns={"validation_berhu": "mean"}).assign(panel="a", way=way))
    left.set(xlabel="Iteration", ylabel="Validation BerHu loss")
    left.set_ylim(bottom=0)
    style.shade_training_range(right, range_um)
    for way, (_, colour) in {"input": ("Input", style.INPUT_COLOUR), **WAYS}.items():
        summary = summarise_by_defocus(measurements["scratch" if way == "input" else way], "ssim")
        curve = summary[
            (summary["image"] == ("input" if way == "input" else "output")) & (summary["z_um"].abs() <= 10.001)
        ]
        right.plot(curve["z_um"], curve["mean"], color=colour)
        frames.append(curve.assign(panel="b", way=way))
    right.set(xlabel="Axial defocus distance z (µm)", ylabel="SSIM")
    right.set_ylim(0, 1)
    handles = [Line2D([], [], color=colour, label=label) for label, colour in WAYS.values()]
    handles.append(Line2D([], [], color=style.INPUT_COLOUR, label="Input"))
    figure.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 0.03), ncols=3)
    style.provenance_line(figure, data_source, scale)
    style.save_figure(figure, output_base)
    style.save_numbers(pd.concat(frames, ignore_index=True), output_base)
