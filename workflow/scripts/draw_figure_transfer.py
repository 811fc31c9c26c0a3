"""Draw the comparison of a training from another network with one from scratch."""

from pathlib import Path

from deepr.figures.figure_transfer import draw_figure_transfer
from deepr.runtime import logged
from deepr.tables import read_table

if __name__ == "__main__":
    with logged(snakemake):
        draw_figure_transfer(
            histories={way: read_table(snakemake.input[f"{way}_history"]) for way in ("scratch", "transfer")},
            measurements={way: read_table(snakemake.input[f"{way}_measurements"]) for way in ("scratch", "transfer")},
            range_um=snakemake.params.range_um,
            data_source=snakemake.params.data_source,
            scale=snakemake.params.scale,
            output_base=Path(snakemake.output[0]).with_suffix(""),
        )
