"""Draw Figure 3 from the measurements and images of one network."""

from pathlib import Path

from deepr.figures.figure_3 import draw_figure_3
from deepr.runtime import logged
from deepr.tables import read_table

if __name__ == "__main__":
    with logged(snakemake):
        draw_figure_3(
            measurements=read_table(snakemake.input.measurements),
            manifest=read_table(snakemake.input.manifest),
            slides=snakemake.input.slides,
            predictions=sorted(Path(snakemake.input.predictions).glob("*.ome.tif")),
            range_um=snakemake.params.range_um,
            data_source=snakemake.params.data_source,
            scale=snakemake.params.scale,
            output_base=Path(snakemake.output[0]).with_suffix(""),
        )
