"""Claims of the figures that compare images: 1, 3, 6, S4 to S7, and transfer learning."""

import itertools

import pandas as pd

from deepr.metrics import summarise_by_defocus
from deepr.scorecard.defocus import curves_by_z, range_uncovered, within_range
from deepr.scorecard.rows import COLUMNS, image_quality_untestable, row

LARGE_DEFOCUS_UM = 5.0
CLOSE = 0.1


def _card(target, data_source, scale, rows):
    common = {"target": target, "data_source": data_source, "scale": scale}
    return pd.DataFrame([row(**common, **judged) for judged in rows], columns=list(COLUMNS))


def judge_figure_1(numbers, data_source, scale):
    """Judge Figure 1: how many exposures each way needs; `numbers` is the figure's own table."""
    counts = numbers[numbers["curve"] != "score"].groupby("curve")["exposure"].max()
    judged = {
        "claim": "Deep-R needs one exposure where the search needs many",
        "measured": f"{counts['search']} exposures by the search, {counts['deep-r']} by Deep-R",
        "wanted": "fewer by Deep-R",
        "holds": bool(counts["deep-r"] < counts["search"]),
    }
    return _card("fig1", data_source, scale, [judged])


def judge_figure_3(numbers, data_source, scale):
    """Judge Figure 3 by its own table: SSIM up and RMSE down in every region and at both signs of defocus."""
    return _card("fig3", data_source, scale, _all_better(numbers, ["region", "z_um"], scale))


def judge_figure_6(numbers, measurements, data_source, scale):
    """Judge Figure 6: SSIM up and RMSE down in the shown images, by its own table, and over all test patches."""
    shown = numbers[numbers["part"] == "patch"]
    rows = _all_better(shown, ["z_um"], scale)
    gain = {metric: _gain(measurements, metric) for metric in ("ssim", "rmse")}
    for metric, curve in gain.items():
        curve = within_range(curve, 1.5 - 1e-3, 10.0)
        rows.append(
            _better_at_every_z(
                f"mean {metric.upper()} better than the input's at every 1.5 <= |z| <= 10 um", curve, scale
            )
        )
    return _card("fig6", data_source, scale, rows)


def judge_figure_s4(measurements, depth_of_field_um, range_um, data_source, scale):
    """Judge Figure S4: outputs better than inputs beyond the depth of field."""
    similarity = curves_by_z(measurements, "ssim")
    uncovered = range_uncovered(similarity, range_um)
    rows = []
    for metric in ("ssim", "rmse"):
        curve = within_range(_gain(measurements, metric), depth_of_field_um, range_um)
        claim = f"mean {metric.upper()} better than the input's beyond the depth of field of {depth_of_field_um:.2f} um"
        rows.append(_better_at_every_z(claim, curve, scale, uncovered))
    return _card("figS4", data_source, scale, rows)


def judge_figure_s5(measurements, ranges_um, data_source, scale):
    """Judge Figure S5: each network within its own range, and what a larger range costs near focus.

    Parameters
    ----------
    measurements : list of DataFrame
        One per network, in order of range.
    ranges_um : list of float
    data_source, scale : str

    Returns
    -------
    DataFrame
    """
    rows, near = [], {}
    for frame, range_um in zip(measurements, ranges_um, strict=True):
        for metric in ("ssim", "rmse"):
            curve = within_range(_gain(frame, metric), 1 - 1e-3, range_um)
            claim = f"the +-{range_um:g} um network's {metric.upper()} beats the input's at 1 <= |z| <= {range_um:g} um"
            rows.append(_better_at_every_z(claim, curve, scale))
        outputs = frame[(frame["image"] == "output") & (frame["z_um"].abs() <= 1 + 1e-3)]
        near[range_um] = outputs["ssim"].mean()
    order = [near[range_um] for range_um in sorted(near)]
    rows.append(
        {
            "claim": "a larger training range costs quality near focus",
            "measured": "mean output SSIM within 1 um: "
            + ", ".join(f"{near[range_um]:.3f} (+-{range_um:g} um)" for range_um in sorted(near)),
            "wanted": "falling from the smallest range to the largest",
            "holds": all(one > other for one, other in itertools.pairwise(order)),
            "untestable": image_quality_untestable(scale),
        }
    )
    return _card("figS5", data_source, scale, rows)


def judge_figure_s6(measurements, range_um, data_source, scale):
    """Judge Figure S6: outputs above inputs at large defocus."""
    curve = within_range(_gain(measurements, "ssim"), LARGE_DEFOCUS_UM - 1e-3, range_um)
    claim = f"output SSIM above the input's at {LARGE_DEFOCUS_UM:g} <= |z| <= {range_um:g} um"
    return _card("figS6", data_source, scale, [_better_at_every_z(claim, curve, scale)])


