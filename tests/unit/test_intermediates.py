"""Files of earlier steps that were damaged since: named before any work, with what to do about it."""

import os
import shutil
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pandas as pd
import pytest
import tifffile
from deepr.intermediates import REMAKE, RESTART, check_file, refuse_damaged
from deepr.manifest import COLUMNS
from deepr.networks.checkpoints import Checkpoint
from deepr.slides import SlideWriter
from deepr.tables import InputError, write_json, write_table

PATCHES = [("ovary", "s1", "f1", 64 * row, 0, 64, "train", 3, 0.5, 0.9, 2.5, True, "") for row in range(9)]


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def empty(path):
    path.write_bytes(b"")


def fill_with_zeros(path):
    """What is left of a file whose blocks were never written to the disk."""
    path.write_bytes(bytes(path.stat().st_size))


def turn_a_byte(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def write_garbage(path):
    path.write_text("this is another file\n")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small Keras model's file."""
    path = tmp_path_factory.mktemp("model") / "generator.keras"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(8)]).save(path)
    return path


@pytest.fixture
def results(tmp_path, monkeypatch, model):
    """A folder `results` with one file of each kind, all whole, seen from the folder above it."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results" / "ovary"
    with SlideWriter(folder / "aligned" / "s1.ome.tif", 0.325, "20x/0.75", "DAPI", "own") as writer:
        writer.write("f1", np.random.default_rng(0).integers(0, 99, (3, 20, 30), np.uint16), range(3))
    write_table(pd.DataFrame(PATCHES, columns=list(COLUMNS)), folder / "manifest.tsv")
    write_table(pd.DataFrame({"plane": [0, 1], "note": ["a\tb", "two\nlines \u2028 or more"]}), folder / "s1.tsv")
    write_json({"seed": 1}, folder / "config.json")
    shutil.copy(model, folder / "generator.keras")
    checkpoint = Checkpoint(folder / "checkpoint" / "training", {"seed": 1}, ["iteration", "berhu"])
    checkpoint.load()
    checkpoint.append({"iteration": 1, "berhu": 0.5})
    checkpoint.save({"weights": [np.arange(1000.0)]}, {"iteration": 1})
    checkpoint.append({"iteration": 2, "berhu": 0.4})
    checkpoint.close()
    return folder


def test_whole_files_pass(results):
    """Slides, tables, records, weights and a training's state, alone and in a folder; others are not looked at."""
    (results / "figure.pdf").write_text("not looked at")
    (results / ".part-s2.tsv").write_text("left by a killed job")
    refuse_damaged([results.relative_to(results.parents[1])], [results / "generator.keras"])
    for path in results.rglob("*.*"):
        if path.is_file():
            check_file(path)


@pytest.mark.parametrize("damage", [cut, empty, fill_with_zeros, write_garbage])
@pytest.mark.parametrize("name", ["aligned/s1.ome.tif", "manifest.tsv", "s1.tsv", "config.json", "generator.keras"])
def test_a_damaged_input_is_refused(results, name, damage):
    """One sentence names the file and says to delete it."""
    damage(results / name)
    path = (results / name).relative_to(results.parents[1])
    with pytest.raises(InputError) as refusal:
        refuse_damaged([path])
    sentence = str(refusal.value)
    assert sentence.startswith(str(path)) and "wanted" in sentence
    assert sentence.endswith(f"; {REMAKE}")
    assert "\n" not in sentence


@pytest.mark.parametrize("damage", [cut, empty, fill_with_zeros, turn_a_byte, write_garbage])
def test_a_damaged_checkpoint_is_refused(results, damage):
    """The training is not started afresh in silence, and the file stays where it is."""
    path = results.relative_to(results.parents[1]) / "checkpoint/training/state.npz"
    damage(path)
    before = path.read_bytes()
    with pytest.raises(InputError) as refusal:
        refuse_damaged([], [path.parents[2] / "generator.keras"])
    assert str(refusal.value).startswith(str(path))
    assert str(refusal.value).endswith(f"; {RESTART}")
    assert path.read_bytes() == before


def test_a_checkpoint_without_its_history_is_refused(results):
    """The history was longer when the state was saved."""
    history = results / "checkpoint/training/history.tsv"
    history.write_text("iteration\tberhu\n")
    with pytest.raises(InputError, match=r"state\.npz: found 16 bytes of .*history\.tsv, wanted the 22"):
        refuse_damaged([], [results / "generator.keras"])


def test_a_turned_byte_in_the_weights_is_found(results):
    """The archive's check sums tell."""
    turn_a_byte(results / "generator.keras")
    with pytest.raises(InputError, match=r"generator\.keras: (its member .* is|truncated or) damaged"):
        check_file(results / "generator.keras")


def test_an_archive_without_weights_is_refused(results):
    """A zip file of another kind."""
    with zipfile.ZipFile(results / "generator.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(InputError, match=r"generator\.keras: it has no metadata\.json, wanted a Keras model"):
        check_file(results / "generator.keras")


def test_a_cut_image_is_refused(tmp_path):
    """A PNG file ends with a chunk of its own."""
    import matplotlib.image

    matplotlib.image.imsave(tmp_path / "fig2.png", np.random.default_rng(0).random((30, 40)))
    check_file(tmp_path / "fig2.png")
    cut(tmp_path / "fig2.png")
    with pytest.raises(InputError, match=r"fig2\.png: truncated or not a PNG"):
        check_file(tmp_path / "fig2.png")


def test_a_persons_own_files_are_left_to_their_own_checks(tmp_path, monkeypatch):
    """A stack outside results/ need not be a slide of the workflow."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stacks").mkdir()
    tifffile.imwrite(tmp_path / "stacks" / "a.ome.tif", np.zeros((3, 8, 8), np.uint16), ome=True)
    refuse_damaged(["stacks/a.ome.tif", tmp_path / "stacks" / "a.ome.tif"])


def test_a_step_stops_before_its_work(results, repository):
    """Exit code 1, the sentence on the terminal, and nothing of the work done."""
    cut(results / "manifest.tsv")
    script = """
import types
from deepr.runtime import logged
step = types.SimpleNamespace(
    log=["step.log"], rule="train_network", input=["results/ovary/manifest.tsv"], output=["results/g.keras"]
)
with logged(step):
    open("begun", "w")
"""
    result = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(repository / "workflow")},
        check=False,
    )
    assert result.returncode == 1
    (sentence,) = result.stderr.splitlines()
    assert sentence.startswith("train_network: results/ovary/manifest.tsv: ")
    assert sentence.endswith(f"{REMAKE} (log: step.log)")
    assert not os.path.exists("begun")
