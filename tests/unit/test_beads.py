"""Bead measurement: widths of Gaussians of known size, of simulated and of real beads."""

import itertools

import numpy as np
import pandas as pd
import pytest
import tifffile
from deepr.beads import FWHM_PER_SIGMA, find_beads, measure_beads, most_focused_plane, plane_step_um
from deepr.gaussians import fit_gaussians
from deepr.optics.camera import Camera
from deepr.optics.objective import OBJECTIVES
from deepr.optics.psf import pupil_psf
from scipy.optimize import least_squares

PIXEL_UM, STEP_UM = 0.1625, 0.2
BOUNDS = ([-7.5, -7.5, 0.3, 0.3], [7.5, 7.5, 15, 15])
STARTS = [[0, 0, 1.5, 1.5], [0, 0, 7.5, 7.5]]


def gaussian(shape, y, x, sigma_y, sigma_x):
    rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])
    return np.exp(-0.5 * ((rows - y) / sigma_y) ** 2 - 0.5 * ((columns - x) / sigma_x) ** 2)


def make_stack(beads, planes=13, focus=6, shape=(160, 160), height=1000.0, background=100.0, noise=1.0):
    """Gaussian beams (y, x, FWHM y, FWHM x in um at focus): widths grow with |z|, the light stays."""
    rng = np.random.default_rng(7)
    stack = np.full((planes, *shape), background)
    for z in range(planes):
        growth = np.sqrt(1 + (0.4 * (z - focus)) ** 2)
        for y, x, fwhm_y_um, fwhm_x_um in beads:
            sigmas = np.array([fwhm_y_um, fwhm_x_um]) * growth / (FWHM_PER_SIGMA * PIXEL_UM)
            stack[z] += height / growth**2 * gaussian(shape, y, x, *sigmas)
    return stack + noise * rng.normal(size=stack.shape)


def grid(fwhm_um=0.5, spacing_px=40, side=3):
    places = 35.3 + spacing_px * np.arange(side)
    return [(y, x + 0.4, fwhm_um, fwhm_um) for y in places for x in places]


def test_known_width_within_two_percent_at_a_ratio_of_20():
    """At a signal 20 times the noise the mean width, and nearly every single one, is right."""
    beads = measure_beads(make_stack(grid(0.5), noise=50.0), PIXEL_UM, STEP_UM)
    focused = beads[beads["z_um"] == 0]
    assert len(focused) == 9 and focused["kept"].all()
    assert focused["fwhm_um"].mean() == pytest.approx(0.5, rel=0.02)
    error = (focused["fwhm_um"] - 0.5) / focused["fwhm_se_um"]
    assert error.abs().max() < 4 and focused["fwhm_se_um"].max() < 0.03


def test_widths_through_focus():
    """Every plane has the width of its beam, z counts from the sharpest plane, also when z falls."""
    stack = make_stack(grid(0.5), focus=4)
    beads = measure_beads(stack, PIXEL_UM, -STEP_UM)
    assert most_focused_plane(stack) == 4
    expected_um = 0.5 * np.sqrt(1 + (0.4 * (beads["plane"] - 4)) ** 2)
    np.testing.assert_allclose(beads["fwhm_um"], expected_um, rtol=0.01)
    np.testing.assert_allclose(beads["z_um"], -STEP_UM * (beads["plane"] - 4.0))
    assert list(beads.columns) == (
        "bead plane z_um y_px x_px fwhm_x_um fwhm_y_um fwhm_um fwhm_se_um axial_fwhm_um kept reason".split()
    )


def test_axial_width_of_a_separable_bead():
    """A bead that is Gaussian in z as well has the known axial width."""
    z_um = STEP_UM * (np.arange(31) - 15)
    image = 1000 * gaussian((80, 80), 40.2, 39.7, 1.5, 1.5)
    stack = 100 + image * np.exp(-0.5 * (z_um * FWHM_PER_SIGMA / 1.1) ** 2)[:, None, None]
    beads = measure_beads(stack, PIXEL_UM, STEP_UM)
    np.testing.assert_allclose(beads["axial_fwhm_um"], 1.1, rtol=1e-3)


