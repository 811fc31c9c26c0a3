"""Folders that tests read from."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository():
    """Root of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def golden():
    """Outputs of the original programs."""
    return REPOSITORY / "tests" / "golden" / "data"


@pytest.fixture(scope="session")
def copy_of_repository(repository):
    """Copy what the workflow needs into a folder, where a run may write beside it."""

    def copy(folder):
        for name in ("Snakefile", "workflow", "config", "envs", "profiles", "docs", "tests/config", "tests/conda"):
            source = repository / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / name)
        return folder

    return copy


@pytest.fixture(scope="session")
def rules(repository, tmp_path_factory):
    """Read the rules that execute something, as Snakemake does; in a process of its own, for it changes its own."""
    result = subprocess.run(
        [
            *(sys.executable, "tests/conda/list_rules.py", "Snakefile", "tests/config/config.yaml"),
            tmp_path_factory.mktemp("nothing"),
        ],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def small_disk(tmp_path):
    """Mount a file system of so many kilobytes below the test's folder, where mounting is allowed."""
    mounted = []

    def mount(name, kilobytes):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
        try:
            result = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.skip("there is no command mount")
        if result.returncode != 0:
            pytest.skip(f"mounting is not allowed here: {result.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="session")
def real_data():
    """Real z-stacks, which are not part of the repository: where DEEPR_REAL_DATA says, or beside the checkout."""
    named = os.environ.get("DEEPR_REAL_DATA")
    folder = Path(named) if named else REPOSITORY / "../shared/data/real"
    if not folder.is_dir():
        if named:
            pytest.fail(f"DEEPR_REAL_DATA is {named}; wanted a folder of real z-stacks")
        pytest.skip("no real z-stacks: the environment variable DEEPR_REAL_DATA may name their folder")
    return folder.resolve()
