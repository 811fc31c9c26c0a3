"""Tables and records: tab-separated and JSON files, written whole or not at all."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from deepr.runtime import write_atomically

# These columns hold names, which stay text even where they look like numbers ("01").
NAME_COLUMNS = ("dataset", "slide", "fov", "split", "reason", "network", "name", "kind", "start_from")


class InputError(ValueError):
    """Something that the user brought cannot be used; the message is one sentence that says what and why."""


def write_table(frame, path):
    """Write a table as tab-separated text, whole or not at all.

    Parameters
    ----------
    frame : DataFrame
        Its index is not written. Floats are written with as many digits as give the same float back,
        booleans as true and false, missing values as empty cells.
    path : str or Path
    """
    frame = frame.copy()
    for column in frame.columns:
        if pd.api.types.is_bool_dtype(frame[column].dtype):
            frame[column] = np.where(frame[column], "true", "false")
    with write_atomically(path) as temporary:
        frame.to_csv(temporary, sep="\t", index=False, lineterminator="\n", encoding="utf-8")


def read_table(path):
    """Read a table that `write_table` wrote.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    DataFrame
        A column is boolean, integer or float where all its cells are, and text otherwise; columns of names
        (`NAME_COLUMNS`) are always text, all others float in a table without rows. An empty cell is "" in
        text and NaN among floats.

    Raises
    ------
    InputError
        If the file is absent or no such table.
    """
    try:
        frame = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file, wanted a table") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {str(error).strip()}, wanted a tab-separated table with a header") from error
    if not isinstance(frame.index, pd.RangeIndex):
        # pandas takes what exceeds the header for an index.
        raise InputError(f"{path}: found more cells than columns, wanted a tab-separated table with a header")
    for column in frame.columns.difference(NAME_COLUMNS):
        frame[column] = _typed(frame[column])
    return frame


def _typed(cells):
    """Turn a column of text into booleans, integers or floats where every cell allows it."""
    if len(cells) == 0:
        # What is computed of no rows, as a mean, is defined for numbers alone.
        return cells.astype("float64")
    if (cells == "").all():
        return cells
    if cells.isin(["true", "false"]).all():
        return cells == "true"
    if cells.str.fullmatch(r"-?\d{1,18}").all():
        return cells.astype("int64")
    number = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf|nan|"
    if cells.str.fullmatch(number).all():
        return pd.Series([float(cell or "nan") for cell in cells], index=cells.index, dtype="float64")
    return cells


def write_json(data, path):
    """Write a record as JSON, whole or not at all.

    Parameters
    ----------
    data : object
        Made of mappings, sequences, text and numbers, NumPy's among them; a float that is not finite is
        written as null, for JSON has no such number.
    path : str or Path
    """
    text = json.dumps(_plain(data), indent=2, ensure_ascii=False, allow_nan=False)
    with write_atomically(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def _plain(value):
    """Turn NumPy's and pathlib's values into what JSON knows."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value) if isinstance(value, set | frozenset) else value
        return [_plain(item) for item in items]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
