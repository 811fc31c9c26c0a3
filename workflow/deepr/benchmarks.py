"""What a run of the workflow measured of itself: Snakemake's benchmark files, the rules' logs, Snakemake's own log."""

import re
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from deepr.tables import InputError

# The last line that `deepr.runtime.logged` writes; imports lie before what it times.
TOOK = re.compile(r" took ([\d.]+) s$", re.MULTILINE)
MOMENT = re.compile(r"^\[(\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4})\]$")
STARTED = re.compile(r"^Job (\d+): ")
FINISHED = re.compile(r"^Finished jobid: (\d+) \(Rule: (\w+)\)$")


def read_benchmarks(jobs, folder="."):
    """Read what the jobs of a run took.

    Parameters
    ----------
    jobs : sequence of dict
        Jobs of the workflow: ``rule``, ``wildcards``, ``benchmark``, ``log`` (paths below `folder`), ``threads``,
        ``mem_mb`` and ``output``.
    folder : str or Path
        Working directory of the run.

    Returns
    -------
    pandas.DataFrame
        One row per job that has run: ``rule``, ``dataset`` and ``job`` (its number in `jobs`), ``threads``,
        ``seconds`` (the job's process from start to end), ``working_s`` (what its log says that its work took, without
        start and imports; NaN where it does not say), ``asked_mb``, ``measured_mb`` (largest resident memory; NaN for a
        job too short to be sampled), ``output_bytes`` (of what still exists) and ``finished`` (seconds since 1970).

    Raises
    ------
    InputError
        If a benchmark file is none, or none of the jobs has run.
    """
    folder = Path(folder)
    rows = []
    for number, job in enumerate(jobs):
        path = folder / job["benchmark"] if job["benchmark"] else None
        if path is None or not path.is_file():
            continue
        seconds, measured_mb = _read_benchmark(path)
        rows.append(
            {
                "job": number,
                "rule": job["rule"],
                "dataset": job["wildcards"].get("dataset", ""),
                "threads": job["threads"],
                "seconds": seconds,
                "working_s": _read_working_seconds(folder / job["log"][0]),
                "asked_mb": float(job["mem_mb"]),
                "measured_mb": measured_mb,
                "output_bytes": sum(_bytes_of(folder / name) for name in job["output"]),
                "finished": path.stat().st_mtime,
            }
        )
    if not rows:
        raise InputError(
            f"{folder / 'results/benchmarks'}: found no benchmark of a job of this config, wanted those of a run on"
            " this machine; run it first (make), or its first half (make manifests) for everything before the trainings"
        )
    return pd.DataFrame(rows)


def _read_benchmark(path):
    """Give seconds and largest resident memory in MB of a benchmark file."""
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    if len(lines) != 2 or lines[0][:1] != ["s"] or "max_rss" not in lines[0]:
        raise InputError(f"{path}: found no benchmark, wanted a file as Snakemake writes it (a header and one line)")
    cells = dict(zip(*lines, strict=False))
    # Snakemake samples twice a second at best, and writes NA for a job that was over before.
    measured_mb = float("nan") if cells["max_rss"] in ("NA", "-") else float(cells["max_rss"])
    return float(cells["s"]), measured_mb


def _read_working_seconds(path):
    found = TOOK.findall(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else []
    return float(found[-1]) if found else float("nan")


def _bytes_of(path):
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size if path.is_file() else 0


def read_run(path):
    """Read one log of Snakemake.

    Parameters
    ----------
    path : str or Path
        ``.snakemake/log/*.snakemake.log``.

    Returns
    -------
    dict
        ``started`` and ``ended`` (datetime, local time), ``cores``, and ``jobs``: a DataFrame of those that finished,
        with ``rule`` and ``seconds`` from Snakemake's start of the job to its note of the end, to the second.

    Raises
    ------
    InputError
        If no job finished in it.
    """
    starts, rows, moment = {}, [], None
    started = cores = None
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            line = line.rstrip("\n")
            if found := MOMENT.match(line):
                moment = datetime.strptime(found[1], "%a %b %d %H:%M:%S %Y")
            elif found := STARTED.match(line):
                starts[found[1]] = moment
            # A target without work has no message, and Snakemake notes no start of it.
            elif (found := FINISHED.match(line)) and found[1] in starts:
                rows.append({"rule": found[2], "seconds": (moment - starts[found[1]]).total_seconds()})
            elif line.startswith("  Date: ") and started is None:
                started = datetime.strptime(line.removeprefix("  Date: "), "%Y-%m-%d %H:%M:%S")
            elif line.startswith("Provided cores: "):
                cores = int(re.search(r"\d+", line)[0])
    if not rows or started is None or cores is None:
        raise InputError(f"{path}: found no finished job, wanted the log of a run of Snakemake")
    return {"started": started, "ended": moment, "cores": cores, "jobs": pd.DataFrame(rows)}


def share_time(run, measured):
    """Divide the core time of a run into what jobs worked and what went by around them.

    Parameters
    ----------
    run : dict
        Of `read_run`.
    measured : pandas.DataFrame
        Of `read_benchmarks`; rows that finished within the run are looked at.

    Returns
    -------
    dict of float
        ``wall_s``, ``jobs`` (of which a benchmark is there), and as shares of wall-clock time x cores that add up to 1:
        ``working`` (the jobs' work), ``starting`` (their processes' start and imports), ``snakemake`` (between a job's
        process and Snakemake's notes of its start and end), ``unknown`` (jobs whose benchmark a later run has
        replaced) and ``idle`` (cores that no job held, planning included).

    Notes
    -----
    A job counts with its threads, as Snakemake counts it, whether it keeps them busy or not.
    """
    wall_s = (run["ended"] - run["started"]).total_seconds()
    # A file's time is finer than the log's second.
    within = measured["finished"].between(run["started"].timestamp(), run["ended"].timestamp() + 1)
    rows = measured[within].assign(threads=lambda rows: np.minimum(rows["threads"], run["cores"]))
    working_s = rows["working_s"].fillna(rows["seconds"])
    by_rule = run["jobs"].groupby("rule")["seconds"].agg(["sum", "size"])
    # A rule of which no benchmark is left counts with one thread, as most do.
    threads = rows.groupby("rule")["threads"].max().reindex(by_rule.index, fill_value=1)
    found = (rows.groupby("rule").size().reindex(by_rule.index, fill_value=0) / by_rule["size"]).clip(upper=1)
    held_core_s = by_rule["sum"] * threads
    process_core_s = float((rows["seconds"] * rows["threads"]).sum())
    all_core_s = wall_s * run["cores"]
    working = float((working_s * rows["threads"]).sum()) / all_core_s
    starting = process_core_s / all_core_s - working
    # The log's seconds are whole ones, so that over few jobs the difference may come out negative.
    snakemake = max(0.0, (float((held_core_s * found).sum()) - process_core_s) / all_core_s)
    unknown = float((held_core_s * (1 - found)).sum()) / all_core_s
    return {
        "wall_s": wall_s,
        "jobs": len(rows),
        "working": working,
        "starting": starting,
        "snakemake": snakemake,
        "unknown": unknown,
        "idle": 1 - working - starting - snakemake - unknown,
    }
