"""Figures 4 and S3 and their claims, on made-up widths and images with known answers."""

import numpy as np
import pandas as pd
import pytest
from deepr.figures.figure_4 import draw_figure_4, typical_bead, widths_by_defocus
from deepr.figures.figure_s3 import draw_figure_s3
from deepr.networks.generator import build_generator
from deepr.scorecard.beads import judge_figure_4, judge_figure_s3
from deepr.scorecard.rows import FAILS, HOLDS, UNTESTABLE
from deepr.slides import SlideWriter
from deepr.tables import read_table, write_table
from deepr.volume import measure_volume
from measure_bead_widths import COLUMNS, count_fits

Z_UM = np.arange(-10.0, 10.5, 0.5)
NETWORKS, RANGES = ["beads_5", "beads_8"], [5.0, 8.0]
FACTS = {"networks": NETWORKS, "ranges_um": RANGES, "data_source": "simulated"}


def made_widths(beads=5, second_at_7=0.5):
    """Inputs that widen below focus and ring above it; outputs narrow within their ranges."""
    rows = []
    for bead in range(beads):
        place = {"slide": "test1", "fov": "f001", "y": 0, "x": 0, "bead": bead, "y_px": 30, "x_px": 30 + bead}
        for z in Z_UM:
            entry = 0.42 + 0.7 * abs(z) if z <= 0 else 0.4 + 0.5 * (z % 3)
            outputs = {"": entry, "beads_5": 0.5 if abs(z) <= 5 else 2.5, "beads_8": 0.5 if abs(z) <= 8 else 2.5}
            if abs(z + 7) < 0.3:
                outputs["beads_8"] = second_at_7
            for network, width in outputs.items():
                rows.append({**place, "network": network, "z_um": z, "fwhm_um": width + 0.01 * bead, "kept": True})
    return pd.DataFrame(rows)


def test_claims_of_figure_4():
    """Widths as in the paper hold in all; a blurred output at -7 um fails that claim alone; three beads are needed."""
    card = judge_figure_4(made_widths(), scale="demonstration", **FACTS)
    assert list(card["verdict"]) == [HOLDS] * 5
    card = judge_figure_4(made_widths(second_at_7=2.0), scale="demonstration", **FACTS)
    assert list(card["verdict"]) == [HOLDS, FAILS, HOLDS, FAILS, HOLDS]
    assert set(judge_figure_4(made_widths(2), scale="demonstration", **FACTS)["verdict"]) == {UNTESTABLE}


def test_an_input_as_steady_on_both_sides_fails_its_two_claims():
    """Widths that grow alike to both sides, a little unevenly, are not unstable; twice as wide is no spread."""
    widths = made_widths()
    steady = widths["network"] == ""
    z_um = widths.loc[steady, "z_um"]
    uneven = 0.01 * (z_um.mul(2).round() % 2)
    widths.loc[steady, "fwhm_um"] = 0.42 + 0.08 * z_um.abs() + uneven.where(z_um > 0, 0)
    card = judge_figure_4(widths, scale="demonstration", **FACTS)
    assert list(card["verdict"]) == [HOLDS, HOLDS, FAILS, HOLDS, FAILS]


@pytest.fixture
def no_widths(tmp_path):
    """The table of a data set in which no bead can be measured, as the workflow writes and reads it."""
    write_table(pd.DataFrame(columns=list(COLUMNS)), tmp_path / "bead_widths.tsv")
    return read_table(tmp_path / "bead_widths.tsv")


def test_without_a_bead_no_claim_is_judged(no_widths):
    """Of Figures 4 and S3."""
    assert set(judge_figure_4(no_widths, scale="demonstration", **FACTS)["verdict"]) == {UNTESTABLE}
    none = no_widths[["bead", "fwhm_um", "kept"]].assign(bead_z_um=[], image=[])
    assert set(judge_figure_s3(none, scale="demonstration", **FACTS)["verdict"]) == {UNTESTABLE}


