"""Specimens: what their parts promise, and what a pathologist would look for."""

import numpy as np
import pytest
from deepr.optics.imaging import ImageFormation
from deepr.optics.objective import OBJECTIVES
from deepr.optics.specimens import make_specimen, refractive_index, slide_parameters
from deepr.optics.specimens.texture import Cells, add_points, ring_noise, scattered_seeds, smooth_noise
from scipy.spatial import cKDTree

OPTICS = {"ovary": ("40x/0.95", 0.692, 163.0), "breast": ("20x/0.75", 0.447, 160.0)}


def _field(name, seed, size=320, **changes):
    lens = OBJECTIVES[OPTICS[name][0]]
    parameters = slide_parameters(name, np.random.default_rng(seed)) | changes
    return make_specimen(name, (size, size), lens.pixel_um, np.random.default_rng(seed + 1000), **parameters)


@pytest.mark.parametrize("name", OPTICS)
def test_section_is_4_um_of_layers_with_light(name):
    """Nine layers 0.5 um apart, float32, nowhere negative, none of them empty or equal to the next."""
    section = _field(name, 1)
    assert section.layers.shape == (9, 320, 320)
    assert section.layers.dtype == np.float32
    np.testing.assert_allclose(np.diff(section.depths_um), 0.5)
    assert section.depths_um[0] == -2 and section.depths_um[-1] == 2
    assert np.isfinite(section.layers).all() and (section.layers >= 0).all()
    assert (section.layers.mean(axis=(1, 2)) > 0).all()
    for upper, lower in zip(section.layers, section.layers[1:], strict=False):
        assert np.corrcoef(upper.ravel(), lower.ravel())[0, 1] < 0.99


@pytest.mark.parametrize("name", OPTICS)
def test_objects_lie_at_depths_of_their_own(name):
    """The top and the bottom of a section have less in common than neighbouring layers."""
    layers = _field(name, 2).layers
    neighbours = np.corrcoef(layers[3].ravel(), layers[4].ravel())[0, 1]
    far = np.corrcoef(layers[0].ravel(), layers[8].ravel())[0, 1]
    assert far < 0.8 * neighbours


@pytest.mark.parametrize("name", OPTICS)
def test_there_is_detail_as_fine_as_the_objective_resolves(name):
    """A plane in focus has structure between 1/4 and 3/4 of the cut-off that 2 um of defocus takes away."""
    objective, emission_um, cover_glass_um = OPTICS[name]
    lens = OBJECTIVES[objective]
    formation = ImageFormation(lens, emission_um, 256, 3.0, cover_glass_um, refractive_index(name))
    section = _field(name, 3, formation.grid_px)
    spectra = formation.spectra(section.layers)
    planes = formation.planes(spectra, section.depths_um, [0.0, 2.0], np.zeros((2, 3)), lambda _, image: image)
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256), indexing="ij")) / lens.pixel_um
    cutoff = min(formation.pupil.cutoff, 0.5 / lens.pixel_um)
    band = (radius > cutoff / 4) & (radius < 0.75 * cutoff)
    window = np.outer(np.hanning(256), np.hanning(256))
    focused, blurred = ((np.abs(np.fft.fft2(image * window)) ** 2)[band].sum() for image in planes)
    assert focused > 5 * blurred


@pytest.mark.parametrize(("name", "electrons"), [("ovary", 4000), ("breast", 1500)])
def test_photon_budget_is_the_documented_one(name, electrons):
    """The median over slides of the 99.9th percentile in focus is within 25 % of the budget."""
    objective, emission_um, cover_glass_um = OPTICS[name]
    formation = ImageFormation(OBJECTIVES[objective], emission_um, 320, 2.0, cover_glass_um, refractive_index(name))
    peaks = []
    for seed in range(5):
        section = _field(
            name, seed, formation.grid_px, **{"ovary": {"stain": 1.0}, "breast": {"brightness": 1.0}}[name]
        )
        spectra = formation.spectra(section.layers)
        image = next(formation.planes(spectra, section.depths_um, [0.0], np.zeros((1, 3)), lambda _, image: image))
        peaks.append(np.percentile(image, 99.9))
    assert np.median(peaks) == pytest.approx(electrons, rel=0.25)


