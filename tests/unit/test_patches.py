"""Patches: the focus plane is found, empty patches are left out with a reason, and every one is counted."""

import numpy as np
import pytest
import tifffile
from deepr.edof import extended_depth_of_field
from deepr.metrics import ssim
from deepr.patches import (
    CONSTANT_PLANE,
    FOCUS_AT_END,
    LOW_CONTRAST,
    _ssim_of_planes,
    find_patches,
    measure_contrast,
)
from scipy.ndimage import gaussian_filter

Z_UM = np.linspace(-2, 2, 9)


def make_specimen(shape, rng, spots=0.01):
    """Make spots of random brightness, some 500 counts."""
    return np.where(rng.random(shape) < spots, rng.uniform(5e3, 2e4, shape), 0)


def make_stack(shape=(64, 64), focus_plane=4, seed=3, noise=5.0, dtype=np.uint16, specimen=None):
    """Image a specimen with blur that grows with the distance from focus, with noise, on 100 dark counts."""
    rng = np.random.default_rng(seed)
    specimen = make_specimen(shape, rng) if specimen is None else specimen
    planes = []
    for plane in range(len(Z_UM)):
        blurred = gaussian_filter(specimen, 1.2 + 0.8 * abs(plane - focus_plane), axes=(0, 1))
        planes.append(100 + blurred + noise * rng.standard_normal(specimen.shape))
    stack = np.stack(planes)
    return stack.astype(dtype) if np.issubdtype(dtype, np.floating) else np.rint(stack).astype(dtype)


def test_the_focus_plane_is_found_patch_by_patch():
    """Two halves of a field in focus in different planes; the composite joins both."""
    left, right = make_stack(focus_plane=3), make_stack(focus_plane=5, seed=4)
    stack = np.concatenate([left, right], axis=2)
    composite = np.concatenate([left[3], right[5]], axis=1).astype(np.float32)
    patches = find_patches(stack, composite, Z_UM, patch_px=64, min_contrast=1.0)
    assert patches["focus_plane"].tolist() == [3, 5]
    assert patches["focus_z_um"].tolist() == [-0.5, 0.5]
    np.testing.assert_allclose(patches["focus_ssim"], 1.0)
    assert patches["kept"].tolist() == [True, True]
    assert patches["reason"].tolist() == ["", ""]


def test_patches_do_not_overlap_and_start_at_the_top_left():
    """A grid; what is left at the right and at the bottom is not used."""
    stack = make_stack((70, 100))
    patches = find_patches(stack, stack[4], Z_UM, patch_px=32, min_contrast=0.0)
    assert patches[["y", "x"]].to_numpy().tolist() == [[y, x] for y in (0, 32) for x in (0, 32, 64)]
    assert set(patches["size"]) == {32}
    assert list(patches.columns) == [
        "y",
        "x",
        "size",
        "focus_plane",
        "focus_z_um",
        "focus_ssim",
        "contrast",
        "kept",
        "reason",
    ]


def test_a_colour_field_is_cut_as_a_grey_one():
    """The focus plane of an RGB stack is that of its colours together."""
    specimen = make_specimen((64, 64, 3), np.random.default_rng(1)) / 100
    stack = make_stack(specimen=specimen, noise=0.5, dtype=np.uint8, focus_plane=2)
    patches = find_patches(stack, stack[2].astype(np.float32), Z_UM, patch_px=32, min_contrast=1.0)
    assert patches["focus_plane"].tolist() == [2] * 4
    assert patches["kept"].all()


def test_threads_change_nothing():
    """The same table from one thread and from three."""
    stack = make_stack()
    one, three = (find_patches(stack, stack[4], Z_UM, 32, 1.0, threads=threads) for threads in (1, 3))
    assert one.equals(three)


