"""Draw image quality against defocus for one network or several (Figures S4 and S5, and of own stacks)."""

from pathlib import Path

from deepr.figures.curves import draw_quality_curves
from deepr.figures.images import Z_LIMIT_UM
from deepr.runtime import logged
from deepr.tables import read_table

if __name__ == "__main__":
    with logged(snakemake):
        draw_quality_curves(
            networks=[
                (name, range_um, read_table(path))
                for name, range_um, path in zip(
                    snakemake.params.names, snakemake.params.ranges_um, snakemake.input, strict=True
                )
            ],
            data_source=snakemake.params.data_source,
            scale=snakemake.params.scale,
            output_base=Path(snakemake.output[0]).with_suffix(""),
            z_limit_um=snakemake.params.get("z_limit_um", Z_LIMIT_UM),
        )
