"""Claims about beads: their width against defocus (Figure 4), and beads in a volume (Figure S3)."""

import numpy as np
import pandas as pd

from deepr.scorecard.rows import COLUMNS, image_quality_untestable, row

NEARLY_CONSTANT = 1.5
SPREAD = 3.0
LEAST_FALL = 0.1
BETWEEN_UM = 7.0
MIN_BEADS = 3
LEAST_FITTED = 0.5
# How far from the end of a range, or from -7 um, a plane may lie and still stand for it.
NEAR_UM = 0.5
# Beads of a volume that are in focus lie no farther from it.
IN_FOCUS_UM = 1.0


def judge_figure_4(widths, networks, ranges_um, data_source, scale):
    """Judge the claims of Figure 4.

    Parameters
    ----------
    widths : DataFrame
        As for `deepr.figures.figure_4.draw_figure_4`.
    networks : list of str
        The one of the smaller range first.
    ranges_um : list of float
    data_source, scale : str

    Returns
    -------
    DataFrame
        One row per claim, columns `COLUMNS`.

    Notes
    -----
    The paper says nearly constant without a number: here the largest mean width within the training range, on both
    sides of focus, is at most 1.5 times the smallest, and in every plane at least half of the beads and no fewer than
    three can be fitted, so that a few good ones do not stand for all. Test planes that do not reach both ends of a
    range cannot tell. Sharp at -7 um is the larger range's output if it is within 1.5 times its width in focus, with
    as many beads fitted; an output without a bead that can be fitted is wider than any. Unstable is the input where,
    at positive defocus, the width falls by a tenth from one plane to the next or the fits fail while defocus grows.
    """
    kept = widths[widths["kept"].astype(bool)]
    means = kept.groupby(["network", "z_um"])["fwhm_um"].agg(["mean", "std", "count"])
    means = means[means["count"] >= MIN_BEADS]
    measured = set(means.index.get_level_values("network"))
    empty = means.iloc[:0].droplevel("network")
    curves = {name: means.xs(name) if name in measured else empty for name in ["", *networks]}
    beads = len(kept[(kept["network"] == "") & (kept["z_um"].abs() < 1e-6)])
    untestable = image_quality_untestable(scale) or ("" if beads >= MIN_BEADS else f"{beads} beads were measured")
    rows, shares = [], {}
    for name, range_um in zip(networks, ranges_um, strict=True):
        own = widths[widths["network"] == name]
        shares[name] = own["kept"].astype(bool).groupby(own["z_um"]).sum() / max(beads, 1)
        rows.append(_nearly_constant(curves[name], shares[name], range_um, untestable))
    of_input = widths.loc[widths["network"] == "", "z_um"].unique()
    rows.append(_spread(curves[""], of_input, ranges_um[0], untestable))
    rows.append(_sharp_beyond(curves, shares, networks, untestable))
    rows.append(_unstable(curves[""], of_input, ranges_um[0], untestable))
    common = {"target": "fig4", "data_source": data_source, "scale": scale}
    return pd.DataFrame([row(**common, **judged) for judged in rows], columns=list(COLUMNS))


def _short(z_um, range_um):
    """Say that planes do not reach both ends of a range, or nothing if they do."""
    if not len(z_um):
        return "there are no test planes"
    if min(z_um) > NEAR_UM - range_um or max(z_um) < range_um - NEAR_UM:
        return f"the test planes reach from {min(z_um):g} to {max(z_um):g} um, not to +-{range_um:g} um"
    return ""


def _nearly_constant(curve, shares, range_um, untestable):
    inside = curve[np.abs(curve.index) <= range_um + 1e-3]["mean"]
    fitted = shares[np.abs(shares.index) <= range_um + 1e-3]
    ratio = inside.max() / inside.min() if len(inside) else np.nan
    thin = len(fitted) - len(inside)
    few = f", in {thin} planes fewer than {MIN_BEADS}" if thin else ""
    return {
        "claim": f"the +-{range_um:g} um network's output width is nearly constant within its training range",
        "measured": f"{inside.min():.2f} to {inside.max():.2f} um, ratio {ratio:.2f}; at least {fitted.min():.0%} of"
        f" the beads fitted{few}",
        "wanted": f"ratio at most {NEARLY_CONSTANT}, at least {LEAST_FITTED:.0%} fitted at every z",
        "holds": bool(ratio <= NEARLY_CONSTANT and fitted.min() >= LEAST_FITTED and not thin),
        "untestable": untestable or _short(shares.index, range_um),
    }


def _spread(curve, z_um, range_um, untestable):
    inside = curve[np.abs(curve.index) <= range_um + 1e-3]["mean"]
    ratio = inside.max() / inside.min() if len(inside) else np.nan
    return {
        "claim": f"the input's width spreads by more than {SPREAD:g} times within +-{range_um:g} um",
        "measured": f"{inside.min():.2f} to {inside.max():.2f} um, ratio {ratio:.1f}",
        "wanted": f"more than {SPREAD:g}",
        "holds": bool(ratio > SPREAD),
        "untestable": untestable or _short(z_um, range_um) or ("" if len(inside) else "no input could be measured"),
    }


