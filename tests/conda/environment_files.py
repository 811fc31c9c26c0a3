"""What the files of envs/ ask for, and what the lock of the Python environment pins."""

import re
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# conda-forge's name of a package, where it is not PyPI's: it has TensorFlow's builds under one name, and
# `matplotlib` there brings a toolkit for windows, which `matplotlib-base` does not.
CONDA_NAMES = {
    "tensorflow-cpu": "tensorflow",
    "matplotlib": "matplotlib-base",
    "bioimageio-spec": "bioimageio.spec",
}

# One form only, of the many that conda reads: a name, and a version that is left no choice.
PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9._-]*) =(?P<version>[0-9]+(\.[0-9]+)*)")

PLATFORM = {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix"}


def read_environment(path):
    """Read an environment's file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    channels : list of str
    pins : dict of str to str
        Version by conda's name of the package, ``python`` among them.

    Raises
    ------
    ValueError
        If there is another section than channels and dependencies, or a dependency that is not pinned as
        ``name =version``, or one twice.
    """
    content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    if set(content) != {"channels", "dependencies"}:
        raise ValueError(f"{path}: found the sections {', '.join(content)}; wanted channels and dependencies")
    pins = {}
    for dependency in content["dependencies"]:
        match = PIN.fullmatch(dependency) if isinstance(dependency, str) else None
        if match is None:
            raise ValueError(f"{path}: found the dependency {dependency!r}, wanted one such as 'numpy =2.4.6'")
        if match["name"] in pins:
            raise ValueError(f"{path}: found {match['name']} twice, wanted it once")
        pins[match["name"]] = match["version"]
    return content["channels"], pins


def markers_of(python):
    """Give the marker environment of Linux on x86-64 with one version of Python, such as ``"3.11"``."""
    return {**PLATFORM, "python_version": python, "python_full_version": f"{python}.0", "extra": ""}


def read_lock(path, python):
    """Read what a lock pins for one Python on Linux x86-64.

    Parameters
    ----------
    path : str or Path
        Requirements with hashes, as pip reads them.
    python : str
        Version of Python, such as ``"3.11"``.

    Returns
    -------
    versions : dict of str to str
        Version by PyPI's name of the package.
    lines : dict of str to str
        The whole line of each, with its hashes.
    """
    versions, lines = {}, {}
    for line in Path(path).read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line.partition(" --hash=")[0].strip())
            if requirement.marker is None or requirement.marker.evaluate(markers_of(python)):
                name = canonicalize_name(requirement.name)
                (pin,) = requirement.specifier
                versions[name], lines[name] = pin.version, line
    return versions, lines


def pypi_names(lock):
    """Name each package of a lock as conda-forge does, and give PyPI's name for it."""
    return {CONDA_NAMES.get(name, name): name for name in lock}
