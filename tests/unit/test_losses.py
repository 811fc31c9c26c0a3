"""The losses have the paper's values, TensorFlow's MS-SSIM among them, and gradients that are finite."""

import numpy as np
import pytest
import tensorflow as tf
from deepr.networks import losses
from deepr.networks.generator import build_generator
from scipy.ndimage import gaussian_filter


def images(side, channels=1, count=2, noise=0.3, seed=0):
    """Blobs of unit variance and a blurred, noisy version of them, (B, side, side, C) float32."""
    rng = np.random.default_rng(seed)
    truth = gaussian_filter(rng.standard_normal((count, side, side, channels)), (0, 2, 2, 0))
    truth /= truth.std(axis=(1, 2, 3), keepdims=True)
    output = gaussian_filter(truth, (0, 1.5, 1.5, 0)) + noise * rng.standard_normal(truth.shape)
    return truth.astype(np.float32), output.astype(np.float32)


@pytest.mark.parametrize(("side", "channels"), [(161, 1), (187, 3), (256, 1)])
def test_ms_ssim_is_that_of_tensorflow(side, channels):
    """Where no scale is clipped, values agree with the function that the paper names."""
    truth, output = images(side, channels)
    expected = tf.image.ssim_multiscale(truth, output, 8.0).numpy()
    assert np.asarray(losses.ms_ssim(truth, output, 8.0)) == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("side", [64, 128])
def test_ms_ssim_of_small_crops_is_that_of_tensorflow_with_fewer_scales(side):
    """The powers that are left are renormalised; anything else is the original."""
    truth, output = images(side)
    powers = losses.scale_powers(side)
    assert sum(powers) == pytest.approx(1)
    expected = tf.image.ssim_multiscale(truth, output, 8.0, powers).numpy()
    assert np.asarray(losses.ms_ssim(truth, output, 8.0)) == pytest.approx(expected, abs=2e-5)


def test_each_image_has_its_own_dynamic_range():
    """A batch gives what its images give one by one with the range of each ground truth."""
    truth, output = images(128)
    truth[1] *= 3
    single = [float(losses.ms_ssim(y[None], x[None], float(np.ptp(y)))[0]) for y, x in zip(truth, output, strict=True)]
    assert np.asarray(losses.ms_ssim(truth, output)) == pytest.approx(single, abs=1e-6)


def test_scales_fit_the_image():
    """Five scales from 161 px on, as TensorFlow allows; fewer below; none below the window."""
    assert [len(losses.scale_powers(side)) for side in (32, 64, 128, 160, 161, 512)] == [2, 3, 4, 4, 5, 5]
    with pytest.raises(ValueError, match="11 px"):
        losses.scale_powers(10)


def test_gradients_are_finite_where_the_original_has_none():
    """Against its own negative every scale is clipped: the original's gradient is not a number."""
    truth = tf.constant(images(176, count=1)[0])
    for function, finite in ((tf.image.ssim_multiscale, False), (losses.ms_ssim, True)):
        with tf.GradientTape() as tape:
            tape.watch(output := -truth)
            value = function(truth, output, 8.0)
        assert np.isfinite(tape.gradient(value, output).numpy()).all() == finite


def test_a_fresh_generator_has_finite_gradients():
    """For several initial weights the full structural loss gives a gradient to every weight."""
    truth, blurred = images(64)
    for seed in range(4):
        generator = build_generator(2, seed=seed)
        with tf.GradientTape() as tape:
            parts = losses.generator_loss(truth, generator(blurred), None, {"adversarial": 0, "ms_ssim": 1, "berhu": 1})
        gradients = tape.gradient(parts["total"], [weight.value for weight in generator.trainable_variables])
        assert all(np.isfinite(gradient.numpy()).all() for gradient in gradients)


def test_berhu_by_hand():
    """Below the threshold the difference, above it (d^2 + c^2) / 2c, and equal where they meet."""
    truth = np.zeros((1, 1, 4, 1), np.float32)
    output = np.array([0.05, -0.1, 0.3, -1.0], np.float32).reshape(truth.shape)
    expected = np.mean([0.05, 0.1, (0.09 + 0.01) / 0.2, 1.01 / 0.2])
    assert float(losses.berhu(truth, output, 0.1)) == pytest.approx(expected, rel=1e-6)


def test_generator_loss_is_the_weighted_sum_of_its_parts():
    """Equation 1, with the mean of (1 - D)^2 as adversarial term."""
    truth, output = images(64)
    weights = {"adversarial": 0.5, "ms_ssim": 2.0, "berhu": 3.0}
    parts = losses.generator_loss(truth, output, np.array([[0.2], [0.6]], np.float32), weights)
    parts = {name: float(value) for name, value in parts.items()}
    assert parts["adversarial"] == pytest.approx((0.64 + 0.16) / 2)
    assert parts["total"] == pytest.approx(sum(weights[name] * parts[name] for name in weights))


def test_a_part_without_weight_is_not_computed():
    """BerHu alone needs no judgement."""
    truth, output = images(64)
    parts = losses.generator_loss(truth, output, None, {"adversarial": 0, "ms_ssim": 0, "berhu": 1})
    assert set(parts) == {"total", "berhu"}


def test_an_undecided_discriminator_loses_a_quarter():
    """At D = 0.5 for both, equation 2 with its factor 1/2 is 0.25, where figure S8 settles."""
    half = np.full((3, 1), 0.5, np.float32)
    assert float(losses.discriminator_loss(half, half)["total"]) == pytest.approx(0.25)
    parts = losses.discriminator_loss(np.float32([[0.3]]), np.float32([[0.8]]))
    assert float(parts["total"]) == pytest.approx(0.5 * (0.09 + 0.04))
    assert float(parts["discriminator_fake"]) == pytest.approx(0.3)
    assert float(parts["discriminator_real"]) == pytest.approx(0.8)