def test_elliptical_bead_has_two_widths():
    """x and y are not confused, and the width is their mean."""
    beads = measure_beads(make_stack([(80.2, 60.7, 0.5, 0.8)]), PIXEL_UM, STEP_UM)
    (focused,) = beads[beads["z_um"] == 0].itertuples()
    assert focused.fwhm_y_um == pytest.approx(0.5, rel=0.01)
    assert focused.fwhm_x_um == pytest.approx(0.8, rel=0.01)
    assert focused.fwhm_um == pytest.approx((focused.fwhm_x_um + focused.fwhm_y_um) / 2)
    assert (focused.y_px, focused.x_px) == (80, 61)


def test_standard_error_is_the_spread():
    """The standard error is the deviation of repeated measurements."""
    rng = np.random.default_rng(2)
    regions = gaussian((30, 30), 14.3, 14.8, 1.6, 1.4) + 0.05 * rng.normal(size=(400, 30, 30))
    fit = fit_gaussians(regions, STARTS[:1], *BOUNDS)
    assert fit.converged.all()
    spread = fit.parameters.std(axis=0)
    errors = np.sqrt(np.einsum("kii->ki", fit.covariance)).mean(axis=0)
    np.testing.assert_allclose(errors, spread, rtol=0.12)


def test_same_optimum_as_scipy():
    """From the same start, widths of 200 sharp, wide and ringed beads are those of least_squares."""
    z_um = np.linspace(-3, 2, 40)
    psf = pupil_psf(OBJECTIVES["40x/0.95"], 0.604, z_um, 30, cover_glass_um=160.0)
    rng = np.random.default_rng(5)
    regions = rng.poisson(2000 * np.tile(psf / psf.max(), (5, 1, 1)) + 15).astype(float)
    fit = fit_gaussians(regions, STARTS[1:], *BOUNDS)
    position = np.arange(30) - 14.5

    def profiles(values):
        u, v = (position - values[1]) / values[3], (position - values[2]) / values[4]
        return u, v[:, None], np.outer(np.exp(-0.5 * v**2), np.exp(-0.5 * u**2))

    def residual(values, region):
        return (values[0] * profiles(values)[2] + values[5] - region).ravel()

    def jacobian(values, region):
        u, v, model = profiles(values)
        model_by_sigma = [values[0] * model / values[3] * u, values[0] * model / values[4] * v]
        columns = [model, *model_by_sigma, model_by_sigma[0] * u, model_by_sigma[1] * v, np.ones_like(model)]
        return np.stack(columns, axis=-1).reshape(-1, 6)

    bounds = ([0, *BOUNDS[0], -np.inf], [np.inf, *BOUNDS[1], np.inf])
    agree = []
    for region, found in zip(regions, fit.parameters, strict=True):
        shape = profiles([1, *STARTS[1], 0])[2].ravel()
        amplitude, offset = np.linalg.lstsq(np.stack([shape, np.ones_like(shape)], axis=1), region.ravel(), rcond=None)[
            0
        ]
        start = [max(amplitude, 1e-3 * np.ptp(region)), *STARTS[1], offset]
        theirs = least_squares(residual, start, jacobian, bounds, args=(region,), x_scale="jac", ftol=1e-14, xtol=1e-12)
        agree.append(np.allclose(found[3:5], theirs.x[3:5], rtol=1e-4))
    assert fit.converged.mean() >= 0.98
    assert np.array(agree)[fit.converged].all()


def test_noise_is_no_peak():
    """Fits to pure noise are told from beads."""
    noise = np.random.default_rng(6).normal(size=(1000, 30, 30))
    fit = fit_gaussians(noise, STARTS, *BOUNDS)
    assert (fit.detection < 5).mean() > 0.995


