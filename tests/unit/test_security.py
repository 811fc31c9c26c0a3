"""Files from elsewhere are data: none of them runs code, leaves its folder, reaches a shell or writes into a page."""

import ast
import io
import json
import re
import stat
import zipfile

import keras
import numpy as np
import pandas as pd
import pytest
import tifffile
from deepr import bbbc006
from deepr.configuration import complete_config
from deepr.networks.decoder import load_decoder
from deepr.networks.generator import build_generator
from deepr.networks.inference import load_generator
from deepr.report import write_report
from deepr.scorecard.rows import COLUMNS, HOLDS
from deepr.sheets import read_networks, read_stacks
from deepr.tables import InputError, write_table

FORBIDDEN_MODULES = {
    *("pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"),
    *("tarfile", "pty", "commands"),
}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "breakpoint"}
FORBIDDEN_ATTRIBUTES = {
    *("read_pickle", "to_pickle", "unsafe_load", "full_load", "load_all", "enable_unsafe_deserialization"),
    *("system", "popen", "getoutput", "getstatusoutput", "extract", "extractall", "unpack_archive"),
}
WANTED_KEYWORDS = {"load_model": ("safe_mode", True), "model_from_json": ("safe_mode", True)}
REFUSED_KEYWORDS = {("allow_pickle", True), ("shell", True), ("safe_mode", False), ("autoescape", False)}


def dangers_of(source):
    """List what a Python source does that could run code from a file, or hand a value to a shell."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            found.extend(name for name in names if name.split(".")[0] in FORBIDDEN_MODULES)
        elif isinstance(node, ast.Attribute) and node.attr in FORBIDDEN_ATTRIBUTES:
            found.append(node.attr)
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            given = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
            if isinstance(node.func, ast.Name) and name in FORBIDDEN_CALLS:
                found.append(name)
            if name in WANTED_KEYWORDS and given.get(WANTED_KEYWORDS[name][0]) is not WANTED_KEYWORDS[name][1]:
                found.append(name)
            if name == "load" and getattr(getattr(node.func, "value", None), "id", "") == "yaml":
                found.append("yaml.load")
            if name == "Environment" and given.get("autoescape") is not True:
                found.append("jinja2 without autoescape")
            found.extend(key for key, value in REFUSED_KEYWORDS if given.get(key) is value)
            if "shell" in given and not isinstance(given["shell"], bool):
                found.append("shell")
    return found


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "import numpy as np; np.load(p, allow_pickle=True)",
        "import pandas as pd; pd.read_pickle(p)",
        "import keras; keras.saving.load_model(p)",
        "import keras; keras.saving.load_model(p, safe_mode=False)",
        "import yaml; yaml.load(t, Loader=yaml.Loader)",
        "import subprocess; subprocess.run(f'ls {p}', shell=True)",
        "import subprocess; subprocess.run(c, shell=flag)",
        "import os; os.system(c)",
        "import zipfile; zipfile.ZipFile(p).extractall(d)",
        "eval(text)",
        "import jinja2; jinja2.Environment()",
    ],
)
def test_the_scan_finds_what_it_is_for(source):
    """Each of these would be found in a module."""
    assert dangers_of(source)


def test_no_module_runs_what_a_file_says(repository):
    """No pickle, no eval, no shell, no unpacked archive, weights in safe mode only, YAML by the safe loader only."""
    sources = sorted((repository / "workflow").rglob("*.py"))
    assert len(sources) > 100
    found = {str(path): dangers_of(path.read_text(encoding="utf-8")) for path in sources}
    assert {path: dangers for path, dangers in found.items() if dangers} == {}


def test_no_rule_calls_a_shell(repository):
    """Every rule that executes something has a script; none has a shell command, a run block or a notebook."""
    files = [repository / "Snakefile", *sorted((repository / "workflow").rglob("*.smk"))]
    assert len(files) > 10
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert not re.findall(r"^\s*(?:shell|run|notebook|wrapper|cwl)\s*:", text, re.M), path
        assert not re.findall(r"\bshell\(|os\.system|subprocess|\beval\(|\bexec\(|pickle", text), path


def test_a_state_with_pickled_objects_is_refused(tmp_path):
    """An array of objects in a checkpoint would run code when it is loaded; it is named and not loaded."""
    from deepr.intermediates import check_file

    class Touch:
        def __reduce__(self):
            return (open, (str(tmp_path / "touched"), "w"))

    np.savez(tmp_path / "state.npz", record=np.array([Touch()], dtype=object))
    with pytest.raises(InputError, match=r"state\.npz: found another record"):
        check_file(tmp_path / "state.npz")
    assert not (tmp_path / "touched").exists()


def model_with_code(path, touched):
    """Save a network of a generator's shape with a Lambda layer that makes a file when it is loaded."""
    # Keras puts the byte code into the file, with its constants; so the name has to be one of them.
    code = eval(f"lambda images: (open({str(touched)!r}, 'w').close(), images)[1]")
    inputs = keras.Input((None, None, 1))
    keras.Model(inputs, keras.layers.Lambda(code)(inputs)).save(path)
    touched.unlink()
    return path


