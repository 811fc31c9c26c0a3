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
    """Real z-stacks, which are not part of the repository."""
    folder = Path(os.environ.get("DEEPR_REAL_DATA", REPOSITORY.parent / "shared" / "data" / "real"))
    if not folder.is_dir():
        pytest.skip(f"real z-stacks are not at {folder} (DEEPR_REAL_DATA)")
    return folder
