"""Richardson-Lucy and Landweber against DeconvolutionLab2 2.1.2."""

import numpy as np
import pytest
import tifffile
from deepr.deconvolution import landweber, richardson_lucy

pytestmark = pytest.mark.golden

# A PSF of the image's size, and a smaller odd one in an odd image.
CASES = ("d128", "d129x97")


@pytest.mark.parametrize("iterations", [1, 10, 100])
@pytest.mark.parametrize("case", CASES)
def test_richardson_lucy_matches_the_original_program(case, iterations, golden):
    """Every pixel differs from DeconvolutionLab2's by less than 1e-5 of the range."""
    image, psf, expected = _case(golden, case, f"RL{iterations}")
    result = richardson_lucy(image, psf, iterations)
    assert np.abs(result - expected).max() < 1e-5 * np.ptp(expected)


@pytest.mark.parametrize("case", CASES)
def test_landweber_matches_the_original_program(case, golden):
    """100 iterations differ from DeconvolutionLab2's by less than 5e-4 of the range."""
    image, psf, expected = _case(golden, case, "LW100_g0.1")
    result = landweber(image, psf, iterations=100, step=0.1)
    assert np.abs(result - expected).max() < 5e-4 * np.ptp(expected)


def _case(golden, case, output):
    return [
        tifffile.imread(golden / "deconvolution" / f"{case}_{name}.tif").astype(np.float64)
        for name in ("img", "psf", output)
    ]
