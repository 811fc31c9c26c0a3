"""Widths of fluorescent beads through focus, by Gaussian fits to every plane."""

import numpy as np
import pandas as pd
from scipy.ndimage import center_of_mass, label, median_filter
from scipy.spatial.distance import cdist
from skimage.feature import peak_local_max

from deepr.gaussians import AMPLITUDE, SIGMA_X, SIGMA_Y, X0, Y0, fit_gaussians

FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))
SIGMA_PER_MAD = 1.4826
# 30 px of the paper's 0.1625 um.
REGION_UM = 4.875

# Stages give their positions to 10 nm or so.
_STEP_TOLERANCE_UM = 0.05
_SMALLEST_REGION_PX = 8
_NOISE_DEVIATIONS = 4.0
_SHARE_OF_TYPICAL_HEIGHT = 0.25
# Enough to hide the cost of a call, few enough to stay in the cache. Threads made it slower: the arrays
# of a batch are small and Python holds the lock between them.
_FITS_PER_BATCH = 1000
# A Gaussian narrower than this is one pixel.
_LEAST_SIGMA = 0.3
_LEAST_DETECTION = 5.0
# Identical beads have no spread: a width within a tenth of the median is never an outlier.
_LEAST_TOLERANCE = 0.1
_LEAST_PLANES_OF_AXIAL_FIT = 5
_AXIAL_STARTS_UM = (0.4, 1.5)
_SATURATED_SHARE = 0.99


def plane_step_um(z_um):
    """Give the distance of the planes of a stack, by which a bead's width along z is measured.

    Parameters
    ----------
    z_um : (Z,) ndarray
        Positions of the planes, in um.

    Returns
    -------
    float
        In um, with its sign.

    Raises
    ------
    ValueError
        If there are fewer than two planes, or they are not equally far apart, within 50 nm.
    """
    steps_um = np.diff(z_um)
    if steps_um.size == 0:
        raise ValueError(f"found {len(z_um)} planes, wanted two or more")
    if np.ptp(steps_um) > _STEP_TOLERANCE_UM:
        raise ValueError(f"found planes {steps_um.min():g} to {steps_um.max():g} um apart, wanted equal steps")
    return float(steps_um.mean())


def measure_beads(
    stack,
    pixel_um,
    step_um,
    beads=None,
    focus_plane=None,
    threshold=None,
    region_um=REGION_UM,
    saturation=None,
    tolerance=3.0,
    min_beads=1,
):
    """Measure the width of every bead of a z-stack in every plane.

    Beads are found in the most focused plane, the one of the largest standard deviation, and a 2-D
    Gaussian with offset is fitted to a square region around each in each plane. Another is fitted to the
    x-z slice through the bead's fitted centre in the plane of z = 0. What is no single, isolated bead is
    told by its place or by its widths at z = 0.

    Parameters
    ----------
    stack : (Z, Y, X) ndarray
        Grey values; of a memory map only the regions are kept in memory.
    pixel_um, step_um : float
        Pixel on the specimen; distance from one plane to the next, negative if z falls.
    beads : DataFrame, optional
        Result for another stack of the same field: its beads are measured, and its exclusions and its
        plane of z = 0 hold. So a network's output is measured where its input was.
    focus_plane : int, optional
        Plane of z = 0, in which widths are judged; by default the most focused one, or that of `beads`.
    threshold : float, optional
        See `find_beads`.
    region_um : float
        Side of the regions.
    saturation : float, optional
        Largest grey value that the camera gives; by default the largest of an integer dtype. From 0.99 of
        it a pixel is saturated, for a full well may lie below it and alignment interpolates.
    tolerance : float
        Deviations (1.4826 MAD) from the median of the beads beyond which a width in focus is an outlier;
        a tenth of the median is always tolerated.
    min_beads : int
        Fewest beads that must be left.

    Returns
    -------
    DataFrame
        One row per bead and plane: ``bead`` and ``plane``, from 0; ``z_um``, from the plane of z = 0 that
        all beads share; ``y_px, x_px``, middle pixel of the region; ``fwhm_x_um, fwhm_y_um``, their mean
        ``fwhm_um`` and its standard error ``fwhm_se_um``; ``axial_fwhm_um``, one for a bead; ``kept``;
        ``reason``, empty where kept. A bead is left out "at the border", as a "neighbour" (regions
        overlap), "saturated", for "no fit in focus", "no axial fit" (in stacks of five planes or more),
        its "lateral width" or its "axial width"; a single row as "not converged" or "no peak" (less than
        five deviations above the noise, narrower than a pixel, or outside the middle half of the region).
        Rows left out hold their numbers where there are any. Widths end at 1.18 times the region, the
        fit's bound, which means "at least".

    Raises
    ------
    ValueError
        If the stack is not three-dimensional or not finite, a length is not positive, a region has fewer
        than 8 px or more than the plane, no bead is found, or fewer than `min_beads` are left.

    Notes
    -----
    Deep-R paper, "Estimation of the lateral FWHM values for PSF analysis", which gives neither threshold
    nor start and bounds of the fits nor the limits of the exclusion.
    """
    region_px = _checked_region_px(stack, pixel_um, step_um, region_um)
    found = beads is None
    if found:
        default_plane = sharpest_plane = most_focused_plane(stack)
    else:
        beads, default_plane = _given_beads(beads)
    focus_plane = default_plane if focus_plane is None else focus_plane
    if not 0 <= focus_plane < len(stack):
        raise ValueError(f"the plane of z = 0 is {focus_plane}; the stack has planes 0 to {len(stack) - 1}")
    if found:
        beads = _located_beads(stack[sharpest_plane], region_px, threshold)
        if beads.empty:
            raise ValueError(f"no bead stands out from the background of plane {sharpest_plane}")
    if saturation is None:
        saturation = np.iinfo(stack.dtype).max if stack.dtype.kind in "iu" else np.inf
    fits = _fit_all(stack, beads, region_px, focus_plane, abs(step_um), _SATURATED_SHARE * saturation)
    if found:
        _exclude(beads, fits, focus_plane, tolerance)
    left = int((beads["reason"] == "").sum())
    if left < min_beads:
        counts = beads["reason"].value_counts()
        why = ", ".join(f"{counts[reason]} {reason}" for reason in counts.index if reason)
        raise ValueError(f"{left} of {len(beads)} beads are left ({why}); wanted at least {min_beads}")
    return _rows(beads, fits, focus_plane, pixel_um, step_um)


