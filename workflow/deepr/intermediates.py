"""Files that earlier steps made: one that was damaged since is named before a step begins its own work."""

import csv
import io
import json
import zipfile
import zlib
from pathlib import Path

import numpy as np

from deepr.manifest import check_manifest
from deepr.slides import open_slide
from deepr.tables import InputError, read_table

RESULTS = "results"
REMAKE = "delete it and run the same command, which makes it and what follows from it anew"
RESTART = (
    "put back a copy of it if you have one, or delete it and run the same command, which starts this training afresh"
)
_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"


def refuse_damaged(inputs, outputs=()):
    """Refuse what earlier jobs left if it is no longer whole.

    Every file of the workflow appears under its name only when it is whole. One that is truncated or of another
    content was damaged later, by a failing disk, an incomplete copy or by hand.

    Parameters
    ----------
    inputs : iterable of str or Path
        Files and folders that a step reads. Those below ``results/`` are looked at; the others are a person's own.
    outputs : iterable of str or Path
        Files that it will write; a training's last state may lie beside them.

    Raises
    ------
    InputError
        One sentence with the file, what is wrong with it and how it is made anew.

    Notes
    -----
    A damaged checkpoint is refused, too, and not passed over: to start afresh in silence would give up days of
    training and write over a file that may still be copied back.
    """
    made = [Path(path) for path in inputs if Path(path).parts[0] == RESULTS]
    for path in made:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            _refuse(file, REMAKE)
    for folder in {Path(path).parent / "checkpoint" for path in outputs}:
        for file in sorted(folder.glob("*/state.npz")):
            _refuse(file, RESTART)


def _refuse(path, remedy):
    try:
        check_file(path)
    except InputError as error:
        raise InputError(f"{error}; {remedy}") from error


def check_file(path):
    """Refuse a file that is damaged: slides, tables, records, PNG images, weights and checkpoints are looked at.

    Parameters
    ----------
    path : str or Path
        It must exist; what it is supposed to be is told by its suffix.

    Raises
    ------
    InputError
        If it is not what the workflow writes under such a name.
    """
    path = Path(path)
    if path.name.startswith(".part-"):
        # Left by a killed job; nobody reads it, and the next one writes over it.
        return
    if path.name.endswith(".ome.tif"):
        open_slide(path).close()
    elif path.name == "state.npz":
        _check_state(path)
    elif path.suffix in _CHECKS:
        _CHECKS[path.suffix](path)


def _check_table(path):
    """Refuse a table that was cut, or is none; every table of the workflow has two columns or more."""
    data = path.read_bytes()
    wanted = "wanted a tab-separated table that ends with a whole line"
    if not data.endswith(b"\n"):
        raise InputError(f"{path}: found {'a cut line at the end' if data else 'an empty file'}, {wanted}")
    try:
        rows = csv.reader(io.StringIO(data.decode("utf-8"), newline=""), delimiter="\t", strict=True)
        header = next(rows)
        if len(header) < 2 or len(set(header)) < len(header) or not all(header):
            raise InputError(f"{path}: found the header {' '.join(header)[:60]!r}, {wanted}")
        for row in rows:
            if len(row) != len(header):
                raise InputError(f"{path}, line {rows.line_num}: found {len(row)} cells, wanted {len(header)}")
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: {error}, {wanted}") from error
    if path.name == "manifest.tsv":
        check_manifest(read_table(path), path)


def _check_record(path):
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: found no JSON ({error}), wanted a record as this workflow writes it") from error


def _check_image(path):
    data = path.read_bytes()
    if not (data.startswith(_PNG_START) and data.endswith(_PNG_END)):
        raise InputError(f"{path}: truncated or not a PNG file, wanted an image as this workflow draws it")


def _check_model(path):
    _check_archive(
        path, {"config.json", "metadata.json", "model.weights.h5"}, "a Keras model as this workflow saves it"
    )


def _check_state(path):
    """Refuse a training's state that is damaged, or whose history is shorter than it was."""
    wanted = "a training's state as this workflow saves it"
    _check_archive(path, {"record.npy"}, wanted)
    try:
        with np.load(path, allow_pickle=False) as saved:
            length = int(json.loads(str(saved["record"]))["history_bytes"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: found another record ({error}), wanted {wanted}") from error
    history = path.with_name("history.tsv")
    found = history.stat().st_size if history.is_file() else 0
    if found < length:
        raise InputError(f"{path}: found {found} bytes of {history}, wanted the {length} that this state belongs to")


def _check_archive(path, members, wanted):
    """Refuse an archive that is cut, lacks a member, or holds one whose CRC-32 is another."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            missing = members - set(archive.namelist())
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
        raise InputError(f"{path}: truncated or damaged ({error}), wanted {wanted}") from error
    if damaged or missing:
        fault = f"its member {damaged} is damaged" if damaged else f"it has no {min(missing)}"
        raise InputError(f"{path}: {fault}, wanted {wanted}")


_CHECKS = {".tsv": _check_table, ".json": _check_record, ".png": _check_image, ".keras": _check_model}
