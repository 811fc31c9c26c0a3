"""Folders that tests read from."""

import os
import subprocess
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
