"""Properties of the wavelet transform and of the fusion that hold for any stack."""

import numpy as np
import pytest
from deepr.edof import analyse, extended_depth_of_field, fusion, synthesise
from deepr.edof.consistency import check_majority, check_subbands


@pytest.fixture
def stack():
    """Five planes of 64 x 64 pixels of noise, of a different strength in each corner."""
    rng = np.random.default_rng(3)
    strength = rng.uniform(1, 30, (5, 8, 8)).repeat(8, axis=1).repeat(8, axis=2)
    return (128 + strength * rng.standard_normal((5, 64, 64))).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("filter_length", [6, 14, 22])
@pytest.mark.parametrize("scales", [1, 3, None])
def test_synthesis_inverts_analysis(filter_length, scales):
    """The transform loses nothing and keeps the energy, up to the ten digits of the filters."""
    plane = np.random.default_rng(0).normal(size=(32, 128))
    pyramid = analyse(plane, filter_length, scales)
    assert np.abs(synthesise(pyramid, filter_length, scales) - plane).max() < 1e-7
    assert np.sum(np.abs(pyramid) ** 2) == pytest.approx(np.sum(plane**2), rel=1e-7)


def test_bands_hold_what_varies_along_their_axes():
    """Stripes across x are details along x, and nothing else."""
    stripes = np.tile([1.0, -1.0], (16, 8))
    pyramid = analyse(stripes, scales=1)
    assert np.abs(pyramid[:8, 8:]).min() > 1
    pyramid[:8, 8:] = 0
    assert np.abs(pyramid).max() < 1e-7


@pytest.mark.parametrize(
    ("shape", "filter_length", "scales", "message"),
    [
        ((16, 24), 14, None, r"\(16, 24\).*powers of two"),
        ((2, 16, 16), 14, None, "powers of two"),
        ((16, 16), 8, None, r"filter length is 8, .*\(6, 14, 22\)"),
        ((16, 32), 14, 5, "scales is 5, but must be 1 to 4"),
        ((16, 16), 14, 0, "scales is 0"),
    ],
)
def test_impossible_transforms_are_refused(shape, filter_length, scales, message):
    """A size, filter or number of levels that does not exist is named."""
    with pytest.raises(ValueError, match=message):
        analyse(np.zeros(shape), filter_length, scales)


def test_fusion_takes_what_is_sharp_from_each_plane():
    """Of two planes, each sharp on one side, the composite is sharp on both."""
    rng = np.random.default_rng(0)
    sharp = rng.integers(0, 255, (128, 128)).astype(np.uint8)
    left_sharp, right_sharp = sharp.copy(), sharp.copy()
    left_sharp[:, 64:], right_sharp[:, :64] = 128, 128
    composite, height_map = extended_depth_of_field(np.stack([left_sharp, right_sharp]))
    away_from_seams = np.r_[16:48, 80:112]
    assert np.mean(composite[:, away_from_seams] == sharp[:, away_from_seams]) > 0.95
    assert np.mean(height_map[:, 16:48] == 0) > 0.95
    assert np.mean(height_map[:, 80:112] == 1) > 0.95


def test_reassigned_composite_has_the_stacks_values(stack):
    """Each pixel is that of the plane in the height map, the nearest to the fused value, first on ties."""
    composite, height_map = extended_depth_of_field(stack)
    fused, same_map = extended_depth_of_field(stack, reassign=False)
    assert composite.dtype == fused.dtype == np.float32
    assert np.array_equal(composite, np.take_along_axis(stack, height_map[np.newaxis], axis=0)[0])
    assert np.array_equal(height_map, np.abs(stack - fused).argmin(axis=0))
    assert np.array_equal(height_map, same_map)


def test_identical_planes_fuse_to_the_first(stack):
    """Where no plane is stronger, the first one is kept."""
    composite, height_map = extended_depth_of_field(stack[[2, 2, 2]], threads=2)
    assert np.array_equal(composite, stack[2])
    assert not height_map.any()


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_result_does_not_depend_on_threads(stack, threads):
    """Runs of planes that threads share out merge to the very same result."""
    alone = extended_depth_of_field(stack, reassign=False)
    together = extended_depth_of_field(stack, reassign=False, threads=threads)
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_result_does_not_depend_on_memory(stack, monkeypatch):
    """Coefficients that do not fit in memory are computed again, to the very same result."""
    kept = extended_depth_of_field(stack, reassign=False)
    monkeypatch.setattr(fusion, "_KEPT_BYTES", 0)
    computed = extended_depth_of_field(stack, reassign=False, threads=2)
    assert all(np.array_equal(a, b) for a, b in zip(kept, computed, strict=True))


def test_memory_map_is_fused(stack, tmp_path):
    """A stack may stay on disk, read-only."""
    np.save(tmp_path / "stack.npy", stack)
    mapped = np.load(tmp_path / "stack.npy", mmap_mode="r")
    assert np.array_equal(extended_depth_of_field(mapped)[0], extended_depth_of_field(stack)[0])


