"""Measured PSFs, deconvolution of patches, mechanical search, and the table and claims made of them."""

import numpy as np
import pandas as pd
import pytest
from deepr.autofocus import FRAME_AREA_MM2, SCORES, search_fields
from deepr.figures.table_s2 import draw_table_s2, summarise_times
from deepr.point_spread import measure_psf, nearest_psf
from deepr.rivals import deconvolve_planes
from deepr.scorecard.autofocus import judge_table_s2
from deepr.scorecard.deconvolution import judge_figure_5
from deepr.scorecard.rows import FAILS, HOLDS, UNTESTABLE
from deepr.tables import InputError
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve

Z_UM = np.round(np.arange(-2, 2.1, 0.5), 3)


def spot(shape, y, x, sigma):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * sigma**2)) / (2 * np.pi * sigma**2)


def bead_field(beads, shape=(200, 200), seed=0):
    """Beads of one unit of light whose width grows with defocus, on a background with noise."""
    rng = np.random.default_rng(seed)
    sigmas = 1.2 + 1.5 * np.abs(Z_UM)
    stack = np.stack([sum(40000 * spot(shape, y, x, sigma) for y, x in beads) for sigma in sigmas])
    return stack + 130 + rng.normal(0, 2, stack.shape)


def test_the_psf_is_that_of_the_beads():
    """Two isolated beads between pixels: the right widths in each plane, sum 1, the centre on a pixel."""
    fields = [(bead_field([(60.3, 59.6)]), Z_UM), (bead_field([(120.0, 130.4)], seed=1), Z_UM)]
    psf, z_um, count = measure_psf(fields, window_px=51, distance_px=25)
    assert count == 2
    np.testing.assert_array_equal(z_um, Z_UM)
    np.testing.assert_allclose(psf.sum(axis=(1, 2)), 1, rtol=1e-5)
    for plane, z in zip(psf, z_um, strict=True):
        wanted = spot((51, 51), 25, 25, 1.2 + 1.5 * abs(z))
        assert np.abs(plane - wanted).max() < 0.12 * wanted.max()
        assert np.unravel_index(gaussian_filter(plane, 1).argmax(), plane.shape) == (25, 25)
    assert nearest_psf(psf, z_um, 0.6, 0.25) is psf[5] or np.array_equal(nearest_psf(psf, z_um, 0.6, 0.25), psf[5])
    assert nearest_psf(psf, z_um, 3.0, 0.25) is None


def test_beads_with_neighbours_make_no_psf():
    """Two beads 16 px apart, and one at the border, are left out; nothing is left."""
    with pytest.raises(InputError, match="no bead is 25 px from every other and 25 px from the border"):
        measure_psf([(bead_field([(100, 100), (100, 116), (10, 100)]), Z_UM)], window_px=51, distance_px=25)
    with pytest.raises(ValueError, match="50 px, wanted an odd number"):
        measure_psf([], window_px=50, distance_px=25)


def test_dark_pixels_add_no_light():
    """Beads of 30,000 electrons in the noise of the camera: what is dark stays dark, what is bright keeps its share."""
    rng = np.random.default_rng(2)
    side, sigmas = 401, 1.2 + 3 * np.abs(Z_UM)
    places = [(100.3, 99.6), (99.8, 300.1), (300.0, 100.4), (300.4, 299.9)]
    light = np.stack([sum(30000 * spot((side, side), y, x, sigma) for y, x in places) for sigma in sigmas])
    counts = 100 + (rng.poisson(light + 15) + rng.normal(0, 1.6, light.shape)) / 0.46
    psf, _, count = measure_psf([(np.rint(counts), Z_UM)], window_px=151, distance_px=151)
    assert count == 4
    radius = np.hypot(*np.mgrid[-75:76, -75:76])
    for plane, sigma in zip(psf, sigmas, strict=True):
        wanted = spot((151, 151), 75, 75, sigma)
        assert plane[radius > 4 * sigma + 8].sum() < 0.01
        assert np.abs(plane - wanted).sum() < 0.12
        assert abs(plane.max() / wanted.max() - 1) < 0.1


def test_the_light_of_another_bead_reaches_into_no_window():
    """A bead whose neighbour is farther than half a window, but not a whole one, is left out."""
    pair = bead_field([(100, 70), (100, 110)])
    with pytest.raises(InputError, match="no bead is 51 px from every other"):
        measure_psf([(pair, Z_UM)], window_px=51, distance_px=51)
    assert measure_psf([(pair, Z_UM)], window_px=31, distance_px=31)[2] == 2


