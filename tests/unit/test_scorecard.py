"""The verdicts on made numbers in which the claims hold, fail, and cannot be judged."""

import numpy as np
import pandas as pd
import pytest
from deepr.scorecard import (
    COLUMNS,
    FAILS,
    HOLDS,
    UNTESTABLE,
    join_rows,
    judge_figure_2,
    judge_figure_s8,
    judge_figure_s9,
    judge_table_s1,
    row,
)
from deepr.tables import read_table, write_table

ABOVE, FALLS, BETTER_SSIM, BETTER_RMSE, DEGRADES = range(5)


def made_measurements(output=lambda z: 0.85 - 0.03 * max(0, abs(z) - 5), step_um=0.5, patches=4):
    """Inputs that lose SSIM with defocus, and outputs of a given SSIM."""
    rows = []
    for z_um in np.arange(-10, 10 + step_um / 2, step_um):
        for patch in range(patches):
            wobble = 0.004 * (patch - 1.5)
            for image, value in (("input", max(0.2, 0.98 - 0.09 * abs(z_um))), ("output", output(z_um))):
                rows.append(
                    {
                        "slide": "s1",
                        "fov": f"f{patch}",
                        "z_um": z_um + 1e-9 * patch,
                        "image": image,
                        "ssim": value + wobble,
                        "rmse": 1.2 - value + wobble,
                        "ssim_noise_free": value + 0.01,
                    }
                )
    return pd.DataFrame(rows)


def verdicts(measurements, scale="demonstration"):
    card = judge_figure_2(measurements, 5.0, 0.77, "simulated", scale)
    assert tuple(card.columns) == COLUMNS
    assert set(card["target"]) == {"fig2"}
    return card


def test_claims_of_figure_2_hold_for_a_good_network():
    """Output flat at 0.85 within the range: the output claims hold, except near focus."""
    card = verdicts(made_measurements(lambda z: 0.93 - 0.02 * abs(z) - 0.05 * max(0, abs(z) - 5)))
    assert list(card["verdict"]) == [HOLDS] * 5
    assert "smallest 0.830 at z = -5 um" in card["measured"][ABOVE]
    assert "0.840" in card["reason"][ABOVE]


def test_an_output_below_0_7_at_one_plane_is_reported():
    """One z within the range is enough; the same dip beyond the range or in focus is none of the claim's."""

    def dip(at):
        return lambda z: 0.65 if abs(z - at) < 0.1 else 0.95 - 0.02 * abs(z)

    assert verdicts(made_measurements(dip(3.0)))["verdict"][ABOVE] == FAILS
    assert verdicts(made_measurements(dip(7.0)))["verdict"][ABOVE] == HOLDS
    assert verdicts(made_measurements(dip(0.0)))["verdict"][ABOVE] == HOLDS


def test_an_output_worse_than_the_input_is_counted():
    """At |z| of 1 and 1.5 um an output of 0.85 is below the input; the row says at how many z."""
    card = verdicts(made_measurements())
    assert card["verdict"][BETTER_SSIM] == card["verdict"][BETTER_RMSE] == FAILS
    assert card["reason"][BETTER_SSIM] == "not so at 2 of 18 z"


def test_an_input_that_stays_sharp_is_reported():
    """An SSIM that does not fall with |z| contradicts the depth of field."""
    flat = made_measurements()
    flat.loc[flat["image"] == "input", "ssim"] = 0.8
    assert verdicts(flat)["verdict"][FALLS] == FAILS


def test_an_output_that_stays_good_beyond_the_range_is_reported():
    """Better than the claim is still not the claim; one good side is enough."""
    assert verdicts(made_measurements(lambda z: 0.9))["verdict"][DEGRADES] == FAILS
    one_sided = made_measurements(lambda z: 0.9 if z > 0 else 0.9 - 0.05 * max(0, -z - 5))
    assert verdicts(one_sided)["verdict"][DEGRADES] == FAILS


def test_the_tiny_scale_judges_no_image_quality():
    """Whatever was measured, with the reason."""
    card = verdicts(made_measurements(), scale="tiny")
    assert set(card["verdict"]) == {UNTESTABLE}
    assert set(card["reason"]) == {"trainings of the tiny scale last seconds"}


def test_missing_planes_make_claims_untestable():
    """Planes that no patch reaches, too few patches, and steps wider than the depth of field."""
    whole = made_measurements(lambda z: 0.95 - 0.02 * abs(z))
    short = verdicts(whole[whole["z_um"] > -4.2])
    assert set(short["verdict"]) == {UNTESTABLE}
    assert "not all of -5 to 5 um" in short["reason"][ABOVE]
    gap = verdicts(whole[(whole["z_um"] - 2).abs() > 0.1])
    assert gap["verdict"][ABOVE] == UNTESTABLE
    few = verdicts(made_measurements(patches=2))
    assert set(few["verdict"]) == {UNTESTABLE}
    inner = verdicts(whole[whole["z_um"].abs() < 5.2])
    assert list(inner["verdict"]) == [HOLDS] * 4 + [UNTESTABLE]
    coarse = verdicts(made_measurements(lambda z: 0.95 - 0.02 * abs(z), step_um=1.0))
    assert coarse["verdict"][FALLS] == UNTESTABLE
    assert coarse["verdict"][ABOVE] == HOLDS


def test_measurements_without_noise_free_truth_are_judged():
    """Real data have none; their column is empty text once written and read."""
    measurements = made_measurements(lambda z: 0.95 - 0.02 * abs(z)).assign(ssim_noise_free="")
    card = verdicts(measurements)
    assert card["verdict"][ABOVE] == HOLDS
    assert card["reason"][ABOVE] == ""


