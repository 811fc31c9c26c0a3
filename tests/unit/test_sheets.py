"""The user's sheets: defaults filled in, each mistake answered in a sentence with file, line and column."""

import json

import pytest
import yaml
from deepr.sheets import SCHEMAS, read_networks, read_stacks
from deepr.tables import InputError

NETWORKS = ["name", "kind", "datasets", "range_um", "start_from", "iterations", "crop_px"]


def write_sheet(path, header, *rows):
    path.write_text("".join("\t".join(cells) + "\n" for cells in (header, *rows)), encoding="utf-8")
    return path


def networks(tmp_path, *rows, header=NETWORKS):
    return read_networks(write_sheet(tmp_path / "networks.tsv", header, *rows), datasets=["ovary", "breast"])


def stacks(tmp_path, *rows):
    """Read a sheet whose rows are a good one changed by keywords."""
    good = {
        "dataset": "own",
        "slide": "s1",
        "fov": "f1",
        "split": "train",
        "path": "f1.tif",
        "axes": "ZYX",
        "channel": "DAPI",
        "channel_index": "",
        "pixel_um": "0.325",
        "step_um": "0.5",
        "z_um": "",
        "objective": "20x/0.75",
    }
    for name in ("f1.tif", "f2.tif"):
        (tmp_path / name).touch()
    lines = [list((good | row).values()) for row in rows]
    return read_stacks(write_sheet(tmp_path / "stacks.tsv", list(good), *lines))


@pytest.mark.parametrize("name", ["networks", "stacks"])
def test_every_column_has_a_description_and_a_default(name):
    """And no column beyond those of the schema is let through."""
    schema = yaml.safe_load((SCHEMAS / f"{name}.schema.yaml").read_text(encoding="utf-8"))
    assert schema["additionalProperties"] is False
    for column, rules in schema["properties"].items():
        assert rules["description"] and "default" in rules, column
    json.dumps(schema)


def test_a_sheet_of_networks_is_read(tmp_path):
    """Remarks, blank lines and a byte order mark are skipped; empty cells take the defaults."""
    path = tmp_path / "networks.tsv"
    path.write_bytes(
        b"\xef\xbb\xbfname\tkind\tdatasets\trange_um\tstart_from\n"
        b"# the first two\n\n"
        b"ovary_5\t\tovary\t5\t\n"
        b"both_2\tdeepr\tovary, breast\t\tovary_5\n"
        b"tilt\tdecoder\tovary\t2.5\tovary_5\n"
    )
    frame = read_networks(path, datasets={"ovary": 1, "breast": 2})
    assert list(frame.columns) == NETWORKS
    assert frame.index.tolist() == [4, 5, 6]
    assert frame["kind"].tolist() == ["deepr", "deepr", "decoder"]
    assert frame["datasets"].tolist() == ["ovary", "ovary,breast", "ovary"]
    assert frame["range_um"].tolist() == [5.0, 5.0, 2.5]
    assert frame["start_from"].tolist() == ["", "ovary_5", "ovary_5"]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (
            ["a b", "deepr", "ovary", "5", ""],
            "column name: found 'a b', wanted a name of letters, digits and _ that begins with a letter",
        ),
        (["", "deepr", "ovary", "5", ""], "column name: found an empty cell, wanted a name"),
        (
            ["a", "deeper", "ovary", "5", ""],
            "column kind: found 'deeper', wanted one of deepr, deepz, decoder",
        ),
        (["a", "deepr", "", "5", ""], "column datasets: found an empty cell, wanted at least one"),
        (["a", "deepr", "liver", "5", ""], "column datasets: found 'liver', wanted one of ovary, breast"),
        (
            ["a", "deepr", "ovary,ovary", "5", ""],
            "column datasets: found 'ovary,ovary', wanted each one once",
        ),
        (["a", "deepr", "ovary", "0", ""], "column range_um: found '0', wanted a number above 0"),
        (["a", "deepr", "ovary", "-2", ""], "column range_um: found '-2', wanted a number above 0"),
        (["a", "deepr", "ovary", "five", ""], "column range_um: found 'five', wanted a number"),
        (["a", "deepr", "ovary", "nan", ""], "column range_um: found 'nan', wanted a number"),
        (["a", "deepr", "ovary", "5", "b"], "column start_from: found 'b', wanted .* kind deepr .*first"),
        (["a", "deepr", "ovary", "5", "a"], "column start_from: found 'a', wanted .* kind deepr .*first"),
        (
            ["a", "deepz", "ovary", "5", "first"],
            "column start_from: found 'first', wanted an empty cell: a network of kind deepz starts from scratch",
        ),
        (
            ["a", "decoder", "ovary", "5", ""],
            "column start_from: found an empty cell, .*one of kind deepr .*first",
        ),
        (["first", "deepr", "ovary", "5", ""], r"column name: found 'first' again, .*\(first on line 2\)"),
        (["a", "deepr", "ovary", "5", "", "9", "64", "x"], "found 8 cells, wanted 7"),
        (["a", "deepr", "ovary", "5", "", "9", "70"], "column crop_px: found '70', wanted a multiple of 32"),
    ],
)
def test_wrong_networks_are_refused(tmp_path, row, sentence):
    """The sentence names the sheet, the line, the column, the value found and the value wanted."""
    with pytest.raises(InputError, match=rf"networks\.tsv, line 3[,:] {sentence}") as refusal:
        networks(tmp_path, ["first", "deepr", "ovary", "5", ""], row)
    assert "\n" not in str(refusal.value)


