"""What every step needs while it runs: its log, its progress, its random numbers, its threads, whole files."""

import contextlib
import logging
import os
import sys
import time
import traceback
from pathlib import Path

PROGRESS_INTERVAL_S = 10.0


@contextlib.contextmanager
def logged(snakemake):
    """Run a rule's work with its output in the rule's log and its failure in one sentence on the terminal.

    Everything printed or warned, by Python or by a library below it, goes into ``snakemake.log[0]``.
    An exception is written there with its traceback, and its own sentence to the terminal.

    Parameters
    ----------
    snakemake : object
        The object that Snakemake hands to a script; ``log[0]`` and ``rule`` are used.
    """
    path = Path(snakemake.log[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    terminal = os.dup(2)
    started = time.perf_counter()
    with open(path, "w", encoding="utf-8", buffering=1) as log:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s", force=True)
        logging.captureWarnings(True)
        try:
            yield
        except Exception as error:
            traceback.print_exc()
            sentence = f"{snakemake.rule}: {error or type(error).__name__} (log: {path})\n"
            os.write(terminal, sentence.encode())
            sys.exit(1)
        finally:
            logging.info("%s took %.1f s", snakemake.rule, time.perf_counter() - started)
            sys.stdout.flush()
            sys.stderr.flush()
            os.close(terminal)


def progress(iterable, total=None, desc=""):
    """Pass through an iterable and write its progress, with the time left, a few times a minute.

    Parameters
    ----------
    iterable : iterable
    total : int, optional
        Number of items, where the iterable does not know it.
    desc : str
        What is being done.

    Returns
    -------
    tqdm.tqdm
        Iterates as the argument does.
    """
    from tqdm import tqdm

    return tqdm(iterable, total=total, desc=desc, mininterval=PROGRESS_INTERVAL_S, file=sys.stderr, ascii=True)


@contextlib.contextmanager
def limit_threads(count):
    """Let the numerical libraries below use at most ``count`` threads within the block."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=count):
        yield


@contextlib.contextmanager
def write_atomically(path):
    """Write a file whole or not at all.

    Parameters
    ----------
    path : str or Path
        Where the file shall be; its folder is made.

    Yields
    ------
    Path
        A temporary name in the same folder with the same suffixes; write there. It is flushed to the
        disk and renamed when the block ends, and removed when the block fails.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Always the same name: what a killed run left behind is written over by the next one.
    temporary = path.with_name(f".part-{path.name}")
    temporary.unlink(missing_ok=True)
    try:
        yield temporary
        with open(temporary, "rb+") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
