"""Draw Figure S7 from what each network makes of each type of cells."""

from pathlib import Path

from deepr.figures.figure_s7 import draw_figure_s7
from deepr.runtime import logged
from deepr.tables import read_table


def draw(measurements_paths, prediction_folders, manifest_paths, slide_paths, pairs, types, output_path, **facts):
    """Sort tables and images by type of cells and way of training, and draw."""
    tests = {
        name: {
            "manifest": read_table(manifest),
            "slides": [path for path in slide_paths if Path(path).parts[-3] == name],
            "measurements": {},
            "predictions": {},
        }
        for name, manifest in zip(types, manifest_paths, strict=True)
    }
    for (way, name), measurements, folder in zip(pairs, measurements_paths, prediction_folders, strict=True):
        tests[name]["measurements"][way] = read_table(measurements)
        tests[name]["predictions"][way] = sorted(Path(folder).glob("*.ome.tif"))
    draw_figure_s7(tests, output_base=Path(output_path).with_suffix(""), **facts)


if __name__ == "__main__":
    with logged(snakemake):
        draw(
            measurements_paths=snakemake.input.measurements,
            prediction_folders=snakemake.input.predictions,
            manifest_paths=snakemake.input.manifests,
            slide_paths=snakemake.input.slides,
            pairs=snakemake.params.pairs,
            types=snakemake.params.types,
            output_path=snakemake.output[0],
            range_um=snakemake.params.range_um,
            data_source=snakemake.params.data_source.split(", "),
            scale=snakemake.params.scale,
        )
