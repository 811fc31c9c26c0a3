"""Count the fields, areas and planes of every data set (Table S1)."""

from pathlib import Path

from deepr.figures.table_s1 import draw_table_s1
from deepr.runtime import logged
from deepr.tables import read_table


def tabulate(datasets, manifest_paths, slide_paths, scale, output_path):
    """Give each data set its manifest and its slides, and draw the table."""
    draw_table_s1(
        data_sets={
            dataset: (read_table(manifest), [path for path in slide_paths if Path(path).parts[-3] == dataset])
            for dataset, manifest in zip(datasets, manifest_paths, strict=True)
        },
        scale=scale,
        output_base=Path(output_path).with_suffix(""),
    )


if __name__ == "__main__":
    with logged(snakemake):
        tabulate(
            datasets=snakemake.params.datasets,
            manifest_paths=snakemake.input.manifests,
            slide_paths=snakemake.input.slides,
            scale=snakemake.params.scale,
            output_path=snakemake.output[0],
        )
