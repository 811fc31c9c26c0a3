"""Make a conda channel in a folder, of the running Python and of wheels, for what environments ask for.

For a test of `snakemake --sdm conda` where no channel can be reached: every package that an environment names,
and all that those need, in the versions of the lock and with the lock's hashes. A wheel becomes a conda package of
the same version, with the dependencies that its own metadata state, and without its commands.

    python make_channel.py CHANNEL requirements.txt envs/*.yaml
"""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import rattler.index
from conda_package_streaming.create import conda_builder
from environment_files import CONDA_NAMES, markers_of, pypi_names, read_environment, read_lock
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
SITE_PACKAGES = Path(f"lib/python{PYTHON}/site-packages")
SUBDIR = "linux-64"

# Low, for the channel lives as long as the test.
COMPRESSION_LEVEL = 1

# Parts of Python's own library that no step needs.
WITHOUT = shutil.ignore_patterns(
    *("site-packages", "test", "tests", "__pycache__", "config-*", "idlelib", "turtledemo", "ensurepip", "*.a")
)


def make_channel(channel, lock_path, environment_paths):
    """Make a channel in which the environments can be solved.

    Parameters
    ----------
    channel : Path
        Folder of the channel; made.
    lock_path : Path
        Requirements with hashes, as pip reads them.
    environment_paths : list of Path

    Raises
    ------
    ValueError
        If an environment asks for another Python than the running one, or for what the lock does not have.
    """
    versions, lines = read_lock(lock_path, PYTHON)
    names = pypi_names(versions)
    wanted, packed = set(), set()
    for path in environment_paths:
        _, pins = read_environment(path)
        if pins.pop("python") != PYTHON:
            raise ValueError(f"{path}: wanted python ={PYTHON}, on which this program runs")
        wanted |= {names.get(name, name) for name in pins}
    while wanted:
        if wanted - set(lines):
            raise ValueError(f"{lock_path}: wanted {', '.join(sorted(wanted - set(lines)))}, which is needed")
        with tempfile.TemporaryDirectory(dir=channel.parent) as folder:
            _download([lines[name] for name in sorted(wanted)], folder)
            needed = {name for wheel in sorted(Path(folder).glob("*.whl")) for name in _pack_wheel(channel, wheel)}
        packed |= wanted
        wanted = needed - packed
    _pack_python(channel)
    (channel / "noarch").mkdir()
    asyncio.run(rattler.index.index_fs(channel))


def _download(lines, folder):
    """Download the wheels of some lines of a lock, and only if they have the lock's hashes."""
    requirements = Path(folder) / "requirements.txt"
    requirements.write_text("".join(f"{line}\n" for line in lines))
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--only-binary", ":all:", "--no-deps", "--require-hashes", "--requirement", requirements),
            *("--dest", folder),
        ],
        check=True,
    )


def _pack_wheel(channel, wheel):
    """Pack a wheel as a conda package, and give PyPI's names of what it depends on."""
    needed = []
    with tempfile.TemporaryDirectory(dir=channel.parent) as folder:
        root = Path(folder)
        site = root / SITE_PACKAGES
        site.mkdir(parents=True)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
        for data in site.glob("*.data"):
            for kind, target in (("purelib", site), ("platlib", site), ("data", root)):
                if (data / kind).is_dir():
                    shutil.copytree(data / kind, target, dirs_exist_ok=True)
            shutil.rmtree(data)
        (metadata,) = site.glob("*.dist-info/METADATA")
        headers = HeaderParser().parsestr(metadata.read_text(encoding="utf-8"))
        depends = [f"python {PYTHON}.*"]
        for text in headers.get_all("Requires-Dist") or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate(markers_of(PYTHON)):
                needed.append(canonicalize_name(requirement.name))
                depends.append(f"{_conda_name(requirement.name)} {requirement.specifier}".strip())
        _write_package(channel, root, _conda_name(headers["Name"]), headers["Version"], depends)
    return needed


def _conda_name(name):
    name = canonicalize_name(name)
    return CONDA_NAMES.get(name, name)


def _pack_python(channel):
    """Pack the interpreter behind this one, which finds its library by its own place."""
    base = Path(sys.base_prefix)
    with tempfile.TemporaryDirectory(dir=channel.parent) as folder:
        root = Path(folder)
        (root / "bin").mkdir()
        shutil.copy2((base / f"bin/python{PYTHON}").resolve(), root / f"bin/python{PYTHON}")
        for alias in ("python", "python3"):
            (root / "bin" / alias).symlink_to(f"python{PYTHON}")
        shutil.copytree(sysconfig.get_path("stdlib"), root / f"lib/python{PYTHON}", symlinks=True, ignore=WITHOUT)
        for library in (base / "lib").glob(f"libpython{PYTHON}*.so*"):
            shutil.copy2(library, root / "lib" / library.name, follow_symlinks=False)
        (root / SITE_PACKAGES).mkdir()
        _write_package(channel, root, "python", ".".join(map(str, sys.version_info[:3])), [])


def _write_package(channel, root, name, version, depends):
    """Write the files below a folder as a conda package, with the records of them that conda reads."""
    files = sorted(path for path in root.rglob("*") if path.is_file() or path.is_symlink())
    paths = [_record_of(path, root) for path in files]
    index = {
        **{"name": name, "version": version, "build": "0", "build_number": 0, "depends": depends},
        **{"subdir": SUBDIR, "arch": "x86_64", "platform": "linux", "timestamp": int(time.time() * 1000)},
    }
    (root / "info").mkdir()
    (root / "info/index.json").write_text(json.dumps(index))
    (root / "info/files").write_text("".join(f"{path['_path']}\n" for path in paths))
    (root / "info/paths.json").write_text(json.dumps({"paths_version": 1, "paths": paths}))
    packages = channel / SUBDIR
    packages.mkdir(parents=True, exist_ok=True)
    with conda_builder(f"{name}-{version}-0", packages, compression_level=COMPRESSION_LEVEL) as archive:
        for part in sorted(root.iterdir()):
            archive.add(part, part.name)


def _record_of(path, root):
    content = path.read_bytes()
    return {
        "_path": path.relative_to(root).as_posix(),
        "path_type": "softlink" if path.is_symlink() else "hardlink",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_in_bytes": len(content),
    }


if __name__ == "__main__":
    channel, lock, *environments = map(Path, sys.argv[1:])
    make_channel(channel.resolve(), lock, environments)
    # Threads of py-rattler 0.28 crash now and then while an interpreter ends.
    sys.stdout.flush()
    os._exit(0)
