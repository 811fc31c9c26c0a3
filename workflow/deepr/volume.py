"""Beads in a volume, from one image: which of them a network brings into focus."""

import numpy as np
import pandas as pd
from scipy.ndimage import median_filter
from skimage.feature import peak_local_max

from deepr.beads import FWHM_PER_SIGMA, REGION_UM, failures
from deepr.gaussians import SIGMA_X, SIGMA_Y, fit_gaussians
from deepr.metrics import normalise
from deepr.networks.blind_refocusing import refocus_stack

_NOISE_DEVIATIONS = 12.0


def measure_volume(stack, z_um, pixel_um, generators):
    """Refocus the middle plane of a volume and measure every bead of the volume in what comes out.

    Parameters
    ----------
    stack : (Z, Y, X) ndarray
        Aligned planes of one field; beads are found, with their heights, in their largest values along z.
    z_um : (Z,) ndarray of float
    pixel_um : float
    generators : dict of keras.Model
        By name.

    Returns
    -------
    rows : DataFrame
        One row per bead and image ("input" or a generator's name): bead, y_px, x_px, bead_z_um (height of
        the bead above the image), image, fwhm_um, peak (in standard deviations of the image), kept, reason.
        A row is not kept, for a reason of `deepr.beads.failures`, where the image shows no peak there.
    images : (2 + G, Y, X) ndarray of float32
        Normalised: the input, each output, the largest values along z.
    """
    middle = int(np.argmin(np.abs(z_um)))
    outputs = {"input": stack[middle]}
    for name, generator in generators.items():
        outputs[name] = refocus_stack(stack[middle : middle + 1], generator)[0]
    projection = stack.max(axis=0)
    peaks = _find_peaks(projection, pixel_um)
    height_um = z_um[np.array([stack[:, y, x].argmax() for y, x in peaks], dtype=int)] - z_um[middle]
    frames = []
    for name, image in outputs.items():
        frame = pd.DataFrame({"bead": np.arange(len(peaks)), "y_px": peaks[:, 0], "x_px": peaks[:, 1]})
        fwhm_um, peak, reason = _widths(normalise(image), peaks, pixel_um)
        frame = frame.assign(bead_z_um=height_um.round(3), image=name, fwhm_um=fwhm_um, peak=peak)
        frames.append(frame.assign(kept=reason == "", reason=reason))
    images = np.stack([*(normalise(image) for image in outputs.values()), normalise(projection)])
    return pd.concat(frames, ignore_index=True), images


def _find_peaks(projection, pixel_um):
    """Find bright points, half a region from each other and from the border at least."""
    half = int(REGION_UM / pixel_um / 2)
    smooth = median_filter(projection, 3).astype(float)
    background = np.median(smooth)
    noise = max(1.4826 * np.median(np.abs(smooth - background)), 1.0)
    threshold = background + _NOISE_DEVIATIONS * noise
    return peak_local_max(smooth, min_distance=half, threshold_abs=threshold, exclude_border=half + 1)


def _widths(image, peaks, pixel_um):
    """Fit a Gaussian to the region round each peak: its width in um, the largest value there, why it is none."""
    if not len(peaks):
        return np.empty(0), np.empty(0), np.empty(0, dtype=object)
    half = int(REGION_UM / pixel_um / 2)
    regions = np.stack([image[y - half : y + half + 1, x - half : x + half + 1] for y, x in peaks])
    starts = [[0, 0, sigma, sigma] for sigma in (1.0, 3.0, half / 2)]
    lower, upper = [-half / 4, -half / 4, 0.3, 0.3], [half / 4, half / 4, half, half]
    fits = fit_gaussians(regions, starts, lower, upper)
    fwhm_px = FWHM_PER_SIGMA * (fits.parameters[:, SIGMA_X] + fits.parameters[:, SIGMA_Y]) / 2
    return fwhm_px * pixel_um, regions.max(axis=(1, 2)), failures(fits, lower, upper)
