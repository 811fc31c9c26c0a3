"""What the benchmarks share: rounds taken in turns, processes of their own, and the rows of one table."""

import contextlib
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd

COLUMNS = (
    "subject",
    "task",
    "program",
    "side",
    "threads",
    "quantity",
    "unit",
    "z_um",
    "value",
    "median",
    "runs",
    "note",
)
OURS, PEER, ELSEWHERE = "this project", "peer", "measured elsewhere"


def take_turns(programs, rounds, warm_up=False):
    """Run programs in turns, round by round, so that a busy spell of the machine does not fall on one alone.

    Parameters
    ----------
    programs : dict
        Functions without arguments, by name.
    rounds : int
    warm_up : bool
        Whether a first round does not count.

    Returns
    -------
    seconds : dict
        List of the rounds' seconds, by name.
    results : dict
        What each program gave in the last round, by name.
    """
    seconds, results = {name: [] for name in programs}, {}
    for number in range(-1 if warm_up else 0, rounds):
        for name, program in programs.items():
            started = time.perf_counter()
            results[name] = program()
            if number >= 0:
                seconds[name].append(time.perf_counter() - started)
    return seconds, results


@contextlib.contextmanager
def own_processes(names):
    """Give each name a process of its own, which lives as long as the block: a dict of executors.

    What one program sets for its whole process (threads, determinism) does not touch the other. A process is started
    anew, not forked, and asked by ``executors[name].submit(function, ...).result()``.
    """
    context = multiprocessing.get_context("spawn")
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(ProcessPoolExecutor(1, mp_context=context)) for name in names}


def in_own_process(function, *positional, **keywords):
    """Call a function in a process of its own, whose largest memory is then this function's alone."""
    with own_processes(["it"]) as executors:
        return executors["it"].submit(function, *positional, **keywords).result()


def row(subject, task, program, side, value, **others):
    """Make one row of the table; what is not given is unknown (NaN) or empty."""
    known = {"threads": 1, "quantity": "time", "unit": "s", "z_um": np.nan, "median": np.nan, "runs": 1, "note": ""}
    unknown = set(others) - set(known)
    if unknown:
        raise TypeError(f"found the columns {', '.join(sorted(unknown))}, wanted some of {', '.join(known)}")
    named = {"subject": subject, "task": task, "program": program, "side": side, "value": value}
    return {**known, **named, **others}


def time_row(subject, task, program, side, seconds, scale=1.0, **others):
    """Make one row of the least and the median of several times, in seconds times `scale`."""
    times = scale * np.asarray(seconds)
    return row(
        subject, task, program, side, float(times.min()), median=float(np.median(times)), runs=times.size, **others
    )


def as_table(rows):
    """Put rows into a table with the columns `COLUMNS`."""
    return pd.DataFrame(rows, columns=list(COLUMNS))


def show(rows):
    """Print rows, one line each, below a line for each task."""
    for (subject, task), lines in as_table(rows).groupby(["subject", "task"], sort=False):
        print(f"{subject}: {task}")
        for line in lines.itertuples():
            place = "" if np.isnan(line.z_um) else f" at {line.z_um:+.1f} um"
            several = f", median {line.median:.3f} of {line.runs}" if line.runs > 1 and np.isfinite(line.median) else ""
            note = f"; {line.note}" if line.note else ""
            print(
                f"  {line.program:44s} {line.threads:2d} threads  {line.quantity}{place} "
                f"{line.value:.4g} {line.unit}{several}{note}",
                flush=True,
            )
