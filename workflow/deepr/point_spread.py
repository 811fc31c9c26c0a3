"""The point spread function at each defocus, measured on isolated beads as in the paper."""

import numpy as np
from scipy.ndimage import shift as shift_image

from deepr.beads import find_beads, most_focused_plane
from deepr.tables import InputError

# Within this radius, in px, a ring is what lies exactly as far from the middle, beyond it what rounds to one px.
_EXACT_PX = 4
# Light reaches as far as so many neighbouring rings together rise so many standard errors above the background.
_RINGS, _STANDARD_ERRORS = 5, 4.0


def measure_psf(fields, window_px, distance_px):
    """Average the images of isolated beads, plane by plane.

    Parameters
    ----------
    fields : iterable of ((Z, Y, X) ndarray, (Z,) ndarray)
        Aligned stack and heights in um of each field, evenly spaced and with the same distance between planes.
    window_px : int
        Side of the PSF, odd.
    distance_px : int
        Least distance from a bead to any other of the field, in px. Where the window holds the whole blur, its side:
        then no light of another bead reaches into it.

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
        If the planes of two fields are differently far apart, no bead is far enough from its neighbours and from
        the border, or no light is found in a plane.

    Notes
    -----
    A bead's background is the mean of a corner of its window, outside the inscribed circle, plane by plane: the median
    of the four, for another bead's light may reach into one. (The median of single pixels is not their mean: of few
    photons it is lower, by enough to add a tenth to the light of a blurred bead.) Beads are moved onto the
    middle of a pixel by their centroid in focus, and weigh as their light. The planes that all fields have in
    common are kept.

    Each plane is averaged along rings around its middle, and ends with the outermost five that together rise four
    standard errors above the background: of the noise of dark pixels, cut off at zero, only the positive half would
    be left, as a pedestal with a third of all light. So the PSF is that of a lens that is symmetric around its axis;
    coma is averaged away. No bead is left out for its size: clusters and dirt must not be on the slide.
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
    psf = np.stack([_mean_along_rings(sums[offset][1]) for offset in offsets])
    dark = np.flatnonzero(psf.sum(axis=(1, 2)) == 0)
    if len(dark):
        raise InputError(
            f"{counts} beads show no light {offsets[dark[0]] * step_um:g} um from focus, wanted brighter or more beads"
        )
    psf /= psf.sum(axis=(1, 2), keepdims=True)
    return psf.astype(np.float32), np.round(np.array(offsets) * step_um, 3) + 0.0, counts


def _mean_along_rings(image):
    """Average a (P, P) image along rings around its middle, as far as they hold light; 0 beyond."""
    half = image.shape[0] // 2
    square = np.add.outer(np.arange(-half, half + 1) ** 2, np.arange(-half, half + 1) ** 2)
    radius = np.sqrt(square)
    rings, ring = np.unique(np.where(radius < _EXACT_PX, radius, np.rint(radius)), return_inverse=True)
    ring = ring.ravel()
    count = np.bincount(ring)
    mean, distance = (np.bincount(ring, values.ravel()) / count for values in (image, radius))
    variance = np.bincount(ring, np.square(image.ravel() - mean[ring])) / count
    outside = image[radius > half + 0.5]
    pixels, light, noise = (
        np.convolve(values, np.ones(_RINGS), mode="valid") for values in (count, count * mean, count * variance)
    )
    error = np.sqrt(noise / pixels**2 + outside.var() / outside.size)
    bright = np.flatnonzero((light / pixels > _STANDARD_ERRORS * error) & (rings[_RINGS - 1 :] <= half))
    if not len(bright):
        return np.zeros_like(image)
    end = rings[bright[-1] + _RINGS - 1]
    averaged = np.where(radius < _EXACT_PX, mean[ring].reshape(image.shape), np.interp(radius, distance, mean))
    return np.where(radius <= end + 0.5, np.maximum(averaged, 0), 0)


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
    outside = np.hypot(*np.mgrid[-half : half + 1, -half : half + 1]) > half + 0.5
    for plane in stack:
        image = np.asarray(plane[row - half : row + half + 1, column - half : column + half + 1], dtype=float)
        corners = [
            image[rows, columns][outside[rows, columns]].mean()
            for rows in (slice(half), slice(half + 1, None))
            for columns in (slice(half), slice(half + 1, None))
        ]
        yield shift_image(image - np.median(corners), (row - y, column - x), order=3, mode="nearest")


def nearest_psf(psf, z_um, wanted_um, tolerance_um):
    """Give the PSF of the plane nearest to a defocus, or None if none is within the tolerance."""
    nearest = int(np.argmin(np.abs(z_um - wanted_um)))
    return psf[nearest] if abs(z_um[nearest] - wanted_um) <= tolerance_um + 1e-6 else None
