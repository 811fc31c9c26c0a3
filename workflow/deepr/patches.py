"""Patches of a field of view: where they lie, their focus planes, and which of them are kept."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.ndimage import uniform_filter

from deepr.metrics import SSIM_WINDOW_PX, normalise

# Why a patch is left out, in the order in which the reasons are looked for.
LOW_CONTRAST = "low contrast"
CONSTANT_PLANE = "constant plane"
FOCUS_AT_END = "focus plane at the end of the stack"

# A shorter running mean would take off the structure with the shading, in small patches.
SHORTEST_MEAN_PX = 15

# Rounding to whole counts is noise of this deviation, in counts.
QUANTISATION_NOISE = 1 / np.sqrt(12)


def find_patches(stack, composite, z_um, patch_px, min_contrast, threads=1):
    """Cut a field into patches that do not overlap, and find the focus plane of each.

    The focus plane is the plane with the highest SSIM to the all-in-focus composite, both normalised within
    the patch. A patch is left out if its contrast is too low, if it is constant in some plane (which could
    not be normalised), or if the focus plane is the first or last, since the true one may lie beyond.

    Parameters
    ----------
    stack : (Z, Y, X) or (Z, Y, X, 3) ndarray
        Aligned planes of one field.
    composite : (Y, X) or (Y, X, 3) ndarray
        The field's all-in-focus image.
    z_um : (Z,) array_like of float
        Each plane's z.
    patch_px : int
        Side of a patch; the grid starts at the top left, and what is left at the other sides is not used.
    min_contrast : float
        Least contrast of a kept patch, see `measure_contrast`.
    threads : int
        Planes compared at a time.

    Returns
    -------
    DataFrame
        One row per patch: y, x (top left corner) and size in px, focus_plane (from 0), focus_z_um,
        focus_ssim, contrast, kept, reason ("" for the kept ones).

    Raises
    ------
    ValueError
        If the shapes do not agree, the field is smaller than a patch, there are fewer than two planes, or a
        pixel is not finite.
    """
    z_um = np.asarray(z_um, dtype=np.float64)
    if stack.shape[1:] != composite.shape or z_um.shape != stack.shape[:1]:
        raise ValueError(
            f"found a stack of shape {stack.shape}, a composite of {composite.shape} and {z_um.size} z,"
            " wanted one composite of the planes' shape and one z per plane"
        )
    if len(stack) < 2:
        raise ValueError(f"found {len(stack)} plane, wanted a stack of two or more to find the focus plane")
    height, width = composite.shape[:2]
    if patch_px < SSIM_WINDOW_PX or min(height, width) < patch_px:
        raise ValueError(
            f"found a field of {height} x {width} px and patch_px {patch_px}, wanted a field that holds a"
            f" patch and patches of at least {SSIM_WINDOW_PX} px"
        )
    rows = []
    for y in range(0, height - patch_px + 1, patch_px):
        for x in range(0, width - patch_px + 1, patch_px):
            window = (slice(y, y + patch_px), slice(x, x + patch_px))
            planes = np.asarray(stack[(slice(None), *window)])
            judged = _judge_patch(planes, composite[window], z_um, min_contrast, threads)
            rows.append({"y": y, "x": x, "size": patch_px} | judged)
    return pd.DataFrame(rows)


def _judge_patch(planes, reference, z_um, min_contrast, threads):
    """Find a patch's focus plane and contrast, and whether it is kept."""
    if reference.min() == reference.max():
        # Nothing can be compared with it; the plane is only a place to look at.
        focus_plane, focus_ssim, contrast = len(planes) // 2, np.nan, 0.0
        reason = LOW_CONTRAST
    else:
        similarities = _ssim_of_planes(planes, reference, threads)
        focus_plane = int(np.argmax(similarities))
        focus_ssim = float(similarities[focus_plane])
        contrast = measure_contrast(planes, focus_plane)
        reason = ""
        if contrast < min_contrast:
            reason = LOW_CONTRAST
        elif any(plane.min() == plane.max() for plane in planes):
            reason = CONSTANT_PLANE
        elif focus_plane in (0, len(planes) - 1):
            reason = FOCUS_AT_END
    return {
        "focus_plane": focus_plane,
        "focus_z_um": float(z_um[focus_plane]),
        "focus_ssim": focus_ssim,
        "contrast": contrast,
        "kept": reason == "",
        "reason": reason,
    }


