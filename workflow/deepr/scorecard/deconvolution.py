"""Claims of Figure 5: Deep-R against deconvolution with the measured PSF."""

import pandas as pd

from deepr.scorecard.rows import COLUMNS, image_quality_untestable, row

RIVALS = {"landweber": "Landweber", "richardson_lucy": "Richardson-Lucy"}


def judge_figure_5(measurements, data_source, scale):
    """Judge Figure 5.

    Parameters
    ----------
    measurements : DataFrame
        As for `deepr.figures.figure_5.draw_figure_5`.
    data_source, scale : str

    Returns
    -------
    DataFrame
        A row per metric against the methods as the paper ran them, one against the best that early stopping
        could make of them, and one on the sides of focus; columns `COLUMNS`.
    """
    defocused = measurements[measurements["z_um"].abs() > 0.9]
    untestable = image_quality_untestable(scale)
    means = {
        metric: defocused.pivot_table(index="z_um", columns="method", values=metric) for metric in ("ssim", "rmse")
    }
    rows = []
    for metric, sign in (("ssim", 1), ("rmse", -1)):
        for suffix, words in (("", "100 iterations"), ("_best", "the best number of iterations for each image")):
            gains = {
                name: sign * (means[metric]["deepr"] - means[metric][f"{key}{suffix}"]) for key, name in RIVALS.items()
            }
            rows.append(
                {
                    "claim": f"Deep-R's mean {metric.upper()} is better than both at every z ({words})",
                    "measured": "; ".join(f"{name}: smallest gain {gain.min():.3f}" for name, gain in gains.items()),
                    "wanted": "above 0",
                    "holds": all((gain > 0).all() for gain in gains.values()),
                    "reason": "; ".join(
                        f"not so against {name} at {(gain <= 0).sum()} of {len(gain)} z"
                        for name, gain in gains.items()
                        if (gain <= 0).any()
                    ),
                    "untestable": untestable,
                }
            )
    gain = means["ssim"]["deepr"] - means["ssim"][list(RIVALS)].max(axis=1)
    below, above = gain[gain.index < 0].mean(), gain[gain.index > 0].mean()
    rows.append(
        {
            "claim": "and more so at positive defocus",
            "measured": f"mean SSIM gain over the better of the two {above:.3f} above focus, {below:.3f} below",
            "wanted": "larger above",
            "holds": bool(above > below),
            "untestable": untestable,
        }
    )
    common = {"target": "fig5", "data_source": data_source, "scale": scale}
    return pd.DataFrame([row(**common, **judged) for judged in rows], columns=list(COLUMNS))