@pytest.mark.parametrize("load", [load_generator, load_decoder])
def test_weights_with_code_are_refused(tmp_path, load):
    """A Lambda layer's code is not executed; without the safe mode it would have been."""
    touched = tmp_path / "touched"
    path = model_with_code(tmp_path / "generator.keras", touched)
    with pytest.raises(InputError, match=r"generator\.keras: not a (generator|decoder) .*[Ll]ambda"):
        load(path)
    assert not touched.exists()
    keras.saving.load_model(path, compile=False, safe_mode=False)
    assert touched.exists()


@pytest.mark.parametrize("load", [load_generator, load_decoder])
def test_weights_with_a_flipped_byte_are_refused(tmp_path, load):
    """An archive whose sums do not agree ends in one sentence."""
    build_generator(2, seed=0).save(tmp_path / "generator.keras")
    data = bytearray((tmp_path / "generator.keras").read_bytes())
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "generator.keras").write_bytes(data)
    with pytest.raises(InputError, match=r"generator\.keras: not a (generator|decoder) "):
        load(tmp_path / "generator.keras")


@pytest.mark.parametrize(
    ("module", "name"), [("os", "system"), ("builtins", "exec"), ("subprocess", "run"), ("keras.utils", "get_file")]
)
def test_weights_that_name_a_function_of_python_are_refused(tmp_path, module, name):
    """An activation that is no activation of Keras is not looked up anywhere else."""
    build_generator(2, seed=0).save(tmp_path / "whole.keras")
    path = tmp_path / "generator.keras"
    with zipfile.ZipFile(tmp_path / "whole.keras") as whole, zipfile.ZipFile(path, "w") as archive:
        for member in whole.namelist():
            data = whole.read(member)
            if member == "config.json":
                config = json.loads(data)
                layer = next(layer for layer in config["config"]["layers"] if layer["class_name"] == "Conv2D")
                layer["config"]["activation"] = {
                    **{"module": module, "class_name": "function", "config": name, "registered_name": name},
                }
                data = json.dumps(config)
            archive.writestr(member, data)
    with pytest.raises(InputError, match=r"generator\.keras: not a generator"):
        load_generator(path)


class LocalFile(io.FileIO):
    """A file that stands for one on a server."""

    def __init__(self, url, **keywords):
        super().__init__(url.removeprefix("file:"))
        self.url = url
        self.size = self.seek(0, io.SEEK_END)

    def hold(self, start, count):
        """Do nothing: the file is here."""


def hostile_archive(path, outside):
    """Make an archive whose members' names lead out of any folder, and one that is a symbolic link."""
    image = io.BytesIO()
    tifffile.imwrite(image, np.random.default_rng(0).integers(0, 4095, bbbc006.SHAPE, np.uint16))
    folders = {"a01": "../../", "a02": f"{outside}/", "a03": "..\\..\\", "a04": "inside/../../"}
    with zipfile.ZipFile(path, "w") as archive:
        for well, folder in folders.items():
            archive.writestr(f"{folder}mcf-z-stacks-03212011_{well}_s1_w1.tif", image.getvalue())
        link = zipfile.ZipInfo("mcf-z-stacks-03212011_a05_s1_w1.tif")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, f"{outside}/secret.tif")
        archive.writestr("../../evil.py", "raise SystemExit")


