"""The paper's claims, judged on the numbers behind each figure and table."""

from deepr.scorecard.autofocus import judge_table_s2
from deepr.scorecard.beads import judge_figure_4, judge_figure_s3
from deepr.scorecard.data_sets import judge_table_s1
from deepr.scorecard.deconvolution import judge_figure_5
from deepr.scorecard.defocus import judge_figure_2
from deepr.scorecard.depth import judge_figure_7
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
from deepr.scorecard.rows import COLUMNS, FAILS, HOLDS, UNTESTABLE, join_rows, row
from deepr.scorecard.summary import summarise
from deepr.scorecard.tilt import judge_figure_s1
from deepr.scorecard.training import judge_figure_s8, judge_figure_s9
from deepr.scorecard.truth import judge_truth
from deepr.scorecard.virtual_refocusing import judge_figure_8, judge_figure_s2

# Who judges which figure or table; each takes its evidence, data_source and scale by keyword.
JUDGES = {
    "fig1": judge_figure_1,
    "fig2": judge_figure_2,
    "fig3": judge_figure_3,
    "fig4": judge_figure_4,
    "fig5": judge_figure_5,
    "fig6": judge_figure_6,
    "fig7": judge_figure_7,
    "fig8": judge_figure_8,
    "figS1": judge_figure_s1,
    "figS2": judge_figure_s2,
    "figS3": judge_figure_s3,
    "figS4": judge_figure_s4,
    "figS5": judge_figure_s5,
    "figS6": judge_figure_s6,
    "figS7": judge_figure_s7,
    "figS8": judge_figure_s8,
    "figTransfer": judge_figure_transfer,
    "figS9": judge_figure_s9,
    "tableS1": judge_table_s1,
    "tableS2": judge_table_s2,
}

__all__ = [
    "COLUMNS",
    "FAILS",
    "HOLDS",
    "JUDGES",
    "UNTESTABLE",
    "join_rows",
    "judge_figure_1",
    "judge_figure_2",
    "judge_figure_3",
    "judge_figure_4",
    "judge_figure_5",
    "judge_figure_6",
    "judge_figure_7",
    "judge_figure_8",
    "judge_figure_s1",
    "judge_figure_s2",
    "judge_figure_s3",
    "judge_figure_s4",
    "judge_figure_s5",
    "judge_figure_s6",
    "judge_figure_s7",
    "judge_figure_s8",
    "judge_figure_s9",
    "judge_figure_transfer",
    "judge_table_s1",
    "judge_table_s2",
    "judge_truth",
    "row",
    "summarise",
]
