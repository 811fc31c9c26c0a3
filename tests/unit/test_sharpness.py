"""Row sharpness: the regression without intercept of equations 5 to 8."""

import numpy as np
import pytest
from deepr.sharpness import row_sharpness
from scipy.ndimage import correlate, gaussian_filter
from scipy.optimize import curve_fit


@pytest.fixture
def reference():
    return gaussian_filter(np.random.default_rng(3).normal(size=(40, 72)), 1.0)


def sobel_magnitude(image):
    """Write the Sobel operator out as its two 3 x 3 kernels."""
    across = np.outer([1, 2, 1], [-1, 0, 1])
    gradients = [correlate(image, kernel, mode="nearest") for kernel in (across, across.T)]
    return np.sqrt(gradients[0] ** 2 + gradients[1] ** 2)


def test_equals_least_squares_row_by_row(reference):
    """Coefficient and deviation are those of another program's fit of a line through the origin."""
    rng = np.random.default_rng(4)
    image = gaussian_filter(reference, 0.8) + 0.02 * rng.normal(size=reference.shape)
    coefficient, deviation = row_sharpness(image, reference)
    x, y = sobel_magnitude(image), sobel_magnitude(reference)
    for i in range(len(x)):
        (slope,), covariance = curve_fit(lambda u, slope: slope * u, y[i], x[i])
        assert coefficient[i] == pytest.approx(slope, rel=1e-7)
        assert deviation[i] == pytest.approx(np.sqrt(covariance[0, 0]), rel=1e-7)


def test_reference_itself_has_coefficient_one(reference):
    """An image is as sharp as itself, with no deviation; half the contrast is half as sharp."""
    coefficient, deviation = row_sharpness(reference, reference)
    np.testing.assert_allclose(coefficient, 1.0, rtol=1e-12)
    np.testing.assert_allclose(deviation, 0.0, atol=1e-7)
    np.testing.assert_allclose(row_sharpness(0.5 * reference + 7, reference)[0], 0.5, rtol=1e-9)


def test_more_blur_is_less_sharp(reference):
    """Every row of a blurred image lies below 1, and the more blur the lower the mean."""
    means = []
    for sigma_px in (0.6, 1.2, 2.4):
        coefficient, deviation = row_sharpness(gaussian_filter(reference, sigma_px), reference)
        assert (coefficient < 1).all() and (deviation > 0).all()
        means.append(coefficient.mean())
    assert means[0] > means[1] > means[2]


def test_tilted_image_is_sharp_where_it_is_in_focus(reference):
    """Only the blurred half of the rows loses sharpness."""
    image = reference.copy()
    image[20:] = gaussian_filter(reference, 2.0)[20:]
    coefficient, _ = row_sharpness(image, reference)
    np.testing.assert_allclose(coefficient[:19], 1.0, rtol=1e-12)
    assert coefficient[21:].max() < 0.8


def test_unsigned_integers_do_not_wrap():
    """Grey values of a camera give the result of the same values as floats."""
    rng = np.random.default_rng(5)
    reference = rng.integers(0, 65536, (16, 32), dtype=np.uint16)
    image = rng.integers(0, 65536, (16, 32), dtype=np.uint16)
    for found, wanted in zip(
        row_sharpness(image, reference),
        row_sharpness(image.astype(float), reference.astype(float)),
        strict=True,
    ):
        np.testing.assert_array_equal(found, wanted)


def test_row_without_structure_is_nan(reference):
    """A reference row without gradient cannot be compared with; its neighbours can."""
    flat = reference.copy()
    flat[10:13] = 0.25
    coefficient, deviation = row_sharpness(reference, flat)
    assert list(np.flatnonzero(np.isnan(coefficient))) == [11]
    assert list(np.flatnonzero(np.isnan(deviation))) == [11]


def test_refusals(reference):
    """Images that cannot be compared are refused in a sentence."""
    spoilt = reference.copy()
    spoilt[3, 4] = np.nan
    with pytest.raises(ValueError, match=r"one shape .*\(40, 72\) and \(40, 71\)"):
        row_sharpness(reference, reference[:, 1:])
    with pytest.raises(ValueError, match="one shape"):
        row_sharpness(reference[None], reference[None])
    with pytest.raises(ValueError, match="image must be finite"):
        row_sharpness(spoilt, reference)
    with pytest.raises(ValueError, match="reference must be finite"):
        row_sharpness(reference, spoilt)
    with pytest.raises(ValueError, match="reference must vary"):
        row_sharpness(reference, np.full_like(reference, 2.0))
