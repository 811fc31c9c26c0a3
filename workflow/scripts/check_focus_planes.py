"""Compare the focus planes and the alignment of a data set with the simulator's truth."""

import pandas as pd
from deepr.runtime import logged
from deepr.tables import read_table, write_table
from deepr.truth import alignment_residuals, focus_errors, summarise_truth


def check_focus_planes(manifest_path, truth_paths, transforms_paths, slides, frame_px, checks_path):
    """Write one row per quantity: what was found against what is true."""
    truth = _of_slides(truth_paths, slides)
    errors = focus_errors(read_table(manifest_path), truth)
    residuals = alignment_residuals(_of_slides(transforms_paths, slides), truth, frame_px)
    write_table(summarise_truth(errors, residuals, truth), checks_path)


def _of_slides(paths, slides):
    return pd.concat(
        [read_table(path).assign(slide=slide) for path, slide in zip(paths, slides, strict=True)],
        ignore_index=True,
    )


if __name__ == "__main__":
    with logged(snakemake):
        check_focus_planes(
            manifest_path=snakemake.input.manifest,
            truth_paths=snakemake.input.planes,
            transforms_paths=snakemake.input.transforms,
            slides=snakemake.params.slides,
            frame_px=snakemake.params.frame_px,
            checks_path=snakemake.output[0],
        )