def test_constant_region_is_no_peak():
    """A region without any contrast gives finite parameters and no detection."""
    regions = np.full((2, 30, 30), 7.0)
    regions[1] += 1e5 * gaussian((30, 30), 14.2, 15.1, 1.5, 1.5)
    fit = fit_gaussians(regions, STARTS, *BOUNDS)
    assert np.isfinite(fit.parameters).all() and fit.detection[0] < 5 < fit.detection[1]
    np.testing.assert_allclose(fit.parameters[1], [1e5, 0.6, -0.3, 1.5, 1.5, 7], rtol=1e-6)


def test_bead_lost_in_noise_is_flagged_far_from_focus():
    """A plane without a trace of the bead gives a row that is left out, and the bead stays."""
    stack = make_stack(grid())
    stack[0] = np.random.default_rng(8).normal(100, 1, stack[0].shape)
    beads = measure_beads(stack, PIXEL_UM, STEP_UM)
    lost = beads["plane"] == 0
    assert set(beads.loc[lost, "reason"]) <= {"no peak", "not converged"}
    assert not beads.loc[lost, "kept"].any() and beads.loc[~lost, "kept"].all()


def test_pupil_beads_have_the_width_of_theory():
    """Points seen at NA 0.95 are 0.51 wavelength / NA wide in focus, and sharpest there."""
    z_um = STEP_UM * (np.arange(21) - 10)
    psf = pupil_psf(OBJECTIVES["40x/0.95"], 0.604, z_um, 60)
    stack = np.random.default_rng(9).poisson(3000 * psf / psf.max() + 15)
    beads = measure_beads(stack.astype(np.uint16), PIXEL_UM, STEP_UM)
    focused = beads.loc[beads["fwhm_um"].idxmin()]
    assert focused["z_um"] == 0
    # A Gaussian follows the Airy disc's core and is a few per cent narrower than its half maximum.
    assert focused["fwhm_um"] == pytest.approx(0.51 * 0.604 / 0.95, rel=0.06)
    assert 0.6 < focused["axial_fwhm_um"] < 1.2
    assert beads.loc[beads["plane"] == 0, "fwhm_um"].item() > 3 * focused["fwhm_um"]


def reason_by_place(beads):
    focused = beads[beads["z_um"] == 0]
    return {(row.y_px, row.x_px): row.reason for row in focused.itertuples()}


def test_border_neighbours_saturation():
    """Beads at the border, with overlapping regions, or saturated are left out, each with its reason."""
    places = [(8, 80), (50, 40), (50, 65), (50, 120), (120, 40), (120, 100)]
    stack = make_stack([(y, x, 0.5, 0.5) for y, x in places])
    stack[5, 119:122, 99:102] = 5000
    beads = measure_beads(stack, PIXEL_UM, STEP_UM, saturation=4095)
    assert reason_by_place(beads) == {
        (8, 80): "at the border",
        (50, 40): "neighbour",
        (50, 65): "neighbour",
        (50, 120): "",
        (120, 40): "",
        (120, 100): "saturated",
    }
    border = beads[beads["reason"] == "at the border"]
    assert len(border) == len(stack) and border["fwhm_um"].isna().all()


def test_integer_stack_saturates_at_its_largest_value():
    """A clipped uint8 bead is found out without being told the full scale."""
    stack = make_stack([(80, 50, 0.5, 0.5), (80, 120, 0.25, 0.25)], height=150.0)
    stack[:, :, :90] += 2 * (stack[:, :, :90] - 100).clip(0)
    beads = measure_beads(stack.clip(0, 255).astype(np.uint8), PIXEL_UM, STEP_UM)
    assert reason_by_place(beads) == {(80, 50): "saturated", (80, 120): ""}


def test_beads_of_the_cameras_full_well_are_saturated():
    """The simulated camera's largest count lies below its type's; a bead that reaches it is left out."""
    camera, rng = Camera(), np.random.default_rng(11)
    electrons = make_stack([(80, 50, 0.5, 0.5), (80, 110, 0.5, 0.5)], height=10_000.0, noise=0.0)
    electrons[:, :, :80] += 9 * (electrons[:, :, :80] - 100)
    stack = np.stack([camera.expose(plane, rng) for plane in electrons])
    assert stack.max() < np.iinfo(np.uint16).max
    assert reason_by_place(measure_beads(stack, PIXEL_UM, STEP_UM)) == {(80, 50): "saturated", (80, 110): ""}


