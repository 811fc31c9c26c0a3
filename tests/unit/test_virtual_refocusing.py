"""Defocus maps, surfaces and virtual stacks: measures, verdicts and figures with known answers."""

import numpy as np
import pandas as pd
import pytest
from deepr.depth import fit_slope, measure_map, true_slope
from deepr.figures.figure_7 import draw_figure_7
from deepr.figures.figure_8 import draw_figure_8, typical_patch
from deepr.figures.figure_s2 import draw_figure_s2
from deepr.scorecard.depth import judge_figure_7
from deepr.scorecard.virtual_refocusing import judge_figure_8, judge_figure_s2, summarise_beads
from deepr.slides import SlideWriter
from deepr.surfaces import SURFACES, defocus_surface
from deepr.tables import read_table, write_table

FACTS = {"data_source": "simulated", "scale": "demonstration"}
SLIDE = {"pixel_um": 0.325, "objective": "20x/0.75", "channel": "c", "source": "simulated"}


def test_a_map_of_a_tilted_section_has_the_slope_of_its_tilt():
    """1.5 degrees over 512 px of 0.325 um are 4.356 um; the defocus falls where the focus rises."""
    y_um = (np.arange(512) - 255.5) * 0.325
    map_um = np.broadcast_to(-y_um[:, None] * np.sin(np.radians(1.5)), (512, 64))
    assert fit_slope(map_um, 0.325) == pytest.approx(true_slope(1.5))
    assert abs(true_slope(1.5)) * 512 * 0.325 == pytest.approx(4.356, abs=1e-3)
    assert fit_slope(map_um + 3, 0.325) == pytest.approx(true_slope(1.5))


def test_measures_of_a_map_are_those_of_its_pixels():
    """Three quarters of the pixels right to 0.5 um, the rest of the wrong sign."""
    map_um = np.full((4, 4), 2.5)
    map_um[0] = -2.0
    found = measure_map(map_um, 2.0, 1.0)
    assert (found["abs_error_um"], found["right_sign"], found["median_um"]) == (0.5, 0.75, 2.5)
    assert np.isnan(measure_map(map_um, 0.0, 1.0)["right_sign"])


@pytest.mark.parametrize("name", SURFACES)
@pytest.mark.parametrize("shape", [(64, 64), (31, 50)])
def test_surfaces_span_their_amplitude(name, shape):
    """Each lies between minus and plus the amplitude and reaches both."""
    surface = defocus_surface(name, shape, 5.0)
    assert surface.shape == shape
    assert (surface.min(), surface.max()) == (pytest.approx(-5), pytest.approx(5))


def test_surfaces_have_their_symmetry():
    """A tilt varies along y alone, a cylinder along x alone, a sphere with the distance from the middle."""
    tilted, cylindrical, spherical = (defocus_surface(name, (33, 33), 5.0) for name in SURFACES)
    assert np.ptp(tilted, axis=1).max() == 0 and np.allclose(np.diff(tilted[:, 0], 2), 0)
    assert np.ptp(cylindrical, axis=0).max() == 0 and cylindrical[0, 16] == cylindrical.max()
    assert np.allclose(spherical, np.rot90(spherical)) and spherical[16, 16] == spherical.max()
    with pytest.raises(ValueError, match="tilted, cylindrical, spherical"):
        defocus_surface("flat", (8, 8), 1.0)


def depth_table(slope=0.0, error_um=0.5, right=0.95, fields=3):
    """Rows of test patches whose maps are all alike."""
    rows = []
    for field in range(fields):
        for z_um in np.arange(-5, 5.1, 0.5):
            place = {"dataset": "breast", "slide": "test1", "fov": f"f{field}", "y": 0, "x": 0, "z_um": z_um}
            found = {"mean_um": z_um, "median_um": z_um, "deviation_um": 0.3, "abs_error_um": error_um}
            found |= {"right_sign": right, "slope_um_per_um": slope * (1 + 0.02 * field)}
            rows.append({**place, **found})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("uniform", "tilted", "verdicts"),
    [
        ({}, {"slope": -0.026}, ["holds", "holds", "holds"]),
        ({"error_um": 1.2}, {"slope": -0.010}, ["does not hold", "holds", "does not hold"]),
        ({"right": 0.8}, {"slope": +0.026}, ["holds", "does not hold", "does not hold"]),
    ],
)
def test_the_decoder_is_judged_by_error_sign_and_slope(uniform, tilted, verdicts):
    """A slope of the wrong sign does not count; what zero scores is told."""
    judged = judge_figure_7(depth_table(**uniform), depth_table(**tilted), 5.0, 1.5, 166.4, **FACTS)
    assert judged["verdict"].tolist() == verdicts
    assert "zero scores 2.50 um" in judged["reason"][0]
    assert "|z| <= 2.8 um" in judged["reason"][2]


def test_nothing_is_judged_at_the_tiny_scale():
    """Verdicts there would be about trainings of seconds."""
    tables = depth_table(), depth_table()
    judged = judge_figure_7(*tables, 5.0, 1.5, 166.4, data_source="simulated", scale="tiny")
    assert set(judged["verdict"]) == {"not testable at this scale"}


def surfaces_table(gain=0.1):
    """Three patches, whose scores rise with their number."""
    rows = []
    for number in range(3):
        for surface in SURFACES:
            for image, bonus in (("input", 0), ("output", gain)):
                place = {"dataset": "beads", "slide": "test1", "fov": f"f{number}", "y": 0, "x": 0}
                scores = {"ssim": 0.5 + 0.01 * number + bonus, "rmse": 0.5 - bonus}
                rows.append({**place, "surface": surface, "image": image, **scores})
    return pd.DataFrame(rows)


