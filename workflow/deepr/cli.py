"""The command ``deepr``: refocus image files with a trained network, and say what a network is."""

import argparse
import json
import logging
import sys
from pathlib import Path

DONE, SOME_FAILED, WRONG_CALL = 0, 1, 2
PLANES_AT_ONCE = 8
# A pixel that differs by more makes structures of another size than the network has seen.
PIXEL_TOLERANCE = 0.1
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
        the call itself was wrong (no such network, for example).
    """
    parsed = _parser().parse_args(arguments)
    # What a command needs is imported by the command: --help and a wrong option answer at once.
    from deepr.tables import InputError

    try:
        return parsed.run(parsed)
    except InputError as error:
        print(f"deepr: {error}", file=sys.stderr)
        return WRONG_CALL


def _parser():
    parser = argparse.ArgumentParser(prog="deepr", description="Single-shot autofocusing of microscopy images.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    refocus = commands.add_parser("refocus", help="refocus image files with a trained network")
    refocus.add_argument("images", nargs="+", metavar="IMAGE", help="TIFF, OME-TIFF or PNG; every plane is refocused")
    refocus.add_argument("--network", required=True, metavar="DIR", help="folder of a trained network")
    refocus.add_argument("--output", required=True, metavar="DIR", help="where the results go, under the same names")
    refocus.add_argument("--overwrite", action="store_true", help="replace results that exist")
    refocus.add_argument("--quiet", action="store_true", help="no progress bar")
    refocus.set_defaults(run=_refocus)
    info = commands.add_parser("info", help="say what a network was trained on")
    info.add_argument("network", metavar="DIR", help="folder of a trained network")
    info.set_defaults(run=_info)
    init = commands.add_parser("init", help="write a commented config and sheets for your own stacks")
    init.add_argument("folder", metavar="DIR", help="new folder, or one without these files")
    init.set_defaults(run=_init)
    return parser


def _refocus(parsed):
    from tqdm import tqdm

    from deepr.images import read_image, write_image
    from deepr.networks.inference import load_generator
    from deepr.tables import InputError

    folder = Path(parsed.output)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: found a file, wanted a folder for the results")
    # TensorFlow warns of every new image size, at which it prepares itself anew.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    generator = load_generator(parsed.network)
    about = _about(parsed.network)
    failed = 0
    bar = tqdm(parsed.images, unit="image", disable=parsed.quiet or None)
    for path in bar:
        bar.set_postfix_str(Path(path).name)
        try:
            target = _target(path, folder, parsed.overwrite)
            image = read_image(path)
            _check_fit(image, generator)
            for sentence in _misfits(image, about):
                _say(f"{path}: {sentence}")
            write_image(target, image, _refocused_planes(image, generator))
        except (InputError, ValueError, OSError) as error:
            failed += 1
            sentence = str(error)
            _say(f"error: {sentence if str(path) in sentence else f'{path}: {sentence}'}")
    done = len(parsed.images) - failed
    _say(f"{done} of {len(parsed.images)} images refocused into {folder}")
    return SOME_FAILED if failed else DONE


def _say(sentence):
    from tqdm import tqdm

    tqdm.write(f"deepr: {sentence}", file=sys.stderr)


def _target(path, folder, overwrite):
    """Name the result, and refuse to write over what is there."""
    from deepr.tables import InputError

    target = folder / Path(path).name
    if target.exists() and target.samefile(path):
        raise InputError(f"{path}: --output is the image's own folder, wanted another one")
    if target.exists() and not overwrite:
        raise InputError(f"{path}: the result {target} exists already, wanted another --output or --overwrite")
    return target


def _check_fit(image, generator):
    """Refuse an image of another kind than the network's."""
    from deepr.tables import InputError

    channels = generator.input_shape[-1]
    if channels not in (1, 3):
        raise InputError(f"the network takes {channels} channels, wanted one that refocuses grey or colour images")
    if image.colour != (channels == 3):
        kinds = {True: "a colour image", False: "a grey one"}
        raise InputError(f"{image.path}: found {kinds[image.colour]}, wanted {kinds[channels == 3]} for this network")


def _misfits(image, about):
    """Say in what an image differs from those that the network was trained on."""
    data = about.get("network", {}).get("data", {}).values()
    pixels_um = sorted({entry["pixel_um"] for entry in data})
    types = sorted({entry["dtype"] for entry in data})
    if pixels_um and image.pixel_um is None:
        yield f"warning: the file does not say its pixel size; the network was trained on {_um(pixels_um)}"
    elif pixels_um and min(abs(image.pixel_um / pixel - 1) for pixel in pixels_um) > PIXEL_TOLERANCE:
        yield f"warning: its pixel is {image.pixel_um:g} um; the network was trained on {_um(pixels_um)}"
    if types and image.pixels.dtype.name not in types:
        yield f"warning: its pixels are {image.pixels.dtype.name}; the network was trained on {', '.join(types)}"


