"""How the workflow's tests call Snakemake."""

import os
import subprocess
import sys

import pytest


@pytest.fixture(scope="session")
def snakemake(repository):
    """Run Snakemake on the repository's Snakefile in a folder of its own; give exit code and output."""

    def run(folder, *arguments, timeout=600):
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        result = subprocess.run(
            [
                *(sys.executable, "-m", "snakemake", "--snakefile", str(repository / "Snakefile")),
                *("--directory", str(folder), "--cores", "2", "--nocolor"),
                *map(str, arguments),
            ],
            cwd=repository,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return result.returncode, result.stdout + result.stderr

    return run
