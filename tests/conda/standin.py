"""A stand-in for the command `conda`, for tests: the calls that Snakemake makes, and no others.

py-rattler, the library under pixi, reads the file, solves, and links the packages, so an environment is a real conda
environment; the command line and its messages are not conda's. CONDA_STANDIN_CHANNELS names the folder in which the
channels of an environment's file are looked up by their names.
"""

import argparse
import json
import os
import platform
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# What Snakemake asks for at least.
VERSION = "24.7.1"


def main(arguments):
    """Answer one call of `conda`."""
    parser = argparse.ArgumentParser(prog="conda (stand-in)", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"conda {VERSION} (stand-in)")
    commands = parser.add_subparsers(required=True)

    info = commands.add_parser("info")
    info.add_argument("--json", action="store_true", required=True)
    info.set_defaults(answer=lambda _: print(json.dumps({"conda_prefix": str(HERE), "platform": _subdir()})))

    config = commands.add_parser("config")
    config.add_argument("--get", choices=["channel_priority"], required=True)
    config.add_argument("--json", action="store_true", required=True)
    config.set_defaults(answer=lambda _: print(json.dumps({"get": {"channel_priority": "strict"}})))

    create = commands.add_parser("env").add_subparsers(required=True).add_parser("create")
    create.add_argument("--file", type=Path, required=True)
    create.add_argument("--prefix", type=Path, required=True)
    create.add_argument("--quiet", action="store_true")
    create.add_argument("--no-default-packages", action="store_true")
    create.set_defaults(answer=lambda options: create_environment(options.file, options.prefix))

    # Called after each environment; there is no archive to take away, for packages are linked from the cache.
    clean = commands.add_parser("clean")
    clean.add_argument("-y", action="store_true", required=True)
    clean.add_argument("--tarballs", action="store_true", required=True)
    clean.set_defaults(answer=lambda _: None)

    options = parser.parse_args(arguments)
    options.answer(options)


def _subdir():
    """Name this machine as conda does."""
    return f"linux-{'64' if platform.machine() == 'x86_64' else platform.machine()}"


def create_environment(path, prefix):
    """Solve an environment's file against the channels, and link the packages into a folder.

    Parameters
    ----------
    path : Path
        File of the environment.
    prefix : Path
        Folder of the environment; made.
    """
    # Only this call needs py-rattler: Snakemake writes a Dockerfile without it.
    import asyncio

    import rattler
    from environment_files import read_environment

    channels, pins = read_environment(path)
    folder = Path(os.environ["CONDA_STANDIN_CHANNELS"]).resolve()

    async def create():
        records = await rattler.solve(
            sources=[rattler.Channel((folder / name).as_uri()) for name in channels if name != "nodefaults"],
            specs=[rattler.MatchSpec(f"{name} ={version}", strict=True) for name, version in pins.items()],
            platforms=[rattler.Subdir(_subdir()), rattler.Subdir("noarch")],
            virtual_packages=rattler.VirtualPackage.detect(),
            channel_priority=rattler.ChannelPriority.Strict,
        )
        await rattler.install(records, target_prefix=prefix, cache_dir=folder / "cache", show_progress=False)

    asyncio.run(create())
    # Threads of py-rattler 0.28 crash now and then while an interpreter ends.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