def test_the_log_counts_beads_by_what_they_are_in_focus():
    """A good bead that is lost far from focus is a failed fit and not a bead left out."""
    widths = made_widths().assign(reason="")
    far = (widths["network"] == "") & (widths["bead"] == 0) & (widths["z_um"] < -9)
    widths.loc[far, ["kept", "reason"]] = [False, "no peak"]
    widths.loc[widths["bead"] == 1, ["kept", "reason"]] = [False, "neighbour"]
    fits = 4 * len(Z_UM)
    assert count_fits(widths) == [
        "4 beads kept, 1 left out: 1 neighbour",
        f"input: 2 of {fits} fits failed: 2 no peak",
        f"beads_5: 0 of {fits} fits failed: none",
        f"beads_8: 0 of {fits} fits failed: none",
    ]


def test_a_few_good_beads_do_not_stand_for_all():
    """Outputs that are narrow where they can be fitted, but mostly cannot, are not nearly constant."""
    widths = made_widths(8)
    widths.loc[(widths["network"] == "beads_5") & (widths["z_um"] == 4) & (widths["bead"] > 2), "kept"] = False
    card = judge_figure_4(widths, scale="demonstration", **FACTS)
    assert list(card["verdict"]) == [FAILS, HOLDS, HOLDS, HOLDS, HOLDS]
    assert "at least 38% of the beads fitted" in card["measured"][0]


def test_planes_with_too_few_beads_to_average_hold_no_claim():
    """Of four beads two are fitted where the output is blurred: half, but fewer than three."""
    widths = made_widths(4)
    far = (widths["network"] == "beads_5") & (widths["z_um"].abs() >= 4)
    widths.loc[far, "fwhm_um"] = 5.0
    widths.loc[far & (widths["bead"] > 1), "kept"] = False
    card = judge_figure_4(widths, scale="demonstration", **FACTS)
    assert card["verdict"][0] == FAILS
    assert "at least 50% of the beads fitted, in 6 planes fewer than 3" in card["measured"][0]


def test_sharpness_beyond_the_smaller_range_asks_for_most_beads():
    """Three of twelve beads are no sharp image; one in which the other network shows none is less sharp."""

    def at_7(widths, network):
        return (widths["network"] == network) & ((widths["z_um"] + 7).abs() < 0.3)

    few = made_widths(12)
    few.loc[at_7(few, "beads_8") & (few["bead"] > 2), "kept"] = False
    card = judge_figure_4(few, scale="demonstration", **FACTS)
    assert card["verdict"][3] == FAILS and "25% of its beads fitted" in card["measured"][3]
    lost = made_widths()
    lost.loc[at_7(lost, "beads_5"), "kept"] = False
    card = judge_figure_4(lost, scale="demonstration", **FACTS)
    assert card["verdict"][3] == HOLDS
    assert card["measured"][3].startswith("too few to be seen and 0.52 um")


def test_planes_that_end_early_judge_no_range():
    """What was not acquired is neither constant nor lost: test planes up to 3 um leave the claims of a range open."""
    widths = made_widths()
    steady = widths["network"] == ""
    widths.loc[steady, "fwhm_um"] = 0.42 + 0.7 * widths.loc[steady, "z_um"].abs()
    card = judge_figure_4(widths[widths["z_um"] <= 3], scale="demonstration", **FACTS)
    assert list(card["verdict"]) == [UNTESTABLE, UNTESTABLE, UNTESTABLE, HOLDS, UNTESTABLE]
    assert card["reason"][1] == "the test planes reach from -10 to 3 um, not to +-8 um"
    whole = judge_figure_4(widths, scale="demonstration", **FACTS)
    assert whole["verdict"][4] == FAILS and "0 planes could not be measured (0)" in whole["measured"][4]
    widths.loc[steady & widths["z_um"].between(2.9, 4.1), "kept"] = False
    lost = judge_figure_4(widths, scale="demonstration", **FACTS)
    assert lost["verdict"][4] == HOLDS and "3 planes could not be measured (0)" in lost["measured"][4]


