"""Write the one page that holds every figure and table of a run."""

from deepr.report import write_report
from deepr.runtime import logged

if __name__ == "__main__":
    with logged(snakemake):
        write_report(
            output_path=snakemake.output[0],
            template_path=snakemake.input.template,
            figures=dict(zip(snakemake.params.figures, snakemake.input.figures, strict=True)),
            tables=dict(zip(snakemake.params.tables, snakemake.input.tables, strict=True)),
            captions=snakemake.input.captions,
            sources=snakemake.params.sources,
            scorecard_path=snakemake.input.scorecard,
            benchmarks_folder="results/benchmarks",
            ledger_path=snakemake.input.ledger,
            data_sets=snakemake.params.data_sets,
            scale=snakemake.params.scale,
            seed=snakemake.params.seed,
        )
