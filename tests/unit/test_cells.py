"""Simulated cells: like those of BBBC006 where real images say what they are like."""

import numpy as np
import pytest
from deepr.focus import brent_search, vollath5
from deepr.optics.acquisition import acquire_slide
from deepr.optics.specimens import make_specimen, slide_parameters
from scipy.ndimage import gaussian_filter, label
from skimage.filters import threshold_otsu
from skimage.measure import regionprops


@pytest.fixture(scope="module")
def nuclei():
    return next(
        acquire_slide(
            "nuclei",
            "20x/0.45",
            0.461,
            512,
            np.arange(-12, 13, 4.0),
            1,
            "test1",
            5,
            3.0,
            1,
            search=brent_search,
            score=vollath5,
        )
    )


def test_nuclei_are_like_the_real_ones(nuclei):
    """Real ones: 280 to 360 um2, 250 to 550 per mm2, 560 to 640 counts, background 119 to 134, noise 3 to 3.5."""
    image = nuclei.stack[3].astype(float)
    smooth = np.log(gaussian_filter(image, 1))
    regions = [r for r in regionprops(label(smooth > threshold_otsu(smooth))[0], image) if r.area > 100]
    area = np.median([r.area for r in regions]) * 0.645**2
    density = len(regions) / (image.size * 0.645**2) * 1e6
    assert 220 < area < 400
    assert 200 < density < 700
    assert 400 < np.median([r.intensity_mean for r in regions]) < 750
    assert 110 < np.percentile(image, 5) < 145
    difference = (image[1:] - image[:-1])[image[1:] < np.percentile(image, 20)]
    assert 2.5 < 1.4826 * np.median(np.abs(difference)) / np.sqrt(2) < 5
    assert image.max() <= 4095


def test_the_nuclei_blur_away_from_focus(nuclei):
    """Planes farther from focus vary less."""
    deviation = nuclei.stack.std(axis=(1, 2))
    assert np.all(np.diff(deviation[:4]) > 0) and np.all(np.diff(deviation[3:]) < 0)


@pytest.mark.parametrize("name", ["nuclei", "phalloidin"])
def test_a_field_belongs_to_its_seed(name):
    """The same generator gives the same field, another one another; light is nowhere negative."""
    parameters = slide_parameters(name, np.random.default_rng(0))
    one, same, other = (
        make_specimen(name, (128, 128), 0.645, np.random.default_rng(seed), **parameters).layers for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    assert one.min() >= 0


def test_actin_is_near_the_glass_and_fills_the_cells():
    """Most of the light is in the lower layers, and more area is bright than in nuclei."""
    parameters = slide_parameters("phalloidin", np.random.default_rng(0))
    actin = make_specimen("phalloidin", (256, 256), 0.645, np.random.default_rng(1), **parameters)
    nuclei = make_specimen("nuclei", (256, 256), 0.645, np.random.default_rng(1), **parameters)
    light = actin.layers.sum(axis=(1, 2))
    assert (light * actin.depths_um).sum() / light.sum() < -0.5
    cover = [(s.layers.sum(axis=0) > 0.1 * np.percentile(s.layers.sum(axis=0), 99)).mean() for s in (actin, nuclei)]
    assert cover[0] > 1.5 * cover[1]
