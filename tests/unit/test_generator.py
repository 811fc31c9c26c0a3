"""The generator has the released topology, any width, and reloads without running foreign code."""

import keras
import numpy as np
import pytest
from deepr.networks.generator import build_generator


@pytest.mark.parametrize(
    ("base_channels", "images", "parameters"),
    [
        (8, (1, 1), 2_162_721),
        (16, (1, 1), 8_647_169),
        (24, (1, 1), 19_453_345),
        (48, (1, 1), 77_802_683),
        (48, (2, 1), 77_802_908),
    ],
)
def test_parameters(base_channels, images, parameters, monkeypatch):
    """The width scales the released topology, which with Deep-Z's two inputs has 77,802,908 parameters."""
    zeros = {"kernel_initializer": "zeros"}  # much faster than 77 million random numbers
    monkeypatch.setattr("deepr.networks.generator.initializers", lambda seeds: zeros)
    assert build_generator(base_channels, *images).count_params() == parameters


def test_any_multiple_of_32_goes_in_and_comes_out():
    """The output has the input's size and, in colour, its channels."""
    generator = build_generator(4, image_channels=3, seed=0)
    for size in ((32, 32), (64, 96)):
        assert tuple(generator(np.zeros((1, *size, 3), np.float32)).shape) == (1, *size, 3)


def test_the_seed_decides_the_initial_weights():
    """Equal seeds give equal weights, others do not, and no two layers of a shape share theirs."""
    one, same, other = (build_generator(2, seed=seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    kernels = [i for i, weight in enumerate(one) if weight.ndim == 4]
    assert not any(np.array_equal(one[i], other[i]) for i in kernels)
    assert len({one[i].tobytes() for i in kernels}) == len(kernels)


def test_weights_start_from_truncated_normal_kernels_and_biases_of_a_tenth():
    """Glorot's variance, no value beyond two (widened) deviations, every bias 0.1."""
    generator = build_generator(8, seed=3)
    for weight in generator.get_weights():
        if weight.ndim == 1:
            assert np.all(weight == np.float32(0.1))
    kernel = generator.get_layer("down4_conv2").get_weights()[0]  # (3, 3, 96, 128)
    deviation = np.sqrt(2 / (9 * (kernel.shape[2] + kernel.shape[3])))
    assert kernel.std() == pytest.approx(deviation, rel=0.02)
    assert np.abs(kernel).max() < 2.3 * deviation


def test_the_skip_adds_the_input_to_the_first_channels_alone():
    """A block whose convolutions are zero hands its input on, followed by zeros."""
    generator = build_generator(4, seed=0)
    for name in ("down0_conv1", "down0_conv2"):
        layer = generator.get_layer(name)
        layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])
    first = keras.Model(generator.input, generator.get_layer("down0_add").output)
    image = np.random.default_rng(0).standard_normal((1, 32, 32, 1)).astype(np.float32)
    added = np.asarray(first(image))
    assert np.array_equal(added[..., :1], image)
    assert not added[..., 1:].any()


def test_a_saved_generator_reloads_in_safe_mode(tmp_path):
    """The file holds no code: the reloaded network gives the same output."""
    generator = build_generator(2, seed=0)
    generator.save(tmp_path / "generator.keras")
    reloaded = keras.saving.load_model(tmp_path / "generator.keras", safe_mode=True)
    image = np.random.default_rng(0).standard_normal((1, 32, 32, 1)).astype(np.float32)
    assert np.array_equal(np.asarray(generator(image)), np.asarray(reloaded(image)))


@pytest.mark.parametrize(("base_channels", "image_channels"), [(0, 1), (3, 1), (2, 3)])
def test_a_width_that_cannot_be_is_refused(base_channels, image_channels):
    """Half of the blocks widen by a half, and a skip is padded, never cut."""
    with pytest.raises(ValueError, match="base_channels"):
        build_generator(base_channels, image_channels)