def _sharp_beyond(curves, shares, networks, untestable):
    found, fitted = [], []
    for name in networks:
        near = curves[name][np.abs(curves[name].index + BETWEEN_UM) <= 0.26]["mean"]
        share = shares[name][np.abs(shares[name].index + BETWEEN_UM) <= 0.26]
        if not untestable and not len(share):
            untestable = f"no test plane lies at z = -{BETWEEN_UM:g} um"
        # Where too few beads can be fitted the image is as blurred as can be.
        found.append(float(near.mean()) if len(near) else np.inf)
        fitted.append(float(share.min()) if len(share) else 0.0)
    focus = curves[networks[1]]["mean"].get(0.0, np.nan)
    sharp = found[1] <= NEARLY_CONSTANT * focus and fitted[1] >= LEAST_FITTED
    return {
        "claim": f"at z = -{BETWEEN_UM:g} um the network of the larger range is sharp where the other is not",
        "measured": f"{_width(found[0])} and {_width(found[1])}, {fitted[1]:.0%} of its beads fitted;"
        f" {focus:.2f} um in focus",
        "wanted": f"the larger range narrower, within {NEARLY_CONSTANT} times its width in focus, at least"
        f" {LEAST_FITTED:.0%} of its beads fitted",
        "holds": bool(found[1] < found[0] and sharp),
        "untestable": untestable,
    }


def _unstable(curve, z_um, range_um, untestable):
    positive = curve[(curve.index > 0.1) & (curve.index <= range_um + 1e-3)]
    negative = curve[(curve.index < -0.1) & (curve.index >= -range_um - 1e-3)]
    drops = _falls(positive["mean"])
    drops_below = _falls(negative.sort_index(ascending=False)["mean"])
    lost = ((z_um > 0.1) & (z_um <= range_um + 1e-3)).sum() - len(positive)
    lost_below = ((z_um < -0.1) & (z_um >= -range_um - 1e-3)).sum() - len(negative)
    return {
        "claim": "the input's width is unstable at positive defocus",
        "measured": f"it falls by a tenth {drops} times away from focus there ({drops_below} at negative defocus), and"
        f" {lost} planes could not be measured ({lost_below})",
        "wanted": "falls or failed fits at positive defocus, fewer at negative",
        "holds": bool(drops > drops_below or lost > lost_below),
        "untestable": untestable or _short(z_um, range_um),
    }


def _falls(widths):
    values = widths.to_numpy(dtype=float)
    return int((values[1:] < (1 - LEAST_FALL) * values[:-1]).sum())


def judge_figure_s3(table, networks, ranges_um, data_source, scale):
    """Judge Figure S3: beads between the two ranges are sharpened by the larger range's network only.

    Sharpened means half as wide as in the input and in the smaller range's output, and nearly as narrow as in focus.

    Parameters
    ----------
    table : DataFrame
        As for `deepr.figures.figure_s3.draw_figure_s3`.
    networks, ranges_um, data_source, scale
        As for `judge_figure_4`.

    Returns
    -------
    DataFrame
    """
    between = table[table["bead_z_um"].abs().between(ranges_um[0] + 1e-3, ranges_um[1] + 1e-3)]
    fitted = between["kept"].astype(bool)
    # Where a bead shows no peak it is as wide as can be.
    widths_um = between["fwhm_um"].where(fitted, np.inf)
    medians = widths_um.groupby(between["image"]).median()
    peaks = fitted.groupby(between["image"]).sum()
    count = between[between["image"] == "input"].shape[0]
    few = "" if count >= MIN_BEADS else f"{count} beads lie between the ranges"
    untestable = image_quality_untestable(scale) or few
    images = ("input", *networks)
    near = table[table["bead_z_um"].abs() <= IN_FOCUS_UM]
    focus = float(near.loc[(near["image"] == networks[1]) & near["kept"].astype(bool), "fwhm_um"].median())
    if not untestable and near.empty:
        untestable = f"no bead lies within {IN_FOCUS_UM:g} um of focus"
    values = [float(medians.get(name, np.nan)) for name in images]
    found = [f"{_width(value)} ({peaks.get(name, 0)} with a peak)" for name, value in zip(images, values, strict=True)]
    judged = {
        "claim": f"beads between {ranges_um[0]:g} and {ranges_um[1]:g} um are sharpened by the larger range's network"
        " only",
        "measured": f"median width of {count} beads: {found[0]} in the input, {found[1]} by the smaller range,"
        f" {found[2]} by the larger, {focus:.2f} um in focus",
        "wanted": "the larger range's at most half of both others, and within"
        f" {NEARLY_CONSTANT} times its width in focus",
        "holds": bool(values[2] <= 0.5 * min(values[0], values[1]) and values[2] <= NEARLY_CONSTANT * focus),
        "untestable": untestable,
    }
    return pd.DataFrame([row(target="figS3", data_source=data_source, scale=scale, **judged)], columns=list(COLUMNS))


def _width(width_um):
    return f"{width_um:.2f} um" if np.isfinite(width_um) else "too few to be seen"
