"""Claims of the figures that compare images, on made-up measurements with known answers."""

import numpy as np
import pandas as pd
import pytest
from deepr.scorecard.image_quality import (
    judge_figure_1,
    judge_figure_3,
    judge_figure_6,
    judge_figure_s4,
    judge_figure_s5,
    judge_figure_s6,
    judge_figure_s7,
    judge_figure_transfer,
)
from deepr.scorecard.rows import FAILS, HOLDS, UNTESTABLE

FACTS = {"data_source": "simulated", "scale": "demonstration"}


def made(gain=0.1, near=0.95, patches=3):
    """Measurements whose output is better than the input by `gain` at every z but 0."""
    z_um = np.arange(-10.0, 10.5, 0.5)
    rows = []
    for number in range(patches):
        for z in z_um:
            entry = 1 - 0.06 * abs(z)
            output = near if z == 0 else min(entry + gain, near)
            for image, value in (("input", entry), ("output", output)):
                place = {"dataset": "d", "slide": "s", "fov": f"f{number}", "y": 0, "x": 0}
                scores = {"ssim": value, "rmse": 1 - value, "ssim_noise_free": np.nan, "rmse_noise_free": np.nan}
                rows.append({**place, "z_um": z, "image": image, **scores})
    return pd.DataFrame(rows)


def verdicts(card):
    return list(card["verdict"])


def test_exposures_are_counted():
    """Eight of the search against one."""
    numbers = pd.DataFrame({"curve": ["score", "search", "search", "deep-r"], "exposure": [0, 1, 8, 1]})
    card = judge_figure_1(numbers, **FACTS)
    assert verdicts(card) == [HOLDS]
    assert card["measured"][0] == "8 exposures by the search, 1 by Deep-R"


@pytest.mark.parametrize("worse, expected", [(None, [HOLDS, HOLDS]), (0.2, [FAILS, FAILS])])
def test_every_shown_image_counts(worse, expected):
    """One region that got worse is enough to fail."""
    rows = [
        {"region": region, "z_um": z, "image": image, "ssim": ssim, "rmse": 1 - ssim}
        for region in "ab"
        for z in (-4.0, 4.0)
        for image, ssim in (("input", 0.5), ("output", 0.6))
    ]
    if worse is not None:
        rows[1] |= {"ssim": worse, "rmse": 1 - worse}
    card = judge_figure_3(pd.DataFrame(rows), **FACTS)
    assert verdicts(card) == expected
    assert card["measured"][0].startswith("4 of 4" if worse is None else "3 of 4")


def test_figures_6_s4_and_s6_ask_for_a_gain_at_every_distance():
    """A network that helps holds, one that harms fails, and the tiny scale is not judged."""
    shown = pd.DataFrame(
        [
            {"part": "patch", "z_um": z, "image": image, "ssim": value, "rmse": 1 - value}
            for z in (-8.0, 8.0)
            for image, value in (("input", 0.4), ("output", 0.5))
        ]
    )
    for gain, verdict in ((0.1, HOLDS), (-0.1, FAILS)):
        frame = made(gain)
        assert verdicts(judge_figure_6(shown, frame, **FACTS))[2:] == [verdict] * 2
        assert set(verdicts(judge_figure_s4(frame, 0.8, 10.0, **FACTS))) == {verdict}
        assert verdicts(judge_figure_s6(frame, 10.0, **FACTS)) == [verdict]
    tiny = FACTS | {"scale": "tiny"}
    assert set(verdicts(judge_figure_s4(made(-0.1), 0.8, 10.0, **tiny))) == {UNTESTABLE}


def test_a_larger_range_costs_quality_near_focus():
    """Quality near focus has to fall from the smallest range to the largest."""
    falling = [made(0.1, near) for near in (0.97, 0.95, 0.92)]
    assert verdicts(judge_figure_s5(falling, [2.0, 5.0, 10.0], **FACTS))[-1] == HOLDS
    card = judge_figure_s5(falling[::-1], [2.0, 5.0, 10.0], **FACTS)
    assert verdicts(card)[-1] == FAILS
    assert len(card) == 7


def test_types_of_cells_are_ordered():
    """Same type best, mixed close, other type still better than the input; each can fail alone."""
    good = {"same": [made(0.3)], "mixed": [made(0.29)], "other": [made(0.1)]}
    facts = {"types": ["nuclei"], "range_um": 10.0, **FACTS}
    assert verdicts(judge_figure_s7(**good, **facts)) == [HOLDS] * 4
    assert verdicts(judge_figure_s7(**good | {"mixed": [made(0.05)]}, **facts))[1] == FAILS
    assert verdicts(judge_figure_s7(**good | {"other": [made(-0.1)]}, **facts))[2] == FAILS
    assert verdicts(judge_figure_s7(**good | {"other": [made(0.35)]}, **facts))[0] == FAILS


def test_transfer_is_judged_early_and_at_the_end():
    """Ahead after a quarter of the iterations, and no worse on the test images."""
    slow, quick = (
        pd.DataFrame({"iteration": [10, 20, 30, 40], "validation_berhu": values})
        for values in ([1.0, 0.8, 0.6, 0.5], [0.6, 0.55, 0.5, 0.45])
    )
    assert verdicts(judge_figure_transfer([slow, quick], [made(0.1), made(0.2)], 10.0, **FACTS)) == [HOLDS, HOLDS]
    assert verdicts(judge_figure_transfer([quick, slow], [made(0.2), made(0.1)], 10.0, **FACTS)) == [FAILS, FAILS]
