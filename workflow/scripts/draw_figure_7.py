"""Draw Figure 7 from the defocus maps of uniform and tilted test images."""

from pathlib import Path

from deepr.figures.figure_7 import draw_figure_7
from deepr.runtime import logged
from deepr.tables import read_table

if __name__ == "__main__":
    with logged(snakemake):
        draw_figure_7(
            uniform=read_table(snakemake.input.uniform),
            uniform_images=snakemake.input.uniform_images,
            tilted_images=snakemake.input.tilted_images,
            range_um=snakemake.params.range_um,
            tilt_deg=snakemake.params.tilt_deg,
            data_source=snakemake.params.data_source,
            scale=snakemake.params.scale,
            output_base=Path(snakemake.output[0]).with_suffix(""),
        )
