"""What a person's sheet says of pixels and planes, held against what the files themselves say."""

import math

from deepr.images import read_calibration

# Numbers that differ by less are the same one, rounded.
TOLERANCE = 0.05


def uncalibrated_stacks(frame):
    """Say in one sentence where the sheet and a file's own metadata differ in the size of pixels or steps.

    Parameters
    ----------
    frame : DataFrame
        Rows of `deepr.sheets.read_stacks`, whose files have been checked.

    Returns
    -------
    str
        Names the first such row and counts the others; empty if there is none. Which of the two is right is
        not for the program to say: binning and other objectives make files wrong, units make sheets wrong.
    """
    differing = [sentence for row in frame.to_dict("records") if (sentence := _difference(row))]
    if not differing:
        return ""
    others = f" ({len(differing)} of {len(frame)} rows differ)" if len(differing) > 1 else ""
    return f"{differing[0]}{others}; the sheet is taken, please look which is right"


def _difference(row):
    for column, found_um in zip(("pixel_um", "step_um"), read_calibration(row["paths"][0]), strict=True):
        said_um = abs(row[column])
        if found_um and math.isfinite(said_um) and abs(found_um / said_um - 1) > TOLERANCE:
            return f"{row['where']}, {row['path']}: {column} is {said_um:g}, but the file says {found_um:.4g} um"
    return ""
