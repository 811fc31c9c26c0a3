"""Draw Figure S8 from the history of one training."""

from pathlib import Path

from deepr.figures.figure_s8 import draw_figure_s8
from deepr.runtime import logged
from deepr.tables import read_table

if __name__ == "__main__":
    with logged(snakemake):
        draw_figure_s8(
            history=read_table(snakemake.input[0]),
            data_source=snakemake.params.data_source,
            scale=snakemake.params.scale,
            output_base=Path(snakemake.output[0]).with_suffix(""),
        )
