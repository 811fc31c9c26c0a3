"""Checkpoints: all that a training needs to go on after it was stopped at any moment."""

import errno
import fcntl
import json
import logging
import os
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from deepr.runtime import write_atomically
from deepr.tables import InputError

STATE = "state.npz"
HISTORY = "history.tsv"
LOCK = ".training"

# How long a killed training may take to end, and with that to leave its folder.
_DYING_S = 10

log = logging.getLogger(__name__)


class Checkpoint:
    """A folder with a training's last saved state and its history, row by row.

    The state is one file, replaced as a whole, so it is never half written. The history is appended to
    all the time; a state knows how long it was, and is loaded with the history cut back to that length.

    Parameters
    ----------
    folder : Path
    identity : dict
        What the training is made of: settings, seed, data. A state saved with another identity is of
        another training and is not loaded.
    columns : sequence of str
        Columns of the history.
    """

    def __init__(self, folder, identity, columns):
        self.folder = Path(folder)
        self._identity = json.loads(json.dumps(identity))
        self._columns = list(columns)
        self._history = None

    @property
    def history_path(self):
        """The history's file: tab-separated, one row per iteration so far."""
        return self.folder / HISTORY

    def load(self):
        """Open the history and give the saved state.

        Returns
        -------
        arrays : dict of list of ndarray, or None
            As they were given to `save`; None if there is nothing to go on from.
        progress : dict
            As it was given to `save`; empty if there is nothing to go on from.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        arrays, progress, length = None, {}, 0
        state = self.folder / STATE
        if state.is_file():
            with np.load(state, allow_pickle=False) as saved:
                record = json.loads(str(saved["record"]))
                changed = _changed_keys(record["identity"], self._identity)
                if not changed:
                    arrays = {
                        group: [saved[f"{group}/{i}"] for i in range(count)]
                        for group, count in record["arrays"].items()
                    }
                    progress, length = record["progress"], record["history_bytes"]
            if changed:
                log.warning("%s is of another training (%s): starting afresh", state, ", ".join(changed))
        if arrays is None:
            self._history = open(self.history_path, "w", encoding="utf-8")
            self._history.write("\t".join(self._columns) + "\n")
        else:
            os.truncate(self.history_path, length)
            self._history = open(self.history_path, "a", encoding="utf-8")
        return arrays, progress

    def append(self, row):
        """Append one row, a dict, to the history; floats with as many digits as give them back."""
        self._history.write("\t".join(_cell(row[column]) for column in self._columns) + "\n")
        self._history.flush()

    def save(self, arrays, progress):
        """Save a state, whole or not at all.

        Parameters
        ----------
        arrays : dict of list of ndarray
        progress : dict
            Anything else to go on from, as JSON takes it.
        """
        self._history.flush()
        os.fsync(self._history.fileno())
        record = {
            "identity": self._identity,
            "progress": progress,
            "arrays": {group: len(values) for group, values in arrays.items()},
            "history_bytes": self._history.tell(),
        }
        flat = {f"{group}/{i}": value for group, values in arrays.items() for i, value in enumerate(values)}
        with write_atomically(self.folder / STATE) as temporary:
            np.savez(temporary, record=np.array(json.dumps(record)), **flat)

    def close(self):
        """Close the history."""
        self._history.close()


@contextmanager
def alone_in(folder):
    """Keep every other process from training in a folder; a killed one leaves it by itself.

    Parameters
    ----------
    folder : str or Path
        Made if it is not there.

    Raises
    ------
    InputError
        If another process trains in it, as one does that outlived its Snakemake.
    """
    path = Path(folder) / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = _locked(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        lock.close()


def _locked(path):
    """Open a file and lock it; one that its last owner takes away in between is opened anew."""
    until = time.monotonic() + _DYING_S
    while True:
        lock = open(path, "a")
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(lock.fileno()), path.stat()):
                return lock
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                log.warning("%s: nothing keeps a second training out (%s)", path.parent, error.strerror)
                return lock
            if time.monotonic() > until:
                lock.close()
                sentence = f"{path.parent}: another process trains here, wait for it or stop it first"
                raise InputError(sentence) from error
        lock.close()
        time.sleep(0.1)


def _changed_keys(saved, wanted, prefix=""):
    """List the keys, joined with dots, whose values differ between two nested dicts."""
    changed = []
    for key in sorted({*saved, *wanted}):
        one, other = saved.get(key), wanted.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            changed += _changed_keys(one, other, f"{prefix}{key}.")
        elif one != other:
            changed.append(f"{prefix}{key}")
    return changed


def _cell(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "" if np.isnan(value) else repr(value)
    return str(value)
