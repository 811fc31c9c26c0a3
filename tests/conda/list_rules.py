"""Print the rules of a workflow that execute something, as Snakemake itself reads them, with what each runs and where.

python list_rules.py Snakefile CONFIG FOLDER
"""

import json
import sys
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, ResourceSettings


def list_rules(snakefile, config_path, folder):
    """List what each rule runs, and where.

    Parameters
    ----------
    snakefile, config_path : Path
    folder : Path
        Working directory; nothing is run in it.

    Returns
    -------
    list of dict
        rule; script and environment, paths or None; other, whether it runs something that is no script.
    """
    with SnakemakeApi() as api:
        opened = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(configfiles=[config_path]),
            snakefile=snakefile,
            workdir=folder,
        )
        # Snakemake's public interface tells the names of the rules, and nothing else of them.
        rules = opened._workflow.rules
        return [
            {
                "rule": rule.name,
                "script": _path_of(rule.script, rule),
                "environment": _path_of(rule.conda_env, rule),
                "other": bool(rule.shellcmd or rule.wrapper or rule.notebook or rule.is_run),
            }
            for rule in rules
            if not rule.norun
        ]


def _path_of(value, rule):
    return None if value is None else str((Path(str(rule.basedir)) / str(value)).resolve())


if __name__ == "__main__":
    print(json.dumps(list_rules(*map(Path, sys.argv[1:]))))
