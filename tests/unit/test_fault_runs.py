"""What the fault runs compare: equal results pass, and each kind of difference is found."""

import importlib.util
import json
import shutil
import zipfile

import h5py
import numpy as np
import pytest


@pytest.fixture(scope="module")
def faults(repository):
    """tests/faults/run.py as a module."""
    specification = importlib.util.spec_from_file_location("faults", repository / "tests/faults/run.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def write_weights(path, value):
    with h5py.File(path.with_suffix(".h5"), "w") as weights:
        weights["layers/conv/vars/0"] = np.full((3, 3), value)
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(path.with_suffix(".h5"), "model.weights.h5")
        archive.writestr("metadata.json", json.dumps({"date_saved": str(value)}))
    path.with_suffix(".h5").unlink()


@pytest.fixture
def two(tmp_path):
    """Two folders of equal results that differ in what is no result."""
    for name, seconds in (("one", "1.5"), ("two", "2.5")):
        network = tmp_path / name / "networks" / "ovary_5"
        network.mkdir(parents=True)
        network.joinpath("history.tsv").write_text(
            f"iteration\tseconds\tgenerator_loss\tberhu\n1\t{seconds}\t5.5\t0.5\n2\t{seconds}\t4.3\t0.4\n"
        )
        network.joinpath("config.json").write_text(json.dumps({"seed": 1, "seconds": float(seconds)}))
        write_weights(network / "generator.keras", 0.25)
        (tmp_path / name / "logs").mkdir()
        (tmp_path / name / "logs" / "a.log").write_text(seconds)
        (tmp_path / name / "measurements.tsv").write_text("z_um\tssim\n0\t0.5\n")
    return tmp_path / "one", tmp_path / "two"


def test_equal_results_have_no_difference(faults, two):
    """Seconds, logs and dates within archives are no results."""
    assert faults.differences(*two) == []


def replace(folder, name, old, new):
    path = folder / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda folder: (folder / "measurements.tsv").unlink(), "measurements.tsv is in one of the two only"),
        (lambda folder: shutil.copy(folder / "measurements.tsv", folder / ".part-b.tsv"), ".part-b.tsv is in one"),
        (lambda folder: replace(folder, "measurements.tsv", "0.5", "0.6"), "measurements.tsv differs"),
        (lambda folder: replace(folder, "networks/ovary_5/history.tsv", "0.4\n", "0.41\n"), "history.tsv, berhu,"),
        (lambda folder: replace(folder, "networks/ovary_5/history.tsv", "5.5", "5.51"), "history.tsv, generator_loss,"),
        (lambda folder: replace(folder, "networks/ovary_5/config.json", "1", "2"), "config.json differs"),
        (lambda folder: write_weights(folder / "networks/ovary_5/generator.keras", 0.5), "generator.keras differs"),
    ],
)
def test_each_difference_is_found(faults, two, change, found):
    """One line names the file."""
    change(two[1])
    (line,) = faults.differences(*two)
    assert found in line
