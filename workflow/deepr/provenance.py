"""Which code a result depends on: a hash of a module and of all that it imports from this package."""

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent

# Logs, progress bars and atomic writes change no result, and neither does this module.
WITHOUT_RESULTS = {"deepr", "deepr.runtime", "deepr.provenance"}


def source_hash(*modules):
    """Hash the code that a step's result depends on.

    The hash covers the syntax tree of each module and of everything that it imports, directly or not,
    from this package. Comments, layout and docstrings do not enter, nor does `deepr.runtime`.

    Parameters
    ----------
    *modules : str
        Names such as ``"deepr.edof"``.

    Returns
    -------
    str
        Sixteen hexadecimal digits.

    Raises
    ------
    ValueError
        If a module does not exist.
    """
    seen = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in seen or name in WITHOUT_RESULTS:
            continue
        path = _path_of(name)
        if path is None:
            raise ValueError(f"{name} is no module of this package; wanted a name such as 'deepr.edof'")
        seen[name], imported = _digest_and_imports(name, path)
        waiting.extend(imported)
    lines = "\n".join(f"{name} {digest}" for name, digest in sorted(seen.items()))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def _path_of(name):
    """Give the file of a module of this package, or None."""
    stem = PACKAGE.joinpath(*name.split(".")[1:])
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.is_file():
            return path
    return None


@cache
def _digest_and_imports(name, path):
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                base = ".".join([*parents[: len(parents) - node.level + 1], *filter(None, [node.module])])
            imported.add(base)
            imported.update(f"{base}.{alias.name}" for alias in node.names)
    known = {module for module in imported if module.split(".")[0] == "deepr" and _path_of(module)}
    return hashlib.sha256(ast.dump(_without_docstrings(tree)).encode()).hexdigest(), frozenset(known)


def _without_docstrings(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(getattr(first, "value", None), ast.Constant):
                if isinstance(first.value.value, str):
                    node.body = node.body[1:]
    return tree
