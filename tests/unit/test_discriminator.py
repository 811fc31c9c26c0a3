"""The discriminator has the six blocks of Deep-Z's, and starts undecided."""

import numpy as np
import pytest
from deepr.networks.discriminator import build_discriminator


@pytest.mark.parametrize(("base_channels", "parameters"), [(8, 2_622_897), (16, 10_486_369)])
def test_parameters(base_channels, parameters):
    """The width scales Deep-Z's discriminator: its parameter counts are known."""
    assert build_discriminator(base_channels).count_params() == parameters


def test_a_fresh_discriminator_is_undecided_but_not_blind():
    """Its probability is near one half and differs between images: there is a gradient to learn from."""
    discriminator = build_discriminator(8, seed=0)
    images = np.random.default_rng(0).standard_normal((4, 64, 64, 1)).astype(np.float32)
    images[2:] *= 5
    judgements = np.asarray(discriminator(images))
    assert judgements.shape == (4, 1)
    assert np.all(np.abs(judgements - 0.5) < 0.25)
    assert np.ptp(judgements) > 1e-4


def test_colour_and_any_size():
    """Three channels and a size that is no multiple of anything."""
    discriminator = build_discriminator(2, image_channels=3, seed=0)
    assert tuple(discriminator(np.zeros((2, 50, 70, 3), np.float32)).shape) == (2, 1)


def test_a_missing_width_is_refused():
    """Zero channels are no network."""
    with pytest.raises(ValueError, match="base_channels"):
        build_discriminator(0)
