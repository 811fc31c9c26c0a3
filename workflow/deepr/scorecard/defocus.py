"""Claims about image quality against defocus (Figure 2)."""

import numpy as np
import pandas as pd

from deepr.metrics import summarise_by_defocus
from deepr.scorecard.rows import COLUMNS, image_quality_untestable, row

WANTED_SSIM = 0.7
MIN_PATCHES = 3


def judge_figure_2(measurements, range_um, depth_of_field_um, data_source, scale):
    """Judge the claims of Figure 2: autofocusing within the training range.

    Parameters
    ----------
    measurements : DataFrame
        As for `deepr.figures.figure_2.draw_figure_2`.
    range_um : float
        Defocus range of the training, to both sides.
    depth_of_field_um : float
        Wavelength over squared numerical aperture.
    data_source, scale : str

    Returns
    -------
    DataFrame
        One row per claim, columns `COLUMNS`.
    """
    similarity = curves_by_z(measurements, "ssim")
    error = curves_by_z(measurements, "rmse")
    noise_free = curves_by_z(measurements, "ssim_noise_free")
    untestable = image_quality_untestable(scale) or range_uncovered(similarity, range_um)
    rows = [
        _output_above(similarity, noise_free, range_um, untestable),
        _input_falls(similarity, range_um, depth_of_field_um, untestable),
        _output_better(similarity["output"] - similarity["input"], "SSIM", "higher", range_um, untestable),
        _output_better(error["input"] - error["output"], "RMSE", "lower", range_um, untestable),
        _output_degrades(similarity["output"], range_um, untestable),
    ]
    common = {"target": "fig2", "data_source": data_source, "scale": scale}
    return pd.DataFrame([row(**common, **judged) for judged in rows], columns=list(COLUMNS))


def curves_by_z(measurements, metric):
    """Mean of a metric by z for input and output, where at least `MIN_PATCHES` patches have the plane.

    Returns
    -------
    DataFrame
        Columns input and output, index z_um; missing where a curve has no such plane. z = 0 is left
        out: there the input is the ground truth itself.
    """
    summary = summarise_by_defocus(measurements, metric)
    summary = summary[(summary["n"] >= MIN_PATCHES) & (summary["z_um"] != 0)]
    return summary.pivot(index="z_um", columns="image", values="mean").reindex(columns=["input", "output"])


def range_uncovered(curves, range_um):
    """Say which part of the training range lacks planes, or nothing if none does."""
    curves = curves.dropna()
    z_um = np.sort(np.append(curves.index.to_numpy(float), 0.0))
    within = z_um[np.abs(z_um) <= range_um + 1e-3]
    if len(within) < 3:
        return f"fewer than {MIN_PATCHES} patches at nearly every z within {range_um:g} um"
    step = np.median(np.diff(within))
    # An end is uncovered where one more plane would have fitted within the range.
    short = max(within[0] + range_um, range_um - within[-1]) > step - 1e-6
    if short or np.diff(within).max() > 1.5 * step:
        return (
            f"planes with at least {MIN_PATCHES} patches reach from {within[0]:g} to {within[-1]:g} um with"
            f" gaps of up to {np.diff(within).max():g} um, not all of {-range_um:g} to {range_um:g} um"
        )
    return ""


def _output_above(similarity, noise_free, range_um, untestable):
    output = within_range(similarity["output"], 0, range_um)
    truth = within_range(noise_free["output"], 0, range_um)
    return {
        "claim": f"mean output SSIM above {WANTED_SSIM} at every z within +-{range_um:g} um",
        "measured": f"smallest {_extreme(output)}",
        "wanted": f"above {WANTED_SSIM}",
        "holds": bool(len(output)) and output.min() > WANTED_SSIM,
        "reason": f"against the noise-free truth: smallest {_extreme(truth)}" if len(truth) else "",
        "untestable": untestable,
    }


def _input_falls(similarity, range_um, depth_of_field_um, untestable):
    curve = similarity["input"].dropna()
    inside = within_range(curve, 0, depth_of_field_um)
    beyond = within_range(curve, depth_of_field_um, range_um)
    sides = [beyond[beyond.index < 0], beyond[beyond.index > 0]]
    if not untestable and (inside.empty or min(len(side) for side in sides) < 3):
        untestable = f"the planes are too far apart for a depth of field of {depth_of_field_um:.2f} um"
    # Spearman's coefficient: -1 where every step away from focus lowers the SSIM.
    falls = [_rank_correlation(np.abs(side.index), side) for side in sides]
    return {
        "claim": f"the input's SSIM falls away beyond the depth of field of {depth_of_field_um:.2f} um",
        "measured": f"at least {_number(inside.min())} within it, at most {_number(beyond.max())} beyond;"
        f" rank correlation with |z| {_number(falls[0])} and {_number(falls[1])}",
        "wanted": "lower beyond than within; rank correlation at most -0.9 on both sides",
        "holds": beyond.max() < inside.min() and all(fall <= -0.9 for fall in falls),
        "reason": f"{_number(curve.get(-range_um))} and {_number(curve.get(range_um))} at -+{range_um:g} um",
        "untestable": untestable,
    }


def _output_better(gain, metric, direction, range_um, untestable):
    gain = within_range(gain, 1 - 1e-3, range_um)
    worse = gain[gain <= 0]
    return {
        "claim": f"output {metric} {direction} than the input's at every 1 <= |z| <= {range_um:g} um",
        "measured": f"smallest gain {_extreme(gain)}",
        "wanted": "above 0",
        "holds": bool(len(gain)) and worse.empty,
        "reason": f"not so at {len(worse)} of {len(gain)} z" if len(worse) else "",
        "untestable": untestable or ("" if len(gain) else f"no plane between 1 and {range_um:g} um"),
    }


def _output_degrades(output, range_um, untestable):
    output = output.dropna()
    inside = within_range(output, 0, range_um)
    beyond = within_range(output, range_um, np.inf)
    text, lower = [], []
    for sign, name in ((-1, "negative"), (1, "positive")):
        within_side, beyond_side = (side[np.sign(side.index) == sign] for side in (inside, beyond))
        if not untestable and beyond_side.empty:
            untestable = f"no plane beyond {range_um:g} um at {name} defocus"
        text.append(f"{_number(within_side.mean())} to {_number(beyond_side.mean())} at {name} z")
        lower.append(beyond_side.mean() < within_side.mean())
    return {
        "claim": "the output degrades beyond the training range",
        "measured": f"mean SSIM from {', '.join(text)}",
        "wanted": "lower beyond the range than within it, on both sides",
        "holds": all(lower),
        "reason": "",
        "untestable": untestable,
    }


def within_range(curve, above_um, up_to_um):
    """Part of a curve with above_um < |z| <= up_to_um, its missing planes left out."""
    distance = np.abs(curve.index.to_numpy(float))
    return curve[(distance > above_um) & (distance <= up_to_um + 1e-3)].dropna()


def _rank_correlation(x, y):
    if len(y) < 2 or np.ptp(y) == 0:
        return 0.0
    return float(np.corrcoef(pd.Series(x).rank(), pd.Series(np.asarray(y)).rank())[0, 1])


def _extreme(curve):
    return f"{curve.min():.3f} at z = {curve.idxmin():g} um" if len(curve) else "unknown"


def _number(value):
    return "unknown" if value is None or not np.isfinite(value) else f"{value:.2f}"
