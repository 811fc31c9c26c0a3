"""Figure 2: autofocusing of fluorescently stained tissue, image by image and against defocus."""

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from deepr.figures import style
from deepr.figures.images import (
    Z_LIMIT_UM,
    busiest_region,
    farthest_um,
    mark_absent,
    nearest_plane,
    read_patch,
    scores_text,
    signed,
    typical_patch,
)
from deepr.metrics import rmse, ssim, summarise_by_defocus

FIELD_Z_SHARE = -0.8  # panel (a): defocus as a share of the training range
REGION_Z_SHARES = (-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5)
REGION_SHARE = 5 / 16  # side of the region as a share of the patch's

IMAGES = {"input": ("input", style.INPUT_COLOUR), "output": ("Deep-R output", style.OUTPUT_COLOUR)}
METRICS = {"ssim": "SSIM", "rmse": "RMSE (standard deviations)"}


@style.paper_style
def draw_figure_2(
    measurements, manifest, slides, predictions, range_um, data_source, scale, output_base, z_limit_um=Z_LIMIT_UM
):
    """Draw Figure 2 from results and write it as PDF, SVG, PNG and a table of its numbers.

    Parameters
    ----------
    measurements : DataFrame
        One row per test patch, plane and image of one network: network, dataset, slide, fov, y, x, plane,
        z_um (from the patch's own focus plane), image ("input" or "output"), ssim, rmse,
        ssim_noise_free, rmse_noise_free (missing where there is no noise-free truth).
    manifest : DataFrame
        Patches of the data set; its columns are in `deepr.manifest`.
    slides : list of path
        Aligned test slides, {slide}.ome.tif.
    predictions : list of path
        The network's outputs, one slide per test slide with the same file name, one series
        "{fov}_y{y}_x{x}" per patch, z_um from the patch's own focus plane.
    range_um : float
        Defocus range of the training, to both sides.
    data_source : {"simulated", "BBBC006", "own"}
    scale : str
        Name of the scale, stamped on the figure.
    output_base : str or Path
        Path without suffix.
    z_limit_um : float, optional
        Largest defocus shown, to both sides; None for all that was measured.

    Raises
    ------
    ValueError
        If the measurements are of several networks, or of none.
    InputError
        If the shown patch is not in the manifest, or its slide or prediction is not there.

    Notes
    -----
    The images are of the patch whose mean output SSIM within the training range is the median of all
    test patches: a typical one, not the best. The region is the part of its ground truth that varies
    most. As in the paper, the region's own curve is drawn; the mean and standard deviation over all test
    patches, which the claims use, are drawn over it.
    """
    networks = measurements["network"].unique()
    if len(networks) != 1:
        raise ValueError(f"Figure 2 shows one network, the measurements are of {list(networks)}")
    patch = typical_patch(measurements, range_um)
    z_limit_um = farthest_um(measurements) if z_limit_um is None else z_limit_um
    images = read_patch(patch, manifest, slides, predictions, z_limit_um)
    region = busiest_region(images["truth"], max(7, round(REGION_SHARE * len(images["truth"]))))
    region_scores = _score_region(images, region)

    figure = style.new_figure(height_mm=186)
    limits = style.grey_limits(images["truth"])
    _draw_field(figure, images, region, limits, FIELD_Z_SHARE * range_um)
    shown_um = _draw_region(figure, images, region, limits, range_um)
    summaries = {
        metric: summarise_by_defocus(measurements, metric)
        for metric in ("ssim", "rmse", "ssim_noise_free", "rmse_noise_free")
    }
    _draw_curves(figure, summaries, region_scores, range_um, z_limit_um)
    style.provenance_line(figure, data_source, scale)
    style.save_figure(figure, output_base)
    style.save_numbers(_numbers(summaries, region_scores, patch, region, shown_um), output_base)


def _score_region(images, region):
    truth = images["truth"][region]
    return pd.DataFrame(
        [
            {"image": kind, "z_um": z, "ssim": ssim(image[region], truth), "rmse": rmse(image[region], truth)}
            for kind in IMAGES
            for z, image in sorted(images[kind].items())
        ]
    )


def _draw_field(figure, images, region, limits, wanted_um):
    style.panel_letter(figure, "a", 0.5, 0.5)
    common = images["output"].keys() & images["input"].keys()
    z_um = nearest_plane(common, wanted_um)
    size = 56.0
    shown = [
        (
            f"Input, z = {signed(wanted_um if z_um is None else z_um)} µm",
            images["input"].get(z_um),
            style.INPUT_COLOUR,
        ),
        ("Deep-R output", images["output"].get(z_um), style.OUTPUT_COLOUR),
        ("Ground truth, z = 0 µm", images["truth"], style.TRUTH_COLOUR),
    ]
    for column, (title, image, colour) in enumerate(shown):
        axes = style.axes_mm(figure, 5 + column * (size + 2), 5, size, size)
        axes.set_title(title, color=colour, pad=3)
        if image is None:
            mark_absent(axes)
            continue
        style.show_image(axes, image, limits, normalised=True)
        rows, columns = region
        axes.add_patch(
            Rectangle(
                (columns.start - 0.5, rows.start - 0.5),
                columns.stop - columns.start,
                rows.stop - rows.start,
                fill=False,
                ec=style.BEST_COLOUR,
                lw=1,
            )
        )
        if image is not images["truth"]:
            style.inset_text(axes, scores_text(image, images["truth"]))
        style.scale_bar(axes, images["pixel_um"])


