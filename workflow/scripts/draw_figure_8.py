"""Draw Figure 8 from images defocused onto surfaces and refocused."""

from pathlib import Path

from deepr.figures.figure_8 import draw_figure_8
from deepr.runtime import logged
from deepr.tables import read_table

if __name__ == "__main__":
    with logged(snakemake):
        draw_figure_8(
            surfaces=read_table(snakemake.input.surfaces),
            images_path=snakemake.input.images,
            data_source=snakemake.params.data_source,
            scale=snakemake.params.scale,
            output_base=Path(snakemake.output[0]).with_suffix(""),
        )
