"""Draw Figure 4 from the widths of the beads and the images of one of them."""

from pathlib import Path

from deepr.figures.figure_4 import draw_figure_4
from deepr.runtime import logged
from deepr.tables import read_table

if __name__ == "__main__":
    with logged(snakemake):
        draw_figure_4(
            widths=read_table(snakemake.input.widths),
            networks=snakemake.params.networks,
            ranges_um=snakemake.params.ranges_um,
            slides=snakemake.input.slides,
            predictions={
                name: sorted(Path(folder).glob("*.ome.tif"))
                for name, folder in zip(snakemake.params.networks, snakemake.input.predictions, strict=True)
            },
            data_source=snakemake.params.data_source,
            scale=snakemake.params.scale,
            output_base=Path(snakemake.output[0]).with_suffix(""),
        )
