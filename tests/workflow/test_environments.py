"""The environments of envs/: small, pinned as the lock is, with what the scripts of their rules import and no more."""

from importlib.metadata import packages_distributions

import pytest
from environment_files import CONDA_NAMES, pypi_names, read_environment, read_lock
from followed_imports import packages_of
from packaging.utils import canonicalize_name

# What no script of an environment imports, and why it is there.
UNIMPORTED = {
    "imaging.yaml": {"python": "runs the scripts", "imagecodecs": "tifffile reads compressed TIFFs with it"},
    "networks.yaml": {"python": "runs the scripts"},
    "figures.yaml": {"python": "runs the scripts"},
    "export.yaml": {"python": "runs the scripts"},
}


@pytest.fixture(scope="module")
def environments(repository):
    """Read the pins of every environment, by its file's name."""
    files = sorted((repository / "envs").glob("*.yaml"))
    assert files
    return {path.name: read_environment(path) for path in files}


@pytest.fixture(scope="module")
def needs(rules, repository):
    """Give by environment and conda's name of a package the scripts of the rules that need it."""
    distributions = packages_distributions()
    found = {}
    for script, environment in {(rule["script"], rule["environment"]) for rule in rules}:
        needed = found.setdefault(environment.rpartition("/")[2], {})
        for package, files in packages_of(script, repository / "workflow/deepr").items():
            # An unknown one stays as it is imported, and is then found missing under that name.
            names = {canonicalize_name(name) for name in distributions.get(package, [package])}
            (name,) = {CONDA_NAMES.get(name, name) for name in names}
            needed.setdefault(name, {})[script.rpartition("/")[2]] = sorted(files)
    return found


def test_every_rule_runs_a_script_in_an_environment_of_envs(rules, repository):
    """No rule runs a command or code that the tests below do not look into."""
    assert len(rules) > 40
    for rule in rules:
        assert rule["script"] and not rule["other"], rule
        assert rule["environment"] in {str(path.resolve()) for path in (repository / "envs").glob("*.yaml")}, rule


def test_only_conda_forge(environments):
    """One channel, and none that a person's own configuration adds."""
    for name, (channels, _) in environments.items():
        assert channels == ["conda-forge", "nodefaults"], name


def test_every_version_is_the_locks(environments, repository):
    """A step computes with the same versions in conda as in the Python environment of the same Python."""
    for environment, (_, pins) in environments.items():
        versions, _ = read_lock(repository / "requirements.txt", pins["python"])
        of_pypi = pypi_names(versions)
        locked = {name: versions.get(of_pypi.get(name)) for name in pins if name != "python"}
        assert {name: pins[name] for name in locked} == locked, environment


def test_every_environment_has_the_same_python(environments):
    """What one step writes, pickles of params and weights, another reads."""
    assert len({pins["python"] for _, pins in environments.values()}) == 1


def test_every_environment_has_what_the_scripts_of_its_rules_import(environments, needs):
    """A package that a script needs, through whatever modules, stands in the file itself, not only behind another."""
    for environment, needed in needs.items():
        _, pins = environments[environment]
        assert {name: scripts for name, scripts in needed.items() if name not in pins} == {}, environment


def test_no_environment_has_what_none_of_its_rules_needs(environments, needs):
    """A package without use costs time, and a change of its version would train every network again."""
    for environment, (_, pins) in environments.items():
        unused = set(pins) - set(needs.get(environment, {}))
        assert unused == set(UNIMPORTED.get(environment, {})), environment


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("numpy", r"found the dependency 'numpy', wanted one such as 'numpy =2\.4\.6'"),
        ("numpy >=2.4", r"found the dependency 'numpy >=2\.4', wanted"),
        ("pip: [deepr]", r"found the dependency \{'pip': \['deepr'\]\}, wanted"),
        ("scipy =1.17.1\n  - scipy =1.17.1", r"found scipy twice, wanted it once"),
    ],
)
def test_a_dependency_that_is_not_pinned_is_refused(tmp_path, line, sentence):
    """The file and what was found in it are named."""
    path = tmp_path / "one.yaml"
    path.write_text(f"channels:\n  - conda-forge\ndependencies:\n  - {line}\n")
    with pytest.raises(ValueError, match=rf"one\.yaml: {sentence}"):
        read_environment(path)


@pytest.fixture
def library(tmp_path):
    """A script, and a library of three modules: it calls `near`, which imports within; nothing calls `far`."""
    library = tmp_path / "deepr"
    (library / "room").mkdir(parents=True)
    (library / "__init__.py").write_text("")
    (library / "room/__init__.py").write_text("import packaging\n")
    (library / "room/table.py").write_text("from deepr.tools import near\n\ndef sit():\n    return near()\n")
    (library / "tools.py").write_text(
        "import json\n\ndef near():\n    import numpy.linalg\n\ndef far():\n    import pandas\n"
    )
    (library / "cellar.py").write_text("import matplotlib\n")
    (tmp_path / "script.py").write_text("import os\nfrom deepr.room.table import sit\n\nsit()\n")
    return library


def test_imports_are_followed_as_far_as_they_are_reached(library):
    """Packages around a module and functions that are called count; others, and the standard library, do not."""
    script = library.parent / "script.py"
    assert packages_of(script, library) == {"packaging": {"__init__.py"}, "numpy": {"tools.py"}}
    script.write_text("from deepr.room.table import sit\nimport deepr.tools as t\n\nsit(t.far())\n")
    assert set(packages_of(script, library)) == {"packaging", "numpy", "pandas"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("from . import table\n", "line 1: found a relative import, wanted the module's full name"),
        ("import importlib\nimportlib.import_module('numpy')\n", "line 2: import_module hides what it imports"),
    ],
)
def test_an_import_that_cannot_be_followed_is_refused(library, text, sentence):
    """File and line are named."""
    (library.parent / "script.py").write_text(text)
    with pytest.raises(ValueError, match=rf"script\.py, {sentence}"):
        packages_of(library.parent / "script.py", library)
