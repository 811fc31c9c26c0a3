"""How alike an image and its reference are, whatever the brightness and contrast of either."""

import numpy as np
import pandas as pd
from skimage.metrics import structural_similarity

SSIM_WINDOW_PX = 7


def normalise(image):
    """Shift and scale an image to zero mean and unit variance, by its own statistics.

    Parameters
    ----------
    image : (Y, X) or (Y, X, 3) ndarray
        Any real dtype. The channels of an RGB image share one mean and one deviation.

    Returns
    -------
    (Y, X) or (Y, X, 3) ndarray of float32

    Raises
    ------
    ValueError
        If the image is empty, holds a value that is not finite, or is constant.

    Notes
    -----
    The paper normalises "each pair of input and ground truth images ... such that they have zero mean
    and unit variance"; here input, output and ground truth are normalised each by itself.
    """
    values = np.asarray(image, dtype=np.float64)
    if values.size == 0:
        raise ValueError(f"an image to normalise needs pixels, got shape {values.shape}")
    mean = values.mean()
    if not np.isfinite(mean):
        raise ValueError("an image to normalise must be finite, found NaN or infinity")
    values = values - mean
    deviation = np.sqrt(np.mean(np.square(values)))
    # Below this the spread is the rounding of the mean, not a difference between pixels.
    if deviation <= 1e-12 * abs(mean) or deviation == 0:
        raise ValueError(f"an image to normalise must vary, found the constant {mean:g}")
    return (values / deviation).astype(np.float32)


def ssim(image, reference):
    """Structural similarity of two images after each is normalised by itself.

    Parameters
    ----------
    image, reference : (Y, X) or (Y, X, 3) ndarray
        Images of one shape, at least 7 pixels wide and high.

    Returns
    -------
    float
        Mean SSIM with scikit-image's default 7 x 7 window; the data range is the normalised
        reference's maximum minus its minimum, so the order of the arguments matters.

    Raises
    ------
    ValueError
        If the shapes differ, the images are smaller than the window, or `normalise` refuses one.

    References
    ----------
    Wang et al., IEEE Trans. Image Process. 13, 600 (2004), doi:10.1109/TIP.2003.819861.
    """
    image, reference = _normalised_pair(image, reference)
    if min(image.shape[:2]) < SSIM_WINDOW_PX:
        raise ValueError(f"SSIM needs images of at least {SSIM_WINDOW_PX} x {SSIM_WINDOW_PX} px, got {image.shape}")
    return float(
        structural_similarity(
            image,
            reference,
            win_size=SSIM_WINDOW_PX,
            data_range=float(reference.max() - reference.min()),
            channel_axis=-1 if image.ndim == 3 else None,
        )
    )


def rmse(image, reference):
    """Root mean square error between two images after each is normalised by itself.

    Parameters
    ----------
    image, reference : (Y, X) or (Y, X, 3) ndarray
        Images of one shape.

    Returns
    -------
    float
        In standard deviations of the reference: 0 for equal images, 2 for a reference and its negative.

    Raises
    ------
    ValueError
        If the shapes differ or `normalise` refuses one of the images.
    """
    image, reference = _normalised_pair(image, reference)
    return float(np.sqrt(np.mean(np.square(image - reference), dtype=np.float64)))


def _normalised_pair(image, reference):
    image, reference = np.asarray(image), np.asarray(reference)
    if image.shape != reference.shape:
        raise ValueError(f"image and reference must have one shape, got {image.shape} and {reference.shape}")
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[-1] != 3):
        raise ValueError(f"an image to compare must be (Y, X) or (Y, X, 3), got shape {image.shape}")
    return normalise(image), normalise(reference)


def summarise_by_defocus(measurements, metric):
    """Mean and standard deviation of a metric over patches, plane by plane.

    Parameters
    ----------
    measurements : DataFrame
        One row per patch, plane and image, with the columns image, z_um (from the patch's own focus
        plane) and the metric's.
    metric : str
        Column to summarise; missing values are left out and so do not count.

    Returns
    -------
    DataFrame
        Columns image, z_um (rounded to 1 nm), mean, std (n - 1; missing for a single patch) and n, the
        patches that have this plane; sorted by image and z_um.
    """
    values = pd.DataFrame(
        {
            "image": measurements["image"],
            # Positions that differ by the rounding of their sum only are one plane; + 0.0 makes -0 a 0.
            "z_um": measurements["z_um"].astype(float).round(3) + 0.0,
            "value": pd.to_numeric(measurements[metric], errors="coerce"),
        }
    ).dropna()
    summary = values.groupby(["image", "z_um"])["value"].agg(mean="mean", std="std", n="count")
    return summary.reset_index()
