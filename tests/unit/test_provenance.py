"""The source hash changes with what can change a result, and with nothing else."""

import pytest
from deepr import provenance


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A small package: a imports b, and b imports runtime."""
    (tmp_path / "a.py").write_text('"""A."""\nfrom deepr import b\nx = b.y\n')
    (tmp_path / "b.py").write_text('"""B."""\nfrom deepr.runtime import progress\ny = 1\n')
    (tmp_path / "runtime.py").write_text("progress = 1\n")
    (tmp_path / "c.py").write_text("z = 3\n")
    (tmp_path / "__init__.py").write_text("")
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    provenance._digest_and_imports.cache_clear()
    yield tmp_path
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


def test_unknown_module_is_refused(package):
    """A name that is no module is named in the error."""
    with pytest.raises(ValueError, match=r"deepr\.nothing"):
        rehash("deepr.nothing")