def test_touching_beads_are_outliers():
    """Two beads in contact, 0.3 um apart in any direction, are wider than one and left out."""
    apart_px = 0.3 / PIXEL_UM / 2
    places = grid(0.42, side=4, spacing_px=36)
    doublets = {}
    for number, angle in zip((0, 5, 10, 15), np.deg2rad([0, 30, 45, 90]), strict=True):
        y, x = places[number][:2]
        doublets[round(y), round(x)] = [
            (y + side * np.sin(angle), x + side * np.cos(angle), 0.42, 0.42) for side in (-apart_px, apart_px)
        ]
    single = [place for number, place in enumerate(places) if number not in (0, 5, 10, 15)]
    stack = make_stack([*single, *itertools.chain(*doublets.values())], shape=(180, 180))
    reasons = reason_by_place(measure_beads(stack, PIXEL_UM, STEP_UM))
    assert {place: reasons.pop(place) for place in doublets} == dict.fromkeys(doublets, "lateral width")
    assert len(reasons) == 12 and set(reasons.values()) == {""}


def test_beads_are_found_in_the_sharpest_plane():
    """A given plane of z = 0, in which they are hardly to be seen, changes z and not what is found."""
    stack = make_stack(grid(0.5), noise=5.0)
    sharpest = measure_beads(stack, PIXEL_UM, STEP_UM)
    given = measure_beads(stack, PIXEL_UM, STEP_UM, focus_plane=2)
    for column in ("y_px", "x_px"):
        np.testing.assert_array_equal(given[column], sharpest[column])
    np.testing.assert_allclose(given["z_um"], STEP_UM * (given["plane"] - 2.0))


def test_a_bead_without_a_width_along_z_is_left_out():
    """A bead cannot be told from dirt whose sharpest plane is beyond the stack."""
    stack = make_stack(grid(0.5)[:8])
    z = np.arange(len(stack))
    stack += 1000 * np.exp(z / 6 - 2)[:, None, None] * gaussian(stack.shape[1:], 115.3, 115.7, 1.3, 1.3)
    measured = measure_beads(stack, PIXEL_UM, STEP_UM, focus_plane=6)
    reasons = reason_by_place(measured)
    assert reasons.pop((115, 116)) == "no axial fit"
    assert set(reasons.values()) == {""}


def test_dirt_and_clusters_are_outliers():
    """Something wider than the beads, and something that does not defocus, are left out."""
    beads = [*grid(0.5)[:7], (115.3, 75.7, 0.5, 1.0)]
    stack = make_stack(beads)
    stack += 1000 * gaussian(stack.shape[1:], 115.3, 115.7, 1.3, 1.3)
    reasons = reason_by_place(measure_beads(stack, PIXEL_UM, STEP_UM))
    assert reasons.pop((115, 76)) == "lateral width"
    assert reasons.pop((115, 116)) == "axial width"
    assert len(reasons) == 7 and set(reasons.values()) == {""}


def test_output_is_measured_where_the_input_was():
    """Given beads keep numbers, places, exclusions and z = 0, whatever the other stack looks like."""
    stack = make_stack([*grid(0.5)[:8], (8, 150, 0.5, 0.5)], focus=4)
    measured = measure_beads(stack, PIXEL_UM, STEP_UM)
    sharp = np.repeat(stack[4:5], len(stack), axis=0)
    again = measure_beads(sharp, PIXEL_UM, STEP_UM, beads=measured)
    same = ["bead", "plane", "z_um", "y_px", "x_px", "kept", "reason"]
    pd.testing.assert_frame_equal(again[same], measured[same])
    np.testing.assert_allclose(again.loc[again["kept"], "fwhm_um"], 0.5, rtol=0.01)
    one = measure_beads(sharp[:1], PIXEL_UM, STEP_UM, beads=measured, focus_plane=0)
    assert len(one) == 9 and one["axial_fwhm_um"].isna().all() and one["kept"].sum() == 8


