"""Claims about Deep-R and Deep-Z (Figures 8 and S2)."""

import numpy as np
import pandas as pd

from deepr.scorecard.rows import COLUMNS, image_quality_untestable, row

MIN_BEADS = 5
# A Deep-Z network that is told to refocus should narrow a bead by at least so much on the way to focus.
FOCUSED_WIDTH_AT_MOST = 0.9


def judge_figure_8(surfaces, beads, data_source, scale):
    """Judge whether Deep-R refocuses images that Deep-Z defocused onto surfaces.

    Parameters
    ----------
    surfaces : DataFrame
        One row per test patch, surface and image: surface, image ("input" or "output"), ssim, rmse.
    beads : DataFrame
        As for `judge_figure_s2`: a Deep-Z network that does not follow the distance makes no surfaces.
    data_source, scale : str

    Returns
    -------
    DataFrame
        One row per surface, columns `COLUMNS`.
    """
    untestable = image_quality_untestable(scale) or _deaf_to_distance(summarise_beads(beads))
    rows = []
    for surface, table in surfaces.groupby("surface", sort=False):
        means = table.groupby("image")[["ssim", "rmse"]].mean()
        rows.append(
            row(
                target="fig8",
                claim=f"Deep-R raises the SSIM on the {surface} surface",
                measured=f"mean SSIM from {means.loc['input', 'ssim']:.3f} to {means.loc['output', 'ssim']:.3f}"
                f" over {(table['image'] == 'input').sum()} fields",
                wanted="higher",
                holds=means.loc["output", "ssim"] > means.loc["input", "ssim"],
                reason=f"RMSE from {means.loc['input', 'rmse']:.3f} to {means.loc['output', 'rmse']:.3f}",
                untestable=untestable,
                data_source=data_source,
                scale=scale,
            )
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def judge_figure_s2(beads, data_source, scale):
    """Judge the bead widths of Deep-Z's virtual stack before and after Deep-R.

    Parameters
    ----------
    beads : DataFrame
        One row per bead, curve and z; see `deepr.virtual_stacks.measure_virtual_stack`.
    data_source, scale : str

    Returns
    -------
    DataFrame
        One row per claim, columns `COLUMNS`.
    """
    summary = summarise_beads(beads)
    untestable = image_quality_untestable(scale)
    fewest = int(summary["n"].min()) if len(summary) else 0
    if not untestable and fewest < MIN_BEADS:
        untestable = f"as few as {fewest} beads at one z, wanted {MIN_BEADS}"
    deaf = _deaf_to_distance(summary)
    common = {"target": "figS2", "data_source": data_source, "scale": scale}
    before, after, single = (
        summary[summary["curve"] == curve].set_index("z_um").sort_index()
        for curve in ("deepz", "deepr_on_deepz", "deepr_on_input")
    )
    both = before.index.intersection(after.index)
    rows = [
        row(
            claim="Deep-Z follows the distance that it is told: beads are narrower at the true focus than away from it",
            measured=_widths_of(before["mean"]),
            wanted=f"at most {FOCUSED_WIDTH_AT_MOST:g} times",
            holds=not deaf,
            untestable=untestable,
            **common,
        )
    ]
    # What Deep-R does to images that are all alike says nothing of virtual refocusing.
    common["untestable"] = untestable or deaf
    for column, name in (("mean", "mean"), ("std", "standard deviation")):
        lower = after.loc[both, column] < before.loc[both, column]
        rows.append(
            row(
                claim=f"Deep-R lowers the {name} of the beads' width in every Deep-Z image",
                measured=f"lower at {lower.sum()} of {len(lower)} z, on average from"
                f" {before[column].mean():.3f} to {after[column].mean():.3f} um",
                wanted="lower at every z",
                holds=bool(len(lower)) and bool(lower.all()),
                reason=f"about {_typical(after['n'])} beads at each z",
                **common,
            )
        )
    best = before["mean"].min()
    one = single["mean"].iloc[0] if len(single) else np.nan
    rows.append(
        row(
            claim="one inference of Deep-R on the defocused image is sharper than any plane of the Deep-Z stack",
            measured=f"mean width {one:.3f} um against {best:.3f} um",
            wanted="smaller",
            holds=one < best,
            **common,
        )
    )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def summarise_beads(beads):
    """Give mean, std (n - 1) and number of the kept widths by curve and z, as a DataFrame."""
    kept = beads[beads["kept"].astype(bool)] if len(beads) else beads
    widths = kept.assign(fwhm_um=pd.to_numeric(kept["fwhm_um"]), z_um=pd.to_numeric(kept["z_um"]))
    summary = widths.groupby(["curve", "z_um"])["fwhm_um"].agg(mean="mean", std="std", n="count")
    return summary.reset_index()


def _deaf_to_distance(summary):
    """Say that a Deep-Z network makes the same image for every distance, or nothing if it does not."""
    widths = summary[summary["curve"] == "deepz"].set_index("z_um")["mean"].sort_index()
    if len(widths) and _focused_share(widths) <= FOCUSED_WIDTH_AT_MOST:
        return ""
    return f"Deep-Z has not learnt to follow the distance: {_widths_of(widths)}"


def _focused_share(widths):
    """Give the width nearest to the true focus over the largest."""
    return widths.iloc[np.abs(widths.index.to_numpy()).argmin()] / widths.max()


def _widths_of(widths):
    if not len(widths):
        return "no bead could be measured"
    return f"width at the true focus {_focused_share(widths):.2f} times the largest"


def _typical(counts):
    return f"{counts.median():.0f}" if len(counts) else "no"
