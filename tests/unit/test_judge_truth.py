"""Verdicts on the road's truth."""

import pandas as pd
import pytest
from deepr.scorecard import FAILS, HOLDS, judge_truth


@pytest.mark.parametrize(
    ("share", "residual", "lost", "verdicts"), [(0.96, 0.2, 0, [HOLDS, HOLDS]), (0.90, 0.4, 2, [FAILS, FAILS])]
)
def test_verdicts_follow_the_checks(share, residual, lost, verdicts):
    """At least 95 % of the focus planes in the section, at most 0.3 px of residual near focus."""
    checks = pd.DataFrame(
        [
            ("focus planes within the section's thickness", share, "fraction", 24),
            ("bias of the focus planes", 0.1, "um", 24),
            ("95th percentile of the alignment residual within 2 um of focus", 0.1, "px", 192),
            ("largest alignment residual within 2 um of focus", residual, "px", 192),
            ("fields left out by the alignment", lost, "fields", 9),
        ],
        columns=["quantity", "value", "unit", "count"],
    )
    rows = judge_truth(checks, "ovary", "demonstration")
    assert rows["verdict"].tolist() == verdicts
    assert set(rows["target"]) == {"ovary_truth"}
    assert "bias +0.10 um" in rows["measured"][0]
    left_out = "; 2 of 9 fields left out" if lost else ""
    assert rows["measured"][1] == f"largest {residual:.2f} px of 192 planes, 95th percentile 0.10 px{left_out}"