def test_widths_are_averaged_over_kept_beads():
    """A bead left out does not count, and the shown bead is the one of median width."""
    widths = made_widths()
    widths.loc[widths["bead"] == 4, ["fwhm_um", "kept"]] = [9.0, False]
    summary = widths_by_defocus(widths)
    focus = summary[(summary["network"] == "beads_5") & (summary["z_um"] == 0)].iloc[0]
    assert focus["n"] == 4 and np.isclose(focus["mean"], 0.515)
    assert typical_bead(widths)["bead"] == 1
    assert typical_bead(widths.iloc[:0]) is None


def write_stack(path, series, seed=0):
    rng = np.random.default_rng(seed)
    with SlideWriter(path, 0.1625, "40x/0.95", "TexasRed", "simulated") as writer:
        writer.write(series, rng.random((len(Z_UM), 64, 64)).astype(np.float32), Z_UM)


def test_figure_4_is_drawn_with_and_without_beads(tmp_path, no_widths):
    """All formats; without a bead the panel says so."""
    for name, series in (("aligned", "f001"), ("beads_5", "f001_y0_x0"), ("beads_8", "f001_y0_x0")):
        (tmp_path / name).mkdir()
        write_stack(tmp_path / name / "test1.ome.tif", series)
    predictions = {name: [tmp_path / name / "test1.ome.tif"] for name in NETWORKS}
    for number, widths in enumerate((made_widths(), no_widths)):
        base = tmp_path / f"fig4_{number}"
        slides = [tmp_path / "aligned" / "test1.ome.tif"]
        draw_figure_4(widths, NETWORKS, RANGES, slides, predictions, "simulated", "tiny", base)
        assert all(base.with_suffix(f".{suffix}").stat().st_size > 20 for suffix in ("png", "pdf", "svg", "tsv"))


def test_beads_of_a_volume_are_found_with_their_heights(tmp_path):
    """Three points at known places and heights; the figure and the claim are made of the table."""
    z_um = np.arange(-9.0, 10.0, 3.0)
    stack = np.full((len(z_um), 128, 128), 130.0)
    y, x = np.mgrid[:128, :128]
    places = {0: (40, 40), 3: (64, 90), 5: (95, 50)}
    for plane, (row, column) in places.items():
        stack[plane] += 3000 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * 1.3**2))
    stack += np.random.default_rng(0).normal(0, 5, stack.shape)
    rows, images = measure_volume(
        stack.astype(np.uint16), z_um, 0.1625, {name: build_generator(2, seed=0) for name in NETWORKS}
    )
    found = rows[rows["image"] == "input"].set_index(["y_px", "x_px"])["bead_z_um"].to_dict()
    assert found == {(row, column): z_um[plane] for plane, (row, column) in places.items()}
    inputs = rows[rows["image"] == "input"].set_index("bead_z_um")
    assert abs(inputs.loc[0, "fwhm_um"] - 1.3 * 2.3548 * 0.1625) < 0.02
    # The other two are nowhere to be seen in the middle plane.
    assert inputs["kept"].to_dict() == {-9.0: False, 0.0: True, 6.0: False}
    assert set(inputs["reason"]) <= {"", "no peak", "not converged"}
    assert images.shape == (4, 128, 128)
    with SlideWriter(tmp_path / "v.ome.tif", 0.1625, "40x/0.95", "TexasRed", "simulated") as writer:
        writer.write("test1_f001", images, np.arange(4.0))
    table = rows.assign(slide="test1", fov="f001")
    draw_figure_s3(table, tmp_path / "v.ome.tif", NETWORKS, RANGES, "simulated", "tiny", tmp_path / "figS3")
    assert (tmp_path / "figS3.png").stat().st_size > 1000


def made_volume(widths_um, z_um=(6.0, 6.2, 6.4, 6.6), in_focus_um=0.5):
    """Beads between the ranges, as wide as told in each image, no number for one that cannot be seen; one in focus."""
    rows = [
        {"bead": bead, "bead_z_um": z, "image": image, "fwhm_um": width or 0.12, "kept": width is not None}
        for bead, z in enumerate(z_um)
        for image, width in widths_um.items()
    ]
    focus = {"bead": len(z_um), "bead_z_um": 0.5, "fwhm_um": in_focus_um, "kept": True}
    return pd.DataFrame(rows + [{**focus, "image": image} for image in widths_um])