@pytest.mark.parametrize("name", OPTICS)
def test_slides_and_fields_differ(name):
    """Another slide has other parameters, another generator another field, the same generator the same."""
    assert slide_parameters(name, np.random.default_rng(0)) != slide_parameters(name, np.random.default_rng(1))
    np.testing.assert_array_equal(_field(name, 5, 96).layers, _field(name, 5, 96).layers)
    assert (_field(name, 5, 96).layers != _field(name, 6, 96).layers).any()


def test_breast_without_ducts_can_be_made():
    """A field may lie where there is no duct."""
    assert np.isfinite(_field("breast", 7, 96, ducts_per_mm2=0.0).layers).all()


def test_refuses_unknown_specimens_and_parameters():
    """A name that nobody knows is an error that lists the known ones."""
    rng = np.random.default_rng(0)
    with pytest.raises(
        ValueError,
        match="'liver' is not known; wanted one of beads, beads_volume, breast, nuclei, ovary, phalloidin, prostate",
    ):
        make_specimen("liver", (64, 64), 0.1, rng)
    with pytest.raises(TypeError, match="colour"):
        make_specimen("ovary", (64, 64), 0.1, rng, **slide_parameters("ovary", rng), colour=1)


@pytest.mark.parametrize("shape", [(128, 128), (120, 90)])
def test_noise_has_unit_deviation_and_the_wanted_scale(shape):
    """Mean 0, deviation about 1; smooth noise correlates at its scale, ring noise opposes at half a period."""
    rng = np.random.default_rng(1)
    fields = np.stack([smooth_noise(shape, 3.0, rng) for _ in range(40)])
    assert fields.shape[1:] == shape
    assert fields.std() == pytest.approx(1, abs=0.03)
    assert fields.mean() == pytest.approx(0, abs=0.02)
    # White noise smoothed with a Gaussian of deviation s correlates as exp(-d^2 / (4 s^2)).
    assert (fields * np.roll(fields, 6, axis=2)).mean() == pytest.approx(np.exp(-1), abs=0.06)
    rings = np.stack([ring_noise(shape, 10.0, rng) for _ in range(40)])
    assert rings.std() == pytest.approx(1, abs=0.03)
    assert (rings * np.roll(rings, 5, axis=1)).mean() < -0.2


def test_points_keep_their_weight_and_place():
    """Points between layers and pixels are shared out linearly; beyond the section they fade."""
    layers = np.zeros((5, 8, 8), np.float32)
    depths = np.linspace(-2, 2, 5)
    add_points(layers, depths, *(np.array([v]) for v in (3.25, 6.5, -0.75, 2.0)))
    assert layers.sum() == pytest.approx(2.0)
    assert (layers * np.arange(8)[:, None]).sum() / 2 == pytest.approx(3.25)
    assert (layers * np.arange(8)).sum() / 2 == pytest.approx(6.5)
    assert (layers * depths[:, None, None]).sum() / 2 == pytest.approx(-0.75)
    beyond = np.zeros((5, 8, 8), np.float32)
    add_points(beyond, depths, *(np.array(v) for v in ([1.0, 1.0], [1.0, 1.0], [2.5, 4.0], [1.0, 1.0])))
    assert beyond.sum() == pytest.approx(0.5)


def test_cells_are_the_territories_of_the_nearest_point():
    """First, second and wall agree with a search over all points."""
    rng = np.random.default_rng(2)
    shape = (90, 74)
    seeds = scattered_seeds(shape, 16.0, rng)
    warp = np.stack([smooth_noise(shape, 8.0, rng) for _ in range(2)])
    first, second, wall, offset = Cells(shape, seeds, warp).territories(seeds)
    points = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1) + np.moveaxis(warp, 0, -1)
    distance, index = cKDTree(seeds).query(points, k=2)
    assert (first == index[..., 0]).mean() > 0.999
    assert (second == index[..., 1]).mean() > 0.98
    apart = np.linalg.norm(seeds[index[..., 0]] - seeds[index[..., 1]], axis=-1)
    expected = (distance[..., 1] ** 2 - distance[..., 0] ** 2) / (2 * apart)
    same = second == index[..., 1]
    np.testing.assert_allclose(wall[same], expected[same], atol=0.02)
    np.testing.assert_allclose(np.hypot(*offset)[same], distance[..., 0][same], atol=0.01)
