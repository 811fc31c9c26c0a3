"""The command ``deepr``: refocus image files with a trained network, say what a network is, hand it on."""

import argparse
import json
import os
import shlex
import sys
from pathlib import Path

DONE, SOME_FAILED, WRONG_CALL, STOPPED = 0, 1, 2, 130
TEMPLATES = Path(__file__).resolve().parent / "templates"


def main(arguments=None):
    """Run the command and give its exit code.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of the process.

    Returns
    -------
    int
        0 if all was done, 1 if some images could not be refocused (each is named on standard error), 2 if
        the call itself was wrong (no such network, for example), 130 if it was stopped from the keyboard.
    """
    parsed = _parser().parse_args(arguments)
    # TensorFlow reads this when it is imported: what it says of the processor is of no use here.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    # What a command needs is imported by the command: --help and a wrong option answer at once.
    from deepr.tables import InputError

    try:
        return parsed.run(parsed)
    except InputError as error:
        print(f"deepr: {error}", file=sys.stderr)
        return WRONG_CALL
    except KeyboardInterrupt:
        print("deepr: stopped; what was being written is not there, what was done before is whole", file=sys.stderr)
        return STOPPED


def _parser():
    parser = argparse.ArgumentParser(prog="deepr", description="Single-shot autofocusing of microscopy images.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    refocus = commands.add_parser("refocus", help="refocus image files with a trained network")
    refocus.add_argument("images", nargs="+", metavar="IMAGE", help="TIFF, OME-TIFF or PNG; every plane is refocused")
    refocus.add_argument("--network", required=True, metavar="DIR", help="folder of a trained network")
    refocus.add_argument("--output", required=True, metavar="DIR", help="where the results go, under the same names")
    refocus.add_argument(
        "--defocus-map",
        metavar="DIR",
        help="folder of a decoder of this network: writes the defocus of each pixel in um, NAME_defocus.tif",
    )
    refocus.add_argument(
        "--precision",
        choices=("float32", "bfloat16"),
        help="what the network computes in; by default what it was trained in, as its config.json says. bfloat16 is "
        "faster, differs a little, and is used only on processors with AVX-512 BF16 or AMX",
    )
    refocus.add_argument("--overwrite", action="store_true", help="replace results that exist")
    refocus.add_argument("--quiet", action="store_true", help="no progress bar")
    refocus.set_defaults(run=_refocus)
    info = commands.add_parser("info", help="say what a network was trained on, and how well it did")
    info.add_argument("network", metavar="DIR", help="folder of a trained network")
    info.set_defaults(run=_info)
    export = commands.add_parser("export", help="package a network for the BioImage Model Zoo and other programs")
    export.add_argument("network", metavar="DIR", help="folder of a trained network")
    export.add_argument("--output", required=True, metavar="FILE.zip", help="the package")
    export.add_argument(
        "--image", metavar="IMAGE", help="a defocused image to test it on; by default one of the run's own test slides"
    )
    export.add_argument("--author", action="append", metavar="NAME", help="who trained it; may be given repeatedly")
    export.add_argument("--license", metavar="ID", help="SPDX identifier of the licence, for example CC-BY-4.0")
    export.add_argument("--overwrite", action="store_true", help="replace a package that exists")
    export.set_defaults(run=_export)
    init = commands.add_parser("init", help="write a commented config and sheets for your own stacks")
    init.add_argument("folder", metavar="DIR", help="new folder, or one without these files")
    init.set_defaults(run=_init)
    return parser


def _refocus(parsed):
    from deepr.refocusing import refocus_files

    failed = refocus_files(
        parsed.images,
        network=parsed.network,
        output=parsed.output,
        decoder=parsed.defocus_map,
        precision=parsed.precision,
        overwrite=parsed.overwrite,
        quiet=parsed.quiet,
    )
    return SOME_FAILED if failed else DONE


def _info(parsed):
    from deepr.network_folders import describe_folder

    lines = describe_folder(parsed.network)
    width = max(len(key) for key, _ in lines)
    for key, text in lines:
        print(f"{key:{width}}  {text}")
    return DONE


def _export(parsed):
    from deepr.tables import InputError

    path = Path(parsed.output)
    if path.suffix != ".zip":
        raise InputError(f"{path}: found a name that does not end with .zip, wanted one for a package")
    if path.exists() and not parsed.overwrite:
        raise InputError(f"{path} exists already, wanted another --output or --overwrite")
    try:
        from deepr.networks.export import export_network
    except ModuleNotFoundError as error:
        raise InputError(
            f"found no package {error.name}, wanted those of the extra: pip install '.[export]'"
        ) from error

    remarks = export_network(
        parsed.network, path, image_path=parsed.image, authors=parsed.author, licence=parsed.license
    )
    for remark in remarks:
        print(f"deepr: {remark}", file=sys.stderr)
    print(f"wrote {path}")
    return DONE


def _init(parsed):
    from deepr.tables import InputError

    folder = Path(parsed.folder)
    names = sorted(path.name for path in TEMPLATES.iterdir())
    for name in names:
        if (folder / name).exists():
            raise InputError(f"{folder / name} exists already, wanted a folder without it")
    folder.mkdir(parents=True, exist_ok=True)
    command = f"snakemake --cores all --configfile {shlex.quote(str(folder / 'own.yaml'))} -- own"
    # Between double quotes, YAML takes any name that is written as JSON writes it.
    quoted = json.dumps(str(folder), ensure_ascii=False)[1:-1]
    for name in names:
        text = (TEMPLATES / name).read_text(encoding="utf-8")
        text = text.replace("{command}", command).replace("{folder}", quoted)
        (folder / name).write_text(text, encoding="utf-8")
        print(f"wrote {folder / name}")
    print(f"Next: fill in {folder / 'stacks.tsv'}, then {command}")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
