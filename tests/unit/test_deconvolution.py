"""Deconvolution: its properties, and what it refuses."""

import numpy as np
import pytest
from deepr.deconvolution import (
    landweber,
    landweber_iterates,
    richardson_lucy,
    richardson_lucy_iterates,
    wiener,
)
from deepr.metrics import ssim
from scipy import fft
from scipy.ndimage import gaussian_filter

METHODS = {
    "richardson_lucy": richardson_lucy,
    "landweber": landweber,
    "wiener": wiener,
}
ALL = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
ITERATIVE = pytest.mark.parametrize(
    "method", [richardson_lucy, richardson_lucy_iterates, landweber, landweber_iterates]
)


@pytest.fixture(scope="module")
def truth():
    """Photon counts of a smooth texture, (96, 80)."""
    texture = gaussian_filter(np.random.default_rng(5).normal(size=(96, 80)), 1.2, mode="wrap")
    return 50 + 1000 * (texture - texture.min()) / np.ptp(texture)


@pytest.fixture(scope="module")
def psf():
    """A lopsided PSF, (21, 17): mirrored or transposed it would be another."""
    y, x = np.mgrid[-10:11, -8:9]
    return np.exp(-(y**2) / 8 - x**2 / 4) * (1 + 0.5 * np.tanh(y) + 0.3 * np.tanh(x))


@pytest.fixture(scope="module")
def blurred(truth, psf):
    """The texture seen through the PSF, periodic, with the noise of its photons."""
    return np.random.default_rng(6).poisson(_blur(truth, psf)).astype(np.float64)


def test_mean_is_conserved_by_richardson_lucy(blurred, psf):
    """100 updates neither make light nor lose it."""
    assert richardson_lucy(blurred, psf).mean() == pytest.approx(blurred.mean(), rel=1e-5)


@ALL
def test_blurred_image_gets_more_like_the_truth(method, blurred, psf, truth):
    """The SSIM with the truth rises well above the blurred image's."""
    assert ssim(method(blurred, psf), truth) > ssim(blurred, truth) + 0.1


@pytest.mark.parametrize("columns", [10, 11])
@pytest.mark.parametrize("rows", [12, 13])
@pytest.mark.parametrize("psf_shape", [(1, 1), (4, 4), (5, 5), (4, 7), (5, 6)])
def test_delta_psf_leaves_the_image_where_it_is(psf_shape, rows, columns):
    """A PSF of one pixel, whatever the parities of its size and the image's, shifts nothing."""
    image = np.random.default_rng(1).uniform(1, 100, (rows, columns))
    delta = np.zeros(psf_shape)
    delta[psf_shape[0] // 2, psf_shape[1] // 2] = 7
    np.testing.assert_allclose(richardson_lucy(image, delta, 5), image, rtol=1e-5)
    np.testing.assert_allclose(landweber(image, delta, 5, step=1), image, rtol=1e-5)
    np.testing.assert_allclose(wiener(image, delta, 1e-9), image, rtol=1e-5)


def test_point_comes_back_where_it_was():
    """An odd PSF in an even image, which the original shifts by (1, 1), gives the point back in place."""
    point = np.zeros((32, 40))
    point[11, 17] = 1000
    psf = np.ones((3, 5))
    for method in METHODS.values():
        sharp = method(_blur(point, psf), psf)
        assert np.unravel_index(sharp.argmax(), sharp.shape) == (11, 17)


def test_landweber_equals_its_iteration(blurred, psf):
    """The closed form is what the update, one step from zero and then n more, ends at, in image space."""
    expected = np.zeros_like(blurred)
    for _ in range(1 + 30):
        expected = expected + 0.3 * _blur(blurred - _blur(expected, psf), psf, conjugate=True)
    result = landweber(blurred, psf, iterations=30, step=0.3)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5 * np.ptp(expected))


@pytest.mark.parametrize("step", [1e-6, 0.1, 1, 1.9])
def test_landweber_converges_for_every_step_below_two(step, blurred, psf):
    """No step overshoots: the residual after more iterations is never larger."""
    residuals = [
        np.linalg.norm(blurred - _blur(landweber(blurred, psf, iterations, step), psf)) for iterations in (1, 10, 100)
    ]
    assert residuals[0] > residuals[1] > residuals[2]


def test_landweber_takes_a_transfer_function_with_zeros(blurred):
    """A frequency that the PSF removes altogether stays removed instead of dividing by zero."""
    result = landweber(blurred, np.ones((2, 2)), 1000)
    assert np.isfinite(result).all()
    assert abs(fft.rfft2(result)[0, -1]) < 1e-3 * blurred.sum()


def test_wiener_restores_less_the_larger_the_noise(blurred, psf):
    """More regularisation, a smoother image; its mean is divided by 1 + K."""
    deviations = [wiener(blurred, psf, k).std() for k in (0.001, 0.01, 0.1)]
    assert deviations[0] > deviations[1] > deviations[2]
    assert wiener(blurred, psf, 0.25).mean() == pytest.approx(blurred.mean() / 1.25, rel=1e-5)


@pytest.mark.parametrize(
    ("method", "iterates"), [(richardson_lucy, richardson_lucy_iterates), (landweber, landweber_iterates)]
)
def test_iterates_are_the_results_of_fewer_iterations(method, iterates, blurred, psf):
    """The list of iterates holds, one array each, what the plain function gives for each number."""
    estimates = dict(iterates(blurred, psf, 12))
    assert list(estimates) == list(range(1, 13))
    for iterations in (1, 5, 12):
        expected = method(blurred, psf, iterations)
        np.testing.assert_allclose(estimates[iterations], expected, rtol=0, atol=1e-6 * np.ptp(expected))


