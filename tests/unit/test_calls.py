"""The scripts that no other test runs call the library as it is: their arguments fit what the functions take."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(path.relative_to(REPOSITORY) for path in (REPOSITORY / "benchmarks").rglob("*.py"))
# The project's own modules, that is, those that a script finds on its path.
ROOTS = ("workflow", "workflow/scripts", "benchmarks")


def own_functions(tree):
    """Give what a script imports by name from the project's own modules."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and _is_own(node.module):
            module = importlib.import_module(node.module)
            found.update({name.asname or name.name: getattr(module, name.name) for name in node.names})
    return {name: found[name] for name in found if callable(found[name]) and not inspect.isclass(found[name])}


def _is_own(module):
    return any(
        (REPOSITORY / root / module.split(".")[0]).with_suffix(end).exists() for root in ROOTS for end in ("", ".py")
    )


def misfits(source):
    """Say of each call of an imported function whose arguments do not fit where it is and why."""
    tree = ast.parse(source)
    functions = own_functions(tree)
    found = []
    for call in ast.walk(tree):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in functions):
            continue
        unpacked = any(isinstance(argument, ast.Starred) for argument in call.args)
        if unpacked or any(keyword.arg is None for keyword in call.keywords):
            continue
        try:
            inspect.signature(functions[call.func.id]).bind(*call.args, **{key.arg: key.value for key in call.keywords})
        except TypeError as error:
            found.append(f"line {call.lineno}, {call.func.id}: {error}")
    return found


@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_calls_fit_their_functions(script):
    """A function that has gained or lost a parameter is called with it everywhere."""
    assert misfits((REPOSITORY / script).read_text(encoding="utf-8")) == []


def test_a_call_without_a_parameter_is_found():
    """A missing and an unknown argument are named with their lines."""
    source = "from deepr.metrics import ssim as likeness\nlikeness(1)\nlikeness(1, 2)\nlikeness(1, 2, window=3)\n"
    assert misfits(source) == [
        "line 2, likeness: missing a required argument: 'reference'",
        "line 4, likeness: got an unexpected keyword argument 'window'",
    ]
