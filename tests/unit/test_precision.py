"""A generator that computes in bfloat16: nearly the same images, exactly the same weights."""

import keras
import numpy as np
import pytest
from deepr.networks import precision
from deepr.networks.generator import build_generator, weights_hash
from deepr.networks.inference import refocus_normalised
from deepr.networks.precision import available_precision, has_bfloat16, with_precision
from scipy.ndimage import gaussian_filter


def images(count=2, side=64):
    blobs = gaussian_filter(np.random.default_rng(3).standard_normal((count, side, side)), (0, 2, 2))
    return (blobs / blobs.std())[..., None].astype(np.float32)


def test_the_outputs_differ_by_the_rounding_alone():
    generator = build_generator(8, seed=5)
    changed = with_precision(generator, "bfloat16")
    wanted, found = (refocus_normalised(images(), network) for network in (generator, changed))
    error = np.sqrt(np.mean((found - wanted) ** 2)) / wanted.std()
    assert 1e-5 < error < 0.02
    assert found.dtype == np.float32
    assert changed.name == generator.name


def test_weights_are_the_same_there_and_back():
    generator = build_generator(4, seed=5)
    changed = with_precision(generator, "bfloat16")
    back = with_precision(changed, "float32")
    assert weights_hash(changed) == weights_hash(generator) == weights_hash(back)
    assert {weight.dtype for weight in changed.get_weights()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(refocus_normalised(images(), back), refocus_normalised(images(), generator))


def test_a_generator_that_computes_so_already_is_not_copied():
    generator = build_generator(2, seed=1)
    changed = with_precision(generator, "bfloat16")
    assert with_precision(generator, "float32") is generator
    assert with_precision(changed, "bfloat16") is changed


def test_another_precision_is_refused():
    with pytest.raises(ValueError, match="precision is 'float16', wanted float32 or bfloat16"):
        with_precision(build_generator(2), "float16")


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("processor : 0\nflags\t\t: fpu avx512f avx512_bf16 vnni\n", True),
        ("processor : 0\nflags\t\t: fpu avx512f amx_bf16 amx_tile\n", True),
        ("processor : 0\nmodel name : avx512_bf16\nflags\t\t: fpu avx2 avx512f\n", False),
        ("", False),
        (None, False),
    ],
)
def test_what_the_processor_has(lines, found, tmp_path, monkeypatch):
    file = tmp_path / "cpuinfo"
    if lines is not None:
        file.write_text(lines)
    monkeypatch.setattr(precision, "PROCESSOR_FILE", file)
    assert has_bfloat16() is found


def test_where_the_machine_is_slow_in_it_float32_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "PROCESSOR_FILE", tmp_path / "cpuinfo")
    gpus = []
    monkeypatch.setattr(keras.distribution, "list_devices", lambda device_type: gpus)
    assert available_precision("bfloat16") == "float32"
    (tmp_path / "cpuinfo").write_text("flags : avx512_bf16\n")
    assert available_precision("bfloat16") == "bfloat16"
    assert available_precision("float32") == "float32"
    gpus.append("gpu:0")
    assert available_precision("bfloat16") == "float32"
