"""Import scripts, and packages that they import only within functions; say what failed, and where the rest lies.

Run by the interpreter of an environment, with PYTHONPATH naming the library and nothing else:

    python import_scripts.py '{"scripts": ["train_network.py"], "packages": ["tqdm"]}'
"""

import importlib
import importlib.util
import json
import sys
from pathlib import Path


def import_all(scripts, packages):
    """Import each script, without running its work, and each package.

    Parameters
    ----------
    scripts : list of str
        Paths.
    packages : list of str
        Names as they are imported.

    Returns
    -------
    dict
        failures : sentence of the exception by script or package; files : where each package was found.
    """
    failures, files = {}, {}
    for path in scripts:
        try:
            spec = importlib.util.spec_from_file_location(Path(path).stem, path)
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
        except ImportError as error:
            failures[path] = str(error)
    for name in packages:
        try:
            files[name] = importlib.import_module(name).__file__
        except ImportError as error:
            failures[name] = str(error)
    return {"failures": failures, "files": files}


if __name__ == "__main__":
    print(json.dumps(import_all(**json.loads(sys.argv[1]))))