def test_a_network_may_start_from_a_trained_one_of_another_run(tmp_path, monkeypatch):
    """Its folder is written relative to the sheet's, and read relative to the working directory."""
    folder = tmp_path / "results/networks/old"
    folder.mkdir(parents=True)
    (tmp_path / "own").mkdir()
    monkeypatch.chdir(tmp_path)
    row = ["new", "deepr", "ovary", "5", "../results/networks/old"]
    with pytest.raises(InputError, match=r"line 2, column start_from: found no file .*old/generator\.keras, wanted"):
        networks(tmp_path / "own", row)
    (folder / "generator.keras").touch()
    frame = networks(tmp_path / "own", row, ["newer", "deepr", "ovary", "5", "new"])
    assert frame["start_from"].tolist() == ["results/networks/old", "new"]
    with pytest.raises(InputError, match=r"column start_from: .* wanted for a network of kind decoder another one"):
        networks(tmp_path / "own", ["d", "decoder", "ovary", "5", "../results/networks/old"])


def test_networks_that_start_from_each_other_are_refused(tmp_path):
    """No network of a circle could be trained first."""
    with pytest.raises(InputError, match=r"line 2, column start_from: found a circle \(a from b from a\)"):
        networks(tmp_path, ["a", "deepr", "ovary", "5", "b"], ["b", "deepr", "ovary", "5", "a"])


def test_wrong_columns_are_refused(tmp_path):
    """Unknown, missing and doubled columns, a missing and an empty sheet, and no UTF-8."""
    with pytest.raises(InputError, match=r"networks\.tsv: found a column 'rnage_um', wanted only name, kind"):
        networks(tmp_path, header=["name", "datasets", "rnage_um"])
    with pytest.raises(InputError, match=r"networks\.tsv: found no column 'range_um', wanted name, kind"):
        networks(tmp_path, header=["name", "datasets"])
    with pytest.raises(InputError, match=r"networks\.tsv: found the column 'name' twice"):
        networks(tmp_path, header=["name", "datasets", "name", "range_um"])
    with pytest.raises(InputError, match=r"nowhere\.tsv: no such file, wanted a sheet"):
        read_networks(tmp_path / "nowhere.tsv", datasets=[])
    for number, between in enumerate(",; "):
        path = tmp_path / f"{number}.tsv"
        path.write_text(between.join(NETWORKS) + "\n")
        with pytest.raises(InputError, match=rf"{number}\.tsv: found no tab in the header 'name.*', wanted"):
            read_networks(path, datasets=[])
    (tmp_path / "empty.tsv").write_text("\n# nothing\n")
    with pytest.raises(InputError, match=r"empty\.tsv: found no header"):
        read_networks(tmp_path / "empty.tsv", datasets=[])
    (tmp_path / "latin.tsv").write_bytes("name\tdatasets\n\xe9\tovary\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin\.tsv: .*UTF-8"):
        read_networks(tmp_path / "latin.tsv", datasets=[])


def test_a_sheet_of_stacks_is_read(tmp_path):
    """Numbers, lists of z and defaults; paths are those beside the sheet."""
    frame = stacks(
        tmp_path,
        {},
        {"fov": "f2", "path": "f2.tif", "axes": "", "step_um": "", "z_um": "-1; 0 1.5", "channel_index": "0"},
    )
    assert frame["step_um"].tolist()[0] == 0.5
    assert frame["z_um"].tolist() == [(), (-1.0, 0.0, 1.5)]
    assert frame["axes"].tolist() == ["ZYX", "ZYX"]
    assert frame["channel_index"].tolist() == [0, 0]
    assert frame["paths"].tolist() == [(str(tmp_path / "f1.tif"),), (str(tmp_path / "f2.tif"),)]
    assert frame["where"].tolist() == [f"{tmp_path}/stacks.tsv, line {line}" for line in (2, 3)]


def test_a_sheet_without_rows_is_read(tmp_path):
    """Who has no stacks of their own leaves the header alone."""
    frame = stacks(tmp_path)
    assert len(frame) == 0
    assert {"dataset", "slide", "paths", "where"} <= set(frame.columns)


