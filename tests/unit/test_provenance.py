"""The source hash changes with what can change a result, and with nothing else."""

import re

import pytest
from deepr import provenance

TOLD = """from deepr.tables import InputError, read_table

def total(numbers):
    if not numbers:
        raise ValueError("none")
    result = 0
    for number in numbers:
        result += number
    return result
"""

# The same with logging, a progress bar, a warning and other words of the exception.
TOLD_MORE = """import logging
import warnings

from deepr.runtime import progress
from deepr.tables import read_table, InputError

log = logging.getLogger(__name__)


def total(numbers):
    if not numbers:
        log.warning("nothing")
        raise ValueError(f"found {numbers}, wanted one number or more")
    result = 0
    for number in progress(numbers, desc="numbers"):
        result += number
        logging.getLogger("sum").info("%d", result)
        if number < 0 and isinstance(number, int):
            log.info("%d is negative", number)
    warnings.warn("this was the sum", stacklevel=2)
    print(result)
    return result
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A small package: a imports b, and b imports runtime."""
    package = tmp_path / "deepr"
    (package / "room").mkdir(parents=True)
    (package / "a.py").write_text('"""A."""\nfrom deepr import b\nx = b.y\n')
    (package / "b.py").write_text('"""B."""\nfrom deepr.runtime import progress\ny = 1\n')
    (package / "runtime.py").write_text("progress = 1\n")
    (package / "c.py").write_text("z = 3\n")
    (package / "__init__.py").write_text("__version__ = 1\n")
    (package / "room/__init__.py").write_text("switch = 1\n")
    (package / "room/table.py").write_text("legs = 4\n")
    (package / "told.py").write_text(TOLD)
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/sit.py").write_text("def sit():\n    from deepr.room.table import legs\n    return legs\n")
    monkeypatch.setattr(provenance, "PACKAGE", package)
    provenance._digest_and_imports.cache_clear()
    yield package
    provenance._digest_and_imports.cache_clear()


def rehash(name):
    provenance._digest_and_imports.cache_clear()
    return provenance.source_hash(name)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("a.py", '"""Another docstring."""\n\n\nfrom deepr import b  # a comment\n\nx = b.y\n'),
        ("runtime.py", "progress = 2\n"),
        ("c.py", "z = 4\n"),
        ("__init__.py", "__version__ = 2\n"),
    ],
)
def test_style_logging_and_strangers_leave_the_hash(package, file, text):
    """Docstrings, comments, layout, the runtime room and modules not imported change nothing."""
    before = rehash("deepr.a")
    (package / file).write_text(text)
    assert rehash("deepr.a") == before


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("a.py", "from deepr import b\nx = b.y + 1\n"),
        ("b.py", "from deepr.runtime import progress\ny = 2\n"),
    ],
)
def test_code_changes_the_hash(package, file, text):
    """A change of the module or of one that it imports gives another hash."""
    before = rehash("deepr.a")
    (package / file).write_text(text)
    assert rehash("deepr.a") != before


def test_relative_imports_are_followed(package):
    """A module imported relatively belongs to the hash."""
    (package / "d.py").write_text("from .b import y\n")
    before = rehash("deepr.d")
    (package / "b.py").write_text("y = 5\n")
    assert rehash("deepr.d") != before


def test_what_is_only_told_leaves_the_hash(package):
    """Logging, progress bars, warnings, prints and the words of an exception change no result."""
    before = rehash("deepr.told")
    (package / "told.py").write_text(TOLD_MORE)
    assert rehash("deepr.told") == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("result = 0", "result = 1"),
        ("ValueError", "KeyError"),
        ("(numbers, desc", "(numbers[1:], desc"),
        ("number < 0 and", "numbers.pop() and"),
        ("read_table, InputError", "read_table as InputError"),
    ],
)
def test_what_is_done_beside_the_telling_changes_the_hash(package, old, new):
    """Another number, another kind of exception and other things under a progress bar count."""
    (package / "told.py").write_text(TOLD_MORE)
    before = rehash("deepr.told")
    (package / "told.py").write_text(TOLD_MORE.replace(old, new))
    assert rehash("deepr.told") != before


def modules_of(name):
    """Name everything that enters a hash."""
    found, waiting = set(), [name]
    while waiting:
        module = waiting.pop()
        if module not in found | provenance.WITHOUT_RESULTS:
            found.add(module)
            waiting += provenance._digest_and_imports(module, provenance._path_of(module))[1]
    return found


@pytest.mark.parametrize("script", ["train_network.py", "train_decoder.py", "train_deepz.py"])
def test_trainings_hash_no_use_of_a_network(script):
    """Neither how images are refocused and measured, nor figures and verdicts, can change what is trained."""
    later = ("blind_refocusing", "testing", "defocus", "virtual_refocusing", "figures", "scorecard", "metrics", "tilt")
    modules = modules_of(script)
    assert "deepr.networks.losses" in modules
    assert not {module for module in modules for part in module.split(".") if part in later}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("log = 1\n", "log = 2\n"),
        ("warnings = []\nwarnings.append(1)\n", "warnings = []\nwarnings.append(2)\n"),
        ("import sys\nprint(1, file=sys.stderr)\n", "import sys\nprint(2, file=sys.stderr)\n"),
        ("import warnings\n", "import warnings\nwarnings.simplefilter('error')\n"),
        ("x = iter('ab')\n", "x = iter('ab')\nprint(next(x))\n"),
        ("x = 1\n", "x = 1\nprint(x := 2)\n"),
        ("x = [1]\n", "x = [1]\nprint(x.pop())\n"),
    ],
)
def test_what_only_looks_like_telling_is_in_the_hash(package, one, other):
    """A number called log, a list called warnings, what is printed into a file, warnings made errors, a step taken."""
    (package / "told.py").write_text(one)
    before = rehash("deepr.told")
    (package / "told.py").write_text(other)
    assert rehash("deepr.told") != before


@pytest.mark.parametrize("file", ["../scripts/sit.py", "room/__init__.py", "room/table.py"])
def test_a_script_stands_for_itself_and_all_that_it_imports(package, file):
    """Script, packages around its modules and the modules, also those imported within a function, are in the hash."""
    before = rehash("sit.py")
    path = package / file
    text = path.read_text()
    path.write_text(f"{text}# A remark.\n")
    assert rehash("sit.py") == before
    path.write_text(f"{text}ADDED = 1\n")
    assert rehash("sit.py") != before


@pytest.mark.parametrize("name", ["deepr.nothing", "nothing.py"])
def test_unknown_names_are_refused(package, name):
    """A name that is no module and no script is named in the error."""
    with pytest.raises(ValueError, match=rf"{re.escape(name)} is no script and no module"):
        rehash(name)


def test_every_rule_hashes_its_own_script(repository):
    """Each rule that runs a script has that script's hash among its params."""
    rules = [
        text
        for path in (repository / "workflow/rules").glob("*.smk")
        for text in re.split(r"(?m)^(?=rule )", path.read_text())
        if '"../scripts/' in text
    ]
    assert len(rules) > 20
    for text in rules:
        (script,) = re.findall(r'"\.\./scripts/(\w+\.py)"', text)
        assert f'code=source_hash("{script}")' in text, text.splitlines()[0]