def test_claim_of_figure_s3():
    """Only the larger range's network makes the beads between the ranges narrow."""
    sharp = {"input": 4.0, "beads_5": 3.5, "beads_8": 0.6}
    assert list(judge_figure_s3(made_volume(sharp), scale="demonstration", **FACTS)["verdict"]) == [HOLDS]
    both = made_volume(sharp | {"beads_5": 0.7})
    assert list(judge_figure_s3(both, scale="demonstration", **FACTS)["verdict"]) == [FAILS]
    one = made_volume(sharp, z_um=[6.0])
    assert list(judge_figure_s3(one, scale="demonstration", **FACTS)["verdict"]) == [UNTESTABLE]
    far = made_volume(sharp).query("bead_z_um > 1")
    assert list(judge_figure_s3(far, scale="demonstration", **FACTS)["verdict"]) == [UNTESTABLE]


def test_a_bead_that_cannot_be_seen_is_not_sharp():
    """The narrow fits to what is nothing but noise sharpen no bead, and do not forbid the other network to."""
    unseen = {"input": None, "beads_5": None, "beads_8": None}
    card = judge_figure_s3(made_volume(unseen), scale="demonstration", **FACTS)
    assert list(card["verdict"]) == [FAILS]
    assert "too few to be seen (0 with a peak) by the larger" in card["measured"][0]
    one = made_volume(unseen)
    one.loc[(one["image"] == "beads_8") & (one["bead"] == 0), ["kept", "fwhm_um"]] = [True, 0.5]
    card = judge_figure_s3(one, scale="demonstration", **FACTS)
    assert list(card["verdict"]) == [FAILS]
    assert "too few to be seen (1 with a peak) by the larger" in card["measured"][0]
    seen = made_volume(unseen | {"beads_8": 0.5})
    assert list(judge_figure_s3(seen, scale="demonstration", **FACTS)["verdict"]) == [HOLDS]


def test_a_bead_that_becomes_a_blur_is_not_sharp():
    """Beads that only the larger range's network shows, but nowhere near as narrow as in focus, confirm nothing."""
    blur = made_volume({"input": None, "beads_5": None, "beads_8": 5.5})
    card = judge_figure_s3(blur, scale="demonstration", **FACTS)
    assert list(card["verdict"]) == [FAILS]
    assert "5.50 um (4 with a peak) by the larger, 0.50 um in focus" in card["measured"][0]


@pytest.mark.parametrize("blurred_um", [5.5, None])
def test_a_network_that_loses_the_beads_in_focus_sharpens_none(blurred_um):
    """Without a width in focus there is nothing that a width between the ranges could be near to."""
    table = made_volume({"input": None, "beads_5": None, "beads_8": blurred_um})
    table.loc[(table["image"] == "beads_8") & (table["bead_z_um"] < 1), "kept"] = False
    assert list(judge_figure_s3(table, scale="demonstration", **FACTS)["verdict"]) == [FAILS]


def test_a_volume_without_a_bead_gives_a_table_without_rows(tmp_path):
    """It is written, read, drawn and not judged."""
    stack = np.random.default_rng(1).normal(130, 5, (5, 96, 96)).astype(np.uint16)
    rows, images = measure_volume(stack, np.arange(-4.0, 5.0, 2.0), 0.1625, {})
    write_table(rows.assign(slide="test1", fov="f001"), tmp_path / "volume.tsv")
    with SlideWriter(tmp_path / "v.ome.tif", 0.1625, "40x/0.95", "TexasRed", "simulated") as writer:
        writer.write("test1_f001", images[[0, 0, 0, 1]], np.arange(4.0))
    table = read_table(tmp_path / "volume.tsv")
    assert len(table) == 0
    draw_figure_s3(table, tmp_path / "v.ome.tif", NETWORKS, RANGES, "simulated", "tiny", tmp_path / "figS3")
    assert (tmp_path / "figS3.png").stat().st_size > 1000
    assert list(judge_figure_s3(table, scale="demonstration", **FACTS)["verdict"]) == [UNTESTABLE]