def find_beads(image, region_px, threshold=None):
    """Find what is bright in an image: connected components above a threshold.

    Parameters
    ----------
    image : (M, N) ndarray
        Plane in focus. The median of 3 x 3 px is taken first, so that a hot pixel is no bead.
    region_px : int
        Size that beads do not exceed.
    threshold : float, optional
        Grey value. By default the background (the median of the image) and a quarter of the typical
        height above it: the median of the largest values within half a region that rise four deviations
        of the noise (1.4826 MAD, a grey value at least in an image of integers).

    Returns
    -------
    (B, 2) ndarray of float64
        Centroids (y, x) in px, weighted by the height above the background; empty when nothing is above
        the threshold.
    """
    image = np.asarray(image)
    background = np.median(image)
    smooth = median_filter(image, 3).astype(np.float64)
    if threshold is None:
        noise = SIGMA_PER_MAD * np.median(np.abs(image - background))
        if image.dtype.kind in "iu":
            noise = max(noise, 1.0)
        least = background + _NOISE_DEVIATIONS * noise
        peaks = peak_local_max(smooth, min_distance=region_px // 2, threshold_abs=least, exclude_border=False)
        if len(peaks) == 0:
            return np.empty((0, 2))
        height = np.median(smooth[tuple(peaks.T)]) - background
        threshold = max(least, background + _SHARE_OF_TYPICAL_HEIGHT * height)
    components, count = label(smooth > threshold)
    weight = np.maximum(smooth - min(background, threshold), 0)
    centroids = center_of_mass(weight, components, np.arange(1, count + 1))
    return np.array(centroids, dtype=np.float64).reshape(-1, 2)


def most_focused_plane(stack):
    """Give the plane of a (Z, Y, X) stack with the largest standard deviation, as the paper chooses it."""
    deviations = [np.std(plane, dtype=np.float64) for plane in stack]
    if not np.isfinite(deviations).all():
        raise ValueError(f"plane {np.argmin(np.isfinite(deviations))} of the stack holds NaN or infinity")
    return int(np.argmax(deviations))


def _checked_region_px(stack, pixel_um, step_um, region_um):
    if stack.ndim != 3 or 0 in stack.shape:
        raise ValueError(f"beads are measured in a stack (Z, Y, X) of grey values, got shape {stack.shape}")
    for name, value in (("pixel_um", pixel_um), ("|step_um|", abs(step_um)), ("region_um", region_um)):
        if not 0 < value < np.inf:
            raise ValueError(f"{name} is {value}; wanted a positive number")
    region_px = round(region_um / pixel_um)
    if not _SMALLEST_REGION_PX <= region_px <= min(stack.shape[1:]):
        raise ValueError(
            f"a region of {region_um} um has {region_px} px; "
            f"wanted {_SMALLEST_REGION_PX} to the plane's {min(stack.shape[1:])}"
        )
    return region_px


def _located_beads(image, region_px, threshold):
    """Give bead, y_px, x_px and reason of all that `find_beads` finds."""
    centroids = find_beads(image, region_px, threshold)
    middle = np.floor(centroids + 0.5).astype(int)
    corner = middle - region_px // 2
    outside = ((corner < 0) | (corner + region_px > image.shape)).any(axis=1)
    crowded = (cdist(middle, middle, "chebyshev") < region_px).sum(axis=1) > 1
    return pd.DataFrame(
        {
            "bead": np.arange(len(middle)),
            "y_px": middle[:, 0],
            "x_px": middle[:, 1],
            "reason": np.select([outside, crowded], ["at the border", "neighbour"], "").astype(object),
        }
    )


def _given_beads(measured):
    """Give the beads of an earlier result, each with its own reason, and the plane of z = 0."""
    wanted = ["bead", "plane", "z_um", "y_px", "x_px", "reason"]
    missing = [name for name in wanted if name not in measured]
    if missing:
        raise ValueError(f"the given beads have no column {missing[0]}; wanted a result of measure_beads")
    focused = measured[measured["z_um"] == 0]
    if focused.empty or focused["plane"].nunique() != 1 or not focused["bead"].is_unique:
        raise ValueError("the given beads must have one row each at z_um = 0, all in one plane")
    beads = focused[["bead", "y_px", "x_px", "reason"]].reset_index(drop=True)
    beads["reason"] = beads["reason"].fillna("").astype(object)
    return beads, int(focused["plane"].iloc[0])


def _fit_all(stack, beads, region_px, focus_plane, step_um, saturation):
    """Give the fits of all beads, NaN at the border: widths in px, the axial one in um."""
    inside = np.flatnonzero(beads["reason"] != "at the border")
    corners = beads[["y_px", "x_px"]].to_numpy()[inside] - region_px // 2
    if ((corners < 0) | (corners + region_px > stack.shape[1:])).any():
        raise ValueError(f"a given bead's region of {region_px} px is not inside the plane {stack.shape[1:]}")
    shape = (len(beads), len(stack))
    fits = {
        "fwhm_x": np.full(shape, np.nan),
        "fwhm_y": np.full(shape, np.nan),
        "fwhm_se": np.full(shape, np.nan),
        "failure": np.full(shape, "", dtype=object),
        "axial_fwhm_um": np.full(shape[:1], np.nan),
        "saturated": np.zeros(shape[:1], dtype=bool),
    }
    per_batch = max(1, _FITS_PER_BATCH // len(stack))

    for start in range(0, len(inside), per_batch):
        batch = slice(start, start + per_batch)
        regions = np.stack([stack[:, y : y + region_px, x : x + region_px] for y, x in corners[batch]])
        if not np.isfinite(regions).all():
            raise ValueError("the stack holds NaN or infinity in the region of a bead")
        fits["saturated"][inside[batch]] = (regions >= saturation).any(axis=(1, 2, 3))
        for name, values in _fit_regions(regions.astype(np.float64), focus_plane, step_um).items():
            fits[name][inside[batch]] = values
    return fits


def _fit_regions(regions, focus_plane, step_um):
    """Fit every plane of (B, Z, M, M) regions, and the x-z slice of each."""
    count, planes, size, _ = regions.shape
    quarter = size / 4
    upper = np.array([quarter, quarter, size / 2, size / 2])
    lower = np.array([-quarter, -quarter, _LEAST_SIGMA, _LEAST_SIGMA])
    starts = [[0, 0, size / 20, size / 20], [0, 0, quarter, quarter]]
    fit = fit_gaussians(regions.reshape(-1, size, size), starts, lower, upper)
    widths = FWHM_PER_SIGMA * fit.parameters[:, [SIGMA_X, SIGMA_Y]].reshape(count, planes, 2)
    covariance = fit.covariance[:, SIGMA_X : SIGMA_Y + 1, SIGMA_X : SIGMA_Y + 1]
    result = {
        "fwhm_x": widths[..., 0],
        "fwhm_y": widths[..., 1],
        "fwhm_se": FWHM_PER_SIGMA / 2 * np.sqrt(covariance.sum(axis=(1, 2))).reshape(count, planes),
        "failure": failures(fit, lower, upper).reshape(count, planes),
    }
    if planes >= _LEAST_PLANES_OF_AXIAL_FIT:
        centre = fit.parameters[:, Y0].reshape(count, planes)[:, focus_plane] + (size - 1) / 2
        rows = np.floor(centre + 0.5).astype(int)
        slices = regions[np.arange(count), :, rows, :]
        result["axial_fwhm_um"] = _axial_fwhm_um(slices, focus_plane, step_um)
    return result


def _axial_fwhm_um(slices, focus_plane, step_um):
    """Fit (B, Z, M) x-z slices, z in place of y; NaN where there is no peak."""
    planes, size = slices.shape[1:]
    half = (planes - 1) / 2
    lower = np.array([-size / 4, -half, _LEAST_SIGMA, _LEAST_SIGMA])
    upper = np.array([size / 4, half, size / 2, planes / 2])
    starts = [[0, focus_plane - half, size / 20, sigma_um / step_um] for sigma_um in _AXIAL_STARTS_UM]
    fit = fit_gaussians(slices, np.clip(starts, lower, upper), lower, upper)
    inside = (np.abs(fit.parameters[:, Y0]) < half) & (fit.parameters[:, SIGMA_Y] > _LEAST_SIGMA)
    width_um = FWHM_PER_SIGMA * fit.parameters[:, SIGMA_Y] * step_um
    return np.where(_failure(fit, inside) == "", width_um, np.nan)


def failures(fit, lower, upper):
    """Say of each fit to a bead's region why it is no measurement.

    Parameters
    ----------
    fit : deepr.gaussians.GaussianFits
        Of K regions.
    lower, upper : (4,) array_like of float
        Bounds of the fit: place and width in x and y, in px, as `fit_gaussians` took them.

    Returns
    -------
    (K,) ndarray of object
        "no peak" (less than five deviations above the noise, or at a bound), "not converged" or "". At the
        upper bound of a width alone a fit is a measurement: the spot is at least that wide.
    """
    place = fit.parameters[:, [X0, Y0, SIGMA_X, SIGMA_Y]]
    free = (place > np.asarray(lower)) & (place < np.asarray(upper))
    free[:, 2:] = place[:, 2:] > np.asarray(lower)[2:]
    return _failure(fit, free.all(axis=1))


def _failure(fit, inside_bounds):
    peak = inside_bounds & (fit.parameters[:, AMPLITUDE] > 0) & (fit.detection >= _LEAST_DETECTION)
    return np.select([~peak, ~fit.converged], ["no peak", "not converged"], "").astype(object)


def _exclude(beads, fits, focus_plane, tolerance):
    """Enter the reasons that need the fits; each is judged among the beads that are left by then."""
    reason = beads["reason"].to_numpy(dtype=object, copy=True)
    reason[(reason == "") & fits["saturated"]] = "saturated"
    reason[(reason == "") & (fits["failure"][:, focus_plane] != "")] = "no fit in focus"
    if fits["failure"].shape[1] >= _LEAST_PLANES_OF_AXIAL_FIT:
        reason[(reason == "") & ~np.isfinite(fits["axial_fwhm_um"])] = "no axial fit"
    lateral = (fits["fwhm_x"] + fits["fwhm_y"])[:, focus_plane]
    for name, widths in (("lateral width", lateral), ("axial width", fits["axial_fwhm_um"])):
        left = (reason == "") & np.isfinite(widths)
        if not left.any():
            continue
        median = np.median(widths[left])
        deviation = SIGMA_PER_MAD * np.median(np.abs(widths[left] - median))
        limit = max(tolerance * deviation, _LEAST_TOLERANCE * median)
        reason[left] = np.where(np.abs(widths[left] - median) > limit, name, "")
    beads["reason"] = reason


def _rows(beads, fits, focus_plane, pixel_um, step_um):
    planes = fits["failure"].shape[1]
    table = beads[["bead"]].loc[beads.index.repeat(planes)].reset_index(drop=True)
    table["plane"] = np.tile(np.arange(planes), len(beads))
    table["z_um"] = (table["plane"] - focus_plane) * float(step_um)
    for name in ("y_px", "x_px"):
        table[name] = np.repeat(beads[name].to_numpy(), planes)
    fwhm_x_um, fwhm_y_um = fits["fwhm_x"] * pixel_um, fits["fwhm_y"] * pixel_um
    table["fwhm_x_um"], table["fwhm_y_um"] = fwhm_x_um.ravel(), fwhm_y_um.ravel()
    table["fwhm_um"] = (fwhm_x_um + fwhm_y_um).ravel() / 2
    table["fwhm_se_um"] = (fits["fwhm_se"] * pixel_um).ravel()
    table["axial_fwhm_um"] = np.repeat(fits["axial_fwhm_um"], planes)
    of_bead = np.repeat(beads["reason"].to_numpy(dtype=object), planes)
    reason = np.where(of_bead != "", of_bead, fits["failure"].ravel())
    table["kept"] = reason == ""
    table["reason"] = reason
    return table
