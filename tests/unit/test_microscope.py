"""Image formation, stage, focus search, stacks and slides."""

from types import SimpleNamespace

import numpy as np
import pytest
from deepr.focus import brent_search, vollath5
from deepr.optics.acquisition import acquire_slide
from deepr.optics.camera import Camera
from deepr.optics.imaging import ImageFormation
from deepr.optics.microscope import Microscope, StageDrift
from deepr.optics.objective import OBJECTIVES
from deepr.optics.psf import pupil_psf
from deepr.optics.specimens import Specimen

STILL = StageDrift(step_px=0.0, trend_px_per_um=0.0, rotation_deg=0.0)


def _images(formation, layers, z_um, depths_um=(0.0,), moves=None, **more):
    moves = np.zeros((len(z_um), 3)) if moves is None else moves
    return np.stack(
        list(formation.planes(formation.spectra(layers), depths_um, z_um, moves, lambda _, image: image, **more))
    )


def _points(formation, places):
    layers = np.zeros((1, formation.grid_px, formation.grid_px), np.float32)
    for y, x in places:
        layers[0, y + formation.margin_px, x + formation.margin_px] = 1000
    return layers


def _centroid(image):
    y, x = np.indices(image.shape)
    return np.array([(image * y).sum(), (image * x).sum()]) / image.sum()


@pytest.fixture(scope="module")
def dry_40x():
    return ImageFormation(OBJECTIVES["40x/0.95"], 0.692, 64, 4.0, cover_glass_um=163.0, specimen_index=1.495)


@pytest.fixture(scope="module")
def dry_20x():
    return ImageFormation(OBJECTIVES["20x/0.45"], 0.461, 64, 12.0, specimen_index=1.495)


def _blobs(formation, seed=0, depths=(-1.0, 0.0, 1.0)):
    rng = np.random.default_rng(seed)
    layers = np.zeros((len(depths), formation.grid_px, formation.grid_px), np.float32)
    layers[tuple(rng.integers(0, size, 900) for size in layers.shape)] = 3e4
    return Specimen(layers, np.array(depths), 20.0)


def test_point_becomes_the_psf(dry_40x):
    """A point in a layer gives the PSF at that defocus, averaged over the camera's pixels."""
    z_um = [-3.0, 0.0, 2.0]
    images = _images(dry_40x, _points(dry_40x, [(32, 32)]), z_um)
    fine = pupil_psf(dry_40x.objective, 0.692, z_um, 325, 0.1625 / 5, cover_glass_um=163.0)
    expected = 1000 * fine.reshape(3, 65, 5, 65, 5).sum(axis=(2, 4))[:, :64, :64]
    for image, plane in zip(images, expected, strict=True):
        np.testing.assert_allclose(image, plane, atol=0.01 * plane.max())


def test_layers_have_their_own_focus(dry_40x):
    """A point 1 um deeper gives the image of pupil_psf at that depth."""
    images = _images(dry_40x, _points(dry_40x, [(32, 32)]), [0.6], depths_um=[1.0])
    fine = pupil_psf(
        dry_40x.objective, 0.692, [0.6], 325, 0.1625 / 5, cover_glass_um=163.0, depth_um=1.0, specimen_index=1.495
    )
    expected = 1000 * fine.reshape(65, 5, 65, 5).sum(axis=(1, 3))[:64, :64]
    np.testing.assert_allclose(images[0], expected, atol=0.01 * expected.max())


def test_defocus_keeps_the_light_of_an_even_layer(dry_40x):
    """An evenly bright layer has the same brightness at every z."""
    even = np.full((1, dry_40x.grid_px, dry_40x.grid_px), 7.0, np.float32)
    np.testing.assert_allclose(_images(dry_40x, even, [-4.0, 0.0, 4.0]), 7.0, rtol=6e-3)


