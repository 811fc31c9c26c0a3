"""Refocusing image files with a trained network: any number, one result each, and maps of defocus beside them."""

import dataclasses
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from deepr.images import read_image, write_image
from deepr.network_folders import read_config
from deepr.tables import InputError

MOST_AT_ONCE = 8
# More planes of a stack are computed together only if they are not larger: 8 of 724 x 724, one of 2048 x 2048.
PIXELS_AT_ONCE = 2048 * 2048
# A pixel that differs by more makes structures of another size than the network has seen.
PIXEL_TOLERANCE = 0.1
MAP_DESCRIPTION = "Defocus in um: z of the image minus z of focus"


def refocus_files(paths, network, output, decoder=None, precision=None, overwrite=False, quiet=False):
    """Refocus image files, and say on standard error what is to be said of each.

    Parameters
    ----------
    paths : list of str or Path
        TIFF, OME-TIFF or PNG files.
    network : str or Path
        Folder of a trained network.
    output : str or Path
        Folder for the results, which bear the names of the images.
    decoder : str or Path, optional
        Folder of a decoder of this network; with it a map of defocus, ``NAME_defocus.tif``, float32 in um, is
        written beside each result.
    precision : {"float32", "bfloat16"}, optional
        What the network computes in; by default what it computed in while it was trained. float32 where the machine
        has no fast bfloat16. Maps are made in float32.
    overwrite : bool
        Replace results that exist.
    quiet : bool
        Show no progress bar; there is none either where standard error is no terminal.

    Returns
    -------
    int
        Number of images that could not be refocused; each was named with the reason, and the others are done.

    Raises
    ------
    InputError
        If the network, the decoder or the folder cannot be used.
    """
    from tqdm import tqdm

    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: found a file, wanted a folder for the results")
    # TensorFlow warns of every new image size, at which it prepares itself anew; what tifffile finds wrong with a
    # file is said below.
    for library in ("tensorflow", "tifffile"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    about = read_config(network)
    works, channels, computing = _load(network, decoder, precision, about)
    taken, failed = {}, 0
    images = {Path(path).resolve() for path in paths}
    bar = tqdm(paths, unit="image", disable=quiet or None)
    for path in bar:
        bar.set_postfix_str(Path(path).name)
        try:
            targets = _targets(path, folder, decoder is not None, overwrite, taken, images)
            image = read_image(path)
            _check_fit(image, channels)
            for sentence in _misfits(image, about):
                _say(f"{path}: {sentence}")
            for work, target in zip(works, targets, strict=True):
                result = image if work.dtype is None else _map_of(image)
                write_image(target, result, _planes(image, work, quiet))
        except (InputError, ValueError, OSError, MemoryError) as error:
            failed += 1
            sentence = str(error) or type(error).__name__
            _say(f"error: {sentence if str(path) in sentence else f'{path}: {sentence}'}")
    _say(f"{len(paths) - failed} of {len(paths)} images refocused in {computing} into {folder}")
    return failed


@dataclasses.dataclass
class _Work:
    """What is done to the planes of an image.

    Attributes
    ----------
    name : str
    compute : callable
        (N, Y, X) or (N, Y, X, 3) to as many results.
    constant : callable
        From a plane without structure to what stands for its result.
    dtype : dtype or None
        Of the results; None for the image's own.
    """

    name: str
    compute: Callable
    constant: Callable
    dtype: object = None


def _load(network, decoder, precision, about):
    """Load the networks; give what is done to planes, refocusing first, their channels, and the precision in use."""
    from deepr.intermediates import check_file
    from deepr.networks.blind_refocusing import refocus_stack
    from deepr.networks.generator import load_generator
    from deepr.networks.precision import available_precision, with_precision

    path = Path(network)
    file = path / "generator.keras" if path.is_dir() else path
    if file.is_file():
        # A file that is not whole is refused before Keras stumbles over it.
        check_file(file)
    generator = load_generator(path)
    channels = generator.input_shape[-1]
    if channels not in (1, 3) or generator.output_shape[-1] != channels:
        raise InputError(
            f"{network}: found a network from {channels} to {generator.output_shape[-1]} channels, wanted one that "
            "refocuses grey or colour images"
        )
    available = available_precision(precision or _precision_of(network, about))
    if precision and available != precision:
        _say(f"warning: this machine is slow in {precision}; the network computes in {available}")
    computing = with_precision(generator, available)
    works = [_Work("refocusing", lambda planes: refocus_stack(planes, computing), lambda plane: plane)]
    if decoder is not None:
        from deepr.networks.defocus import join, load_decoder_of, map_defocus

        joined = join(generator, load_decoder_of(network, decoder, generator))
        works.append(
            _Work(
                "defocus",
                lambda planes: map_defocus(planes, joined),
                lambda plane: np.full(plane.shape[:2], np.nan),
                np.float32,
            )
        )
    return works, channels, available


def _precision_of(network, about):
    """Give the precision of a network's training; float32 where its config does not say it."""
    from deepr.networks.precision import FLOAT32, PRECISIONS

    found = (about.get("settings") or {}).get("precision") or FLOAT32
    if found not in PRECISIONS:
        raise InputError(f"{network}: settings.precision in config.json is {found!r}, wanted {' or '.join(PRECISIONS)}")
    return found


def _say(sentence):
    from tqdm import tqdm

    tqdm.write(f"deepr: {sentence}", file=sys.stderr)


def _targets(path, folder, with_map, overwrite, taken, images):
    """Name the results, and refuse to write over what is there, or over an image or a result of this call."""
    path = Path(path)
    targets = [folder / path.name]
    if with_map:
        stem = path.name.removesuffix(path.suffix)
        targets.append(folder / f"{stem.removesuffix('.ome')}_defocus.tif")
    for target in targets:
        if target in taken:
            raise InputError(f"{path}: the result {target} is that of {taken[target]}, wanted one name for each")
        if target.exists() and path.exists() and target.samefile(path):
            raise InputError(f"{path}: --output is the image's own folder, wanted another one")
        if target.resolve() in images:
            raise InputError(f"{path}: the result {target} is another image of this call, wanted another --output")
        if target.exists() and not overwrite:
            raise InputError(f"{path}: the result {target} exists already, wanted another --output or --overwrite")
    taken.update(dict.fromkeys(targets, path))
    return targets


def _check_fit(image, channels):
    """Refuse an image of another kind than the network's."""
    if image.colour != (channels == 3):
        kinds = {True: "a colour image", False: "a grey one"}
        raise InputError(f"{image.path}: found {kinds[image.colour]}, wanted {kinds[channels == 3]} for this network")


def _misfits(image, about):
    """Say in what an image differs from those that the network was trained on, and what is not read of it."""
    data = about.get("network", {}).get("data", {}).values()
    pixels_um = sorted({entry["pixel_um"] for entry in data})
    types = sorted({entry["dtype"] for entry in data})
    if image.left_out:
        yield f"warning: it holds {image.left_out + 1} images; the first is refocused, the others are left out"
    if pixels_um and image.pixel_um is None:
        yield f"warning: the file does not say its pixel size; the network was trained on {_um(pixels_um)}"
    elif pixels_um and min(abs(image.pixel_um / pixel - 1) for pixel in pixels_um) > PIXEL_TOLERANCE:
        yield f"warning: its pixel is {image.pixel_um:g} um; the network was trained on {_um(pixels_um)}"
    if types and image.pixels.dtype.name not in types:
        yield f"warning: its pixels are {image.pixels.dtype.name}; the network was trained on {', '.join(types)}"


def _um(values):
    return " and ".join(f"{value:g} um" for value in values)


def _map_of(image):
    """Give an image that stands for the map of another: grey, float32, of the same planes and pixel size."""
    axes = image.axes.removesuffix("S")
    # No memory is taken: the pixels come one plane after the other.
    pixels = np.broadcast_to(np.float32(np.nan), image.pixels.shape[: len(axes)])
    return dataclasses.replace(image, pixels=pixels, axes=axes, format="tiff", metadata={"Info": MAP_DESCRIPTION})


def _planes(image, work, quiet):
    """Do the work on plane after plane; a plane without any structure is not looked at."""
    from tqdm import tqdm

    planes = image.planes
    at_once = max(1, min(MOST_AT_ONCE, PIXELS_AT_ONCE // (planes.shape[1] * planes.shape[2])))
    hidden = True if quiet or len(planes) == 1 else None
    with tqdm(total=len(planes), desc=work.name, unit="plane", leave=False, disable=hidden) as bar:
        for first in range(0, len(planes), at_once):
            batch = np.asarray(planes[first : first + at_once])
            if not np.isfinite(batch).all():
                raise InputError(
                    f"{image.path}: found NaN or infinity in the planes from {first} on, wanted finite pixels"
                )
            varies = [bool(plane.min() < plane.max()) for plane in batch]
            if not any(varies) and len(planes) == 1:
                raise InputError(f"{image.path}: found a constant image, wanted one that varies")
            results = iter(work.compute(batch[varies]) if any(varies) else ())
            for number, (plane, useful) in enumerate(zip(batch, varies, strict=True), start=first):
                if not useful and work.dtype is None:
                    _say(f"{image.path}: warning: plane {number} is constant and stays as it is")
                result = next(results) if useful else work.constant(plane)
                yield _as_type(result, work.dtype or plane.dtype)
                bar.update()


def _as_type(pixels, dtype):
    """Round to whole counts and keep within the type's range, where it has one."""
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        return np.clip(np.rint(pixels), limits.min, limits.max).astype(dtype)
    return pixels.astype(dtype, copy=False)
