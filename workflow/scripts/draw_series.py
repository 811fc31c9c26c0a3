"""Draw one typical test image at several distances from focus (Figures 6 and S6)."""

from pathlib import Path

from deepr.figures.series import draw_series
from deepr.runtime import logged
from deepr.tables import read_table

if __name__ == "__main__":
    with logged(snakemake):
        draw_series(
            measurements=read_table(snakemake.input.measurements),
            manifest=read_table(snakemake.input.manifest),
            slides=snakemake.input.slides,
            predictions=sorted(Path(snakemake.input.predictions).glob("*.ome.tif")),
            range_um=snakemake.params.range_um,
            wanted_um=snakemake.params.wanted_um,
            data_source=snakemake.params.data_source,
            scale=snakemake.params.scale,
            output_base=Path(snakemake.output[0]).with_suffix(""),
        )