def test_no_light_goes_round_the_edges(dry_40x):
    """A point at one end of the grid, blurred as far as the margin, leaves the frame's other end dark."""
    layers = np.zeros((1, dry_40x.grid_px, dry_40x.grid_px), np.float32)
    layers[0, dry_40x.grid_px // 2, 0] = 1000
    image = _images(dry_40x, layers, [-4.0])[0]
    assert image[:, :5].sum() > 0
    assert (
        image[:, -8:].max() < 0.02 * pupil_psf(dry_40x.objective, 0.692, [-4.0], 129, cover_glass_um=163.0).max() * 1000
    )


def test_drift_and_rotation_move_points_as_said(dry_40x):
    """Points move from (x, y) about the centre to (x - r y + dx, y + r x + dy), to 0.03 px."""
    dy, dx, degrees = 1.3, -0.7, 0.8
    r = np.radians(degrees)
    for place in np.array([(12, 14), (50, 20), (32, 52)]):
        image = _images(dry_40x, _points(dry_40x, [place]), [0.0], moves=[(dy, dx, degrees)])[0]
        y, x = place - 31.5
        expected = np.array([y + r * x + dy, x - r * y + dx]) + 31.5
        # The square leaves the central peak, which the rings do not pull aside.
        np.testing.assert_allclose(_centroid(image**2), expected, atol=0.03)


def test_tilted_rows_are_the_rows_of_their_defocus(dry_20x):
    """Under a tilt, row y shows what the flat section shows at z - y pixel sin(tilt), to 0.3 % of the peak."""
    section = _blobs(dry_20x)
    tilt = 8.0
    tilted = _images(dry_20x, section.layers, [0.5], section.depths_um, tilt_deg=tilt)[0]
    for row in (0, 20, 63):
        z_um = 0.5 - (row - 31.5) * 0.645 * np.sin(np.radians(tilt))
        flat = _images(dry_20x, section.layers, [z_um], section.depths_um)[0]
        np.testing.assert_allclose(tilted[row], flat[row], atol=0.003 * flat.max())


def test_drift_is_zero_at_the_reference_plane_and_grows_with_distance():
    """The plane at z = 0 stays; 10 um away the walk has the deviation of its steps."""
    z_um = np.arange(-10, 10.1, 0.5)
    drift = StageDrift(step_px=0.15, trend_px_per_um=0.0, rotation_deg=0.02)
    moves = np.stack([drift.draw(z_um, np.random.default_rng(seed)) for seed in range(400)])
    np.testing.assert_array_equal(moves[:, 20], 0)
    np.testing.assert_allclose(moves[:, -1, :2].std(axis=0), 0.15 * np.sqrt(20), rtol=0.12)
    np.testing.assert_allclose(moves[:, -1, 2].std(), 0.02 * np.sqrt(2), rtol=0.12)
    fine = np.stack([drift.draw(np.arange(-10, 10.1, 0.2), np.random.default_rng(seed)) for seed in range(400)])
    np.testing.assert_allclose(fine[:, -1, :2].std(axis=0), 0.15 * np.sqrt(20), rtol=0.12)


def test_autofocus_moves_the_reference_to_where_the_search_ends(dry_20x):
    """A search that goes to the true focus leaves the focus at z = 0, and the clock counts its exposures."""
    microscope = Microscope(dry_20x, _blobs(dry_20x), np.random.default_rng(1))
    start = microscope.focus_z_um
    assert 0 < abs(start) <= 3

    def search(score, start_um):
        assert start_um == 0.0
        assert score(start_um) > 0
        assert score(start) > score(start + 8)
        return SimpleNamespace(z_um=start)

    microscope.autofocus(search, lambda image: float(image.std()))
    assert microscope.focus_z_um == pytest.approx(0.0)
    assert microscope.exposures == 3
    assert microscope.clock_s == pytest.approx(3 * 1.05)


def test_brent_search_finds_the_section(dry_20x):
    """The paper's search ends within a depth of field (2.3 um at this objective) of the true focus."""
    for seed in range(3):
        microscope = Microscope(dry_20x, _blobs(dry_20x, seed), np.random.default_rng(seed))
        microscope.autofocus(brent_search, vollath5)
        assert abs(microscope.focus_z_um) < 2.3


def test_stack_is_truth_with_noise(dry_20x):
    """Acquired planes minus noise-free ones of the same drift, over the camera's deviation: mean 0, variance 1."""
    microscope = Microscope(dry_20x, _blobs(dry_20x), np.random.default_rng(2), start_range_um=0.5)
    z_um = np.array([-4.0, 0.0, 4.0])
    stack, moves = microscope.acquire_stack(z_um)
    truth = microscope.noise_free(z_um, moves)
    assert stack.shape == truth.shape == (3, 64, 64)
    assert stack.dtype == np.uint16 and truth.dtype == np.float32
    deviation = np.sqrt(Camera().electrons(truth) + 1.6**2) / 0.46
    residual = (stack - truth) / deviation
    assert abs(residual.mean()) < 0.03
    assert residual.var() == pytest.approx(1, abs=0.05)
    assert microscope.noise_free([], np.empty((0, 3))).shape == (0, 64, 64)


def test_threads_do_not_change_the_numbers(dry_20x):
    """One thread and three give the same stack."""
    stacks = [
        Microscope(dry_20x, _blobs(dry_20x), np.random.default_rng(3), threads=threads).acquire_stack([-2, 0, 1, 3])[0]
        for threads in (1, 3)
    ]
    np.testing.assert_array_equal(*stacks)


def test_snaps_differ_by_noise_alone(dry_20x):
    """Two exposures at one z have the same mean and other noise."""
    microscope = Microscope(dry_20x, _blobs(dry_20x), np.random.default_rng(4), drift=STILL)
    first, second = (microscope.snap(1.0).astype(float) for _ in range(2))
    assert (first != second).any()
    assert first.mean() == pytest.approx(second.mean(), rel=0.01)


def _slide(fields, **changes):
    arguments = {
        "specimen": "breast",
        "objective": "20x/0.75",
        "emission_um": 0.447,
        "frame_px": 80,
        "z_um": np.arange(-4, 4.1, 1.0),
        "slide": "s1",
        "seed": 7,
        "truth_range_um": 1.5,
        "threads": 1,
        "search": brent_search,
        "score": vollath5,
        "dataset": "breast",
    }
    return list(acquire_slide(fields=fields, **(arguments | changes)))


def test_field_does_not_depend_on_how_many_are_asked_for():
    """Field f001 of two is field f001 of one; another slide, data set or seed gives another field."""
    z_um = [-1.0, 0.0, 1.0]
    one, two = _slide(1, z_um=z_um), _slide(2, z_um=z_um)
    assert [record.field for record in two] == ["f001", "f002"]
    np.testing.assert_array_equal(one[0].stack, two[0].stack)
    assert (two[0].stack != two[1].stack).any()
    for changes in ({"slide": "s2"}, {"dataset": "other"}, {"seed": 8}):
        assert (_slide(1, z_um=z_um, **changes)[0].stack != one[0].stack).any()


def test_slide_comes_with_its_truth():
    """Rows have the columns of the truth sheet; noise-free planes lie near focus and fit the stack."""
    record = _slide(1)[0]
    assert record.stack.shape == (9, 80, 80)
    assert set(record.truth_rows[0]) == {"fov", "plane", "z_um", "focus_z_um", "dy_px", "dx_px", "rotation_deg"}
    assert [row["z_um"] for row in record.truth_rows] == record.z_um.tolist()
    focus = record.truth_rows[0]["focus_z_um"]
    assert len(record.truth_z_um) and (np.abs(record.truth_z_um - focus) <= 1.5).all()
    planes = np.searchsorted(record.z_um, record.truth_z_um)
    residual = record.stack[planes] - record.truth_planes
    deviation = np.sqrt(Camera().electrons(record.truth_planes) + 1.6**2) / 0.46
    assert (residual / deviation).var() == pytest.approx(1, abs=0.1)
    assert record.clock_s > 9 * 1.05


def test_slide_refuses_what_it_does_not_know():
    """Unknown objective or specimen, and no planes."""
    with pytest.raises(ValueError, match=r"objective '63x/1\.4' is not known"):
        _slide(1, objective="63x/1.4")
    with pytest.raises(ValueError, match="specimen 'liver' is not known"):
        _slide(1, specimen="liver")
    with pytest.raises(ValueError, match="at least one z"):
        _slide(1, z_um=[])


def test_formation_refuses_layers_of_another_size(dry_20x):
    """A specimen without the margin would let light go round the edges."""
    with pytest.raises(ValueError, match="the layers are"):
        dry_20x.spectra(np.zeros((1, 64, 64), np.float32))
