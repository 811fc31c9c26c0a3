"""The user's sheets, of networks and of own z-stacks, checked cell by cell against their schemas."""

import csv
import glob
import math
import os
import re
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from deepr.tables import InputError

SCHEMAS = Path(__file__).resolve().parent / "schemas"


def read_networks(path, datasets):
    """Read the sheet of networks.

    Parameters
    ----------
    path : str or Path
        Tab-separated; its columns are those of ``deepr/schemas/networks.schema.yaml``.
    datasets : collection of str
        Data sets that exist.

    Returns
    -------
    DataFrame
        Columns name, kind, datasets (separated by commas), range_um, start_from (a name of the sheet, or a folder
        relative to the working directory), iterations, crop_px; the index is the line in the sheet.

    Raises
    ------
    InputError
        If a cell or column is wrong, a name comes twice, or a data set or network does not exist.
    """
    frame = _read_sheet(path, "networks")
    kinds = dict(zip(frame["name"], frame["kind"], strict=True))
    seen = {}
    for line, row in frame.iterrows():
        where = f"{path}, line {line}, column"
        if row["name"] in seen:
            raise InputError(
                f"{where} name: found {row['name']!r} again, wanted each name once (first on line {seen[row['name']]})"
            )
        seen[row["name"]] = line
        for name in row["datasets"]:
            if name not in datasets:
                raise InputError(f"{where} datasets: found {name!r}, wanted one of {_listed(datasets)}")
        # A decoder reads the frozen features of a trained deepr network; a deepr network goes on from another one.
        others = [name for name, kind in kinds.items() if kind == "deepr" and name != row["name"]]
        start_from = row["start_from"]
        if "/" in start_from and row["kind"] == "deepr":
            frame.loc[line, "start_from"] = _find_network(path, line, start_from)
            continue
        if start_from and row["kind"] == "deepz":
            raise InputError(
                f"{where} start_from: found {start_from!r}, wanted an empty cell: a network of kind deepz starts from"
                " scratch"
            )
        if start_from not in others and (start_from or row["kind"] == "decoder"):
            found = repr(start_from) if start_from else "an empty cell"
            folder = ", or the folder of a trained one, as ../results/networks/NAME" if row["kind"] == "deepr" else ""
            raise InputError(
                f"{where} start_from: found {found}, wanted for a network of kind {row['kind']} another one of kind"
                f" deepr in this sheet ({_listed(others)}){folder}"
            )
    _refuse_circles(path, frame)
    frame["datasets"] = [",".join(names) for names in frame["datasets"]]
    return frame


def _find_network(sheet, line, folder):
    """Give the folder of a network that was trained before; in the sheet it is relative to the sheet's folder."""
    generator = Path(sheet).parent / folder / "generator.keras"
    if not generator.is_file():
        raise InputError(
            f"{sheet}, line {line}, column start_from: found no file {generator}, wanted the folder of a trained"
            " network, relative to the sheet's"
        )
    return _from_here(os.path.normpath(generator.parent))


def _refuse_circles(path, frame):
    """Refuse networks that start from each other."""
    start = dict(zip(frame["name"], frame["start_from"], strict=True))
    for line, name in frame["name"].items():
        chain = [name]
        while start.get(chain[-1]):
            if start[chain[-1]] in chain:
                circle = " from ".join([*chain, start[chain[-1]]])
                raise InputError(
                    f"{path}, line {line}, column start_from: found a circle ({circle}), wanted a first one"
                )
            chain.append(start[chain[-1]])


