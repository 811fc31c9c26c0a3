"""What importing the library loads: a command that needs no network shall not wait for one."""

import subprocess
import sys

import pytest

HEAVY = {"keras", "matplotlib", "numpy", "pandas", "scipy", "skimage", "snakemake", "tensorflow", "tifffile"}
NETWORKS = {"keras", "matplotlib", "snakemake", "tensorflow"}
# Every room that the jobs before the trainings and the planning of the workflow use.
ROOMS = (
    *("alignment", "bbbc006", "benchmarks", "configuration", "costs", "deconvolution", "edof", "focus"),
    *("manifest", "metrics", "optics.acquisition", "patches", "provenance", "sheets", "slides", "stacks", "tables"),
)


def loaded_by(repository, *names):
    """Name the packages that a fresh process has loaded after importing modules."""
    code = f"import sys, {', '.join(names)}; print(*{{name.split('.')[0] for name in sys.modules}})"
    process = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(repository / "workflow")},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(process.stdout.split())


@pytest.mark.parametrize("name", ["deepr", "deepr.cli"])
def test_the_command_loads_the_standard_library_only(repository, name):
    """`import deepr` and the command's parser, and so `deepr --help`, wait for no other package."""
    loaded = loaded_by(repository, name)
    assert "deepr" in loaded
    assert not loaded & HEAVY


def test_rooms_before_the_networks_load_no_network(repository):
    """Acquisition, alignment, fusion, manifests and planning start without TensorFlow and Matplotlib."""
    loaded = loaded_by(repository, *(f"deepr.{room}" for room in ROOMS))
    assert {"numpy", "pandas", "tifffile"} <= loaded
    assert not loaded & NETWORKS
