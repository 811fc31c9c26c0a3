"""Properties of the normalisation, SSIM and RMSE."""

import numpy as np
import pytest
from deepr.metrics import normalise, rmse, ssim
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity


@pytest.fixture
def sharp():
    spots = np.random.default_rng(1).random((96, 80)) > 0.98
    return gaussian_filter(spots.astype(float), 1.0) * 4000 + 100


def test_normalised_image_has_zero_mean_and_unit_variance(sharp):
    """Whatever the dtype, the result is float32 with mean 0 and deviation 1."""
    for dtype in (np.uint16, np.float32, np.int32):
        image = normalise(sharp.astype(dtype))
        assert image.dtype == np.float32
        assert abs(image.mean(dtype=float)) < 1e-6
        assert image.std(dtype=float) == pytest.approx(1, abs=1e-6)


def test_normalising_a_bright_image_of_little_contrast_loses_nothing():
    """A ripple of one count on 60000 is normalised as the ripple alone is."""
    ripple = np.indices((32, 32)).sum(axis=0) % 2
    np.testing.assert_allclose(normalise(60000 + ripple), normalise(ripple), atol=1e-6)


@pytest.mark.parametrize("metric", [ssim, rmse])
def test_metrics_do_not_depend_on_brightness_and_contrast(metric, sharp):
    """A camera's gain and offset on either image change nothing."""
    blurred = gaussian_filter(sharp, 2)
    assert metric(3.7 * blurred + 220, sharp) == pytest.approx(metric(blurred, 0.4 * sharp - 90), abs=1e-5)


def test_more_blur_gives_lower_ssim_and_higher_rmse(sharp):
    """Both metrics order images by their blur."""
    blurred = [gaussian_filter(sharp, sigma) for sigma in (0.5, 1, 2, 4)]
    similarities = [ssim(image, sharp) for image in blurred]
    errors = [rmse(image, sharp) for image in blurred]
    assert similarities == sorted(similarities, reverse=True)
    assert errors == sorted(errors)


def test_equal_images_and_negatives(sharp):
    """An image against itself gives 1 and 0; against its negative the error is two deviations."""
    assert ssim(sharp, sharp) == pytest.approx(1)
    assert rmse(sharp, sharp) == 0
    assert rmse(-sharp, sharp) == pytest.approx(2, abs=1e-6)


@pytest.mark.parametrize("channels", [None, 3])
def test_ssim_is_scikit_images_on_the_normalised_images(channels, sharp):
    """Default window, data range of the normalised reference."""
    if channels:
        sharp = np.stack([sharp, sharp.T[::-1].reshape(sharp.shape), 0.5 * sharp], axis=-1)
    image = gaussian_filter(sharp, 1)
    reference = (sharp - sharp.mean()) / sharp.std()
    expected = structural_similarity(
        (image - image.mean()) / image.std(),
        reference,
        data_range=np.ptp(reference),
        channel_axis=-1 if channels else None,
    )
    assert ssim(image, sharp) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.1, 60000.1])
def test_a_constant_image_is_refused(value):
    """There is no unit variance to give it, whatever rounding its mean leaves."""
    with pytest.raises(ValueError, match="constant"):
        normalise(np.full((50, 70), value))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(value, sharp):
    """One NaN or infinity is enough."""
    sharp[3, 4] = value
    with pytest.raises(ValueError, match="finite"):
        normalise(sharp)


def test_images_that_cannot_be_compared_are_refused(sharp):
    """Other shapes, stacks and images smaller than the window are named."""
    with pytest.raises(ValueError, match=r"one shape, got \(95, 80\) and \(96, 80\)"):
        rmse(sharp[1:], sharp)
    with pytest.raises(ValueError, match="must be"):
        ssim(np.stack([sharp] * 5), np.stack([sharp] * 5))
    with pytest.raises(ValueError, match="at least 7 x 7"):
        ssim(sharp[:6], sharp[:6] + 1)
    with pytest.raises(ValueError, match="needs pixels"):
        normalise(np.empty((0, 5)))
