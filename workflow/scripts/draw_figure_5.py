"""Draw Figure 5 from the deconvolved and the refocused planes of the test patches."""

from pathlib import Path

from deepr.figures.figure_5 import draw_figure_5
from deepr.runtime import logged
from deepr.tables import read_table

if __name__ == "__main__":
    with logged(snakemake):
        draw_figure_5(
            measurements=read_table(snakemake.input.measurements),
            manifest=read_table(snakemake.input.manifest),
            slides=snakemake.input.slides,
            predictions=sorted(Path(snakemake.input.predictions).glob("*.ome.tif")),
            images_path=snakemake.input.images,
            psf_path=snakemake.input.psf,
            shown_um=snakemake.params.shown_um,
            data_source=snakemake.params.data_source,
            scale=snakemake.params.scale,
            output_base=Path(snakemake.output[0]).with_suffix(""),
        )
