"""Compare the focus planes and the alignment of a data set with the simulator's truth."""

import pandas as pd
from deepr.runtime import logged
from deepr.scorecard import judge_truth
from deepr.tables import read_table, write_table
from deepr.truth import alignment_residuals, focus_errors, summarise_truth


def check_focus_planes(manifest_path, truth_paths, transforms_paths, slides, frame_px, scale, table_path, claims_path):
    """Write what was found against what is true, and the verdict on it."""
    truth = _of_slides(truth_paths, slides)
    errors = focus_errors(read_table(manifest_path), truth)
    summary = summarise_truth(errors, alignment_residuals(_of_slides(transforms_paths, slides), truth, frame_px))
    write_table(summary, table_path)
    write_table(judge_truth(summary, scale), claims_path)


def _of_slides(paths, slides):
    return pd.concat(
        [read_table(path).assign(slide=slide) for path, slide in zip(paths, slides, strict=True)],
        ignore_index=True,
    )