def test_hot_pixel_is_no_bead():
    """A single bright pixel is not taken for a bead."""
    image = make_stack(grid())[6]
    image[10, 100] += 1000
    assert len(find_beads(image, 30)) == 9


def test_one_plane_has_no_step():
    """Said in a sentence, as are steps of two sizes."""
    with pytest.raises(ValueError, match="found 1 planes, wanted two or more"):
        plane_step_um(np.array([0.0]))
    with pytest.raises(ValueError, match=r"found planes 0\.2 to 0\.5 um apart, wanted equal steps"):
        plane_step_um(np.array([0.0, 0.2, 0.7]))


def test_refusals():
    """What cannot be measured is refused in a sentence."""
    stack = make_stack(grid()[:1], shape=(71, 76))
    noise = np.random.default_rng(1).normal(100, 1, (9, 64, 64))
    with pytest.raises(
        ValueError, match=f"no bead stands out from the background of plane {noise.std((1, 2)).argmax()}"
    ):
        measure_beads(noise, 0.1625, 0.2, focus_plane=3)
    with pytest.raises(ValueError, match="no bead stands out"):
        measure_beads(np.full((5, 64, 64), 7, np.uint16), PIXEL_UM, STEP_UM)
    with pytest.raises(ValueError, match=r"1 of 1 beads are left .*wanted at least 5"):
        measure_beads(stack, PIXEL_UM, STEP_UM, min_beads=5)
    with pytest.raises(ValueError, match=r"0 of 1 beads are left \(1 at the border\)"):
        measure_beads(stack[:, 30:], PIXEL_UM, STEP_UM)
    with pytest.raises(ValueError, match=r"stack \(Z, Y, X\) of grey values"):
        measure_beads(stack[0], PIXEL_UM, STEP_UM)
    with pytest.raises(ValueError, match="pixel_um is 0; wanted a positive number"):
        measure_beads(stack, 0, STEP_UM)
    with pytest.raises(ValueError, match="has 244 px; wanted 8 to the plane's 71"):
        measure_beads(stack, 0.02, STEP_UM)
    with pytest.raises(ValueError, match="plane of z = 0 is 13"):
        measure_beads(stack, PIXEL_UM, STEP_UM, focus_plane=13)
    with pytest.raises(ValueError, match="no column plane"):
        measure_beads(stack, PIXEL_UM, STEP_UM, beads=pd.DataFrame({"bead": [0]}))
    measured = measure_beads(stack, PIXEL_UM, STEP_UM)
    with pytest.raises(ValueError, match="not inside the plane"):
        measure_beads(stack[:, :40], PIXEL_UM, STEP_UM, beads=measured)
    stack[2, 35, 35] = np.nan
    with pytest.raises(ValueError, match="plane 2 of the stack holds NaN"):
        measure_beads(stack, PIXEL_UM, STEP_UM)
    with pytest.raises(ValueError, match="NaN or infinity in the region of a bead"):
        measure_beads(stack, PIXEL_UM, STEP_UM, beads=measured)


def test_real_beads(real_data):
    """A real stack of 200-nm beads at NA 0.95 is sharpest where it was judged to be, at a likely width."""
    paths = sorted((real_data / "beads-na095-widefield").glob("sample_zstack*.tif"))
    if not paths:
        pytest.skip("the real stack of beads is not here")
    beads = measure_beads(np.stack([tifffile.imread(path) for path in paths]), 0.108, 0.3)
    kept = beads[beads["kept"]]
    width_um = kept.groupby("plane")["fwhm_um"].median()
    assert width_um.idxmin() == 17 and (beads.loc[beads["z_um"] == 0, "plane"] == 17).all()
    assert beads["bead"].nunique() == 41
    assert kept.loc[kept["plane"] == 17, "bead"].nunique() >= 10
    # 0.51 x 0.52 / 0.95 = 0.28 um for a point; the bead and residual aberrations add to it.
    assert 0.3 < width_um[17] < 0.5
    assert width_um[12:16].max() > 2 * width_um[17] < width_um[20]
