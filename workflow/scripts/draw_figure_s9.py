"""Draw Figure S9 from the layers of the networks as built."""

from pathlib import Path

from deepr.figures.figure_s9 import draw_figure_s9
from deepr.runtime import logged
from deepr.tables import read_table

if __name__ == "__main__":
    with logged(snakemake):
        draw_figure_s9(
            layers=read_table(snakemake.input[0]),
            scale=snakemake.params.scale,
            output_base=Path(snakemake.output[0]).with_suffix(""),
        )
