"""`pip install .` brings all that the library reads."""

import shutil
import subprocess
import sys
import zipfile

import pytest


@pytest.fixture(scope="module")
def wheel(repository, tmp_path_factory):
    """The names of the files in a wheel built from a copy of the sources."""
    pytest.importorskip("setuptools")
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(repository / name, source)
    shutil.copytree(
        repository / "workflow/deepr", source / "workflow/deepr", ignore=shutil.ignore_patterns("__pycache__")
    )
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"),
            *("--no-build-isolation", "--wheel-dir", str(source / "wheels"), str(source)),
        ],
        check=True,
    )
    (path,) = (source / "wheels").glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def test_a_wheel_holds_every_file_of_the_library(wheel, repository):
    """Modules, schemas and templates: what lies in the package's folder lies in the wheel."""
    folder = repository / "workflow"
    files = {
        str(path.relative_to(folder))
        for path in (folder / "deepr").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in files if "/schemas/" in name} == {
        f"deepr/schemas/{name}.schema.yaml" for name in ("config", "networks", "stacks")
    }
    assert files <= wheel