@ALL
def test_result_is_the_same_for_any_number_of_threads(method, blurred, psf):
    """Two threads give the very pixels of one; the arguments are left as they were."""
    before = blurred.copy(), psf.copy()
    np.testing.assert_array_equal(method(blurred, psf, threads=2), method(blurred, psf, threads=1))
    np.testing.assert_array_equal(blurred, before[0])
    np.testing.assert_array_equal(psf, before[1])


@ALL
def test_result_does_not_depend_on_the_scale_of_the_psf(method, blurred, psf):
    """A PSF in camera counts does what one that sums to 1 does."""
    np.testing.assert_allclose(method(blurred, 5000 * psf), method(blurred, psf), rtol=1e-4)


@ALL
def test_camera_counts_are_taken_as_they_are(method, blurred, psf):
    """uint16 pixels give what the same numbers as float give, in float32."""
    counts = blurred.astype(np.uint16)
    result = method(counts, psf)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, method(counts.astype(np.float64), psf))


def test_dark_image_stays_dark():
    """Where there is nothing to divide by, Richardson-Lucy gives 0 instead of NaN."""
    image = np.zeros((16, 16))
    assert not richardson_lucy(image, np.ones((3, 3))).any()
    image[:8] = 100
    assert np.isfinite(richardson_lucy(image, np.ones((1, 3)))).all()


@ALL
@pytest.mark.parametrize(
    ("image", "psf", "message"),
    [
        (np.ones((8, 8)), np.ones((9, 3)), r"not be larger than the image, got \(9, 3\)"),
        (np.ones((8, 8)), np.ones((3, 9)), r"not be larger than the image, got \(3, 9\)"),
        (np.ones((8, 8)), np.zeros((3, 3)), "sum above zero, got 0"),
        (np.full((8, 8), np.nan), np.ones((3, 3)), "image must be finite"),
        (np.full((8, 8), 1e39), np.ones((3, 3)), "image must be finite"),
        (np.ones((8, 8)), np.full((3, 3), np.inf), "PSF must be finite"),
        (np.ones((8, 8, 3)), np.ones((3, 3)), r"image must have two dimensions .* \(8, 8, 3\)"),
        (np.ones((8, 8)), np.ones(3), r"PSF must have two dimensions .* \(3,\)"),
        (np.ones((0, 8)), np.ones((1, 1)), "at least one pixel"),
        (np.ones((8, 8), complex), np.ones((3, 3)), "image must hold real numbers, got complex128"),
    ],
)
def test_unusable_arrays_are_refused(method, image, psf, message):
    """One sentence says which of the two arrays is wrong, and what was found."""
    with pytest.raises(ValueError, match=message):
        method(image, psf)


@pytest.mark.parametrize("method", [landweber, wiener])
def test_psf_whose_pixels_cancel_is_refused(method):
    """A PSF that sums to zero but for rounding cannot be divided by its sum."""
    with pytest.raises(ValueError, match="sum above zero"):
        method(np.ones((8, 8)), np.array([[0.1, 0.2, -0.3]]))


@pytest.mark.parametrize("method", [richardson_lucy, richardson_lucy_iterates])
def test_negative_pixels_are_refused_by_richardson_lucy(method):
    """Data after the subtraction of a background must be clipped first: the update would diverge."""
    image = np.ones((8, 8))
    image[2, 3] = -4
    with pytest.raises(ValueError, match="image must not be negative anywhere, found -4"):
        method(image, np.ones((3, 3)))
    with pytest.raises(ValueError, match="PSF must not be negative anywhere, found -1"):
        method(np.ones((8, 8)), np.array([[-1, 5, 1]]))


@ITERATIVE
@pytest.mark.parametrize("iterations", [0, -1, 2.5])
def test_wrong_number_of_iterations_is_refused(method, iterations):
    """Also where the iterates are only asked for later."""
    with pytest.raises(ValueError, match="whole number of at least 1"):
        method(np.ones((8, 8)), np.ones((3, 3)), iterations)


@pytest.mark.parametrize("method", [landweber, landweber_iterates])
@pytest.mark.parametrize("step", [0, -0.1, 2, np.nan])
def test_step_that_does_not_converge_is_refused(method, step):
    """Steps from 0 to 2, exclusive."""
    with pytest.raises(ValueError, match="between 0 and 2 "):
        method(np.ones((8, 8)), np.ones((3, 3)), 10, step)


def test_step_is_bounded_by_a_psf_that_amplifies():
    """A PSF with negative pixels amplifies some frequency: here by 2, so that steps end at 2 / 4."""
    sharpening = np.array([[-0.25, 1.5, -0.25]])
    landweber(np.ones((8, 8)), sharpening, 10, 0.49)
    with pytest.raises(ValueError, match=r"between 0 and 0\.5 "):
        landweber(np.ones((8, 8)), sharpening, 10, 0.51)


@pytest.mark.parametrize("noise_to_signal", [0, -1, np.inf, np.nan])
def test_regularisation_that_is_no_positive_number_is_refused(noise_to_signal):
    """Without regularisation the inverse filter divides by zero."""
    with pytest.raises(ValueError, match="noise_to_signal must be a positive number"):
        wiener(np.ones((8, 8)), np.ones((3, 3)), noise_to_signal)


def _blur(image, psf, conjugate=False):
    """Periodic convolution (or correlation) with the PSF divided by its sum, pixel by pixel of the PSF."""
    result = np.zeros(image.shape)
    for (row, column), weight in np.ndenumerate(psf / psf.sum()):
        shift = np.array([row - psf.shape[0] // 2, column - psf.shape[1] // 2])
        result += weight * np.roll(image, -shift if conjugate else shift, axis=(0, 1))
    return result
