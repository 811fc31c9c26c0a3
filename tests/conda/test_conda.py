"""The tiny Figure 2 with `--use-conda`, in environments solved and built from a local channel of PyPI's wheels.

A stand-in answers for `conda`. This shows that the files of envs/ can be read and solved together with what their
packages need, and that each step finds in its environment what it imports; not that conda-forge has these versions.
Called by `make test-conda`, not by `make test`.
"""

import json
import os
import re
import subprocess
import sys

import pytest
from environment_files import read_environment
from followed_imports import packages_of

pytestmark = pytest.mark.conda

ENVIRONMENTS = ["figures.yaml", "imaging.yaml", "networks.yaml"]


@pytest.fixture(scope="module")
def tools():
    """The Python that has py-rattler."""
    if "CONDA_STANDIN_PYTHON" not in os.environ:
        pytest.fail(
            "CONDA_STANDIN_PYTHON is not set; wanted the Python with tests/conda/requirements.txt: make test-conda"
        )
    return os.environ["CONDA_STANDIN_PYTHON"]


@pytest.fixture(scope="module")
def channels(tools, repository, tmp_path_factory):
    """A folder with a channel named conda-forge."""
    folder = tmp_path_factory.mktemp("channels")
    subprocess.run(
        [
            *(tools, repository / "tests/conda/make_channel.py", folder / "conda-forge"),
            *(repository / "requirements.txt", *sorted((repository / "envs").glob("*.yaml"))),
        ],
        check=True,
    )
    return folder


@pytest.fixture(scope="module")
def run(channels, copy_of_repository, tmp_path_factory):
    """A copy of the repository in which the tiny Figure 2 was made; and what Snakemake said."""
    folder = copy_of_repository(tmp_path_factory.mktemp("run"))
    result = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--cores", "2", "--nocolor", "--use-conda"),
            *("--configfile", "tests/config/config.yaml", "--", "fig2"),
        ],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{folder / 'tests/conda/bin'}{os.pathsep}{os.environ['PATH']}",
            "CONDA_STANDIN_CHANNELS": str(channels),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    return folder, result.stdout


@pytest.fixture(scope="module")
def prefixes(run):
    """Where Snakemake put the environment of each file: beside a copy of the file."""
    folder, _ = run
    files = {path.read_text(): path.name for path in (folder / "envs").glob("*.yaml")}
    return {files[path.read_text()]: path.with_suffix("") for path in (folder / ".snakemake/conda").glob("*.yaml")}


def test_figure_2_is_made_with_its_rows_of_the_scorecard(run):
    """Every file of the target is there, and not empty."""
    folder, output = run
    for suffix in ("pdf", "svg", "png", "tsv"):
        assert (folder / f"results/figures/fig2.{suffix}").stat().st_size > 0, output
    assert (folder / "results/scorecard/fig2.tsv").stat().st_size > 0, output


def test_each_step_ran_in_an_environment(run, prefixes):
    """Snakemake built one environment for each file, and activated one for every job with a script."""
    folder, output = run
    assert sorted(prefixes) == ENVIRONMENTS
    activated = re.findall(r"^Activating conda environment: (.*)$", output, re.M)
    assert {folder / path for path in activated} == set(prefixes.values())
    # Twice for each job: to ask for its Python's version, and to run the script.
    jobs = len(list((folder / "results/benchmarks").rglob("*.tsv")))
    assert len(activated) == 2 * jobs > 0, output


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environment_has_the_versions_of_its_file(run, prefixes, name):
    """What was linked, by conda's own records of it, is what the file asks for."""
    records = [json.loads(path.read_text()) for path in (prefixes[name] / "conda-meta").glob("*.json")]
    linked = {record["name"]: record["version"] for record in records}
    folder, _ = run
    _, pins = read_environment(folder / "envs" / name)
    assert linked.pop("python").startswith(f"{pins.pop('python')}.")
    assert {package: linked.get(package) for package in pins} == pins


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environment_alone_has_what_its_scripts_import(prefixes, rules, repository, name):
    """Its own interpreter imports the scripts of all of its rules, and takes every package from the environment.

    Within a run this would not show: Snakemake puts its own packages on the path of a script.
    """
    scripts = sorted({rule["script"] for rule in rules if rule["environment"] == str(repository / "envs" / name)})
    library = repository / "workflow/deepr"
    packages = sorted({package for script in scripts for package in packages_of(script, library)})
    result = subprocess.run(
        [
            *(prefixes[name] / "bin/python", "-s", repository / "tests/conda/import_scripts.py"),
            json.dumps({"scripts": scripts, "packages": packages}),
        ],
        env={"PATH": os.defpath, "PYTHONPATH": str(library.parent)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found = json.loads(result.stdout)
    assert found["failures"] == {}
    assert scripts and len(found["files"]) == len(packages) > 3
    for package, file in found["files"].items():
        assert file.startswith(f"{prefixes[name]}{os.sep}"), (package, file)