def read_stacks(path):
    """Read the sheet of the user's own z-stacks.

    Parameters
    ----------
    path : str or Path
        Tab-separated; its columns are those of ``deepr/schemas/stacks.schema.yaml``.

    Returns
    -------
    DataFrame
        The sheet's columns, ``z_um`` as a tuple of float (empty where ``step_um`` is given) and ``step_um``
        as float (NaN where ``z_um`` is given); besides ``paths``, the tuple of files in natural order (relative to
        the working directory if they are below it), and ``where``, the sheet and line for messages. The index is
        the line in the sheet.

    Raises
    ------
    InputError
        If a cell or column is wrong, a file is missing, a field or a file comes twice, or a slide or a file is in
        two splits.
    """
    frame = _read_sheet(path, "stacks")
    frame["z_um"] = [tuple(values) for values in frame["z_um"]]
    frame["step_um"] = frame["step_um"].astype("float64")
    frame["paths"] = [_find_files(path, line, pattern) for line, pattern in frame["path"].items()]
    frame["where"] = [f"{path}, line {line}" for line in frame.index]
    fields, slides, files, images = {}, {}, {}, {}
    for line, row in frame.iterrows():
        where = row["where"]
        if (len(row["z_um"]) > 0) == bool(np.isfinite(row["step_um"])):
            found = "both" if row["z_um"] else "neither"
            raise InputError(f"{where}, columns step_um and z_um: found {found}, wanted exactly one of them")
        field = (row["dataset"], row["slide"], row["fov"])
        if field in fields:
            raise InputError(
                f"{where}, column fov: found {'/'.join(field)} again, wanted each field once (first on line"
                f" {fields[field]})"
            )
        fields[field] = line
        for file in row["paths"]:
            # One file may be written in several ways, or lie behind a link.
            real = os.path.realpath(file)
            other = files.setdefault(real, line)
            if frame.loc[other, "split"] != row["split"]:
                raise InputError(
                    f"{where}, column split: found {row['split']!r} for {file}, wanted"
                    f" {frame.loc[other, 'split']!r} as on line {other} for the same file"
                )
            image = (real, row["channel_index"])
            if image in images:
                raise InputError(
                    f"{where}, column path: found {file}, a file of line {images[image]}, again ({row['path']}), wanted"
                    " other files for another field or plane"
                )
            images[image] = line
        first = slides.setdefault(field[:2], row)
        for column in ("split", "pixel_um", "objective", "channel"):
            if row[column] != first[column]:
                raise InputError(
                    f"{where}, column {column}: found {row[column]!r}, wanted {first[column]!r} as on line"
                    f" {first.name} for the same slide {'/'.join(field[:2])}"
                )
    return frame


def _find_files(sheet, line, pattern):
    """Give the files of a row, in natural order ("z2" before "z10")."""
    whole = Path(sheet).parent / pattern
    if "*" not in pattern:
        if not whole.is_file():
            raise InputError(f"{sheet}, line {line}, column path: found no file {whole}, wanted a z-stack")
        return (_usable(sheet, line, whole),)
    escaped = "*".join(glob.escape(part) for part in str(whole).split("*"))
    found = [name for name in glob.glob(escaped) if Path(name).is_file()]
    if not found:
        raise InputError(f"{sheet}, line {line}, column path: nothing matches {whole}, wanted one file per plane")
    return tuple(_usable(sheet, line, name) for name in sorted(found, key=_natural_order))


def _usable(sheet, line, file):
    """Give a file's path from here, and refuse one that Snakemake would take for a pattern."""
    path = _from_here(file)
    if "{" in path:
        raise InputError(
            f"{sheet}, line {line}, column path: found {path!r}, wanted a path without curly brackets, in which"
            " Snakemake looks for wildcards"
        )
    return path


