"""How long the stages of a run took, from Snakemake's benchmark files."""

from pathlib import Path

import pandas as pd

# Folders of the results that are no data set.
_STAGES = (
    *("autofocus", "deconvolution", "depth", "figures", "own", "predictions", "scorecard", "tables", "tilt"),
    "virtual",
)


def summarise_benchmarks(folder):
    """Add up Snakemake's benchmark files by stage.

    Parameters
    ----------
    folder : str or Path
        Benchmark files lie below as the rules put them: {dataset}/{stage}/{slide}.tsv or
        {dataset}/{stage}.tsv, networks/{network}/{stage}.tsv, and {stage}/... for what is of no one data set.

    Returns
    -------
    DataFrame
        stage, jobs, wall_s (sum), cpu_s (sum), max_rss_mb (of the largest job); the longest first.
    """
    rows = []
    for path in sorted(Path(folder).rglob("*.tsv")):
        frame = pd.read_csv(path, sep="\t", na_values="-")
        if {"s", "max_rss", "cpu_time"} <= set(frame.columns):
            stage = _stage_of(path.relative_to(folder).with_suffix("").parts)
            rows.append((stage, frame["s"].iloc[-1], frame["cpu_time"].iloc[-1], frame["max_rss"].iloc[-1]))
    frame = pd.DataFrame(rows, columns=["stage", "s", "cpu", "rss"])
    sums = frame.groupby("stage").agg(
        jobs=("s", "size"), wall_s=("s", "sum"), cpu_s=("cpu", "sum"), max_rss_mb=("rss", "max")
    )
    return sums.round(1).sort_values("wall_s", ascending=False).reset_index()


def _stage_of(parts):
    """Name a benchmark's stage, without data set, network and slide."""
    if parts[0] in _STAGES:
        return parts[0]
    if parts[0] == "networks":
        return f"{parts[-1]} network"
    return parts[1] if len(parts) > 1 else parts[0]