@pytest.mark.parametrize("axis", [1, 2])
def test_rectangles_are_checked_in_the_right_places(stack, axis):
    """A periodic scene seen twice is fused like one seen once, whichever way the rectangle stands."""
    options = {"majority_check": False, "reassign": False, "scales": 4}
    once, _ = extended_depth_of_field(stack, **options)
    twice, _ = extended_depth_of_field(np.concatenate([stack, stack], axis=axis), **options)
    np.testing.assert_allclose(twice, np.concatenate([once, once], axis=axis - 1), atol=1e-3)


def test_other_sides_are_embedded_in_zeros(stack):
    """A side that is no power of two gives what its embedding in zeros gives."""
    planes = stack[:, :50, :41]
    embedded = np.zeros((5, 64, 64), np.uint8)
    embedded[:, 7:57, 11:52] = planes
    fused, _ = extended_depth_of_field(planes, reassign=False)
    expected, _ = extended_depth_of_field(embedded, reassign=False)
    assert np.array_equal(fused, expected[7:57, 11:52])


def test_colours_come_from_the_planes_of_the_luminance(stack):
    """An RGB stack is fused through its truncated luminance, and its pixels keep their colours."""
    rng = np.random.default_rng(5)
    colours = np.stack([stack, stack // 2, rng.integers(0, 9, stack.shape, np.uint8)], axis=-1)
    red, green, blue = np.moveaxis(colours.astype(float), -1, 0)
    grey = np.floor(0.299 * red + 0.587 * green + 0.114 * blue).astype(np.uint8)
    composite, height_map = extended_depth_of_field(colours)
    _, expected_map = extended_depth_of_field(grey)
    assert np.array_equal(height_map, expected_map)
    rows, columns = np.indices(height_map.shape)
    assert np.array_equal(composite, colours[height_map, rows, columns])


def test_majority_of_a_window_decides():
    """Counting every mirrored 5 x 5 window one by one gives the same planes."""
    rng = np.random.default_rng(1)
    chosen = rng.choice([3, 40, 41], p=[0.6, 0.2, 0.2], size=(64, 32)).astype(np.uint8)
    expected = chosen.copy()
    for level in (1, 2, 3):
        height, width = 64 >> level, 32 >> level
        for y, x in ((height, 0), (0, width), (height, width)):
            band = chosen[y : y + height, x : x + width]
            mirrored = np.pad(band, 2, mode="reflect")
            for i, j in np.ndindex(height, width):
                planes, counts = np.unique(mirrored[i : i + 5, j : j + 5], return_counts=True)
                if counts.max() > 12:
                    expected[y + i, x + j] = planes[counts.argmax()]
    assert np.count_nonzero(expected != chosen) > 100
    check_majority(chosen, scales=5)
    assert np.array_equal(chosen, expected)


@pytest.mark.parametrize(
    ("planes", "energies", "expected"),
    [
        ((4, 4, 4), (1, 2, 3), (4, 4, 4)),
        ((1, 4, 4), (9, 2, 3), (4, 4, 4)),
        ((4, 1, 4), (1, 9, 3), (4, 4, 4)),
        ((4, 4, 1), (1, 2, 9), (4, 4, 4)),
        ((5, 6, 7), (3, 2, 1), (5, 5, 5)),
        ((5, 6, 7), (1, 3, 2), (6, 6, 6)),
        ((5, 6, 7), (1, 2, 3), (7, 7, 7)),
        ((5, 6, 7), (3, 3, 1), (5, 6, 7)),
    ],
)
def test_bands_agree_by_two_to_one_or_by_the_strongest(planes, energies, expected):
    """The third band follows two that agree, and all follow the strictly strongest of three that do not."""
    bands = ((1, 0), (0, 1), (1, 1))
    chosen, energy = np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.float32)
    for band, plane, value in zip(bands, planes, energies, strict=True):
        chosen[band], energy[band] = plane, value
    check_subbands(chosen, energy, scales=1)
    assert tuple(chosen[band] for band in bands) == expected


def test_checks_stop_at_the_third_level():
    """Coarser details and the low-pass band keep their planes."""
    rng = np.random.default_rng(2)
    chosen = rng.choice([1, 2], p=[0.8, 0.2], size=(64, 64)).astype(np.uint8)
    coarse = chosen[:8, :8].copy()
    check_subbands(chosen, rng.random((64, 64)), scales=6)
    check_majority(chosen, scales=6)
    assert np.array_equal(chosen[:8, :8], coarse)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda stack: stack[0], {}, r"shape \(64, 64\)"),
        (lambda stack: stack[..., np.newaxis], {}, r"must be \(Z, Y, X\) or \(Z, Y, X, 3\)"),
        (lambda stack: stack[:1], {}, "1 plane, but at least 2"),
        (lambda stack: stack[:, :1], {}, "both sides must have at least 2"),
        (
            lambda stack: np.where(np.arange(5)[:, None, None] == 3, np.nan, stack),
            {},
            "Plane 3 .* not finite",
        ),
        (lambda stack: stack, {"filter_length": 10}, "filter length is 10"),
        (lambda stack: stack, {"scales": 7}, "scales is 7"),
        (lambda stack: stack[..., np.newaxis].repeat(3, -1), {"reassign": False}, "colour"),
    ],
)
def test_bad_stacks_are_refused(stack, change, options, message):
    """What cannot be fused stops with a sentence that says why."""
    with pytest.raises(ValueError, match=message):
        extended_depth_of_field(change(stack), **options)
