"""The point spread function at each defocus, measured on isolated beads as in the paper."""

import numpy as np
from scipy.ndimage import shift as shift_image

from deepr.beads import find_beads, most_focused_plane
from deepr.tables import InputError


def measure_psf(fields, window_px, distance_px):
    """Average the images of isolated beads, plane by plane.

    Parameters
    ----------
    fields : iterable of ((Z, Y, X) ndarray, (Z,) ndarray)
        Aligned stack and heights in um of each field, evenly spaced and with the same distance between planes.
    window_px : int
        Side of the PSF, odd.
    distance_px : int
        Least distance from a bead to any other, in px; at least half the window to be clear of its light.

    Returns
    -------
    psf : (K, P, P) ndarray of float32
        Not negative, each plane's sum 1, centred on pixel P // 2.
    z_um : (K,) ndarray of float
        From the plane of largest standard deviation of each field.
    count : int
        Beads averaged.

    Raises
    ------
    InputError
        If the planes of two fields are differently far apart, or no bead is far enough from its neighbours and
        from the border.

    Notes
    -----
    A bead's background is the median along the border of its window, plane by plane. Beads are moved onto the
    middle of a pixel by their centroid in focus, and weigh as their light. The planes that all fields have in
    common are kept.
    """
    if window_px % 2 == 0:
        raise ValueError(f"the PSF's window has {window_px} px, wanted an odd number")
    half = window_px // 2
    sums, counts, step_um = {}, 0, None
    for stack, z_um in fields:
        own_step_um = float(np.median(np.diff(z_um)))
        if step_um is not None and abs(own_step_um - step_um) > 1e-3:
            raise InputError(f"planes {own_step_um:g} um apart in one field and {step_um:g} um in another, wanted one")
        step_um = own_step_um
        focus = most_focused_plane(stack)
        for y, x in _isolated(stack[focus], half, distance_px):
            counts += 1
            for plane, image in enumerate(_windows(stack, y, x, half)):
                total = sums.setdefault(plane - focus, [0, np.zeros((window_px, window_px))])
                total[0] += 1
                total[1] += image
    if not counts:
        raise InputError(f"no bead is {distance_px} px from every other and {half} px from the border, wanted one")
    offsets = sorted(offset for offset, (number, _) in sums.items() if number == counts)
    psf = np.stack([np.maximum(sums[offset][1], 0) for offset in offsets])
    psf /= psf.sum(axis=(1, 2), keepdims=True)
    return psf.astype(np.float32), np.round(np.array(offsets) * step_um, 3) + 0.0, counts


def _isolated(image, half, distance_px):
    """Give the centroids of beads that are alone within the distance and lie inside."""
    beads = find_beads(image, 30)
    for number, bead in enumerate(beads):
        others = np.delete(beads, number, axis=0)
        inside = np.all(bead - half >= 1) and np.all(bead + half < np.array(image.shape) - 1)
        if inside and (not len(others) or np.hypot(*(others - bead).T).min() >= distance_px):
            yield bead


def _windows(stack, y, x, half):
    """Cut a bead's window out of each plane, without background, its centre on a pixel's middle."""
    row, column = round(y), round(x)
    for plane in stack:
        image = np.asarray(plane[row - half : row + half + 1, column - half : column + half + 1], dtype=float)
        border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
        yield shift_image(image - np.median(border), (row - y, column - x), order=3, mode="nearest")


def nearest_psf(psf, z_um, wanted_um, tolerance_um):
    """Give the PSF of the plane nearest to a defocus, or None if none is within the tolerance."""
    nearest = int(np.argmin(np.abs(z_um - wanted_um)))
    return psf[nearest] if abs(z_um[nearest] - wanted_um) <= tolerance_um + 1e-6 else None
