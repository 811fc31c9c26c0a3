"""What every step needs while it runs: its log, its progress, its open files and threads, whole files."""

import contextlib
import errno
import logging
import os
import resource
import sys
import time
import traceback
from pathlib import Path

PROGRESS_INTERVAL_S = 10.0

# What a disk answers that is full, write-protected or failing.
_DISK_ERRORS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO),
}
_WANTED_OF_DISK = "wanted room and the right to write"
# A training holds every slide of its data sets open; many systems allow a process 1,024 files unless it asks for more.
# macOS grants no more than this.
OPEN_FILES = 10_240


@contextlib.contextmanager
def logged(snakemake):
    """Run a rule's work with its output in the rule's log and its failure in one sentence on the terminal.

    Everything printed or warned, by Python or by a library below it, goes into ``snakemake.log[0]``.
    An exception is written there with its traceback, and its own sentence to the terminal. Before the work
    begins, inputs that an earlier rule made and that were damaged since are refused.

    Parameters
    ----------
    snakemake : object
        The object that Snakemake hands to a script; ``log[0]``, ``rule``, ``input`` and ``output`` are used.
    """
    allow_open_files(OPEN_FILES)
    path = Path(snakemake.log[0])
    terminal = os.dup(2)
    started = time.perf_counter()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        log = open(path, "w", encoding="utf-8", buffering=1)
    except OSError as error:
        os.write(
            terminal, f"{snakemake.rule}: {path} could not be written ({error.strerror}), {_WANTED_OF_DISK}\n".encode()
        )
        sys.exit(1)
    with log:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s", force=True)
        logging.captureWarnings(True)
        try:
            # Imported here, for it reads files with the modules that stand on this one.
            from deepr.intermediates import refuse_damaged

            refuse_damaged(snakemake.input, snakemake.output)
            yield
        except Exception as error:
            os.write(terminal, f"{snakemake.rule}: {_sentence(error, snakemake.output)} (log: {path})\n".encode())
            # On a full disk there is no room for the traceback either.
            with contextlib.suppress(OSError):
                traceback.print_exc()
            sys.exit(1)
        finally:
            logging.info("%s took %.1f s", snakemake.rule, time.perf_counter() - started)
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError):
                    stream.flush()
            os.close(terminal)


def _sentence(error, outputs):
    """Say in one sentence what went wrong."""
    fault = _fault_of_disk(error)
    if fault is not None and fault.filename is None and "could not be written" not in str(error):
        folder = Path(outputs[0]).parent
        return f"{folder} could not be written ({fault.strerror or fault}), {_WANTED_OF_DISK}"
    if isinstance(error, OSError) and error.filename is None and error.strerror:
        return error.strerror
    # The text of a KeyError is the key alone.
    text = f"{type(error).__name__} {error}" if isinstance(error, LookupError) else str(error)
    return text or type(error).__name__


def _fault_of_disk(error, names=()):
    """Find the disk's own error behind an exception, about files of these names or of an unknown one; or None."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
            if error.filename is None or str(error.filename) in names:
                return error
        # A library that stumbles over a file of its own that is half-written hides the first error behind another.
        error = error.__cause__ or error.__context__
    return None


def allow_open_files(count):
    """Let this process have so many files open at once, or as many as the system lets it ask for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


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

    Raises
    ------
    OSError
        If the disk is full or cannot be written, with the file's name; what was there before stays.
    """
    path = Path(path)
    # Always the same name: what a killed run left behind is written over by the next one.
    temporary = path.with_name(f".part-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        try:
            yield temporary
            with open(temporary, "rb+") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except Exception as error:
        fault = _fault_of_disk(error, {str(name) for name in (temporary, path, *path.parents)})
        if fault is None or str(path) in str(error):
            raise
        reason = fault.strerror or str(fault)
        raise OSError(fault.errno, f"{path} could not be written ({reason}), {_WANTED_OF_DISK}") from error
