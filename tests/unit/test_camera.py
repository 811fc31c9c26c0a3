"""The camera against what its data sheet says."""

import numpy as np
import pytest
from deepr.optics.camera import EXPANSION_FROM_ELECTRONS, Camera


def _flat_field(electrons, size=400, seed=1):
    return Camera().expose(np.full((size, size), electrons, np.float32), np.random.default_rng(seed))


def test_dark_frame_has_the_offset_and_the_read_noise():
    """Without light the mean is 100 counts and the deviation the read noise over the gain, 3.5 counts."""
    frame = _flat_field(0.0)
    assert frame.dtype == np.uint16
    assert frame.mean() == pytest.approx(100.0, abs=0.05)
    # Rounding to whole counts adds 1/12.
    assert frame.std() == pytest.approx(np.sqrt((1.6 / 0.46) ** 2 + 1 / 12), rel=0.01)


def test_mean_variance_line_has_the_slope_of_the_gain():
    """Over frames of 5 to 20,000 electrons, variance against mean is a line of slope 1 / gain."""
    electrons = np.array([5.0, 11.0, 13.0, 50.0, 200.0, 1000.0, 5000.0, 20_000.0])
    frames = [_flat_field(value, seed=k).astype(float) for k, value in enumerate(electrons)]
    mean = np.array([frame.mean() for frame in frames])
    variance = np.array([frame.var() for frame in frames])
    np.testing.assert_allclose((mean - 100) * 0.46, electrons, rtol=3e-3)
    expected = (electrons + 1.6**2) / 0.46**2 + 1 / 12
    np.testing.assert_allclose(variance, expected, rtol=0.02)
    slope = np.polyfit(mean, variance, 1, w=1 / variance)[0]
    assert slope == pytest.approx(1 / 0.46, rel=0.02)


@pytest.mark.parametrize("electrons", [EXPANSION_FROM_ELECTRONS, 20.0, 60.0])
def test_expansion_has_the_distribution_of_exact_draws(electrons):
    """Where Poisson draws are approximated, the two distribution functions differ by less than 0.6 %."""
    rng = np.random.default_rng(3)
    size = 1_000_000
    exact = rng.poisson(electrons, size) + 1.6 * rng.standard_normal(size)
    exact = np.rint(exact / 0.46 + 100)
    drawn = _flat_field(electrons, size=1000, seed=4).ravel()
    levels = np.arange(min(exact.min(), drawn.min()), max(exact.max(), drawn.max()) + 1)
    cumulative = [np.searchsorted(np.sort(x), levels, side="right") / size for x in (exact, drawn)]
    assert np.abs(cumulative[0] - cumulative[1]).max() < 0.006
    skewness = [np.mean((x - x.mean()) ** 3) / x.std() ** 3 for x in (exact, drawn.astype(float))]
    assert skewness[1] == pytest.approx(skewness[0], abs=0.03)


def test_bright_pixels_saturate_at_the_full_well():
    """Ten times the full well gives no more counts than the full well, and nothing wraps round."""
    frame = _flat_field(300_000.0)
    assert frame.min() > 60_000
    assert frame.mean() == pytest.approx(30_000 / 0.46 + 100, rel=1e-3)


def test_counts_and_electrons_are_inverse():
    """A frame in electrons comes back from counts."""
    electrons = np.linspace(0, 5000, 64, dtype=np.float32).reshape(8, 8)
    np.testing.assert_allclose(Camera().electrons(Camera().counts(electrons)), electrons, atol=2e-3)


def test_same_generator_gives_the_same_frame():
    """Two generators of one seed give one frame; another seed another."""
    np.testing.assert_array_equal(_flat_field(30.0, seed=5), _flat_field(30.0, seed=5))
    assert (_flat_field(30.0, seed=5) != _flat_field(30.0, seed=6)).any()


def test_refuses_values_that_are_not_finite():
    """A NaN among the electrons is an error, not a pixel."""
    with pytest.raises(ValueError, match="not finite"):
        Camera().expose(np.array([[1.0, np.nan]]), np.random.default_rng(0))
