"""Claims about the defocus distance of every pixel (Figure 7)."""

import numpy as np
import pandas as pd

from deepr.depth import true_slope
from deepr.scorecard.rows import COLUMNS, image_quality_untestable, row

WANTED_ERROR_UM = 1.0
WANTED_RIGHT = 0.9
SIGN_FROM_UM = 2.0
WANTED_RATIO = (0.5, 1.5)


def judge_figure_7(uniform, tilted, range_um, tilt_deg, field_um, data_source, scale):
    """Judge the decoder on uniform defocus and on a tilted section.

    Parameters
    ----------
    uniform, tilted : DataFrame
        One row per test patch and plane: dataset, slide, fov, y, x, z_um, abs_error_um, right_sign,
        slope_um_per_um; see `deepr.depth.measure_map`.
    range_um : float
        Training range.
    tilt_deg : float
    field_um : float
        Side of the tilted fields.
    data_source, scale : str

    Returns
    -------
    DataFrame
        One row per claim, columns `COLUMNS`.
    """
    untestable = image_quality_untestable(scale)
    common = {"target": "fig7", "data_source": data_source, "scale": scale}
    within = uniform[uniform["z_um"].abs() <= range_um + 1e-3]
    error, zero = float(within["abs_error_um"].median()), float(within["z_um"].abs().median())
    far = within[within["z_um"].abs() >= SIGN_FROM_UM - 1e-3]
    right = float(pd.to_numeric(far["right_sign"]).mean())
    # Only images whose every row is within the range that the decoder knows
    reach_um = range_um - field_um / 2 * abs(true_slope(tilt_deg))
    slopes, slope, deviation = _slopes(tilted, reach_um)
    control, level, level_deviation = _slopes(uniform, reach_um)
    wanted = true_slope(tilt_deg)
    ratio = slope / wanted
    rows = [
        row(
            claim="the decoder finds the defocus of uniformly defocused images",
            measured=f"median absolute error {error:.2f} um over {len(within)} images",
            wanted=f"at most {WANTED_ERROR_UM:g} um",
            holds=error <= WANTED_ERROR_UM,
            reason=f"a constant zero scores {zero:.2f} um",
            untestable=untestable,
            **common,
        ),
        row(
            claim=f"the sign of the defocus is right for |z| >= {SIGN_FROM_UM:g} um",
            measured=f"{right:.1%} of the pixels of {len(far)} images",
            wanted=f"at least {WANTED_RIGHT:.0%}",
            holds=right >= WANTED_RIGHT,
            reason="a constant of one sign scores 50 % where both signs are as frequent",
            untestable=untestable or ("" if len(far) else f"no plane with |z| >= {SIGN_FROM_UM:g} um"),
            **common,
        ),
        row(
            claim="the map of a tilted section shows its slope",
            measured=f"{slope:.4f} +- {deviation:.4f} um per um over {len(slopes)} fields, {ratio:.2f} of the true"
            f" {wanted:.4f}",
            wanted=f"{WANTED_RATIO[0]:g} to {WANTED_RATIO[1]:g} of the true slope",
            holds=WANTED_RATIO[0] <= ratio <= WANTED_RATIO[1],
            reason=f"planes with |z| <= {reach_um:.1f} um; a constant scores 0, {len(control)} fields without tilt"
            f" {level:.4f} +- {level_deviation:.4f}",
            untestable=untestable or ("" if len(slopes) else f"no plane with |z| <= {reach_um:.1f} um"),
            **common,
        ),
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _slopes(table, reach_um):
    """Mean slope of each patch, their mean, and its standard error from patch to patch (NaN for one)."""
    near = table[table["z_um"].abs() <= reach_um + 1e-3]
    slopes = near.groupby(["slide", "fov", "y", "x"])["slope_um_per_um"].mean()
    error = slopes.std() / np.sqrt(len(slopes)) if len(slopes) > 1 else np.nan
    return slopes, float(slopes.mean()), float(error)
