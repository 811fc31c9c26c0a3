"""Properties of the focus scores and of the Brent search."""

import numpy as np
import pytest
from deepr.focus import (
    brent_search,
    normalized_variance,
    sharpest_plane,
    standard_deviation,
    vollath4,
    vollath5,
)
from scipy.ndimage import gaussian_filter

SCORES = [vollath4, vollath5, standard_deviation, normalized_variance]


@pytest.fixture
def sharp():
    spots = np.random.default_rng(2).random((64, 80)) > 0.95
    return gaussian_filter(spots.astype(float), 0.8) * 20000 + 100


@pytest.mark.parametrize("score", SCORES)
def test_more_blur_gives_a_lower_score(score, sharp):
    """Every score orders images by their blur."""
    scores = [score(gaussian_filter(sharp, sigma, mode="wrap").astype(np.uint16)) for sigma in (0.3, 1, 2, 4)]
    assert scores == sorted(scores, reverse=True)


def test_scores_of_a_small_image_by_hand():
    """Sums, lags and the n - 1 as written in the docstrings."""
    image = np.array([[1, 2, 4, 3], [0, 5, 1, 2]], np.uint8)
    assert vollath4(image) == (2 * 4 + 4 * 3 - 1 * 4 - 2 * 3) + (5 * 1 + 1 * 2 - 0 * 1 - 5 * 2)
    assert vollath5(image) == pytest.approx((2 + 8 + 12) + (0 + 5 + 2) - 3 * 2 * 2.25**2)
    assert standard_deviation(image) == pytest.approx(image.std(ddof=1) / 2.25)
    assert normalized_variance(image) == pytest.approx(image.var(ddof=1) / 2.25)


@pytest.mark.parametrize("score", SCORES)
def test_float_and_integer_images_score_alike(score, sharp):
    """The dtype of the grey values does not matter."""
    image = sharp.astype(np.uint16)
    assert score(image.astype(np.float32)) == pytest.approx(score(image), rel=1e-12)


@pytest.mark.parametrize("score", [vollath4, vollath5])
def test_bright_products_do_not_overflow(score):
    """Grey values above 46340, whose squares exceed 32 bits, score as their floats do."""
    image = np.random.default_rng(3).integers(46341, 65536, (50, 60)).astype(np.uint16)
    assert score(image) == pytest.approx(score(image.astype(float)), rel=1e-9)


@pytest.mark.parametrize("score", SCORES)
def test_colour_images_score_as_the_mean_of_their_channels(score, sharp):
    """Order and split of the channels do not matter."""
    image = np.stack([sharp, 0.5 * sharp, 1.5 * sharp], axis=-1)
    assert score(image) == pytest.approx(score(sharp), rel=1e-9)


@pytest.mark.parametrize("score", SCORES)
def test_images_without_a_score_are_refused(score, sharp):
    """Stacks, narrow images and NaN are named."""
    with pytest.raises(ValueError, match="shape"):
        score(np.zeros((4, 5, 6)))
    with pytest.raises(ValueError, match="3 px wide"):
        score(np.ones((5, 2)))
    sharp[0, 0] = np.nan
    with pytest.raises(ValueError, match="finite"):
        score(sharp)


@pytest.mark.parametrize("score", [standard_deviation, normalized_variance])
def test_a_black_image_has_no_relative_spread(score):
    """Division by a mean of zero is refused, not returned as NaN."""
    with pytest.raises(ValueError, match="mean is not zero"):
        score(np.zeros((5, 5), np.uint16))


@pytest.mark.parametrize("peak_um", [-4.2, -1.3, 0.0, 0.7, 3.9])
def test_search_finds_the_peak_of_a_smooth_score(peak_um):
    """Within the tolerance, with few evaluations, the first at the start."""
    search = brent_search(lambda z: np.exp(-((z - peak_um) ** 2) / 8), start_um=0.0)
    assert search.z_um == pytest.approx(peak_um, abs=0.2)
    assert search.evaluations[0][0] == 0.0
    assert 3 <= len(search.evaluations) <= 15
    assert (search.z_um, search.score) in search.evaluations
    assert search.score == max(score for _, score in search.evaluations)


def test_search_stays_within_its_range():
    """A score that rises to the border is followed to the border, not beyond it."""
    search = brent_search(lambda z: z, start_um=12.0, range_um=4.0)
    assert all(10 <= z_um <= 14 for z_um, _ in search.evaluations)
    assert search.z_um == pytest.approx(14, abs=0.25)


def test_a_looser_tolerance_takes_fewer_exposures():
    """The default of the plugin, 1 um, is cheaper than the paper's 0.1 um."""
    counts = [
        len(brent_search(lambda z: -((z - 1.1) ** 4) - z, 0.0, tolerance_um=tolerance_um).evaluations)
        for tolerance_um in (1.0, 0.1, 0.01)
    ]
    assert counts == sorted(counts)
    assert counts[0] < counts[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"range_um": 0.0}, "range above 0 um, got 0.0"),
        ({"range_um": np.nan}, "range above 0 um"),
        ({"tolerance_um": 0.0}, "tolerance above 0 um"),
        ({"tolerance_um": -0.1}, "tolerance above 0 um"),
        ({"start_um": np.inf}, "finite start"),
        ({"max_evaluations": 0}, "at least one evaluation"),
    ],
)
def test_a_search_that_cannot_work_is_refused(arguments, message):
    """Before the first exposure."""
    with pytest.raises(ValueError, match=message):
        brent_search(pytest.fail, **({"start_um": 0.0} | arguments))


def test_a_score_that_is_not_finite_stops_the_search():
    """A NaN would otherwise steer every later step."""
    with pytest.raises(ValueError, match=r"score at -1\.90983 um must be finite, found nan"):
        brent_search(lambda z: 1.0 if z == 0 else np.nan, 0.0)


def test_a_search_out_of_evaluations_says_so():
    """The number allowed is never exceeded."""
    calls = []
    with pytest.raises(RuntimeError, match="did not end within 4 evaluations"):
        brent_search(lambda z: calls.append(z) or -((z - 1) ** 2), 0.0, tolerance_um=1e-6, max_evaluations=4)
    assert len(calls) == 4


@pytest.mark.parametrize("threads", [1, 3])
def test_sharpest_plane_of_a_stack(threads, sharp, tmp_path):
    """Found in memory and in a memory map, by one thread or several."""
    stack = np.stack([gaussian_filter(sharp, abs(plane - 4) + 0.1) for plane in range(7)]).astype(np.uint16)
    np.save(tmp_path / "stack.npy", stack)
    assert sharpest_plane(stack, threads=threads) == 4
    mapped = np.load(tmp_path / "stack.npy", mmap_mode="r")
    assert sharpest_plane(mapped, score=normalized_variance, threads=threads) == 4


def test_a_stack_without_planes_has_no_sharpest_one():
    """Neither an empty stack nor a single image is taken."""
    for shape in [(0, 8, 8), (8, 8)]:
        with pytest.raises(ValueError, match="stack must be"):
            sharpest_plane(np.ones(shape))
