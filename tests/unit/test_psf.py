"""The point spread function against theory and against psfmodels."""

import numpy as np
import pytest
import scipy.fft
from deepr.optics.objective import OBJECTIVES, Objective
from deepr.optics.psf import Pupil, pupil_psf

BEADS_UM = 0.624
DRY_40X = OBJECTIVES["40x/0.95"]


def _full_width(radius, profile):
    """Give the full width at half of the value on the axis, of each profile's central peak."""
    below = profile < profile[:, :1] / 2
    after = below.argmax(axis=1)
    rows = np.arange(len(profile))
    high, low, half = profile[rows, after - 1], profile[rows, after], profile[:, 0] / 2
    return 2 * (radius[after - 1] + (high - half) / (high - low) * (radius[1] - radius[0]))


@pytest.mark.parametrize("cover_glass_um", [170.0, 160.0])
def test_planes_match_psfmodels(cover_glass_um):
    """In and out of focus, with and without aberration, profiles equal those of Aguet's scalar model."""
    psfmodels = pytest.importorskip("psfmodels")
    model = {"NA": 0.95, "wvl": BEADS_UM, "ns": 1.0, "ni": 1.0, "ni0": 1.0, "tg": cover_glass_um, "ti0": 180.0}
    fine = np.arange(-0.5, 2.0, 0.01)
    axis = psfmodels.make_psf(fine, nx=1, dxy=0.002, model="scalar", normalize=False, **model)[:, 0, 0]
    best = fine[axis.argmax()]
    z_um = np.array([-5.0, -2.0, -1.0, 0.0, 1.0, 2.0, 5.0])
    pixel_um, size = 0.05, 251
    planes = psfmodels.make_psf(
        z_um + best, nx=size, dxy=pixel_um, oversample_factor=1, model="scalar", normalize=False, **model
    )
    theirs = planes[:, size // 2, size // 2 :] / planes[3].max()
    radius = np.arange(theirs.shape[1]) * pixel_um
    ours = Pupil(DRY_40X, BEADS_UM, cover_glass_um).intensity(z_um, 0.0, radius)
    ours = ours / ours[3, 0]
    for plane in range(z_um.size):
        assert np.corrcoef(ours[plane], theirs[plane])[0, 1] > 0.995
    focused = slice(2, 5)
    np.testing.assert_allclose(ours[:, 0], theirs[:, 0], atol=0.015)
    np.testing.assert_allclose(_full_width(radius, ours[focused]), _full_width(radius, theirs[focused]), rtol=0.03)


def test_focus_is_an_airy_disc():
    """At a small aperture the full width at half maximum is 0.5145 wavelength / NA."""
    lens = Objective(4.0, 0.1, 10_000.0, 1.625)
    radius = np.linspace(0, 10, 4001)
    width = _full_width(radius, Pupil(lens, 0.5).intensity([0.0], 0.0, radius))
    assert width[0] == pytest.approx(0.5145 * 0.5 / 0.1, rel=2e-3)


def test_depth_of_field_is_wavelength_over_squared_aperture():
    """Half a depth of field, wavelength / (2 NA^2), from focus the axis keeps (sin(pi/4) / (pi/4))^2 = 0.81."""
    lens = Objective(10.0, 0.2, 10_000.0, 0.65)
    half = 0.5 * lens.depth_of_field_um(0.5)
    below, focus, above = Pupil(lens, 0.5).intensity([-half, 0.0, half], 0.0, [0.0])[:, 0]
    assert below / focus == pytest.approx(0.8106, rel=0.01)
    assert above / focus == pytest.approx(0.8106, rel=0.01)


def test_defocus_moves_light_and_makes_none():
    """Over wide enough planes the sum is 1 within 1 % from -4 to 4 um, with and without aberration."""
    for cover_glass_um in (170.0, 160.0):
        planes = pupil_psf(DRY_40X, BEADS_UM, [-4.0, -1.0, 0.0, 2.0, 4.0], 321, cover_glass_um=cover_glass_um)
        np.testing.assert_allclose(planes.sum(axis=(1, 2)), 1, atol=0.01)


def test_right_cover_glass_gives_a_symmetric_stack():
    """With 170 um of cover glass the planes at -z and z are equal."""
    planes = pupil_psf(DRY_40X, BEADS_UM, [-3.0, -1.0, 1.0, 3.0], 65)
    np.testing.assert_allclose(planes[:2], planes[:1:-1], atol=1e-6 * planes.max())


def test_thin_cover_glass_makes_rings_on_the_positive_side():
    """At 160 um the blur grows smoothly on the negative side; on the positive side a sharp peak with rings stays."""
    radius = np.linspace(0, 6, 1201)
    z_um = [-3.0, -2.0, -1.0, 0.0, 2.0, 3.0]
    profile = Pupil(DRY_40X, BEADS_UM, 160.0).intensity(z_um, 0.0, radius)
    width = _full_width(radius, profile)
    assert width[0] > width[1] > width[2] > width[3]
    assert (width[4:] < width[3]).all()
    # The light has left the peak all the same: it lies in the rings.
    assert (profile[4:, 0] < 0.15 * profile[3, 0]).all()
    mirrored = Pupil(DRY_40X, BEADS_UM, 180.0).intensity([-z for z in z_um], 0.0, radius)
    np.testing.assert_allclose(mirrored, profile, atol=5e-4 * profile.max())


def test_focus_is_at_zero_whatever_the_cover_glass():
    """The stack is centred: no plane within 1 um of z = 0 has a brighter axis."""
    for cover_glass_um in (150.0, 163.0, 170.0):
        z_um = np.linspace(-1, 1, 81)
        axis = Pupil(DRY_40X, BEADS_UM, cover_glass_um).intensity(z_um, 0.0, [0.0])[:, 0]
        assert abs(z_um[axis.argmax()]) < 0.03


def test_deeper_source_is_in_focus_further_up_the_stage():
    """A depth of 2 um in a medium of index 1.495 moves the focus by 0.9 to 1.34 um (paraxial: d / n)."""
    z_um = np.linspace(0, 2, 401)
    axis = Pupil(DRY_40X, BEADS_UM, 170.0, specimen_index=1.495).intensity(z_um, 2.0, [0.0])[:, 0]
    assert 0.9 < z_um[axis.argmax()] < 2 / 1.495
    small = Objective(10.0, 0.2, 10_000.0, 0.65)
    z_um = np.linspace(0, 20, 401)
    axis = Pupil(small, BEADS_UM, 170.0, specimen_index=1.495).intensity(z_um, 10.0, [0.0])[:, 0]
    assert z_um[axis.argmax()] == pytest.approx(10 / 1.495, rel=0.02)


def test_transfer_function_is_that_of_a_circular_pupil():
    """In focus it is the autocorrelation of a disc, to 0.5 %, and 0 beyond 2 NA / wavelength."""
    pupil = Pupil(DRY_40X, BEADS_UM)
    share = np.linspace(0, 1.2, 61)
    line = pupil.transfer(share * pupil.cutoff)(0.0)[0]
    inside = np.minimum(share, 1)
    expected = 2 / np.pi * (np.arccos(inside) - inside * np.sqrt(1 - inside**2))
    np.testing.assert_allclose(line, expected, atol=5e-3)
    assert np.abs(line[share > 1]).max() < 1e-3


def test_transfer_function_at_zero_is_the_same_at_every_z():
    """From -12 to 12 um, aberrated and deep or not, all but 0.5 % of the light is in each plane."""
    pupil = Pupil(DRY_40X, 0.692, 163.0, specimen_index=1.495, max_defocus_um=13.0)
    z_um = np.linspace(-12, 12, 25)
    for depth_um in (-2.0, 0.0, 2.0):
        at_zero = pupil.transfer([0.0])(z_um, depth_um)[:, 0]
        np.testing.assert_allclose(at_zero, 1, atol=5e-3)


def test_transfer_function_is_the_transform_of_the_plane():
    """Out of focus, the line equals the Fourier transform of a computed plane."""
    size, pixel_um = 301, 0.1
    plane = pupil_psf(DRY_40X, BEADS_UM, [2.0], size, pixel_um, cover_glass_um=160.0)[0]
    transformed = scipy.fft.rfft(scipy.fft.ifftshift(plane.sum(axis=0))).real
    line = Pupil(DRY_40X, BEADS_UM, 160.0).transfer(scipy.fft.rfftfreq(size, pixel_um))(2.0)[0]
    np.testing.assert_allclose(line, transformed, atol=6e-3)


def test_quadrature_resolves_the_largest_defocus():
    """At 15 um out of focus with NA 0.95 a denser quadrature changes nothing."""
    radius = np.linspace(0, 50, 101)
    usual = Pupil(DRY_40X, BEADS_UM, 163.0, max_defocus_um=15.0).intensity([-15.0, 15.0], 0.0, radius)
    dense = Pupil(DRY_40X, BEADS_UM, 163.0, max_defocus_um=40.0).intensity([-15.0, 15.0], 0.0, radius)
    np.testing.assert_allclose(usual, dense, atol=2e-4 * dense.max())


def test_blur_radius_is_the_geometrical_one():
    """Without aberration the rays end z tan(asin NA) from the axis: 15.2 um at 5 um for NA 0.95."""
    assert Pupil(DRY_40X, BEADS_UM).blur_radius_um(5.0) == pytest.approx(15.21, abs=0.01)
    assert DRY_40X.blur_radius_um(5.0) == pytest.approx(15.21, abs=0.01)


def test_objectives_have_the_papers_pixels():
    """0.1625 and 0.325 um for the paper, 0.645 um for BBBC006."""
    pixels = {name: lens.pixel_um for name, lens in OBJECTIVES.items()}
    assert pixels == pytest.approx({"40x/0.95": 0.1625, "20x/0.75": 0.325, "20x/0.45": 0.645})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"emission_um": 0.0}, "emission_um is 0.0"),
        ({"emission_um": 0.6, "max_defocus_um": -1.0}, "max_defocus_um is -1.0"),
        ({"emission_um": 0.6, "specimen_index": 0.9}, "specimen's index is 0.9"),
    ],
)
def test_refuses_impossible_optics(arguments, message):
    """Lengths must be positive, and rays must reach the edge of the pupil."""
    with pytest.raises(ValueError, match=message):
        Pupil(DRY_40X, **arguments)


def test_refuses_an_aperture_that_needs_oil():
    """NA 1.4 cannot be had in air."""
    with pytest.raises(ValueError, match=r"numerical aperture is 1\.4"):
        Objective(60.0, 1.4, 100.0, 0.1)
