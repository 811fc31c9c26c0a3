"""Sharpness of an image relative to a reference, row by row."""

import numpy as np
from scipy.ndimage import sobel


def row_sharpness(image, reference):
    """Regress the gradients of each row of an image on those of a reference, without intercept.

    Parameters
    ----------
    image, reference : (M, N) ndarray
        Images of one shape, at least 2 pixels wide. The coefficient grows in proportion to the image's
        contrast: bring both to one scale of grey values before (`deepr.metrics.normalise` does).

    Returns
    -------
    coefficient : (M,) ndarray of float64
        beta_i = S(x)_i . S(y)_i / S(y)_i . S(y)_i, with S = sqrt(I_X^2 + I_Y^2) by the Sobel operator,
        x the image and y the reference; 1 where the row is as sharp as the reference's.
    deviation : (M,) ndarray of float64
        Standard deviation of the coefficient, sqrt(RSS_i / ((N - 1) S(y)_i . S(y)_i)), with RSS_i the sum
        of squares of S(x)_i - beta_i S(y)_i. Both are NaN in a row where the reference has no gradient.

    Raises
    ------
    ValueError
        If an image is not two-dimensional, the shapes differ, a value is not finite, or the reference is
        constant.

    Notes
    -----
    Equations 5 to 8 of the Deep-R paper. N is the number of pixels of a row; the paper says the number of
    rows, which is the same for its square images. Pixels beyond the border repeat the last one.
    """
    image, reference = np.asarray(image), np.asarray(reference)
    if image.ndim != 2 or image.shape != reference.shape or image.shape[1] < 2:
        raise ValueError(
            "row sharpness needs an image and a reference of one shape (M, N) with N >= 2, "
            f"got {image.shape} and {reference.shape}"
        )
    for name, values in (("image", image), ("reference", reference)):
        if not np.isfinite(values).all():
            raise ValueError(f"the {name} must be finite, found NaN or infinity")
    if reference.size == 0 or reference.min() == reference.max():
        raise ValueError("the reference must vary, found a constant image")
    x, y = _sharpness_map(image), _sharpness_map(reference)
    power = np.einsum("ij,ij->i", y, y)
    power[power == 0] = np.nan
    coefficient = np.einsum("ij,ij->i", x, y) / power
    residual = x - coefficient[:, None] * y
    deviation = np.sqrt(np.einsum("ij,ij->i", residual, residual) / ((x.shape[1] - 1) * power))
    return coefficient, deviation


def _sharpness_map(image):
    image = image.astype(np.float64)
    return np.hypot(sobel(image, axis=1, mode="nearest"), sobel(image, axis=0, mode="nearest"))
