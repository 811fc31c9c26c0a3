"""All benchmarks against peers, side by side in one run, as one table and one plot.

Run as ``make benchmark``, with nothing else running; it takes about a quarter of an hour. It writes
``benchmarks_peers.tsv`` into the results, after every subject anew, and then ``benchmarks_peers.pdf``, ``.svg`` and
``.png``.
"""

import argparse
import importlib
import sys
from pathlib import Path

from comparison import as_table, in_own_process, show

# The script that measures each subject, and whether its number of rounds and of threads can be chosen.
SUBJECTS = {
    "edof": ("edof", True, True),
    "alignment": ("alignment", True, True),
    "deconvolution": ("deconvolution", True, True),
    "beads": ("beads", False, False),
    "optics": ("acquisition", True, False),
    "refocusing": ("refocusing", True, True),
    "training": ("training", True, True),
    "care": ("care", False, True),
}


def measure(subject, threads, repeats=None, **trainings):
    """Give the rows of one subject.

    Parameters
    ----------
    subject : str
        One of `SUBJECTS`.
    threads : int
    repeats : int, optional
        Rounds, instead of the subject's own number.
    trainings
        What `care.measure` is told besides.
    """
    script, has_rounds, has_threads = SUBJECTS[subject]
    arguments = {"repeats": repeats} if has_rounds and repeats else {}
    arguments |= {"threads": threads} if has_threads else {}
    arguments |= trainings if script == "care" else {}
    # Imported here alone: what one subject brings with it is no part of another's memory and threads.
    return importlib.import_module(script).measure(**arguments)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the workflow's results")
    parser.add_argument("--output", type=Path, help="path without suffix; by default RESULTS/benchmarks_peers")
    parser.add_argument("--config", type=Path, help="config whose section training is used")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, help="rounds of every subject instead of its own number")
    parser.add_argument("--seconds", type=float, default=150.0, help="of each training against CARE")
    parser.add_argument("--only", nargs="+", metavar="SUBJECT", help="measure these subjects alone")
    arguments = parser.parse_args()
    output = arguments.output or arguments.results / "benchmarks_peers"
    trainings = {"results": arguments.results, "seconds": arguments.seconds}
    trainings |= {"config_path": arguments.config} if arguments.config else {}
    unknown = set(arguments.only or []) - set(SUBJECTS)
    if unknown:
        parser.error(f"--only: found {', '.join(sorted(unknown))}, wanted some of {', '.join(SUBJECTS)}")
    # The figures bring much with them, which the processes that measure shall not have.
    from deepr.tables import InputError, write_table
    from peers_figure import draw

    rows = []
    try:
        for subject in arguments.only or SUBJECTS:
            measured = in_own_process(measure, subject, arguments.threads, arguments.repeats, **trainings)
            show(measured)
            rows += measured
            write_table(as_table(rows), f"{output}.tsv")
    except InputError as error:
        sys.exit(f"peers.py: {error}")
    draw(as_table(rows), output)
    print(f"written: {output}.tsv, .pdf, .svg, .png")


if __name__ == "__main__":
    main()
