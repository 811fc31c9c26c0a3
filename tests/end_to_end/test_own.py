"""A person's own stacks, grey and in colour, from the sheet to blind tests; and what makes them run again."""

import csv
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tifffile
import yaml
from scipy.ndimage import gaussian_filter

pytestmark = pytest.mark.end_to_end

HEADER = "dataset slide fov split path axes channel pixel_um step_um z_um objective".split()
CONFIG = {
    "networks": "networks.tsv",
    "stacks": "stacks.tsv",
    "datasets": {"cells": {"source": "stacks", "patch_px": 64}, "tissue": {"source": "stacks", "patch_px": 64}},
    "training": {
        **{"base_channels": 4, "discriminator_channels": 2, "crop_px": 64, "batch_size": 2, "iterations": 2},
        **{"validation_interval": 1, "validation_pairs": 2, "threads": 1, "checkpoint_interval": 1},
    },
}
NETWORKS = "name\tkind\tdatasets\trange_um\tstart_from\ncells_3\tdeepr\tcells\t3\t\ntissue_3\tdeepr\ttissue\t3\t\n"
TRAINING = {"train_network", "test_network"}


def through_focus(rng, colour):
    """Make a stack of 9 planes of grains, sharpest in the middle, with a camera's noise."""
    grains = rng.random((112, 112, 3) if colour else (112, 112)) < 0.02
    planes = []
    for z in range(-4, 5):
        sigma = 1 + 0.7 * abs(z)
        image = gaussian_filter(grains.astype(float), (sigma, sigma, 0)[: grains.ndim], mode="wrap")
        planes.append(50 + (500 if colour else 3000) * image + rng.normal(0, 1, image.shape))
    stack = np.stack(planes).clip(0, 255 if colour else 65535)
    return stack.astype(np.uint8 if colour else np.uint16)


def call(project, *arguments):
    """Call Snakemake as `make` does, in a project's own folder."""
    result = subprocess.run(
        [
            *(sys.executable, str(project / "code/workflow/run.py"), "--cores", "2", "--nocolor"),
            *("--configfile", "own.yaml", *arguments),
        ],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout + result.stderr


def planned(project):
    """Say which rules a dry run would execute, and how often."""
    code, output = call(project, "--dry-run", "--", "networks", "own")
    assert code == 0, output
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", output, re.M)}


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.fixture(scope="module")
def project(repository, tmp_path_factory):
    """A folder with stacks, sheets and a config, in which a copy of the workflow has run once."""
    project = tmp_path_factory.mktemp("project")
    ignored = shutil.ignore_patterns("__pycache__", "results", ".snakemake")
    for name in ("workflow", "config", "envs", "profiles", "docs"):
        shutil.copytree(repository / name, project / "code" / name, ignore=ignored)
    shutil.copy(repository / "Snakefile", project / "code")
    rng = np.random.default_rng(3)
    rows = []
    for dataset, axes in (("cells", "ZYX"), ("tissue", "ZYXS")):
        for slide, fov, split in (("s1", "a", "train"), ("s1", "b", "train"), ("s2", "c", "test")):
            path = f"{dataset}_{fov}.tif"
            colour = axes == "ZYXS"
            photometric = "rgb" if colour else "minisblack"
            tifffile.imwrite(project / path, through_focus(rng, colour), photometric=photometric)
            rows.append([dataset, slide, fov, split, path, axes, "light", "0.325", "1", "", "20x/0.75"])
    lines = ["\t".join(row) for row in [HEADER, *rows]]
    (project / "stacks.tsv").write_text("\n".join(lines) + "\n")
    (project / "networks.tsv").write_text(NETWORKS)
    (project / "own.yaml").write_text(yaml.safe_dump(CONFIG))
    code, output = call(project, "--", "networks", "own")
    assert code == 0, output
    return project


@pytest.mark.parametrize(("dataset", "channels"), [("cells", 1), ("tissue", 3)])
def test_own_stacks_are_trained_and_tested(project, dataset, channels):
    """Every plane of the test field has been refocused, in grey and in colour, and its focus is where it was put."""
    kept = [row for row in rows_of(project / "results" / dataset / "manifest.tsv") if row["kept"] == "true"]
    assert {row["focus_plane"] for row in kept} == {"4"}
    assert {row["split"] for row in kept} == {"train", "validation", "test"}
    rows = rows_of(project / "results/predictions" / f"{dataset}_3" / dataset / "measurements.tsv")
    assert sorted({float(row["z_um"]) for row in rows}) == list(range(-4, 5))
    assert all(-1 <= float(row["ssim"]) <= 1 for row in rows)
    (predicted,) = (project / "results/predictions" / f"{dataset}_3" / dataset / "slides").glob("*.ome.tif")
    shape = tifffile.TiffFile(predicted).series[0].shape
    assert shape == ((9, 64, 64) if channels == 1 else (9, 64, 64, 3))


@pytest.mark.parametrize("dataset", ["cells", "tissue"])
def test_own_figures_reach_as_far_as_the_stacks(project, dataset):
    """The network's figure and the comparison hold every plane that was tested, also beyond the training range."""
    for name in (f"{dataset}_3/{dataset}/quality", f"{dataset}_networks"):
        base = project / "results/own" / name
        assert base.with_suffix(".png").stat().st_size > 10_000
        rows = rows_of(base.with_suffix(".tsv"))
        assert {float(row["z_um"]) for row in rows if row["metric"] == "ssim"} == set(range(-4, 5))


def test_the_report_shows_every_own_figure_and_table(project):
    """Each network's figure, the comparison of each data set and the summary have a section, with image or rows."""
    code, output = call(project, "--", "results/report.html")
    assert code == 0, output
    sections = dict(
        re.findall(r'<section id="([^"]+)"[^>]*>(.*?)</section>', (project / "results/report.html").read_text(), re.S)
    )
    for dataset in ("cells", "tissue"):
        for name in (f"own-{dataset}_3-{dataset}", f"own_networks-{dataset}"):
            assert "data:image/webp;base64," in sections[name]
            assert "data: own, scale" in sections[name]
        assert f"<td>{dataset}_3</td>" in sections["ownSummary"]


def test_a_second_run_does_nothing(project):
    """Everything is up to date."""
    assert planned(project) == {}


@pytest.fixture
def changed(project):
    """Change files of the project; they are put back after the test, with their dates."""
    kept = {}

    def change(name, old, new):
        path = project / name
        text = path.read_text()
        kept.setdefault(path, (text, path.stat()))
        assert old in text
        path.write_text(text.replace(old, new, 1))
        return planned(project)

    yield change
    for path, (text, stat) in kept.items():
        path.write_text(text)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("stacks.tsv", "cells\ts1\ta", "# A remark moves every row by a line.\n\ncells\ts1\ta"),
        ("own.yaml", "checkpoint_interval: 1", "checkpoint_interval: 7"),
        ("code/workflow/scripts/train_network.py", '"""', '"""Now: '),
        ("code/workflow/scripts/import_slide.py", "def ", "# A remark.\n\n\ndef "),
        ("code/workflow/deepr/runtime.py", "(log: {path})", "(see {path})"),
        ("code/workflow/deepr/networks/training.py", "going on after iteration", "continuing after iteration"),
        ("code/workflow/deepr/stacks.py", "wanted {wanted}", "but wanted {wanted}"),
        ("code/workflow/deepr/networks/__init__.py", "# TensorFlow reads", "# As is known, TensorFlow reads"),
    ],
)
def test_what_changes_no_number_reruns_nothing(changed, name, old, new):
    """Lines of the sheet, settings of convenience, touched scripts, words, logging and remarks."""
    assert changed(name, old, new) == {}