def test_deconvolution_with_the_right_psf_improves_the_plane():
    """Richardson-Lucy and Landweber beat the blurred plane; the best number of iterations is no worse than 100."""
    rng = np.random.default_rng(0)
    truth = gaussian_filter((rng.random((128, 128)) > 0.985) * 60000.0, 1.0)
    psf = spot((41, 41), 20, 20, 4.0)
    blurred = np.maximum(fftconvolve(truth, psf, mode="same"), 0)
    planes = np.stack([blurred, truth]) + 100
    rows, images = deconvolve_planes(planes, [psf, spot((41, 41), 20, 20, 0.6)], truth + 100, offset=100.0, threads=2)
    assert images.shape == (2, 2, 128, 128)
    scores = {row["method"]: row for row in rows[0]}
    assert set(scores) == {"richardson_lucy", "richardson_lucy_best", "landweber", "landweber_best", "wiener_best"}
    from deepr.rivals import compare

    entry = compare(planes[0], truth)
    assert scores["richardson_lucy"]["rmse"] < 0.9 * entry["rmse"]
    for method in ("richardson_lucy", "landweber"):
        assert scores[f"{method}_best"]["ssim"] >= scores[method]["ssim"]
        assert scores[method]["iterations"] == 100


def made_measurements(deepr=0.8):
    values = {"input": 0.5, "landweber": 0.55, "landweber_best": 0.6, "richardson_lucy": 0.6, "deepr": deepr}
    values |= {"richardson_lucy_best": 0.7, "wiener_best": 0.55}
    rows = [
        {"z_um": z, "method": method, "ssim": v + (0.02 * (z > 0) if method == "deepr" else 0), "rmse": 1 - v}
        for z in (-4.0, -2.0, 0.5, 2.0, 4.0)
        for method, v in values.items()
    ]
    return pd.DataFrame(rows)


def test_claims_of_figure_5():
    """Better than both and their best holds; between the two the best alone wins; planes near focus are left out."""
    card = judge_figure_5(made_measurements(), "simulated", "demonstration")
    assert list(card["verdict"]) == [HOLDS] * 5
    card = judge_figure_5(made_measurements(0.65), "simulated", "demonstration")
    assert list(card["verdict"]) == [HOLDS, FAILS, HOLDS, FAILS, HOLDS]


@pytest.fixture(scope="module")
def searches():
    return pd.DataFrame(search_fields(fields=1, starts=2, frame_px=96, seed=3, repeats=1))


def test_searches_are_counted_and_clocked(searches):
    """Every score from the same heights; time is the number of evaluations times what each takes."""
    assert len(searches) == 2 * len(SCORES)
    assert searches.groupby("score")["start_um"].apply(tuple).nunique() == 1
    each_s = 0.1 + 0.7 + 0.25 + searches["score_s"]
    np.testing.assert_allclose(searches["seconds"], searches["evaluations"] * each_s)
    np.testing.assert_allclose(searches["seconds_per_mm2"], searches["seconds"] / FRAME_AREA_MM2)
    assert FRAME_AREA_MM2 == pytest.approx(0.443, abs=0.001)
    assert searches["evaluations"].between(3, 60).all()
    assert (searches["found"] == (searches["error_um"].abs() <= 1)).all()


def test_table_s2_puts_measurements_beside_the_paper(searches, tmp_path):
    """Means and the time at which both would be equal; without a GPU its row is empty and the claim is not judged."""
    refocusing = pd.DataFrame(
        {
            "device": "CPU",
            "precision": ["float32", "float32", "float32", "bfloat16", "bfloat16"],
            "way": ["patches", "patches", "one patch", "patches", "one patch"],
            "seconds": [1.0, 1.2, 0.1, 0.7, 0.06],
        }
    ).assign(seconds_per_mm2=lambda frame: frame["seconds"] / FRAME_AREA_MM2)
    table = draw_table_s2(searches, refocusing, "simulated", "tiny", tmp_path / "tableS2")
    assert all((tmp_path / f"tableS2.{suffix}").stat().st_size > 500 for suffix in ("tsv", "html", "png"))
    rows = table.set_index("method")
    assert rows.loc["Deep-R (CPU)", "mean"] == pytest.approx(1.1 / FRAME_AREA_MM2)
    assert rows.loc["Deep-R (CPU, bfloat16)", "mean"] == pytest.approx(0.7 / FRAME_AREA_MM2)
    assert np.isnan(rows.loc["Deep-R (GPU)", "mean"]) and rows.loc["Deep-R (GPU)", "paper_mean"] == 2.98
    own = searches[searches["score"] == "VOL4"]
    stage_s = rows.loc["Vollath-4", "equal_stage_s"]
    others_s = (own["exposure_s"] + own["transfer_s"] + own["score_s"]).mean()
    assert own["evaluations"].mean() * (stage_s + others_s) == pytest.approx(1.1)
    card = judge_table_s2(table, refocusing, "simulated", "demonstration")
    assert list(card["verdict"]) == [HOLDS, UNTESTABLE, UNTESTABLE]
    assert card["measured"].iloc[2] == "CPU: 100 ms"
    slow = summarise_times(searches, refocusing.assign(seconds_per_mm2=1e4))
    assert judge_table_s2(slow, refocusing, "simulated", "demonstration")["verdict"][0] == FAILS
