"""Which packages a script needs: what it imports, and what the modules of this project that it imports import."""

import ast
import sys
from pathlib import Path

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# Imports by a name that is only known when they run.
HIDDEN = {"import_module", "__import__"}


def packages_of(script, library):
    """List the packages outside of the standard library that a script needs.

    The script's imports are followed through the library's modules. An import within a function of a module
    counts if anything that is reached mentions the function's name; nothing is run.

    Parameters
    ----------
    script : str or Path
    library : str or Path
        Folder of the package whose modules are followed, such as ``workflow/deepr``.

    Returns
    -------
    dict of str to set of str
        By the name that is imported (``skimage``), the files that import it.

    Raises
    ------
    ValueError
        If an import cannot be followed: a relative one, or one of a name that is not in the text.
    """
    library = Path(library)
    packages, mentioned, opened = {}, set(), set()
    # Parts of files that are run, and bodies of functions, by name, that nothing has mentioned yet.
    reached, waiting = [], {}

    def open_file(path):
        if path not in opened:
            opened.add(path)
            for statement in ast.parse(path.read_text(encoding="utf-8"), filename=str(path)).body:
                if isinstance(statement, FUNCTIONS):
                    reached.extend((path, node) for node in [*statement.decorator_list, statement.args])
                    waiting.setdefault(statement.name, []).extend((path, node) for node in statement.body)
                else:
                    reached.append((path, statement))
            for name in mentioned & set(waiting):
                reached.extend(waiting.pop(name))

    open_file(Path(script))
    while reached:
        path, part = reached.pop()
        for node in ast.walk(part):
            for name in _names_in(node):
                if name in HIDDEN:
                    raise ValueError(f"{path}, line {node.lineno}: {name} hides what it imports; wanted an import")
                mentioned.add(name)
                reached.extend(waiting.pop(name, []))
            for module in _modules_in(node, path):
                top = module.partition(".")[0]
                if top == library.name:
                    for file in _files_of(module, library):
                        open_file(file)
                elif top not in sys.stdlib_module_names:
                    packages.setdefault(top, set()).add(path.name)
    return packages


def _names_in(node):
    """List the names that one node of a syntax tree mentions."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        return [node.attr]
    if isinstance(node, ast.ImportFrom):
        return [alias.name for alias in node.names]
    return []


def _modules_in(node, path):
    """List the modules that one node of a syntax tree imports, or may: `from a import b` may import a.b."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        if node.level:
            raise ValueError(f"{path}, line {node.lineno}: found a relative import, wanted the module's full name")
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def _files_of(module, library):
    """List the files that an import of a module of the library runs: the packages around it, and its own."""
    parts = module.split(".")[1:]
    stems = [library.joinpath(*parts[:count]) for count in range(len(parts) + 1)]
    candidates = [path for stem in stems for path in (stem / "__init__.py", stem.with_suffix(".py"))]
    return [path for path in candidates if path.is_file()]
