"""Refocusing works at any size, in tiles as in one piece, and refuses what it cannot do."""

import numpy as np
import pytest
from deepr.networks.generator import build_generator
from deepr.networks.inference import load_generator, refocus, refocus_normalised, refocus_stack
from deepr.tables import InputError
from scipy.ndimage import gaussian_filter


@pytest.fixture(scope="module")
def generator():
    """A small generator with random weights."""
    return build_generator(2, seed=0)


def blobs(shape, seed=0):
    """A smooth image in camera counts."""
    noise = np.random.default_rng(seed).standard_normal(shape)
    smooth = gaussian_filter(noise, (2, 2, 0)[: len(shape)])
    return (1000 + 300 * smooth / smooth.std()).astype(np.uint16)


def test_the_output_is_put_on_the_scale_of_the_input(generator):
    """mean(input) + std(input) x output of the normalised input, float32, of the same size."""
    image = blobs((64, 96))
    mean, deviation = image.mean(), image.std()
    output = refocus_normalised(((image - mean) / deviation).astype(np.float32)[None, :, :, None], generator)
    refocused = refocus(image, generator)
    assert refocused.dtype == np.float32
    assert refocused == pytest.approx(mean + deviation * output[0, :, :, 0], rel=1e-5)


def test_any_size_is_continued_by_reflection(generator):
    """Sides that are no multiple of 32 give what the reflected image gives, cut."""
    image = blobs((70, 45)).astype(np.float32)
    image = (image - image.mean()) / image.std()
    padded = np.pad(image, [(0, 26), (0, 19)], mode="reflect")
    expected = refocus_normalised(padded[None, :, :, None], generator)[0, :70, :45, 0]
    assert refocus(image, generator) == pytest.approx(expected, abs=1e-4)


def test_tiles_join_without_a_seam(generator):
    """Away from the frame, tiles and the whole image differ by less than a thousandth of the range."""
    image = blobs((1216, 800))  # two tiles that overlap by the least they may
    whole = refocus(image, generator)
    tiled = refocus(image, generator, max_pixels=800 * 800)
    difference = np.abs(tiled - whole)[128:-128, 128:-128]
    assert 0 < difference.max() < 1e-3 * np.ptp(whole)


def test_a_stack_is_refocused_plane_by_plane(generator):
    """Together or one by one, each plane is normalised and refocused by itself."""
    stack = np.stack([blobs((40, 64), seed) * (seed + 1) for seed in range(11)])
    expected = np.stack([refocus(plane, generator) for plane in stack])
    difference = np.abs(refocus_stack(stack, generator) - expected).max(axis=(1, 2))
    assert np.all(difference < 1e-5 * np.ptp(expected, axis=(1, 2)))


def test_colour_comes_out_in_colour():
    """Three channels in, three out, on one scale."""
    image = blobs((64, 50, 3))
    assert refocus(image, build_generator(4, image_channels=3, seed=0)).shape == (64, 50, 3)


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (np.full((64, 64), 7), "constant, 7"),
        (np.full((64, 64), np.nan), "NaN"),
        (blobs((31, 64)), "at least 32 px"),
        (blobs((64, 64, 3)), r"wanted \(Y, X\)"),
        (np.zeros(64), "shape"),
    ],
)
def test_what_cannot_be_refocused_is_refused(generator, image, sentence):
    """One sentence says what was found and what is wanted."""
    with pytest.raises(ValueError, match=sentence):
        refocus(image, generator)


def test_tiles_that_cannot_overlap_are_refused(generator):
    """An overlap that is too small leaves seams; tiles need room for it."""
    with pytest.raises(ValueError, match="overlap_px"):
        refocus(blobs((64, 64)), generator, overlap_px=128)
    with pytest.raises(ValueError, match="max_pixels"):
        refocus(blobs((800, 800)), generator, max_pixels=700 * 700)


def test_a_generator_is_loaded_from_its_folder_or_file(generator, tmp_path):
    """Both names give the same network."""
    generator.save(tmp_path / "generator.keras")
    image = blobs((64, 64))
    for path in (tmp_path, tmp_path / "generator.keras"):
        assert np.array_equal(refocus(image, load_generator(path)), refocus(image, generator))


def test_what_is_no_generator_is_refused(tmp_path):
    """A missing and a damaged file are named."""
    with pytest.raises(InputError, match="no such file"):
        load_generator(tmp_path)
    (tmp_path / "generator.keras").write_bytes(b"damaged")
    with pytest.raises(InputError, match="not a generator"):
        load_generator(tmp_path)