def measure_contrast(planes, focus_plane):
    """Measure how far the structure in focus stands out of the noise.

    Noise is not the same in two planes, structure nearly is. Hence the variance of the structure is the
    covariance of the focus plane with its neighbour, after a running mean over an eighth of the patch (at
    least 15 px) is taken off, for shading and out-of-focus haze are no structure; and the variance of the
    noise is half that of the difference of two neighbours, from its median absolute deviation, in the pair
    of planes where it is least (the one that defocus changes least), but never below that of the rounding
    to whole counts.

    Parameters
    ----------
    planes : (Z, Y, X) or (Z, Y, X, 3) ndarray
        All planes of a patch; colours are averaged.
    focus_plane : int

    Returns
    -------
    float
        Standard deviation of the structure in units of that of the noise: about 0 in an empty patch;
        infinite without noise.
    """
    # A quarter of the pixels is plenty for a median.
    coarse = _grey(planes[:, ::2, ::2])
    noise = min(_deviation_by_median(second - first) / np.sqrt(2) for first, second in pairwise(coarse))
    if np.issubdtype(planes.dtype, np.integer):
        noise = max(noise, QUANTISATION_NOISE)
    width = max(planes.shape[1] // 8, SHORTEST_MEAN_PX) | 1
    focus = _without_running_mean(planes[focus_plane], width)
    neighbours = [plane for plane in (focus_plane - 1, focus_plane + 1) if 0 <= plane < len(planes)]
    variance = max(
        float(np.mean(focus * _without_running_mean(planes[plane], width), dtype=np.float64)) for plane in neighbours
    )
    if variance <= 0:
        return 0.0
    return float(np.sqrt(variance) / noise) if noise > 0 else np.inf


def _grey(planes):
    """Average the colours of (Z, Y, X, 3) planes, and give (Z, Y, X) float32."""
    return planes.mean(axis=-1, dtype=np.float32) if planes.ndim == 4 else planes.astype(np.float32)


def _deviation_by_median(values):
    """Estimate a standard deviation from the median absolute deviation, as for a normal distribution."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def _without_running_mean(plane, width):
    grey = _grey(plane[np.newaxis])[0]
    detail = grey - uniform_filter(grey, width, mode="reflect")
    return detail - detail.mean()


def _ssim_of_planes(planes, reference, threads=1):
    """Compare every plane with one reference as `deepr.metrics.ssim` does, the reference's part done once.

    Parameters
    ----------
    planes : (Z, Y, X) or (Z, Y, X, 3) ndarray
    reference : (Y, X) or (Y, X, 3) ndarray
    threads : int

    Returns
    -------
    (Z,) ndarray of float64
        A constant plane, which has no normalised form, counts as zero everywhere.
    """
    reference = normalise(reference)
    window = (SSIM_WINDOW_PX, SSIM_WINDOW_PX) + (1,) * (reference.ndim - 2)
    border = SSIM_WINDOW_PX // 2
    inside = (slice(border, -border), slice(border, -border))
    samples = SSIM_WINDOW_PX**2
    unbiased = np.float32(samples / (samples - 1))
    data_range = float(reference.max() - reference.min())
    c1, c2 = np.float32((0.01 * data_range) ** 2), np.float32((0.03 * data_range) ** 2)

    def mean_in_window(image):
        return uniform_filter(image, window)[inside]

    mean_r = mean_in_window(reference)
    variance_r = unbiased * (mean_in_window(reference * reference) - mean_r * mean_r)

    def compare(plane):
        image = np.zeros_like(reference) if plane.min() == plane.max() else normalise(plane)
        mean = mean_in_window(image)
        variance = unbiased * (mean_in_window(image * image) - mean * mean)
        covariance = unbiased * (mean_in_window(image * reference) - mean * mean_r)
        similarity = (2 * mean * mean_r + c1) * (2 * covariance + c2)
        similarity /= (mean * mean + mean_r * mean_r + c1) * (variance + variance_r + c2)
        return similarity.mean(dtype=np.float64)

    with ThreadPoolExecutor(threads) as pool:
        return np.fromiter(pool.map(compare, planes), dtype=np.float64, count=len(planes))
