"""Training pairs: which planes, how normalised and cropped, and the same ones for the same number."""

import numpy as np
import pandas as pd
import pytest
from deepr.networks.pairs import PairSampler
from deepr.tables import InputError


class FakeSlide:
    """Fields in memory with the interface of a slide; every plane of every field is another noise."""

    def __init__(self, shape=(9, 80, 96), seed=0, step_um=0.5):
        rng = np.random.default_rng(seed)
        self.planes = rng.integers(100, 4000, shape).astype(np.uint16)
        self.heights_um = step_um * (np.arange(shape[0]) - shape[0] // 2)

    def z_um(self, field):
        return self.heights_um

    def stack(self, field):
        return self.planes


def manifest(**columns):
    """One row per slide "a" and "b", patches of 64 px, focus at plane 4."""
    rows = pd.DataFrame(
        {
            "dataset": "d",
            "slide": ["a", "b"],
            "fov": "f0",
            "y": [0, 16],
            "x": [32, 0],
            "size": 64,
            "split": "train",
            "focus_plane": 4,
            "focus_z_um": 0.0,
            "kept": True,
            "reason": "",
        }
    )
    return rows.assign(**columns)


SLIDES = {("d", "a"): FakeSlide(seed=1), ("d", "b"): FakeSlide(seed=2)}


def sampler(patches=None, slides=SLIDES, **changes):
    """A sampler of +-1 um, 32-px crops, 3 pairs per batch."""
    arguments = {"range_um": 1.0, "crop_px": 32, "batch_size": 3, "seed": 5, "augment": False, **changes}
    return PairSampler(manifest() if patches is None else patches, slides, **arguments)


def normalised_patch(row, plane):
    """The reference: a patch's plane, normalised as a whole."""
    pixels = SLIDES[row.dataset, row.slide].planes[plane, row.y : row.y + 64, row.x : row.x + 64].astype(float)
    return (pixels - pixels.mean()) / pixels.std()


def test_planes_within_the_range_and_the_focus_itself_are_inputs():
    """+-1 um at steps of 0.5 um are five planes of each of two patches."""
    assert sampler().count == 10


def test_patches_are_normalised_whole_and_cropped_after():
    """Every crop of a batch is a window of a patch normalised by its own mean and deviation."""
    inputs, truths = sampler(batch_size=12).batch(0)
    assert inputs.shape == truths.shape == (12, 32, 32, 1)
    assert inputs.dtype == truths.dtype == np.float32
    seen = set()
    for image, truth in zip(inputs[..., 0], truths[..., 0], strict=True):
        row, y, x = next(
            (row, y, x)
            for row in manifest().itertuples()
            for y in range(33)
            for x in range(33)
            if np.allclose(normalised_patch(row, 4)[y : y + 32, x : x + 32], truth, atol=1e-5)
        )
        planes = [
            plane
            for plane in range(9)
            if np.allclose(normalised_patch(row, plane)[y : y + 32, x : x + 32], image, atol=1e-5)
        ]
        assert len(planes) == 1 and abs(planes[0] - 4) <= 2
        seen.add((row.slide, planes[0]))
    assert len(seen) > 4


def test_a_batch_depends_on_its_number_alone():
    """Whatever was drawn before, batch 7 is batch 7; others and other seeds differ."""
    one, other = sampler(), sampler()
    for number in (3, 1):
        one.batch(number)
    assert np.array_equal(one.batch(7), other.batch(7))
    assert not np.array_equal(one.batch(7), one.batch(8))
    assert not np.array_equal(one.batch(7), sampler(seed=6).batch(7))


def test_batches_read_ahead_come_in_order():
    """The background thread starts at any number and changes nothing."""
    pairs = sampler(augment=True)
    ahead = list(pairs.batches(4, 14))
    assert len(ahead) == 10
    assert all(np.array_equal(batch, pairs.batch(4 + i)) for i, batch in enumerate(ahead))


def test_augmentation_turns_and_mirrors_both_images_alike():
    """All eight symmetries of the square occur, the same for input and truth."""
    plain, augmented = sampler(batch_size=40), sampler(batch_size=40, augment=True)
    symmetries = [
        lambda image, turns=turns, mirrored=mirrored: np.rot90(image, turns)[:, :: -1 if mirrored else 1]
        for turns in range(4)
        for mirrored in (False, True)
    ]
    used = set()
    for pair, turned in zip(np.stack(plain.batch(0), 1), np.stack(augmented.batch(0), 1), strict=True):
        ways = [
            way
            for way, symmetry in enumerate(symmetries)
            if all(np.array_equal(symmetry(pair[i]), turned[i]) for i in (0, 1))
        ]
        assert len(ways) == 1
        used.update(ways)
    assert used == set(range(8))


def test_the_validation_set_is_fixed_and_covers_the_range():
    """Five of ten pairs take every height once, from central crops; more than there are gives all."""
    pairs = sampler()
    inputs, truths = pairs.validation_set(5)
    assert np.array_equal(pairs.validation_set(5)[0], inputs)
    heights = []
    for image, truth in zip(inputs[..., 0], truths[..., 0], strict=True):
        for row in manifest().itertuples():
            if np.allclose(normalised_patch(row, 4)[16:48, 16:48], truth, atol=1e-5):
                heights += [
                    plane
                    for plane in range(9)
                    if np.allclose(normalised_patch(row, plane)[16:48, 16:48], image, atol=1e-5)
                ]
    assert sorted(heights) == [2, 3, 4, 5, 6]
    assert len(np.unique(pairs.validation_set(99)[0].reshape(10, -1), axis=0)) == 10


def test_colour_keeps_its_balance():
    """An RGB patch has one mean and one deviation: its channels keep their differences."""
    slides = {("d", name): FakeSlide((9, 80, 96, 3), seed=3) for name in "ab"}
    slides["d", "a"].planes[..., 0] //= 4
    pairs = sampler(manifest()[:1], slides, crop_px=64, batch_size=2)
    inputs, _ = pairs.batch(0)
    assert pairs.image_channels == 3
    assert inputs.shape == (2, 64, 64, 3)
    assert inputs[0].mean() == pytest.approx(0, abs=1e-4) and inputs[0].std() == pytest.approx(1, abs=1e-4)
    assert inputs[0, ..., 0].mean() < -0.5


def test_the_fingerprint_knows_data_and_arguments():
    """Other pixels, patches or arguments give another fingerprint, the same give the same."""
    changed = {key: FakeSlide(seed=i + 1) for i, key in enumerate(SLIDES)}
    changed["d", "b"].planes[4, 20, 20] += 1
    prints = [
        sampler().fingerprint(),
        sampler(slides=changed).fingerprint(),
        sampler(manifest(x=[31, 0])).fingerprint(),
        sampler(range_um=0.5).fingerprint(),
        sampler(batch_size=4).fingerprint(),
        sampler(augment=True).fingerprint(),
    ]
    assert len(set(prints)) == len(prints)
    assert sampler().fingerprint() == prints[0]


@pytest.mark.parametrize(
    ("patches", "changes", "sentence"),
    [
        (manifest(kept=False), {}, "none of 2 train patches was kept"),
        (manifest()[:0], {}, "none of 0"),
        (manifest(), {"range_um": 2.5}, "range of 2.5 um .* span 4 um"),
        (manifest(), {"crop_px": 96}, "crop_px is 96, larger than a patch"),
        (manifest(), {"crop_px": 40}, "multiple of 32, not 40"),
        (manifest(y=[0, 40]), {}, "does not lie within the stack"),
    ],
)
def test_what_cannot_work_is_refused_in_one_sentence(patches, changes, sentence):
    """Before any training the sampler says what was found and what is wanted."""
    with pytest.raises(InputError, match=sentence):
        sampler(patches, **changes)


def test_a_constant_plane_is_refused_at_once():
    """An empty plane within the range would end a training in its midst."""
    slides = {key: FakeSlide(seed=9) for key in SLIDES}
    slides["d", "b"].planes[5] = 100
    with pytest.raises(InputError, match="slide b, field f0, plane 5"):
        sampler(slides=slides)


def test_grey_and_colour_do_not_mix():
    """One network has one kind of image."""
    slides = {**SLIDES, ("d", "b"): FakeSlide((9, 80, 96, 3))}
    with pytest.raises(InputError, match="3 channels"):
        sampler(slides=slides)
