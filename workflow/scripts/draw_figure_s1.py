"""Draw Figure S1 from the rows and images of the tilted fields."""

from pathlib import Path

from deepr.figures.figure_s1 import draw_figure_s1
from deepr.runtime import logged
from deepr.tables import read_table

if __name__ == "__main__":
    with logged(snakemake):
        draw_figure_s1(
            rows=read_table(snakemake.input.rows),
            images_path=snakemake.input.images,
            tilt_deg=snakemake.params.tilt_deg,
            data_source=snakemake.params.data_source,
            scale=snakemake.params.scale,
            output_base=Path(snakemake.output[0]).with_suffix(""),
        )