def _from_here(path):
    """Write a path relative to the working directory where it lies below, so that a moved project is the same."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _natural_order(path):
    parts = re.split(r"(\d+)", path)
    return [(int(part), part) if part.isdigit() else (-1, part) for part in parts]


@cache
def _validator(name):
    import yaml
    from jsonschema import Draft202012Validator

    schema = yaml.safe_load((SCHEMAS / f"{name}.schema.yaml").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def _read_sheet(path, name):
    """Read a user's sheet: check columns and cells, fill empty cells with the schema's defaults."""
    validator = _validator(name)
    properties = validator.schema["properties"]
    header, lines = _read_cells(path, properties)
    for column in header:
        if column not in properties:
            raise InputError(f"{path}: found a column {column!r}, wanted only {_listed(properties)}")
        if header.count(column) > 1:
            raise InputError(f"{path}: found the column {column!r} twice, wanted it once")
    for column in validator.schema["required"]:
        if column not in header:
            raise InputError(f"{path}: found no column {column!r}, wanted {_listed(properties)}")
    rows = {}
    for line, cells in lines.items():
        texts = dict(zip(header, cells, strict=True))
        row = {column: _value(texts.get(column, ""), rules) for column, rules in properties.items()}
        for error in validator.iter_errors(row):
            column = error.absolute_path[0]
            found = repr(texts[column]) if texts.get(column) else "an empty cell"
            raise InputError(f"{path}, line {line}, column {column}: found {found}, wanted {_wanted(error)}")
        rows[line] = row
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=list(properties))
    return frame.rename_axis("line")


def _read_cells(path, columns):
    """Give a sheet's header and the cells of each line with a row; lines that begin with # are remarks."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, delimiter="\t", strict=True)
            numbered = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file, wanted a sheet with the columns {_listed(columns)}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: {error}, wanted tab-separated text in UTF-8") from error
    rows = {line: row for line, row in numbered if any(row) and not row[0].startswith("#")}
    if not rows:
        raise InputError(f"{path}: found no header, wanted the columns {_listed(columns)}")
    header = rows.pop(next(iter(rows)))
    if len(header) == 1 and header[0] not in columns:
        raise InputError(
            f"{path}: found no tab in the header '{header[0]}', wanted tab-separated text with the columns"
            f" {_listed(columns)}"
        )
    for line, row in rows.items():
        if len(row) > len(header):
            raise InputError(f"{path}, line {line}: found {len(row)} cells, wanted {len(header)} as in the header")
        row.extend([""] * (len(header) - len(row)))
    return header, rows


def _value(text, rules):
    """Turn a cell into the type that its schema asks for; what cannot be turned stays text."""
    if not text:
        return rules["default"]
    types = np.atleast_1d(rules["type"])
    if "array" in types:
        # In a list of numbers a comma may be somebody's decimal point.
        between = r"[\s;]+" if rules["items"]["type"] == "number" else r"[\s,;]+"
        words = [word for word in re.split(between, text) if word]
        return [_value(word, rules["items"]) for word in words]
    if "integer" in types and re.fullmatch(r"[+-]?\d+", text):
        return int(text)
    if "number" in types:
        try:
            number = float(text)
        except ValueError:
            return text
        return number if math.isfinite(number) else text
    return text


def _wanted(error):
    """Say in words what a failed rule of a schema asks for."""
    rule = error.validator_value
    if error.validator == "enum":
        return f"one of {_listed(rule)}"
    if error.validator == "pattern" and "[A-Za-z][" in rule:
        return "a name of letters, digits and _ that begins with a letter"
    if error.validator == "pattern":
        return "a name made of letters, digits, _ and -"
    if error.validator == "exclusiveMinimum":
        return f"a number above {rule}"
    if error.validator == "minimum":
        return f"a number of at least {rule}"
    if error.validator == "maximum":
        return f"a number of at most {rule}"
    if error.validator == "not":
        return "a number other than 0" if "const" in rule else "a number"
    if error.validator == "uniqueItems":
        return "each one once"
    if error.validator == "multipleOf":
        return f"a multiple of {rule}"
    if error.validator in ("minLength", "minItems"):
        return "some text" if error.validator == "minLength" else "at least one"
    kind = np.atleast_1d(rule)[0]
    words = {"number": "a number (with a point, without a unit)", "integer": "a whole number"}
    return words.get(kind, f"a value of type {kind}")


def _listed(names):
    return ", ".join(str(name) for name in names) or "none"
