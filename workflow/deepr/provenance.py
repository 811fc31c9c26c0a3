"""Which code a result depends on: a hash of a step's script and of all that it imports from this package."""

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent

# Logs, progress bars and atomic writes change no result, and neither do this module and the version.
WITHOUT_RESULTS = {"deepr", "deepr.runtime", "deepr.provenance"}

# Statements that only say something, by where they start and by what is called last: `log.info(...)`,
# `logging.getLogger(...).info(...)`, `warnings.warn(...)`, `print(...)` without a file.
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
TELLING = {
    "log": LEVELS,
    "logging": LEVELS,
    "warnings": {"warn"},
    "print": {"print"},
}
_ACTS = (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)
# Functions and methods that change what they are called on, or draw from it.
CHANGING = {
    *("next", "pop", "popitem", "append", "extend", "add", "update", "remove", "discard", "clear", "setdefault"),
    *("read", "readline", "write", "send", "integers", "random", "normal", "choice", "shuffle"),
}
# Functions that change nothing.
ASKING = {"len", "isinstance"}


def source_hash(*names):
    """Hash the code that a step's result depends on.

    The hash covers the syntax tree of each script or module and of everything that it imports, directly or
    not, from this package, with the packages around it. Comments, layout, docstrings and the order of names
    within an import do not enter, nor what is only told: logging, warnings, the words of an exception, a
    condition of nothing else, and `deepr.runtime`. The order of imports does: the first to load TensorFlow
    sets it up.

    Parameters
    ----------
    *names : str
        Scripts of the folder beside this package, such as ``"train_network.py"``, or modules, such as
        ``"deepr.edof"``.

    Returns
    -------
    str
        Sixteen hexadecimal digits.

    Raises
    ------
    ValueError
        If a script or module does not exist.
    """
    seen = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in seen or name in WITHOUT_RESULTS:
            continue
        path = _path_of(name)
        if path is None:
            raise ValueError(
                f"{name} is no script and no module of this package; wanted a name such as 'train_network.py' or "
                "'deepr.edof'"
            )
        seen[name], imported = _digest_and_imports(name, path)
        waiting.extend(imported)
    lines = "\n".join(f"{name} {digest}" for name, digest in sorted(seen.items()))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def _path_of(name):
    """Give the file of a script or of a module of this package, or None."""
    if name.endswith(".py"):
        script = PACKAGE.parent / "scripts" / name
        return script if script.is_file() else None
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
    # Python runs the packages around a module before the module itself.
    around = {
        ".".join(parts[:count]) for parts in (m.split(".") for m in [name, *imported]) for count in range(len(parts))
    }
    known = {module for module in imported | around if module.split(".")[0] == "deepr" and _path_of(module)}
    return hashlib.sha256(ast.dump(_WithoutWords().visit(tree)).encode()).hexdigest(), frozenset(known)


class _WithoutWords(ast.NodeTransformer):
    """Takes away what a reader sees and a result does not."""

    def visit_Expr(self, node):
        """Drop docstrings and calls that only tell."""
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return None
        return None if _only_tells(node.value) else self.generic_visit(node)

    def visit_Raise(self, node):
        """Keep what is raised, and leave out its words."""
        if isinstance(node.exc, ast.Call):
            node.exc.args, node.exc.keywords = [], []
        return self.generic_visit(node)

    def visit_Call(self, node):
        """See through a progress bar."""
        self.generic_visit(node)
        return node.args[0] if isinstance(node.func, ast.Name) and node.func.id == "progress" else node

    def visit_Import(self, node):
        """Leave out what is imported for telling."""
        node.names = _sorted(alias for alias in node.names if alias.name not in TELLING)
        return node if node.names else None

    def visit_ImportFrom(self, node):
        """Leave out what is imported from the rooms without results."""
        node.names = _sorted(node.names)
        return None if node.module in WITHOUT_RESULTS - {"deepr"} else node

    def visit_If(self, node):
        """Leave out a condition under which something is only told, unless asking may do something itself."""
        self.generic_visit(node)
        acting = (inner for inner in ast.walk(node.test) if isinstance(inner, ast.Call | ast.NamedExpr | ast.Await))
        asks_only = all(
            isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id in ASKING
            for inner in acting
        )
        return node if node.body or node.orelse or not asks_only else None

    def visit_Assign(self, node):
        """Leave out a module's logger."""
        names = {target.id for target in node.targets if isinstance(target, ast.Name)}
        is_logger = names == {"log"} and ast.unparse(node.value).startswith("logging.getLogger(")
        return None if is_logger else self.generic_visit(node)


def _only_tells(node):
    """Say whether an expression is a call that puts words somewhere and does nothing else that can be seen."""
    if not isinstance(node, ast.Call) or any(keyword.arg == "file" for keyword in node.keywords):
        return False
    last = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
    first = node.func
    while isinstance(first, ast.Attribute | ast.Call):
        first = first.value if isinstance(first, ast.Attribute) else first.func
    if not isinstance(first, ast.Name) or last not in TELLING.get(first.id, ()):
        return False
    told = (inner for argument in [*node.args, *node.keywords] for inner in ast.walk(argument))
    return not any(isinstance(inner, _ACTS) or _changes(inner) for inner in told)


def _changes(node):
    """Say whether a call is of a function that takes something from its argument or puts something in."""
    name = getattr(node.func, "attr", getattr(node.func, "id", None)) if isinstance(node, ast.Call) else None
    return name in CHANGING


def _sorted(names):
    return sorted(names, key=lambda alias: (alias.name, alias.asname or ""))
