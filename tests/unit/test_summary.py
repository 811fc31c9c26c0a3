"""The table at the end of a run."""

import pandas as pd
from deepr.scorecard import FAILS, HOLDS, UNTESTABLE, summarise
from deepr.tables import write_table


def make(folder, target, verdicts):
    kind = "figures" if target.startswith("fig") else "tables"
    (folder / kind).mkdir(exist_ok=True)
    (folder / kind / f"{target}.png").touch()
    write_table(pd.DataFrame({"target": target, "verdict": verdicts}), folder / "scorecard" / f"{target}.tsv")


def test_each_target_that_exists_has_a_line(tmp_path):
    """Where its picture is, and how many of its claims hold; what was not made is not there."""
    make(tmp_path, "fig2", [HOLDS, HOLDS, FAILS])
    make(tmp_path, "tableS1", [UNTESTABLE])
    lines = summarise(tmp_path, ["fig2", "figS8", "tableS1"]).splitlines()
    assert len(lines) == 3
    assert lines[1].split() == ["fig2", str(tmp_path / "figures/fig2.png"), "2", "hold,", "1", "do", "not", "hold"]
    assert lines[2].split()[1:] == [str(tmp_path / "tables/tableS1.png"), "1", "not", "testable"]


def test_nothing_made_is_an_empty_table(tmp_path):
    """A dry folder says nothing."""
    assert summarise(tmp_path, ["fig2"]) == ""
