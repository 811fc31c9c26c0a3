"""The Dockerfile is the one that Snakemake writes for the environments of today."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.workflow


def test_the_dockerfile_is_up_to_date(repository, copy_of_repository, tmp_path):
    """Written again, by Snakemake with the stand-in for conda, it is the same to the letter; else: make Dockerfile."""
    folder = copy_of_repository(tmp_path)
    result = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--containerize"],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{folder / 'tests/conda/bin'}{os.pathsep}{os.environ['PATH']}",
            "CONDA_STANDIN_PYTHON": sys.executable,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == (repository / "Dockerfile").read_text()
