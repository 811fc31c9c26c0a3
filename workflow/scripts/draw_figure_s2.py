"""Draw Figure S2 from the widths of beads in virtual stacks."""

from pathlib import Path

from deepr.figures.figure_s2 import draw_figure_s2
from deepr.runtime import logged
from deepr.tables import read_table

if __name__ == "__main__":
    with logged(snakemake):
        draw_figure_s2(
            beads=read_table(snakemake.input.beads),
            images_path=snakemake.input.images,
            data_source=snakemake.params.data_source,
            scale=snakemake.params.scale,
            output_base=Path(snakemake.output[0]).with_suffix(""),
        )
