"""Folders that tests read from."""

import os
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
def real_data():
    """Real z-stacks, which are not part of the repository: where DEEPR_REAL_DATA says, or beside the checkout."""
    named = os.environ.get("DEEPR_REAL_DATA")
    folder = Path(named) if named else REPOSITORY / "../shared/data/real"
    if not folder.is_dir():
        if named:
            pytest.fail(f"DEEPR_REAL_DATA is {named}; wanted a folder of real z-stacks")
        pytest.skip("no real z-stacks: the environment variable DEEPR_REAL_DATA may name their folder")
    return folder.resolve()