def _um(values):
    return " and ".join(f"{value:g} um" for value in values)


def _refocused_planes(image, generator):
    """Refocus plane after plane; a plane without any structure stays as it is."""
    import numpy as np

    from deepr.networks.inference import refocus_stack
    from deepr.tables import InputError

    planes = image.planes
    for first in range(0, len(planes), PLANES_AT_ONCE):
        batch = np.asarray(planes[first : first + PLANES_AT_ONCE])
        varies = [bool(plane.min() < plane.max()) for plane in batch]
        if not np.isfinite(batch).all():
            raise InputError(f"{image.path}: found NaN or infinity in the planes from {first} on, wanted finite pixels")
        if not any(varies) and len(planes) == 1:
            raise InputError(f"{image.path}: found a constant image, wanted one that varies")
        outputs = iter(refocus_stack(batch[varies], generator) if any(varies) else ())
        for number, (plane, useful) in enumerate(zip(batch, varies, strict=True), start=first):
            if useful:
                yield _as_type(next(outputs), plane.dtype)
            else:
                _say(f"{image.path}: warning: plane {number} is constant and stays as it is")
                yield plane


def _as_type(pixels, dtype):
    """Round to whole counts and keep within the type's range, where it has one."""
    import numpy as np

    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        return np.clip(np.rint(pixels), limits.min, limits.max).astype(dtype)
    return pixels.astype(dtype)


def _about(folder):
    """Read what a network's folder says of it; nothing if there is only the generator."""
    from deepr.tables import InputError

    path = Path(folder) / "config.json" if Path(folder).is_dir() else Path(folder).with_name("config.json")
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: found no JSON ({error}), wanted a network's config.json") from error


def _info(parsed):
    from deepr.tables import InputError

    folder = Path(parsed.network)
    if not (folder / "generator.keras").is_file():
        raise InputError(f"{folder}: found no generator.keras, wanted the folder of a trained network")
    about = _about(folder)
    if not about:
        raise InputError(f"{folder}: found no config.json, wanted the folder as the training wrote it")
    network, settings = about["network"], about["settings"]
    lines = [
        ("network", f"{network['name']} ({network['kind']})"),
        ("range", f"{network['range_um']:g} um to each side of focus"),
        ("scale", network.get("scale", "not said")),
        ("width", f"{settings['base_channels']} base channels"),
        ("training", f"{settings['iterations']} iterations, crops of {settings['crop_px']} px, seed {about['seed']}"),
    ]
    for name, data in network.get("data", {}).items():
        colour = "colour" if data["channels"] == 3 else data["channel"]
        optics = f"{data['objective']}, {data['pixel_um']:g} um pixels, {colour}, {data['dtype']}"
        lines.append((f"data {name}", f"{data['source']}; {optics}"))
    lines.extend(_quality(folder, network))
    width = max(len(key) for key, _ in lines)
    for key, text in lines:
        print(f"{key:{width}}  {text}")
    return DONE


def _quality(folder, network):
    """Summarise the blind tests, where the network still lies in the results of its run."""
    from deepr.tables import read_table

    tests = folder.resolve().parents[1] / "predictions" / network["name"]
    for path in sorted(tests.glob("*/measurements.tsv")):
        frame = read_table(path)
        z_um = frame["z_um"].abs()
        within = frame[(z_um > 1e-3) & (z_um <= network["range_um"] + 1e-3)]
        mean = within.groupby("image")[["ssim", "rmse"]].mean()
        patches = frame[["slide", "fov", "y", "x"]].drop_duplicates().shape[0]
        text = f"{patches} patches within the range: SSIM {mean.loc['input', 'ssim']:.2f} to "
        text += f"{mean.loc['output', 'ssim']:.2f}, RMSE {mean.loc['input', 'rmse']:.2f} to "
        yield f"test {path.parent.name}", text + f"{mean.loc['output', 'rmse']:.2f}"


def _init(parsed):
    from deepr.tables import InputError

    folder = Path(parsed.folder)
    names = sorted(path.name for path in TEMPLATES.iterdir())
    for name in names:
        if (folder / name).exists():
            raise InputError(f"{folder / name} exists already, wanted a folder without it")
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        text = (TEMPLATES / name).read_text(encoding="utf-8").replace("{folder}", str(folder))
        (folder / name).write_text(text, encoding="utf-8")
        print(f"wrote {folder / name}")
    print(
        f"Next: fill in {folder / 'stacks.tsv'}, then snakemake --cores all --configfile {folder / 'own.yaml'} -- own"
    )
    return DONE


if __name__ == "__main__":
    sys.exit(main())
