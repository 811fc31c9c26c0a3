"""Rows of the scorecard: what a claim wants, what was found, and the verdict."""

import pandas as pd

COLUMNS = ("target", "claim", "measured", "wanted", "verdict", "reason", "data", "scale")
HOLDS, FAILS, UNTESTABLE = "holds", "does not hold", "not testable at this scale"


def row(target, claim, measured, wanted, holds, data_source, scale, reason="", untestable=""):
    """Make one row of the scorecard.

    Parameters
    ----------
    target, claim, measured, wanted : str
        Figure or table, what the paper says of it, what was found and what would confirm it.
    holds : bool
        Whether what was found confirms the claim.
    data_source : str or collection of str
        Where the data are from.
    scale : str
    reason : str
        What a reader needs beside the verdict.
    untestable : str
        Why the claim cannot be judged here; it then is not, whatever was found.

    Returns
    -------
    dict
        With the keys `COLUMNS`.
    """
    return {
        "target": target,
        "claim": claim,
        "measured": measured,
        "wanted": wanted,
        "verdict": UNTESTABLE if untestable else HOLDS if holds else FAILS,
        "reason": untestable or reason,
        "data": data_source if isinstance(data_source, str) else ", ".join(sorted(data_source)),
        "scale": scale,
    }


def join_rows(frames):
    """Join the scorecards of several targets into one table, in the order given.

    Parameters
    ----------
    frames : iterable of DataFrame

    Returns
    -------
    DataFrame
        Columns `COLUMNS`.

    Raises
    ------
    ValueError
        If a frame has other columns or an unknown verdict.
    """
    frames = list(frames)
    for frame in frames:
        if tuple(frame.columns) != COLUMNS:
            raise ValueError(f"a scorecard has the columns {list(frame.columns)}, wanted {list(COLUMNS)}")
        unknown = set(frame["verdict"]) - {HOLDS, FAILS, UNTESTABLE}
        if unknown:
            raise ValueError(f"a scorecard has the verdicts {sorted(unknown)}, wanted one of three")
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(COLUMNS))


def image_quality_untestable(scale):
    """Say why image quality cannot be judged at a scale, or nothing if it can."""
    return "trainings of the tiny scale last seconds" if scale == "tiny" else ""
