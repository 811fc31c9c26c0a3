"""Every target that a document names can be asked for."""

import fnmatch
import re
import shlex

import pytest

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def targets(snakemake, tmp_path_factory):
    """Rules of the demonstration, among them those made for each figure, table and network."""
    code, output = snakemake(tmp_path_factory.mktemp("list"), "--list-rules")
    assert code == 0, output
    return set(output.split())


def documents(repository):
    paths = [repository / "README.md", *sorted((repository / "docs").glob("*.md")), repository / "config/README.md"]
    return {str(path.relative_to(repository)): path.read_text(encoding="utf-8") for path in paths}


def test_every_call_of_make_names_a_target(repository, targets):
    """One of the Makefile's own, or a figure, table or file that it hands on to the workflow."""
    makefile = (repository / "Makefile").read_text(encoding="utf-8")
    own = set(re.search(r"^\.PHONY: (.+)$", makefile, re.M)[1].split()) | set(re.findall(r"^(\w+):", makefile, re.M))
    handed_on = [word.replace("%", "*") for word in re.search(r"^(.*%.*): ", makefile, re.M)[1].split()]
    called = {
        (name, target)
        for name, text in documents(repository).items()
        for target in re.findall(r"(?:^|`)make ([\w/.]+)", text, re.M)
    }
    assert len(called) > 15
    for name, target in called:
        if target not in own:
            assert any(fnmatch.fnmatch(target, pattern) for pattern in handed_on), f"{name}: make {target}"
            assert target in targets, f"{name}: make {target}"


def test_every_call_of_snakemake_names_a_target(repository, targets):
    """What stands after -- in the examples is a rule, or a file below results."""
    called = set()
    for name, text in documents(repository).items():
        for line in re.findall(r"^ *(?:PYTHONPATH=\S+ )?snakemake .*$", text, re.M):
            words = shlex.split(line, comments=True)
            if "--" in words:
                called |= {(name, word) for word in words[words.index("--") + 1 :]}
    assert called
    for name, target in called:
        assert target in targets or target.startswith("results/"), f"{name}: {target}"
