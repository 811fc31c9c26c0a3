"""Tables and records: they come back as they were written, whole or not at all."""

import json

import numpy as np
import pandas as pd
import pytest
from deepr.tables import InputError, read_table, write_json, write_table


def test_a_table_comes_back_as_it_was_written(tmp_path):
    """Text, numbers to the last digit, booleans and empty cells; names that look like numbers stay text."""
    frame = pd.DataFrame(
        {
            "slide": ["01", "1e5", "NA"],
            "reason": ["", "low contrast", ""],
            "note": ["a\tb", 'say "x"', "é"],
            "plane": [0, 20, -3],
            "z_um": [0.1 + 0.2, -1 / 3, 1e-300],
            "gap_um": [np.nan, np.inf, 2.0],
            "kept": [True, False, True],
        }
    )
    write_table(frame, tmp_path / "new" / "table.tsv")
    again = read_table(tmp_path / "new" / "table.tsv")
    pd.testing.assert_frame_equal(again, frame, check_dtype=False)
    assert [again[column].dtype.kind for column in ("plane", "z_um", "gap_um", "kept")] == [
        "i",
        "f",
        "f",
        "b",
    ]
    assert again["slide"].tolist() == ["01", "1e5", "NA"]


def test_booleans_are_written_in_small_letters(tmp_path):
    """true and false, as JSON and most other programs have them."""
    write_table(pd.DataFrame({"kept": [True, False]}), tmp_path / "table.tsv")
    assert (tmp_path / "table.tsv").read_text() == "kept\ntrue\nfalse\n"


def test_a_table_without_rows_keeps_its_columns(tmp_path):
    """An empty table is a table."""
    write_table(pd.DataFrame(columns=["slide", "z_um"]), tmp_path / "table.tsv")
    again = read_table(tmp_path / "table.tsv")
    assert list(again.columns) == ["slide", "z_um"]
    assert len(again) == 0


def test_a_table_that_cannot_be_written_leaves_the_former_one(tmp_path):
    """Nothing half-written, and the good one stays."""

    class Unprintable:
        def __str__(self):
            raise RuntimeError("no text")

    path = tmp_path / "table.tsv"
    path.write_text("a\n1\n")
    with pytest.raises(RuntimeError):
        write_table(pd.DataFrame({"a": [Unprintable()]}), path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.tsv"]
    assert path.read_text() == "a\n1\n"


def test_files_that_are_no_tables_are_refused(tmp_path):
    """Missing, empty, ragged, not UTF-8: one sentence that names the file."""
    path = tmp_path / "table.tsv"
    with pytest.raises(InputError, match=r"table\.tsv: no such file"):
        read_table(path)
    for content in (b"", b"a\tb\n1\t2\t3\t4\n1\n1\t2\t3\n", b"a\n\xff\xfe\n"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"table\.tsv: .*wanted a tab-separated table"):
            read_table(path)


def test_a_record_holds_what_json_knows(tmp_path):
    """NumPy's numbers and arrays, paths and tuples are turned; a number that is not finite becomes null."""
    record = {
        "a": np.float32(0.5),
        "b": np.arange(3),
        "c": (1, True, None, "µm"),
        "d": {"e": float("nan"), 5: tmp_path},
        "f": np.array([1.0, np.inf]),
        "g": {"z", "y"},
        "h": np.bool_(True),
    }
    write_json(record, tmp_path / "record.json")
    assert json.loads((tmp_path / "record.json").read_text(encoding="utf-8")) == {
        "a": 0.5,
        "b": [0, 1, 2],
        "c": [1, True, None, "µm"],
        "d": {"e": None, "5": str(tmp_path)},
        "f": [1.0, None],
        "g": ["y", "z"],
        "h": True,
    }
    with pytest.raises(TypeError):
        write_json({"a": object()}, tmp_path / "other.json")
    assert not (tmp_path / "other.json").exists()