def test_the_order_of_the_sheet_reruns_nothing(project, changed):
    """Rows are known by their names."""
    first, second = (project / "stacks.tsv").read_text().splitlines()[1:3]
    assert changed("stacks.tsv", f"{first}\n{second}", f"{second}\n{first}") == {}


def test_a_touched_script_reruns_nothing(project):
    """A date is no change."""
    for script in (project / "code/workflow/scripts").glob("*.py"):
        os.utime(script)
    assert planned(project) == {}


@pytest.mark.parametrize(
    ("name", "old", "new", "first", "untouched"),
    [
        ("stacks.tsv", "cells\ts1\ta\ttrain\tcells_a.tif\tZYX\tlight\t0.325\t1", None, "import_slide", set()),
        ("own.yaml", "batch_size: 2", "batch_size: 1", "train_network", {"import_slide", "align_slide"}),
        (
            "code/workflow/scripts/train_network.py",
            'split == "train"',
            'split != "train"',
            "train_network",
            {"import_slide", "align_slide"},
        ),
        ("code/workflow/scripts/import_slide.py", '"Own z-stack"', '"A stack"', "import_slide", set()),
        (
            "code/workflow/deepr/networks/__init__.py",
            'ONEDNN_OPTS", "1"',
            'ONEDNN_OPTS", "0"',
            "train_network",
            {"import_slide", "build_manifest"},
        ),
        ("code/workflow/deepr/tables.py", "def write_table(", "ADDED = 1\n\n\ndef write_table(", "align_slide", set()),
    ],
)
def test_what_changes_a_number_reruns_what_depends_on_it(changed, name, old, new, first, untouched):
    """A cell, a setting, a script, a package around a module and a module rerun the rules that use them."""
    jobs = changed(name, old, old[:-1] + "2" if new is None else new)
    assert first in jobs
    assert not untouched & set(jobs)
