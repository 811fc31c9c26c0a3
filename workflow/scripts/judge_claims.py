"""Judge the paper's claims about one figure or table, or about the road's truth, on its results."""

from deepr.runtime import logged
from deepr.scorecard import JUDGES, judge_truth
from deepr.tables import read_table, write_table


def judge(target, evidence, facts, claims_path):
    """Give the target's judge its evidence, a table or a list of tables by keyword, and write its rows."""
    tables = {
        name: read_table(paths) if isinstance(paths, str) else [read_table(path) for path in paths]
        for name, paths in evidence.items()
    }
    write_table(JUDGES.get(target, judge_truth)(**tables, **facts), claims_path)


if __name__ == "__main__":
    with logged(snakemake):
        judge(
            target=snakemake.wildcards.target,
            evidence=dict(snakemake.input.items()),
            facts=snakemake.params.facts,
            claims_path=snakemake.output[0],
        )