@pytest.mark.parametrize("shape", [(9, 48, 40), (9, 48, 40, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_similarities_are_those_of_the_metric(shape, dtype):
    """All planes at once equal scikit-image's SSIM one by one."""
    rng = np.random.default_rng(5)
    planes = gaussian_filter(rng.random(shape), 1.5, axes=(1, 2)) * 250
    reference = planes[3].astype(np.float32) + rng.random(shape[1:], dtype=np.float32)
    planes = planes.astype(dtype)
    expected = [ssim(plane, reference) for plane in planes]
    np.testing.assert_allclose(_ssim_of_planes(planes, reference), expected, rtol=0, atol=1e-6)


def test_a_patch_without_structure_is_left_out():
    """Noise alone has a contrast near 0, also after the smoothing that alignment does to it."""
    empty = make_stack(specimen=np.zeros((64, 64)))
    smoothed = np.stack([gaussian_filter(plane.astype(np.float32), 0.6) for plane in empty])
    for stack in (empty, smoothed):
        patches = find_patches(stack, stack.mean(axis=0), Z_UM, 64, min_contrast=1.0)
        assert patches["reason"].tolist() == [LOW_CONTRAST]
        assert not patches["kept"].any()
        assert patches["contrast"][0] < 0.4


def test_shading_is_no_structure():
    """An empty patch under uneven light stays empty, although its pixels vary by far more than the noise."""
    slope = np.linspace(0, 400, 64) * np.ones((64, 1))
    stack = make_stack(specimen=slope, noise=5.0)
    assert stack[4].std() > 20 * 5.0
    patches = find_patches(stack, stack[4], Z_UM, 64, min_contrast=1.0)
    assert patches["reason"].tolist() == [LOW_CONTRAST]


@pytest.mark.parametrize("noise", [2.0, 10.0])
def test_contrast_is_the_ratio_of_structure_to_noise(noise):
    """Where defocus changes little, the structure's deviation over the noise's, at any gain and offset."""
    rng = np.random.default_rng(2)
    structure = gaussian_filter(rng.standard_normal((256, 256)), 2)
    structure *= 20 / structure.std()
    planes = 500 + structure + noise * rng.standard_normal((5, 256, 256))
    expected = 20 / noise
    assert measure_contrast(planes.astype(np.float32), 2) == pytest.approx(expected, rel=0.05)
    assert measure_contrast((3 * planes + 50).astype(np.float32), 2) == pytest.approx(expected, rel=0.05)


def test_contrast_without_noise():
    """Infinite for noise-free planes; whole counts are no better than rounding; no structure gives 0."""
    structure = gaussian_filter(np.random.default_rng(2).standard_normal((256, 256)), 2).astype(np.float32)
    planes = np.stack([structure] * 3)
    assert measure_contrast(planes, 1) == np.inf
    counts = np.rint(500 + 20 * planes / structure.std()).astype(np.uint16)
    assert measure_contrast(counts, 1) == pytest.approx(20 * np.sqrt(12), rel=0.05)
    assert measure_contrast(np.full((3, 64, 64), 7.0, dtype=np.float32), 1) == 0.0


def test_a_focus_plane_at_the_end_is_left_out():
    """The true focus may lie beyond the first or last plane."""
    for focus_plane in (0, 8):
        stack = make_stack(focus_plane=focus_plane)
        patches = find_patches(stack, stack[focus_plane], Z_UM, 64, min_contrast=1.0)
        assert patches["focus_plane"].tolist() == [focus_plane]
        assert patches["reason"].tolist() == [FOCUS_AT_END]


def test_a_constant_patch_is_left_out():
    """Constant in one plane, which cannot be normalised, or in the composite: left out, not stumbled over."""
    stack = make_stack()
    stack[8] = 100
    patches = find_patches(stack, stack[4], Z_UM, 64, min_contrast=1.0)
    assert patches["focus_plane"].tolist() == [4]
    assert patches["reason"].tolist() == [CONSTANT_PLANE]
    patches = find_patches(stack, np.full((64, 64), 3.0), Z_UM, 64, min_contrast=0.0)
    assert patches["reason"].tolist() == [LOW_CONTRAST]
    assert np.isnan(patches["focus_ssim"][0])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"patch_px": 65}, "found a field of 64 x 64 px and patch_px 65, wanted a field that holds a patch"),
        ({"patch_px": 4}, "patches of at least 7 px"),
        ({"composite": np.ones((64, 63))}, r"composite of \(64, 63\) and 9 z, wanted one composite of the"),
        ({"z_um": np.arange(8)}, "and 8 z, wanted .* one z per plane"),
        ({"composite": np.full((64, 64), np.nan)}, "must be finite"),
    ],
)
def test_wrong_arguments_are_refused(changes, sentence):
    """One sentence with the value found and the value wanted."""
    stack = make_stack()
    arguments = {"stack": stack, "composite": stack[4], "z_um": Z_UM, "patch_px": 32, "min_contrast": 1.0}
    with pytest.raises(ValueError, match=sentence):
        find_patches(**arguments | changes)


def test_a_single_plane_is_refused():
    """One plane holds no focus to find."""
    stack = make_stack()[:1]
    with pytest.raises(ValueError, match="found 1 plane, wanted a stack of two or more"):
        find_patches(stack, stack[0], [0.0], 32, 1.0)


def test_real_beads_are_kept_and_the_gap_between_them_left_out(real_data):
    """8-bit beads at 0.95 NA: three patches in focus in plane 17, and one without a bead."""
    files = [real_data / "beads-na095-widefield" / f"sample_zstack{plane:02d}.tif" for plane in range(34)]
    stack = np.stack([tifffile.imread(file) for file in files])[:, 128:384, 256:]
    composite, _ = extended_depth_of_field(stack)
    patches = find_patches(stack, composite, 0.3 * np.arange(34), 128, min_contrast=1.0)
    assert patches["kept"].tolist() == [True, False, True, True]
    assert set(patches.loc[patches["kept"], "focus_plane"]) == {17}
    assert patches.loc[patches["kept"], "contrast"].min() > 4
    assert patches.loc[1, "reason"] == LOW_CONTRAST
    assert patches.loc[1, "contrast"] < 0.5