def test_surfaces_are_judged_one_by_one():
    """Higher SSIM on each surface holds, lower does not."""
    table = surfaces_table()
    table.loc[(table["surface"] == "spherical") & (table["image"] == "output"), "ssim"] = 0.4
    judged = judge_figure_8(table, bead_table(), **FACTS)
    assert judged["verdict"].tolist() == ["holds", "holds", "does not hold"]
    assert typical_patch(surfaces_table()) == "test1_f1_y0_x0"


def bead_table(after=0.4, after_spread=0.05, beads=8):
    """Beads whose width in the Deep-Z stack is smallest at focus, 0.6 um, and the same everywhere after Deep-R."""
    rows = []
    for bead in range(beads):
        offset = (bead - (beads - 1) / 2) / beads
        for z_um in np.round(np.arange(-2, 2.1, 0.2), 3):
            rows.append((bead, "deepz", z_um, 0.6 + 0.2 * abs(z_um) + 0.3 * offset, True))
            rows.append((bead, "deepr_on_deepz", z_um, after + after_spread * offset, True))
        rows.append((bead, "input", -2.0, 1.2 + offset, True))
        rows.append((bead, "deepr_on_input", -2.0, after + after_spread * offset, True))
    rows.append((99, "deepz", 0.0, 50.0, False))
    return pd.DataFrame(rows, columns=["bead", "curve", "z_um", "fwhm_um", "kept"])


def test_bead_widths_are_judged_at_every_z(tmp_path):
    """Means, deviations and the single shot; beads left out do not count."""
    assert judge_figure_s2(bead_table(), **FACTS)["verdict"].tolist() == ["holds"] * 4
    wide = judge_figure_s2(bead_table(after=0.7, after_spread=0.5), **FACTS)
    assert wide["verdict"].tolist() == ["holds", *["does not hold"] * 3]
    assert summarise_beads(bead_table()).query("curve == 'deepz' and z_um == 0")["n"].item() == 8
    assert "beads" in judge_figure_s2(bead_table(beads=3), **FACTS)["reason"][0]
    write_table(bead_table()[:0], tmp_path / "stacks.tsv")
    empty = judge_figure_s2(read_table(tmp_path / "stacks.tsv"), **FACTS)
    assert set(empty["verdict"]) == {"not testable at this scale"}


def test_a_deepz_network_that_makes_one_image_for_all_distances_proves_nothing():
    """It does not hold that it follows the distance, and what Deep-R does to its images is not judged."""
    beads = bead_table()
    beads.loc[(beads["curve"] == "deepz") & beads["kept"], "fwhm_um"] = 1.9
    judged = judge_figure_s2(beads, **FACTS)
    assert judged["verdict"].tolist() == ["does not hold", *["not testable at this scale"] * 3]
    assert judged["measured"][0] == "width at the true focus 1.00 times the largest"
    surfaces = judge_figure_8(surfaces_table(), beads, **FACTS)
    assert set(surfaces["verdict"]) == {"not testable at this scale"}
    assert "has not learnt to follow the distance" in surfaces["reason"][0]


def test_figures_are_drawn_and_hold_every_number(tmp_path):
    """Figures 7, 8 and S2 from small made-up results; the tables beside them hold the curves."""
    rng = np.random.default_rng(1)
    z_um = np.array([-3.0, 0.0, 3.0])
    with SlideWriter(tmp_path / "depth.ome.tif", **SLIDE) as writer:
        for kind in ("input", "output", "map"):
            writer.write(f"test1_f001_y0_x0_{kind}", rng.normal(size=(3, 64, 64)).astype(np.float32), z_um)
    paths = tmp_path / "depth.ome.tif", tmp_path / "depth.ome.tif"
    draw_figure_7(depth_table(), *paths, 5.0, 1.5, **FACTS, output_base=tmp_path / "fig7")
    assert set(read_table(tmp_path / "fig7.tsv")["panel"]) == {"b", "c"}

    with SlideWriter(tmp_path / "surfaces.ome.tif", **SLIDE) as writer:
        for kind, planes in (("truth", 1), ("surface", 3), ("input", 3), ("output", 3)):
            stack = rng.normal(size=(planes, 64, 64)).astype(np.float32)
            writer.write(f"test1_f1_y0_x0_{kind}", stack, np.arange(planes, dtype=float))
    draw_figure_8(surfaces_table(), tmp_path / "surfaces.ome.tif", **FACTS, output_base=tmp_path / "fig8")
    assert read_table(tmp_path / "fig8.tsv")["shown"].sum() == 6

    with SlideWriter(tmp_path / "stacks.ome.tif", **SLIDE) as writer:
        heights = {"input": [-2.0], "deepr_on_input": [-2.0]}
        for curve in ("input", "deepz", "deepr_on_input", "deepr_on_deepz"):
            z = heights.get(curve, np.arange(-2, 2.1, 0.2))
            writer.write(f"t_{curve}", rng.normal(size=(len(z), 32, 32)).astype(np.float32), z)
    draw_figure_s2(bead_table(), tmp_path / "stacks.ome.tif", **FACTS, output_base=tmp_path / "figS2")
    assert set(read_table(tmp_path / "figS2.tsv")["curve"]) == set(bead_table()["curve"])
    for name in ("fig7", "fig8", "figS2"):
        assert all((tmp_path / f"{name}.{suffix}").stat().st_size > 500 for suffix in ("pdf", "svg", "png", "tsv"))
    with SlideWriter(tmp_path / "none.ome.tif", **SLIDE) as writer:
        writer.write("none", np.zeros((1, 8, 8), np.float32), [0.0])
    draw_figure_s2(bead_table()[:0], tmp_path / "none.ome.tif", **FACTS, output_base=tmp_path / "figS2")
