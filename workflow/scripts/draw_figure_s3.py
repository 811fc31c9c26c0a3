"""Draw Figure S3 from the refocused images of beads in a volume."""

from pathlib import Path

from deepr.figures.figure_s3 import draw_figure_s3
from deepr.runtime import logged
from deepr.tables import read_table

if __name__ == "__main__":
    with logged(snakemake):
        draw_figure_s3(
            table=read_table(snakemake.input.table),
            images_path=snakemake.input.images,
            networks=snakemake.params.networks,
            ranges_um=snakemake.params.ranges_um,
            data_source=snakemake.params.data_source,
            scale=snakemake.params.scale,
            output_base=Path(snakemake.output[0]).with_suffix(""),
        )
