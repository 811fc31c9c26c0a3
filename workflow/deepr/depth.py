"""How true a map of defocus distances is, on uniform defocus and on a tilted section."""

import numpy as np


def measure_map(map_um, z_um, pixel_um):
    """Compare a defocus map with the one distance by which the whole image is out of focus.

    Parameters
    ----------
    map_um : (Y, X) ndarray
        Estimated defocus of each pixel.
    z_um : float
        True defocus of the image, or of the middle of a tilted one.
    pixel_um : float

    Returns
    -------
    dict
        mean_um, median_um and deviation_um of the map; abs_error_um, the median over the pixels of
        abs(map - z); right_sign, the share of pixels with the sign of z (NaN at z = 0); slope_um_per_um, of
        the line through the row means against y (see `fit_slope`).
    """
    map_um = np.asarray(map_um, dtype=np.float64)
    return {
        "mean_um": map_um.mean(),
        "median_um": np.median(map_um),
        "deviation_um": map_um.std(),
        "abs_error_um": np.median(np.abs(map_um - z_um)),
        "right_sign": np.nan if z_um == 0 else np.mean(np.sign(map_um) == np.sign(z_um)),
        "slope_um_per_um": fit_slope(map_um, pixel_um),
    }


def fit_slope(map_um, pixel_um):
    """Fit a line by least squares to the row means of a map.

    Parameters
    ----------
    map_um : (Y, X) ndarray
    pixel_um : float

    Returns
    -------
    float
        Slope in um of defocus per um along y.
    """
    rows = np.asarray(map_um, dtype=np.float64).mean(axis=1)
    y_um = (np.arange(len(rows)) - (len(rows) - 1) / 2) * pixel_um
    return float(np.sum(y_um * rows) / np.sum(y_um**2))


def true_slope(tilt_deg):
    """Give the slope of the defocus along y in a section tilted about the x axis.

    Row y is in focus at z = y sin(tilt); an image taken at one z is there out of focus by that much less.
    """
    return -float(np.sin(np.radians(tilt_deg)))
