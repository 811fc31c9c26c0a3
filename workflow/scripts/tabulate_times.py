"""Tabulate the seconds per square millimetre of mechanical searches and of Deep-R (Table S2)."""

from pathlib import Path

from deepr.figures.table_s2 import draw_table_s2
from deepr.runtime import logged
from deepr.tables import read_table

if __name__ == "__main__":
    with logged(snakemake):
        draw_table_s2(
            searches=read_table(snakemake.input.searches),
            refocusing=read_table(snakemake.input.refocusing),
            data_source=snakemake.params.data_source,
            scale=snakemake.params.scale,
            output_base=Path(snakemake.output[0]).with_suffix(""),
        )
