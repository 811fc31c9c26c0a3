"""Brightfield in colour: the law of Beer and Lambert, and a microscope with three colours."""

import numpy as np
import pytest
from deepr.focus import brent_search, vollath5
from deepr.optics.acquisition import acquire_slide
from deepr.optics.brightfield import COLOUR_CAMERA, absorbing_layers, luminance
from deepr.optics.specimens import make_specimen, slide_parameters
from deepr.optics.specimens.prostate import EOSIN, HAEMATOXYLIN, WHITE_ELECTRONS, StainedSection


def stained(haematoxylin, eosin, layers=3, side=8):
    fill = [np.full((layers, side, side), amount / layers, np.float32) for amount in (haematoxylin, eosin)]
    return StainedSection(*fill, np.linspace(-2, 2, layers))


@pytest.mark.parametrize("haematoxylin, eosin", [(0.0, 0.0), (0.6, 0.0), (0.0, 0.2), (0.5, 0.3)])
def test_uniform_stain_absorbs_by_the_law_of_beer_and_lambert(haematoxylin, eosin):
    """What is left of the light is 10 to the minus absorbance in each colour."""
    for channel in range(3):
        specimen = absorbing_layers(stained(haematoxylin, eosin), channel)
        left = (specimen.background + specimen.layers.sum(axis=0)) / WHITE_ELECTRONS
        wanted = 10 ** -(haematoxylin * HAEMATOXYLIN[channel] + eosin * EOSIN[channel])
        np.testing.assert_allclose(left, wanted, rtol=1e-5)


def test_haematoxylin_is_blue_and_eosin_is_pink():
    """Haematoxylin leaves most of the blue, eosin most of the red and least of the green."""
    colours = []
    for stain in (stained(0.6, 0.0), stained(0.0, 0.3)):
        specimens = [absorbing_layers(stain, channel) for channel in range(3)]
        colours.append([s.background + s.layers.sum(axis=0).mean() for s in specimens])
    assert colours[0][2] > colours[0][0] > 0 and colours[0][2] > colours[0][1]
    assert colours[1][0] > colours[1][2] > colours[1][1]


def test_white_is_nearly_white():
    """Where nothing absorbs, all colours are at 235 of 255 and vary by little."""
    rng = np.random.default_rng(0)
    image = COLOUR_CAMERA.expose(np.full((64, 64, 3), WHITE_ELECTRONS), rng)
    assert image.dtype == np.uint8
    assert abs(image.mean() - 235) < 0.2
    assert 1 < image.std() < 3


@pytest.fixture(scope="module")
def field():
    def acquired(threads=1, seed=3):
        return next(
            acquire_slide(
                "prostate",
                "20x/0.75",
                [0.61, 0.54, 0.46],
                128,
                np.arange(-6, 6.1, 1.0),
                1,
                "test1",
                seed,
                1.0,
                threads,
                search=brent_search,
                score=vollath5,
            )
        )

    return acquired


def test_a_stack_in_colour_is_sharpest_where_the_truth_says(field):
    """8 bits, samples last; brightness varies most near the true focus; noise-free planes are those of the stack."""
    view = field()
    assert view.stack.shape == (13, 128, 128, 3) and view.stack.dtype == np.uint8
    scores = [vollath5(luminance(plane)) for plane in view.stack]
    assert abs(view.z_um[int(np.argmax(scores))] - view.truth_rows[0]["focus_z_um"]) <= 1
    near = int(np.argmin(np.abs(view.z_um - view.truth_z_um[0])))
    difference = view.stack[near].astype(float) - view.truth_planes[0]
    assert abs(difference.mean()) < 0.1 and difference.std() < 3


def test_a_field_in_colour_belongs_to_its_seed(field):
    """The same on two threads; another one with another seed."""
    one = field()
    np.testing.assert_array_equal(one.stack, field(threads=2).stack)
    assert not np.array_equal(one.stack, field(seed=4).stack)


def test_a_tumour_has_more_nuclei():
    """More haematoxylin, and lumens that are less empty."""
    parameters = slide_parameters("prostate", np.random.default_rng(0))
    amounts = []
    for tumour in (0.0, 1.0):
        fields = [
            make_specimen("prostate", (320, 320), 0.325, np.random.default_rng(seed), **parameters | {"tumour": tumour})
            for seed in range(3)
        ]
        amounts.append(np.mean([section.haematoxylin.sum(axis=0).mean() for section in fields]))
    assert amounts[1] > 1.3 * amounts[0]


def test_two_wavelengths_are_refused():
    """One for fluorescence, three for colour."""
    with pytest.raises(ValueError, match="emission_um has 2 values; wanted one, or three"):
        next(
            acquire_slide(
                "prostate", "20x/0.75", [0.6, 0.5], 64, [0.0], 1, "s", 0, 1.0, 1, search=brent_search, score=vollath5
            )
        )