def test_members_of_archives_stay_in_their_folder(tmp_path, monkeypatch):
    """Names with .., absolute ones and links: images are kept below the cache under their last name, or not read."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.tif").write_bytes(b"secret")
    server, cache = tmp_path / "server", tmp_path / "work" / "cache"
    server.mkdir()
    hostile_archive(server / f"{bbbc006.archive_name(16)}.zip", outside)
    monkeypatch.setattr(bbbc006, "RemoteFile", LocalFile)
    before = set(tmp_path.rglob("*"))
    for found in (
        bbbc006.find_remote(f"file:{server}", [16], "hoechst", cache),
        bbbc006.find_files(server, [16], "hoechst"),
    ):
        assert {well for well, _ in found[16]} == {"a01", "a02", "a04", "a05"}
        for well in ("a01", "a02", "a04"):
            assert bbbc006.read_field(found, well, 1)[0].shape == (1, *bbbc006.SHAPE)
        # A link's member holds the place that it leads to, and that is not followed.
        with pytest.raises(InputError, match="cannot be decoded"):
            bbbc006.read_field(found, "a05", 1)
    made = {path for path in set(tmp_path.rglob("*")) - before if not path.is_dir()}
    assert {path.parent for path in made} == {cache / "z_16"}
    assert not any(path.is_symlink() for path in made)


@pytest.mark.parametrize(
    "name", ["<script>", "a b", "../up", "a/b", "x;touch y", "$(touch x)", "a'b", 'a"b', "", "-rf"]
)
def test_names_that_become_paths_are_refused(tmp_path, name):
    """Data sets and networks have names of letters, digits and _; slides and fields besides only -."""
    with pytest.raises(InputError, match="wanted names"):
        complete_config({"datasets": {name: {"source": "stacks", "patch_px": 64}}})
    networks = tmp_path / "networks.tsv"
    quoted = '"' + name.replace('"', '""') + '"'
    networks.write_text(f"name\tkind\tdatasets\trange_um\n{quoted}\tdeepr\tmine\t3\n")
    with pytest.raises(InputError, match="column name"):
        read_networks(networks, ["mine"])
    (tmp_path / "a.tif").touch()
    columns = ["dataset", "slide", "fov"]
    # A name that begins with a hyphen stands within a path and is no option of any program.
    for column in columns if name != "-rf" else columns[:1]:
        cells = {"dataset": "mine", "slide": "s1", "fov": "f1", column: quoted}
        row = [*(cells[key] for key in columns), "a.tif", "0.3", "1"]
        sheet = tmp_path / "stacks.tsv"
        sheet.write_text("\t".join([*columns, "path", "pixel_um", "step_um"]) + "\n" + "\t".join(row) + "\n")
        with pytest.raises(InputError, match=f"column {column}"):
            read_stacks(sheet)


def test_the_page_escapes_what_it_shows(tmp_path, repository):
    """A channel, a claim and a cell of a table that are written like HTML are shown as text."""
    script = "<script>alert('x')</script>"
    write_table(pd.DataFrame({"Data set": [script], script: [1]}), tmp_path / "tableS1.tsv")
    card = [("tableS1", script, script, script, HOLDS, script, "own", "own")]
    write_table(pd.DataFrame(card, columns=list(COLUMNS)), tmp_path / "scorecard.tsv")
    (tmp_path / "ledger.md").write_text(f"| a | b |\n|---|---|\n| {script} | [x](javascript:alert(1)) |\n")
    (tmp_path / "benchmarks").mkdir()
    write_report(
        output_path=tmp_path / "report.html",
        template_path=repository / "workflow/report/page.html.jinja",
        figures={},
        tables={"tableS1": tmp_path / "tableS1.tsv"},
        captions=[repository / "workflow/report/tableS1.rst"],
        sources={"tableS1": "own"},
        scorecard_path=tmp_path / "scorecard.tsv",
        benchmarks_folder=tmp_path / "benchmarks",
        ledger_path=tmp_path / "ledger.md",
        data_sets=[{"data set": "mine", "source": "own", "channel": script, "objective": script}],
        scale="own",
        seed=1,
    )
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert 'href="javascript' not in page
    assert page.count("&lt;script&gt;") >= 9
