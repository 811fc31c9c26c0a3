"""Judge the paper's claims about one figure or table, or about the road's truth, on its results."""

from pathlib import Path

from deepr.runtime import logged
from deepr.scorecard import judge_figure_2, judge_figure_s8, judge_figure_s9, judge_table_s1, judge_truth
from deepr.tables import read_table, write_table

JUDGES = {"fig2": judge_figure_2, "figS8": judge_figure_s8, "figS9": judge_figure_s9}


def judge(target, evidence_paths, facts, claims_path):
    """Write the target's rows of the scorecard."""
    if target == "tableS1":
        rows = judge_table_s1({Path(path).parent.name: read_table(path) for path in evidence_paths}, **facts)
    else:
        rows = JUDGES.get(target, judge_truth)(read_table(evidence_paths[0]), **facts)
    write_table(rows, claims_path)


if __name__ == "__main__":
    with logged(snakemake):
        judge(
            target=snakemake.wildcards.target,
            evidence_paths=list(snakemake.input),
            facts=snakemake.params.facts,
            claims_path=snakemake.output[0],
        )
