"""Claims about the road itself, judged against what the simulated microscope knows."""

import pandas as pd

from deepr.scorecard.rows import COLUMNS, row

WANTED_SHARE = 0.95
WANTED_RESIDUAL_PX = 0.3


def judge_truth(checks, dataset, scale):
    """Judge the focus planes and the alignment of a simulated data set.

    Parameters
    ----------
    checks : pandas.DataFrame
        From `deepr.truth.summarise_truth`: quantity, value, unit, count.
    dataset : str
    scale : str

    Returns
    -------
    pandas.DataFrame
        One row per claim, columns `COLUMNS`.
    """
    found = checks.set_index("quantity")
    share = found.loc["focus planes within the section's thickness"]
    bias = found.loc["bias of the focus planes", "value"]
    largest = found.loc["largest alignment residual within 2 um of focus"]
    high = found.loc["95th percentile of the alignment residual within 2 um of focus", "value"]
    lost = found.loc["fields left out by the alignment"]
    left_out = f"; {lost['value']:.0f} of {lost['count']:.0f} fields left out" if lost["value"] else ""
    common = {"target": f"{dataset}_truth", "data_source": "simulated", "scale": scale}
    rows = [
        row(
            claim="focus planes lie within the section",
            measured=f"{share['value']:.1%} of {share['count']:.0f} patches, bias {bias:+.2f} um",
            wanted=f"at least {WANTED_SHARE:.0%}",
            holds=share["value"] >= WANTED_SHARE,
            **common,
        ),
        row(
            claim="alignment leaves at most 0.3 px within 2 um of focus",
            measured=f"largest {largest['value']:.2f} px of {largest['count']:.0f} planes,"
            f" 95th percentile {high:.2f} px{left_out}",
            wanted=f"at most {WANTED_RESIDUAL_PX} px",
            holds=largest["value"] <= WANTED_RESIDUAL_PX,
            **common,
        ),
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))
