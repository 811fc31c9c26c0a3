"""Simulated beads: as bright, as wide and where they should be."""

import numpy as np
import pytest
from deepr.beads import measure_beads
from deepr.focus import brent_search, vollath5
from deepr.optics.acquisition import acquire_slide
from deepr.optics.camera import Camera
from deepr.optics.objective import OBJECTIVES
from deepr.optics.psf import pupil_psf
from deepr.optics.specimens import make_specimen, refractive_index, slide_parameters
from deepr.optics.specimens.beads import BEAD_DIAMETER_UM, sphere_transfer
from scipy.signal import fftconvolve
from scipy.spatial.distance import cdist

PLAIN = {"beads_per_1000_um2": 3.0, "clusters": 0.0, "dirt_per_1000_um2": 0.0, "brightness": 1.0, "background": 15.0}


def test_the_transform_of_a_sphere_is_that_of_its_projection():
    """Against the transform of the projected density, summed numerically."""
    radius = BEAD_DIAMETER_UM / 2
    x = np.linspace(-radius, radius, 20001)
    line = np.pi * (radius**2 - x**2)
    frequencies = np.array([0.0, 1.0, 2.5, 5.0])
    wanted = [np.sum(line * np.cos(2 * np.pi * f * x)) / line.sum() for f in frequencies]
    np.testing.assert_allclose(sphere_transfer(frequencies, BEAD_DIAMETER_UM), wanted, atol=1e-5)


def test_a_field_holds_the_light_of_its_beads():
    """The sum of a layer is the beads' photoelectrons, whatever their places between pixels."""
    specimen = make_specimen("beads", (256, 256), 0.1625, np.random.default_rng(0), **PLAIN)
    rng = np.random.default_rng(0)
    count = rng.poisson(3.0 * (256 * 0.1625) ** 2 / 1000)
    assert specimen.layers.shape == (1, 256, 256)
    assert specimen.layers.sum() == pytest.approx(30000 * count, rel=0.4)
    twice = make_specimen("beads", (256, 256), 0.1625, np.random.default_rng(0), **PLAIN | {"brightness": 2.0})
    np.testing.assert_allclose(twice.layers, 2 * specimen.layers, rtol=1e-4, atol=0.01)


def test_beads_in_a_volume_lie_at_all_depths():
    """The light is spread over 20 um of depth in layers of half a micrometre; dry beads lie at one."""
    parameters = slide_parameters("beads_volume", np.random.default_rng(1)) | {"beads_per_1000_um2": 300.0}
    specimen = make_specimen("beads_volume", (64, 64), 0.1625, np.random.default_rng(2), **parameters)
    assert specimen.depths_um[[0, -1]].tolist() == [-10.0, 10.0]
    light = specimen.layers.sum(axis=(1, 2))
    centre = (light * specimen.depths_um).sum() / light.sum()
    assert abs(centre) < 4 and (light > 0).sum() > 15
    assert refractive_index("beads") == 1.0
    assert refractive_index("beads_volume") == pytest.approx(1.46)


def test_clusters_and_dirt_are_told_from_beads():
    """Of what is kept hardly anything is a cluster or dirt, and of the isolated single beads nearly all are kept."""
    shape, parameters = (640, 640), PLAIN | {"clusters": 0.3, "dirt_per_1000_um2": 0.5}
    specimen = make_specimen("beads", shape, 0.1625, np.random.default_rng(5), **parameters)
    rng = np.random.default_rng(5)
    count = rng.poisson(3.0 * (640 * 0.1625) ** 2 / 1000)
    places_px = rng.uniform(0, 1, (count, 2)) * shape
    alone = rng.uniform(size=count) >= parameters["clusters"]
    psf = pupil_psf(OBJECTIVES["40x/0.95"], 0.624, np.arange(-2, 2.1, 0.5), 64)
    images = fftconvolve(specimen.layers, psf / psf.sum(axis=(1, 2), keepdims=True), mode="same", axes=(1, 2))
    camera = Camera()
    stack = np.stack([camera.expose(image + specimen.background, rng) for image in images])
    measured = measure_beads(stack, 0.1625, 0.5)
    found = measured[measured["z_um"] == 0]
    distance_px = cdist(found[["y_px", "x_px"]], places_px)
    is_bead = (distance_px.min(axis=1) < 2) & alone[distance_px.argmin(axis=1)]
    assert (~is_bead).sum() >= 8
    isolated = ~found["reason"].isin(["at the border", "neighbour"])
    assert found["kept"][~is_bead].sum() == 0
    assert found["kept"][is_bead & isolated].mean() > 0.9


def test_beads_are_as_wide_as_optics_makes_them():
    """In focus 0.36 to 0.48 um; below it the width grows steadily, above it the thin glass upsets the fits."""
    z_um = np.round(np.arange(-3, 3.1, 0.5), 3)
    field = next(
        acquire_slide(
            "beads",
            "40x/0.95",
            0.624,
            352,
            z_um,
            1,
            "test1",
            3,
            0.5,
            1,
            search=brent_search,
            score=vollath5,
            cover_glass_um=160,
            specimen_parameters=PLAIN,
        )
    )
    measured = measure_beads(field.stack, 0.1625, 0.5)
    widths = measured[measured["kept"]].groupby("z_um")["fwhm_um"].mean()
    assert 0.36 < widths[0.0] < 0.48
    below = widths[widths.index <= 0].sort_index(ascending=False)
    assert below.is_monotonic_increasing
    assert widths[2.0] > 2 * widths[-2.0] or widths[2.0] < 0.5 * widths[-2.0]