def _draw_region(figure, images, region, limits, range_um):
    """Draw the region through focus; return the z of the planes shown."""
    top, size, gap, left = 66.0, 23.2, 1.2, 9.0
    style.panel_letter(figure, "b", 0.5, top - 1)
    shown_um = []
    for column, share in enumerate(REGION_Z_SHARES):
        x = left + column * (size + gap)
        z_um = nearest_plane(images["input"], share * range_um)
        wanted_um = share * range_um if z_um is None else z_um
        within = abs(wanted_um) <= range_um + 1e-3
        header = style.axes_mm(figure, x, top, size, 4)
        header.set_facecolor(style.WITHIN_COLOUR if within else style.BEYOND_COLOUR)
        style.bare(header)
        header.text(0.5, 0.45, f"z = {signed(wanted_um)} µm", ha="center", va="center", transform=header.transAxes)
        for row, kind in enumerate(IMAGES):
            axes = style.axes_mm(figure, x, top + 4.6 + row * (size + gap), size, size)
            if column == 0:
                label, colour = IMAGES[kind]
                axes.set_ylabel(label.capitalize() if kind == "input" else label, color=colour, labelpad=2)
            image = images[kind].get(z_um)
            if image is None:
                mark_absent(axes)
                continue
            style.show_image(axes, image[region], limits, normalised=True)
            if kind == "input" and z_um == 0:
                style.inset_text(axes, "ground truth")
            else:
                style.inset_text(axes, scores_text(image[region], images["truth"][region]))
            if column == 0:
                style.scale_bar(axes, images["pixel_um"])
            shown_um.append((kind, z_um))
    return shown_um


def _draw_curves(figure, summaries, region_scores, range_um, z_limit_um):
    top, width, height = 126.0, 76.0, 36.0
    for column, (metric, label) in enumerate(METRICS.items()):
        axes = style.axes_mm(figure, 12 + column * (width + 13), top, width, height)
        style.shade_training_range(axes, range_um, -z_limit_um, z_limit_um)
        for kind, (_, colour) in IMAGES.items():
            own = region_scores[region_scores["image"] == kind]
            axes.plot(own["z_um"], own[metric], color=colour, lw=0.6, marker="o", ms=1.6, mfc="white", mew=0.5)
            curve = _curve(summaries[metric], kind, z_limit_um)
            style.mean_and_band(axes, curve["z_um"], curve["mean"], curve["std"].fillna(0), colour, None)
            noise_free = _curve(summaries[f"{metric}_noise_free"], kind, z_limit_um)
            axes.plot(noise_free["z_um"], noise_free["mean"], color=colour, lw=0.8, ls=(0, (4, 2)))
        style.label_defocus(axes, z_limit_um)
        style.halve_ticks(axes)
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
        if metric == "ssim":
            axes.set_ylim(min(0, _lowest(summaries)), 1)
            axes.axhline(0.7, color=style.NOTE_COLOUR, lw=0.5, ls=":")
            axes.text(0.98 * z_limit_um, 0.705, "0.7", ha="right", va="bottom", size=5.5, color=style.NOTE_COLOUR)
    has_noise_free = not summaries["ssim_noise_free"].empty
    figure.legend(
        handles=_legend(summaries["ssim"], has_noise_free),
        loc="lower center",
        bbox_to_anchor=(0.5, 0.014),
        ncols=4,
        columnspacing=1.6,
        handletextpad=0.6,
    )


def _lowest(summaries):
    return float((summaries["ssim"]["mean"] - summaries["ssim"]["std"].fillna(0)).min())


def _legend(summary, has_noise_free):
    counts = summary["n"]
    count = f"{'' if counts.min() == counts.max() else 'up to '}{counts.max()}"
    grey = style.NOTE_COLOUR
    lines = [
        Line2D([], [], color=style.INPUT_COLOUR, label="Input"),
        Line2D([], [], color=style.OUTPUT_COLOUR, label="Deep-R output"),
        Line2D([], [], color=grey, label=f"Mean over {count} test patches"),
        Patch(fc=grey, alpha=0.25, lw=0, label="Standard deviation"),
        Line2D([], [], color=grey, lw=0.6, marker="o", ms=2, mfc="white", mew=0.5, label="Region shown in (b)"),
    ]
    if has_noise_free:
        lines.append(Line2D([], [], color=grey, lw=0.8, ls=(0, (4, 2)), label="Mean against noise-free truth"))
    return [
        *lines,
        Patch(fc=style.WITHIN_COLOUR, label="Within the training range"),
        Patch(fc=style.BEYOND_COLOUR, label="Beyond the training range"),
    ]


def _curve(summary, kind, z_limit_um):
    return summary[(summary["image"] == kind) & (summary["z_um"].abs() <= z_limit_um + 1e-3)]


def _numbers(summaries, region_scores, patch, region, shown_um):
    """Every plotted number, one per row."""
    rows, columns = region
    where = f"{patch['slide']}/{patch['fov']} y={patch['y'] + rows.start} x={patch['x'] + columns.start}"
    frames = [
        summary.assign(curve="patches", metric=metric, region="", shown_in_b=False)
        for metric, summary in summaries.items()
    ]
    own = region_scores.melt(["image", "z_um"], ["ssim", "rmse"], var_name="metric", value_name="mean")
    shown = [pair in shown_um for pair in zip(own["image"], own["z_um"], strict=True)]
    frames.append(own.assign(curve="region", std=np.nan, n=1, region=where, shown_in_b=shown))
    order = ["curve", "metric", "image", "z_um", "mean", "std", "n", "region", "shown_in_b"]
    return pd.concat([frame[order] for frame in frames if len(frame)], ignore_index=True)
