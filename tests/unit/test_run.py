"""The program that `make` calls, and the Makefile itself."""

import importlib.util
import shutil
import subprocess

import pytest


@pytest.fixture(scope="module")
def program(repository):
    """workflow/run.py as a module."""
    specification = importlib.util.spec_from_file_location("run", repository / "workflow/run.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        (["-n", "--configfile", "my own.yaml", "--", "fig2"], ["--configfile", "my own.yaml"]),
        (["--configfile=my own.yaml", "fig2"], ["--configfile=my own.yaml"]),
        (["--configfiles", "a.yaml", "b.yaml", "-n"], ["--configfiles", "a.yaml", "b.yaml"]),
        (["--config", "seed=7", "scale=own", "-n"], ["--config", "seed=7", "scale=own"]),
        (["--workflow-profile", "profiles/x", "fig2"], ["--workflow-profile", "profiles/x"]),
        (["--workflow-profile=profiles/x", "-n", "--", "--configfile"], ["--workflow-profile=profiles/x"]),
        (["--cores", "2", "fig2"], ["--cores", "2"]),
        (["--nocolor", "fig2"], []),
    ],
)
def test_a_stale_lock_is_taken_away_with_the_same_config(program, arguments, kept):
    """All ways to name a config are kept, and targets are not."""
    assert program._config_of(arguments) == kept


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_takes_a_config_with_a_space_in_its_name(repository):
    """The name reaches Snakemake as one word."""
    result = subprocess.run(
        ["make", "--dry-run", "--always-make", "CONFIG=my own.yaml", "fig2"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    assert '--configfile "my own.yaml" -- fig2' in result.stdout