def judge_figure_s7(same, mixed, other, types, range_um, data_source, scale):
    """Judge Figure S7: networks of the same type, of both and of the other type.

    Parameters
    ----------
    same, mixed, other : list of DataFrame
        Measurements of the three ways of training, one for each type of test images.
    types : list of str
    range_um : float
    data_source, scale : str

    Returns
    -------
    DataFrame
    """
    untestable = image_quality_untestable(scale)
    rows = []
    for name, frames in zip(types, zip(same, mixed, other, strict=True), strict=True):
        means = dict(zip(("same", "mixed", "other"), (_mean_rmse(f, "output", range_um) for f in frames), strict=True))
        entry = _mean_rmse(frames[0], "input", range_um)
        measured = f"RMSE {entry:.3f} of the inputs, " + ", ".join(f"{value:.3f} {way}" for way, value in means.items())
        common = {"measured": measured, "untestable": untestable}
        rows += [
            {
                "claim": f"{name}: the network trained on the same type is best",
                "wanted": "smallest mean RMSE of the three, 1.5 um and more from focus",
                "holds": means["same"] < min(means["mixed"], means["other"]),
                **common,
            },
            {
                "claim": f"{name}: the network trained on both types comes close",
                "wanted": f"mean RMSE at most {CLOSE:.0%} above that of the same type",
                "holds": means["mixed"] <= (1 + CLOSE) * means["same"],
                **common,
            },
            {
                "claim": f"{name}: the network trained on the other type still improves the input",
                "wanted": "mean RMSE below the inputs'",
                "holds": means["other"] < entry,
                **common,
            },
        ]
        gain = within_range(_gain(frames[0], "ssim"), 1.5 - 1e-3, range_um)
        claim = f"{name}: SSIM of the same type's network above the input's at every 1.5 <= |z| <= {range_um:g} um"
        rows.append(_better_at_every_z(claim, gain, scale))
    return _card("figS7", data_source, scale, rows)


def judge_figure_transfer(histories, measurements, range_um, data_source, scale):
    """Judge transfer learning; both lists hold the training from scratch first, then the one from a network."""
    untestable = image_quality_untestable(scale)
    best = [history["validation_berhu"].min() for history in histories]
    early = [
        history.loc[history["iteration"] <= history["iteration"].max() / 4, "validation_berhu"].min()
        for history in histories
    ]
    ssim = [
        frame[(frame["image"] == "output") & frame["z_um"].abs().between(1.5 - 1e-3, range_um + 1e-3)]["ssim"].mean()
        for frame in measurements
    ]
    rows = [
        {
            "claim": "a training that starts from another network is ahead after a quarter of the iterations",
            "measured": f"smallest validation BerHu {early[0]:.3f} from scratch, {early[1]:.3f} from the network",
            "wanted": "smaller from the network",
            "holds": bool(early[1] < early[0]),
            "untestable": untestable,
        },
        {
            "claim": "and no worse at the end",
            "measured": f"validation BerHu {best[0]:.3f} and {best[1]:.3f}; test SSIM {ssim[0]:.3f} and {ssim[1]:.3f}",
            "wanted": "test SSIM at least that from scratch",
            "holds": bool(ssim[1] >= ssim[0]),
            "untestable": untestable,
        },
    ]
    return _card("figTransfer", data_source, scale, rows)


def _gain(measurements, metric):
    """Mean gain of the output over the input by z, positive where the output is better."""
    curves = curves_by_z(measurements, metric)
    gain = curves["output"] - curves["input"]
    return gain if metric == "ssim" else -gain


def _mean_rmse(measurements, image, range_um):
    summary = summarise_by_defocus(measurements, "rmse")
    chosen = summary[(summary["image"] == image) & summary["z_um"].abs().between(1.5 - 1e-3, range_um + 1e-3)]
    return float(chosen["mean"].mean())


def _better_at_every_z(claim, gain, scale, uncovered=""):
    worse = gain[gain <= 0]
    untestable = (
        image_quality_untestable(scale) or uncovered or ("" if len(gain) else "no such plane has enough patches")
    )
    return {
        "claim": claim,
        "measured": f"smallest gain {gain.min():.3f} at z = {gain.idxmin():g} um" if len(gain) else "unknown",
        "wanted": "above 0",
        "holds": bool(len(gain)) and worse.empty,
        "reason": f"not so at {len(worse)} of {len(gain)} z" if len(worse) else "",
        "untestable": untestable,
    }


def _all_better(numbers, keys, scale):
    """Judge a figure's own table: every shown output against its input."""
    rows = []
    for metric, sign, word in (("ssim", 1, "up"), ("rmse", -1, "down")):
        pairs = numbers.pivot_table(index=keys, columns="image", values=metric)
        gain = sign * (pairs["output"] - pairs["input"])
        rows.append(
            {
                "claim": f"{metric.upper()} {word} in all shown images",
                "measured": f"{(gain > 0).sum()} of {len(gain)}, smallest gain {gain.min():.3f}",
                "wanted": f"{len(gain)} of {len(gain)}",
                "holds": bool((gain > 0).all()),
                "untestable": image_quality_untestable(scale),
            }
        )
    return rows