def test_files_of_a_pattern_come_in_natural_order(tmp_path):
    """z2 before z10, in folders whose names hold brackets too."""
    folder = tmp_path / "run [1]"
    folder.mkdir()
    for plane in (10, 2, 1, 11):
        (folder / f"w1_z{plane}.tif").touch()
    (folder / "notes.txt").touch()
    frame = stacks(tmp_path, {"path": "run [1]/w1_z*.tif", "axes": "YX"})
    assert [path.rpartition("z")[2] for path in frame["paths"].iloc[0]] == [
        "1.tif",
        "2.tif",
        "10.tif",
        "11.tif",
    ]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"path": "f3.tif"}, r"column path: found no file .*f3\.tif, wanted a z-stack"),
        ({"path": "g*.tif"}, r"column path: nothing matches .*g\*\.tif, wanted one file per plane"),
        ({"path": ""}, "column path: found an empty cell, wanted some text"),
        ({"fov": "f1"}, r"column fov: found own/s1/f1 again, .*\(first on line 2\)"),
        ({"path": "f1.tif"}, r"column path: found .*f1\.tif, a file of line 2, again"),
        ({"path": "f*.tif"}, r"column path: found .*f1\.tif, a file of line 2, again \(f\*\.tif\)"),
        ({"split": "test"}, "column split: found 'test', wanted 'train' as on line 2 .* slide own/s1"),
        (
            {"path": "f1.tif", "slide": "s2", "split": "test", "axes": "CZYX", "channel_index": "1"},
            r"column split: found 'test' for .*f1\.tif, wanted 'train' as on line 2 for the same file",
        ),
        ({"path": "link.tif"}, r"column path: found .*link\.tif, a file of line 2, again"),
        (
            {"path": "twin_*.tif"},
            r"column path: found .*twin_b\.tif, a file of line 3, again \(twin_\*\.tif\), wanted other",
        ),
        ({"path": "below/../f1.tif"}, r"column path: found .*f1\.tif, a file of line 2, again"),
        ({"split": "validation"}, "column split: found 'validation', wanted one of train, test"),
        ({"pixel_um": "0.65"}, "column pixel_um: found 0.65, wanted 0.325 as on line 2"),
        ({"pixel_um": ""}, "column pixel_um: found an empty cell, wanted a number"),
        ({"pixel_um": "325"}, "column pixel_um: found '325', wanted a number of at most 100"),
        ({"pixel_um": "0"}, "column pixel_um: found '0', wanted a number above 0"),
        ({"step_um": ""}, "columns step_um and z_um: found neither, wanted exactly one"),
        ({"z_um": "0 1"}, "columns step_um and z_um: found both, wanted exactly one"),
        ({"step_um": "0"}, "column step_um: found '0', wanted a number other than 0"),
        ({"step_um": "", "z_um": "0 one"}, "column z_um: found '0 one', wanted a number"),
        ({"step_um": "", "z_um": "0,5 1,0"}, r"column z_um: found '0,5 1,0', wanted a number \(with a point"),
        ({"pixel_um": "0,325"}, r"column pixel_um: found '0,325', wanted a number \(with a point, without a unit\)"),
        ({"axes": "XYZ"}, "column axes: found 'XYZ', wanted one of ZYX, ZCYX"),
        ({"channel_index": "-1"}, "column channel_index: found '-1', wanted a number of at least 0"),
        ({"channel_index": "1.5"}, "column channel_index: found '1.5', wanted a whole number"),
        ({"slide": "s/1"}, "column slide: found 's/1', wanted a name made of"),
        ({"dataset": "my-own"}, "column dataset: found 'my-own', wanted a name of letters, digits and _ that begins"),
    ],
)
def test_wrong_stacks_are_refused(tmp_path, row, sentence):
    """The sentence names the sheet, the line, the column, the value found and the value wanted."""
    (tmp_path / "below").mkdir()
    (tmp_path / "link.tif").symlink_to(tmp_path / "f1.tif")
    (tmp_path / "twin_a.tif").touch()
    (tmp_path / "twin_b.tif").symlink_to(tmp_path / "twin_a.tif")
    with pytest.raises(InputError, match=rf"stacks\.tsv, line 3, {sentence}") as refusal:
        stacks(tmp_path, {}, {"fov": "f2", "path": "f2.tif"} | row)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("path", ["cell{GFP}.tif", "cell*.tif"])
def test_names_with_curly_brackets_are_refused(tmp_path, path):
    """Also where a pattern finds them: Snakemake would look for wildcards in them."""
    (tmp_path / "cell{GFP}.tif").touch()
    with pytest.raises(
        InputError, match=r"line 2, column path: found '.*cell\{GFP\}\.tif', wanted a path without curly"
    ):
        stacks(tmp_path, {"path": path})