def made_history(level=0.25, gap=0.1, kept_iteration=30):
    iteration = np.arange(1, 61)
    berhu = np.where(iteration % 10 == 0, 0.1 + 0.002 * np.abs(iteration - 30), np.nan)
    return pd.DataFrame(
        {
            "iteration": iteration,
            "discriminator_loss": level,
            "discriminator_real": 0.5 + gap / 2,
            "discriminator_fake": 0.5 - gap / 2,
            "validation_berhu": berhu,
            "best": np.isin(iteration, [10, 20, kept_iteration]),
        }
    )


@pytest.mark.parametrize(
    ("history", "scale", "expected"),
    [
        (made_history(), "demonstration", [HOLDS, HOLDS]),
        (made_history(level=0.4), "demonstration", [FAILS, HOLDS]),
        (made_history(gap=0.02), "demonstration", [UNTESTABLE, HOLDS]),
        (made_history(kept_iteration=50), "demonstration", [HOLDS, FAILS]),
        (made_history(), "tiny", [UNTESTABLE, HOLDS]),
        (made_history().assign(validation_berhu=""), "demonstration", [HOLDS, UNTESTABLE]),
        (made_history().assign(best=False), "demonstration", [HOLDS, FAILS]),
    ],
)
def test_claims_of_figure_s8(history, scale, expected):
    """Balance of the networks and choice of the weights, judged apart."""
    card = judge_figure_s8(history, "simulated", scale)
    assert list(card["verdict"]) == expected


def test_a_training_without_a_discriminator_is_not_judged_by_it(tmp_path):
    """Without its updates the columns are empty; the claim is not testable, and the other one is judged."""
    columns = ["discriminator_loss", "discriminator_real", "discriminator_fake"]
    write_table(made_history().assign(**dict.fromkeys(columns, np.nan)), tmp_path / "history.tsv")
    card = judge_figure_s8(read_table(tmp_path / "history.tsv"), "simulated", "demonstration")
    assert list(card["verdict"]) == [UNTESTABLE, HOLDS]
    assert card["reason"][0] == "the discriminator was never updated"


def test_a_discriminator_back_in_balance_is_judged():
    """Once it could tell the images apart, a gap that closes again is the equilibrium of the claim."""
    history = made_history(gap=0.0)
    history.loc[20:40, "discriminator_real"] += 0.2
    assert judge_figure_s8(history, "simulated", "demonstration")["verdict"][0] == HOLDS


def made_manifest(training=17, validation=3, test_slide="s2"):
    split = ["train"] * training + ["validation"] * validation
    fields = [("s1", f"f{i}", part) for i, part in enumerate(split)] + [(test_slide, "t0", "test")]
    return pd.DataFrame([field for field in fields for _ in range(4)], columns=["slide", "fov", "split"])


def test_claims_of_table_s1():
    """A right division holds in all three; each fault is told apart and its data set named."""
    good = made_manifest()
    shared = pd.concat([good, pd.DataFrame([("s1", "f0", "validation")], columns=good.columns)])
    cases = {
        "good": (good, [HOLDS] * 3),
        "few fields": (made_manifest(training=3, validation=1), [HOLDS] * 3),
        "tests only": (made_manifest(training=0, validation=0), [FAILS, HOLDS, HOLDS]),
        "unvalidated": (made_manifest(validation=0), [FAILS, HOLDS, HOLDS]),
        "half": (made_manifest(training=10, validation=10), [FAILS, HOLDS, HOLDS]),
        "shared": (shared, [HOLDS, FAILS, HOLDS]),
        "leaking": (made_manifest(test_slide="s1"), [HOLDS, HOLDS, FAILS]),
    }
    for name, (manifest, expected) in cases.items():
        card = judge_table_s1([manifest.assign(dataset=name)], 0.15, "own", "demonstration")
        assert list(card["verdict"]) == expected, name
        assert all(name in reason for reason in card["reason"][card["verdict"] == FAILS] if reason), name
    both = judge_table_s1(
        [good.assign(dataset="ovary"), shared.assign(dataset="beads")], 0.15, ["own", "simulated"], "demonstration"
    )
    assert both["measured"][0] == "ovary 17:3; beads 17:4"
    assert both["reason"][1] == "shared fields in beads"
    assert set(both["data"]) == {"own, simulated"}


def made_layers(depth):
    """Layers of a generator that halves the image so many times and doubles it as often."""
    levels = [*range(depth + 1), *range(depth - 1, -1, -1)]
    frame = pd.DataFrame({"network": "generator", "level": levels, "stage": range(len(levels)), "parameters": 0})
    frame.loc[0, "parameters"] = 2162721
    return frame


def test_claim_of_figure_s9():
    """Five levels down and up; the counts are in the row."""
    card = judge_figure_s9(made_layers(5), "simulated", "tiny")
    assert list(card["verdict"]) == [HOLDS]
    assert "generator 2,162,721" in card["reason"][0]
    assert judge_figure_s9(made_layers(4), "simulated", "tiny")["verdict"][0] == FAILS


def test_scorecards_join_only_if_they_are_scorecards():
    """Foreign columns and verdicts are refused."""
    one = judge_figure_s9(made_layers(5), "simulated", "tiny")
    assert len(join_rows([one, one])) == 2
    assert tuple(join_rows([]).columns) == COLUMNS
    with pytest.raises(ValueError, match="columns"):
        join_rows([one.drop(columns="reason")])
    with pytest.raises(ValueError, match="verdicts"):
        join_rows([one.assign(verdict="maybe")])


def test_a_row_that_cannot_be_judged_says_why():
    """The reason of an untestable claim takes the place of any other."""
    judged = row("fig1", "c", "1", "2", True, "own", "tiny", reason="other", untestable="too small")
    assert (judged["verdict"], judged["reason"]) == (UNTESTABLE, "too small")
