"""Deconvolution of defocused patches with the measured PSF, measured as the network's outputs are."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from deepr.deconvolution import landweber_iterates, richardson_lucy_iterates, wiener
from deepr.metrics import rmse, ssim

CROP_PX = 10
ITERATIONS = 100
# Where early stopping looks for the best result.
STOPS = (1, 2, 3, 5, 8, 12, 20, 30, 50, 70, 100)
WIENER_NOISE = (0.001, 0.01, 0.1)


def deconvolve_planes(planes, psfs, truth, offset, threads=1):
    """Deconvolve each plane by its own PSF and compare with the ground truth.

    Parameters
    ----------
    planes : (N, Y, X) ndarray
        Defocused planes of a patch, in counts.
    psfs : (N, P, Q) ndarray or list
        PSF of each.
    truth : (Y, X) ndarray
        The plane in focus.
    offset : float
        Counts without light; subtracted, and what is below it becomes 0.
    threads : int
        Planes side by side.

    Returns
    -------
    rows : list of list of dict
        For each plane one row per method: method, iterations, ssim, rmse. Methods are "richardson_lucy" and
        "landweber" (100 iterations, step 0.1), each also as "..._best" (of some numbers of iterations the one
        with the highest SSIM to the truth, which no user has), and "wiener_best" (of three noise levels).
    images : (N, 2, Y, X) ndarray of float32
        Richardson-Lucy's and Landweber's result after 100 iterations.
    """
    pairs = list(zip(planes, psfs, strict=True))
    with ThreadPoolExecutor(threads) as pool:
        results = list(pool.map(lambda pair: _deconvolve(*pair, truth, offset), pairs))
    return [rows for rows, _ in results], np.stack([images for _, images in results])


def compare(image, truth):
    """Give SSIM and RMSE without the border that deconvolution spoils, ten pixels on each side as in the paper."""
    inner = (slice(CROP_PX, -CROP_PX), slice(CROP_PX, -CROP_PX))
    return {"ssim": ssim(image[inner], truth[inner]), "rmse": rmse(image[inner], truth[inner])}


def _deconvolve(plane, psf, truth, offset):
    light = np.maximum(plane.astype(np.float32) - np.float32(offset), 0)
    rows, images = [], []
    for method, iterates in (
        ("richardson_lucy", richardson_lucy_iterates(light, psf, ITERATIONS)),
        ("landweber", landweber_iterates(light, psf, ITERATIONS)),
    ):
        tried = []
        for number, estimate in iterates:
            if number in STOPS and estimate.min() < estimate.max():
                tried.append({"iterations": number, **compare(estimate, truth)})
        images.append(estimate)
        rows.append({"method": method, **tried[-1]})
        rows.append({"method": f"{method}_best", **max(tried, key=lambda row: row["ssim"])})
    tried = [{"iterations": 1, **compare(wiener(light, psf, noise), truth)} for noise in WIENER_NOISE]
    rows.append({"method": "wiener_best", **max(tried, key=lambda row: row["ssim"])})
    return rows, np.stack(images).astype(np.float32)
