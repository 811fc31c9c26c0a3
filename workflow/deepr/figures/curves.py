"""Figures S4 and S5: image quality against defocus, of one network or of several."""

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from deepr.figures import style
from deepr.figures.images import Z_LIMIT_UM, farthest_um
from deepr.metrics import summarise_by_defocus

# Networks in order of their range; the paper's red first.
COLOURS = (style.OUTPUT_COLOUR, style.SECOND_COLOUR, "#d9660f", "#7a3fb0")
METRICS = {"rmse": "RMSE (standard deviations)", "ssim": "SSIM"}


@style.paper_style
def draw_quality_curves(networks, data_source, scale, output_base, z_limit_um=Z_LIMIT_UM):
    """Draw mean and deviation of RMSE and SSIM over the test patches against z.

    Parameters
    ----------
    networks : list of (str, float, DataFrame)
        Name to show, training range in um and measurements (as for
        `deepr.figures.figure_2.draw_figure_2`) of each network, all on the same test patches.
    data_source, scale, output_base, z_limit_um
        As for `deepr.figures.figure_2.draw_figure_2`.

    Raises
    ------
    ValueError
        If there is no network.
    """
    if not networks:
        raise ValueError("no networks to draw, wanted one or more")
    if z_limit_um is None:
        z_limit_um = max(farthest_um(measurements) for _, _, measurements in networks)
    colours = _colours(len(networks))
    figure = style.new_figure(height_mm=66 + 4 * len(networks))
    frames = []
    for column, (metric, label) in enumerate(METRICS.items()):
        axes = style.axes_mm(figure, 13 + 88 * column, 5, 73, 46)
        if len(networks) == 1:
            style.shade_training_range(axes, networks[0][1], -z_limit_um, z_limit_um)
        for number, (name, range_um, measurements) in enumerate(networks):
            summary = summarise_by_defocus(measurements, metric)
            summary = summary[summary["z_um"].abs() <= z_limit_um + 1e-3]
            for kind in ("input", "output") if number == 0 else ("output",):
                curve = summary[summary["image"] == kind]
                colour = style.INPUT_COLOUR if kind == "input" else colours[number]
                deviation = curve["std"].fillna(0)
                style.mean_and_band(axes, curve["z_um"], curve["mean"], deviation, colour, None)
                frames.append(curve.assign(metric=metric, network="" if kind == "input" else name))
            if len(networks) > 1:
                # The range of each network as a bar at the foot of the axes.
                height = 0.02 + 0.025 * (len(networks) - number)
                transform = axes.get_xaxis_transform()
                axes.plot([-range_um, range_um], [height] * 2, color=colours[number], lw=2.2, transform=transform)
        style.label_defocus(axes, z_limit_um)
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
    patches = networks[0][2][["slide", "fov", "y", "x"]].drop_duplicates().shape[0]
    handles = _legend(networks, colours, patches)
    # Names of a person's own networks may be long.
    columns = 3 if max(len(handle.get_label()) for handle in handles) <= 48 else 2
    figure.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 0.03), ncols=columns, columnspacing=2)
    style.provenance_line(figure, data_source, scale)
    style.save_figure(figure, output_base)
    order = ["metric", "network", "image", "z_um", "mean", "std", "n"]
    style.save_numbers(pd.concat(frames, ignore_index=True)[order], output_base)


def _colours(count):
    """Give so many colours: the paper's, and where they do not suffice a rainbow's."""
    return COLOURS[:count] if count <= len(COLOURS) else list(matplotlib.colormaps["turbo"](np.linspace(0, 1, count)))


def _legend(networks, colours, patches):
    handles = [Line2D([], [], color=style.INPUT_COLOUR, label="Input")]
    for (name, range_um, _), colour in zip(networks, colours, strict=True):
        handles.append(Line2D([], [], color=colour, label=f"Output, {name} (trained within ±{range_um:g} µm)"))
    handles.append(Patch(fc=style.NOTE_COLOUR, alpha=0.25, lw=0, label=f"Standard deviation, {patches} patches"))
    if len(networks) == 1:
        handles.append(Patch(fc=style.WITHIN_COLOUR, label="Within the training range"))
        handles.append(Patch(fc=style.BEYOND_COLOUR, label="Beyond the training range"))
    return handles
