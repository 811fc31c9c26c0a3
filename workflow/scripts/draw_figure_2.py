"""Draw Figure 2 from the measurements of one network on its test slides."""

from pathlib import Path

from deepr.figures.figure_2 import draw_figure_2
from deepr.figures.images import Z_LIMIT_UM
from deepr.runtime import logged
from deepr.tables import read_table


def draw(measurements_path, manifest_path, slide_paths, predictions_folder, output_path, **facts):
    """Read the tables, find the prediction of every slide, and draw."""
    draw_figure_2(
        measurements=read_table(measurements_path),
        manifest=read_table(manifest_path),
        slides=slide_paths,
        predictions=sorted(Path(predictions_folder).glob("*.ome.tif")),
        output_base=Path(output_path).with_suffix(""),
        **facts,
    )


if __name__ == "__main__":
    with logged(snakemake):
        draw(
            measurements_path=snakemake.input.measurements,
            manifest_path=snakemake.input.manifest,
            slide_paths=snakemake.input.slides,
            predictions_folder=snakemake.input.predictions,
            output_path=snakemake.output[0],
            range_um=snakemake.params.range_um,
            data_source=snakemake.params.data_source,
            scale=snakemake.params.scale,
            z_limit_um=snakemake.params.get("z_limit_um", Z_LIMIT_UM),
        )
