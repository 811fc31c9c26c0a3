"""A defocused image on which an exported network is shown and tested."""

import numpy as np

from deepr.images import read_image
from deepr.network_folders import results_of
from deepr.slides import open_slide
from deepr.tables import InputError, read_table


def image_of_file(path, side_px):
    """Take the middle of an image file; of a stack the first plane.

    Parameters
    ----------
    path : str or Path
    side_px : int
        Side of what is wanted; a smaller image is continued by reflection.

    Returns
    -------
    pixels : (side_px, side_px) or (side_px, side_px, 3) ndarray
    description : str
        What it is.

    Raises
    ------
    InputError
        As `deepr.images.read_image`, or if there are NaN or infinity.
    """
    image = read_image(path)
    plane = np.asarray(image.planes[0])
    if not np.isfinite(plane).all():
        raise InputError(f"{path}: found NaN or infinity, wanted finite pixels")
    y, x = (length // 2 for length in plane.shape[:2])
    return _square(plane, y, x, side_px), f"the middle of {image.path.name}"


def image_of_run(folder, network, side_px):
    """Take the best test patch of a network's own run, half the training range out of focus.

    Parameters
    ----------
    folder : str or Path
        The network's, within the results of its run.
    network : dict
        The section ``network`` of its config.
    side_px : int
        Side of what is wanted, around the middle of the patch of largest contrast of the first data set, as far
        as the frame allows; a smaller field is continued by reflection.

    Returns
    -------
    pixels : (side_px, side_px) or (side_px, side_px, 3) ndarray
    description : str

    Raises
    ------
    InputError
        If the folder lies in no such results, or they hold no test patch.
    """
    dataset = network["datasets"][0]
    results = results_of(folder) / dataset
    manifest = results / "manifest.tsv"
    if not manifest.is_file():
        raise InputError(f"{manifest}: no such file; wanted the network within the results of its run, or an --image")
    frame = read_table(manifest)
    frame = frame[frame["kept"] & (frame["split"] == "test")]
    if frame.empty:
        raise InputError(f"{manifest}: no test patch was kept, wanted one, or an --image")
    patch = frame.loc[frame["contrast"].idxmax()]
    path = results / "aligned" / f"{patch['slide']}.ome.tif"
    if not path.is_file():
        raise InputError(f"{path}: no such file; wanted the network within the results of its run, or an --image")
    with open_slide(path) as slide:
        z_um = slide.z_um(patch["fov"]) - slide.z_um(patch["fov"])[patch["focus_plane"]]
        plane = int(np.argmin(np.abs(z_um - network["range_um"] / 2)))
        y, x = (int(patch[key]) + int(patch["size"]) // 2 for key in ("y", "x"))
        pixels = _square(np.array(slide.stack(patch["fov"])[plane]), y, x, side_px)
        where = f"slide {patch['slide']}, field {patch['fov']}, {z_um[plane]:+.2f} um from focus"
        return pixels, f"{slide.source} test data, data set {dataset}, {where}"


def _square(pixels, y, x, side):
    """Cut a square whose middle is as near to a pixel as the frame allows."""
    missing = [max(0, side - length) for length in pixels.shape[:2]]
    pixels = np.pad(pixels, [(0, count) for count in missing] + [(0, 0)] * (pixels.ndim - 2), mode="reflect")
    first = [
        min(max(0, middle - side // 2), length - side) for middle, length in zip((y, x), pixels.shape[:2], strict=True)
    ]
    return pixels[first[0] : first[0] + side, first[1] : first[1] + side]
