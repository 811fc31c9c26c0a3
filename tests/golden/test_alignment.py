"""Alignment against StackReg in ImageJ, on the stack that pystackreg is tested with."""

import numpy as np
import pytest
import tifffile
from deepr.alignment import align_stack

pytestmark = pytest.mark.golden


def test_stackreg_of_imagej_gives_the_same_stack(real_data):
    """At least 99.99 % of the pixels are equal, and none differs by more than one grey value."""
    folder = real_data / "stackreg-pc12"
    if not folder.is_dir():
        pytest.skip(f"the stack is not at {folder}")
    aligned, _ = align_stack(tifffile.imread(folder / "pc12-unreg.tif"), threads=2)
    expected = tifffile.imread(folder / "pc12-reg-rigid-body.tif")
    assert np.mean(aligned == expected) >= 0.9999
    assert np.abs(aligned.astype(int) - expected).max() <= 1
