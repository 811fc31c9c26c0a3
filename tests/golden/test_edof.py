"""Fusion against the Extended Depth of Field plugin (EPFL, 742a6e2), run on synthetic stacks."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile
from deepr.edof import analyse, extended_depth_of_field, synthesise
from deepr.edof.fusion import fuse_coefficients

pytestmark = pytest.mark.golden


@pytest.fixture(scope="module")
def read(golden):
    return lambda name: tifffile.imread(golden / "edof" / f"{name}.tif")


@pytest.fixture(scope="module")
def transforms(golden):
    with np.load(golden / "edof" / "complex_daubechies_z8small.npz") as arrays:
        return dict(arrays)


@pytest.mark.parametrize("threads", [1, 2])
def test_easy_mode_4_gives_the_plugins_images(read, threads):
    """At least 99.9 % of the pixels of composite and height map are equal; the plugin counts from 1."""
    composite, height_map = extended_depth_of_field(read("z8"), threads=threads)
    assert np.mean(composite == read("z8_easy4_composite")) >= 0.999
    assert np.mean(height_map + 1 == read("z8_easy4_heightmap")) >= 0.999


@pytest.mark.parametrize(("subband", "majority"), [(False, False), (False, True), (True, False)])
def test_each_check_gives_the_plugins_composite(read, subband, majority):
    """With either check off, at least 99.9 % of the pixels are equal."""
    composite, _ = extended_depth_of_field(read("z8"), subband_check=subband, majority_check=majority)
    expected = read(f"z8_cw14_sb{subband}_maj{majority}_composite".lower())
    assert np.mean(composite == expected) >= 0.999


def test_synthesis_without_reassignment_gives_the_plugins_floats(read):
    """At least 99.9 % of the pixels are equal in all of single precision's digits."""
    composite, _ = extended_depth_of_field(read("z8"), reassign=False)
    assert np.mean(composite == read("z8_cw14_noreassign_composite")) >= 0.999


@pytest.mark.parametrize(("filter_length", "scales"), [(6, 3), (14, 1), (14, 3), (14, 6)])
def test_transform_equals_the_plugins(read, transforms, filter_length, scales):
    """Coefficients and the synthesis from them differ by less than 1e-10."""
    name = f"cw{filter_length}_n{scales}"
    pyramid = analyse(read("z8small")[3], filter_length, scales)
    assert np.abs(pyramid - (transforms[f"{name}_re"] + 1j * transforms[f"{name}_im"])).max() < 1e-10
    restored = synthesise(pyramid, filter_length, scales)
    assert np.abs(restored - transforms[f"{name}_rec"]).max() < 1e-10


@pytest.mark.parametrize("subband", [False, True])
@pytest.mark.parametrize("majority", [False, True])
def test_chosen_planes_equal_the_plugins(read, transforms, subband, majority):
    """Every coefficient comes from the same plane, and the synthesis of them equals in single precision."""
    name = f"cfuse14_sb{subband:d}_maj{majority:d}"
    with ThreadPoolExecutor(1) as pool:
        coefficients, chosen = fuse_coefficients(read("z8small"), 14, subband, majority, 1, None, pool)
    assert np.array_equal(chosen, transforms[f"{name}_map"])
    np.testing.assert_allclose(synthesise(coefficients), transforms[f"{name}_res"], rtol=0, atol=1e-5)
