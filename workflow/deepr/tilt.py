"""A tilted sample: its reference image, and how sharp its rows are before and after refocusing."""

import numpy as np
import pandas as pd

from deepr.focus import normalized_variance
from deepr.metrics import normalise
from deepr.networks.blind_refocusing import refocus_stack
from deepr.sharpness import row_sharpness
from deepr.tables import InputError

# The paper's reference: ten planes 0.2 um apart, "for the best visual sharpness".
REFERENCE_SPAN_UM = 1.8
# The paper's two inputs: one end of the field is blurred in the first, the other in the second.
INPUT_Z_UM = (0.0, -2.2)
# Parts of the field, across the tilt, that count alike for the sharpness of the reference.
_BANDS = 8


def reference_window(stack, z_um, span_um=REFERENCE_SPAN_UM):
    """Find the planes whose maximum intensity projection is the sharpest.

    Parameters
    ----------
    stack : (Z, Y, X) ndarray
        Planes in order of z.
    z_um : (Z,) ndarray of float
        Increasing heights in um.
    span_um : float
        Distance from the first to the last plane of the projection; the planes that the stack has
        within it are projected.

    Returns
    -------
    slice
        Planes to project.
    image : (Y, X) ndarray
        Their projection.

    Raises
    ------
    ValueError
        If the stack is shorter than the span, or its planes are farther apart.

    Notes
    -----
    Of all windows the one is taken whose projection has the largest normalised variance (`deepr.focus`), as
    the geometric mean over eight bands of rows, so that no end of the tilt wins by its structure alone: the
    paper chose its planes "for the best visual sharpness" and does not say how.
    """
    z_um = np.asarray(z_um, dtype=float)
    windows = []
    for first, low in enumerate(z_um):
        last = int(np.searchsorted(z_um, low + span_um + 1e-6))
        if low + span_um <= z_um[-1] + 1e-6 and last - first >= 2:
            windows.append(slice(first, last))
    if not windows:
        raise ValueError(
            f"{len(z_um)} planes reach from {z_um[0]:g} to {z_um[-1]:g} um; wanted at least two within {span_um:g} um, "
            "and as much in all"
        )
    projections = [stack[window].max(axis=0) for window in windows]
    best = int(np.argmax([_sharpness_of_all_bands(image) for image in projections]))
    return windows[best], projections[best]


def _sharpness_of_all_bands(image):
    return np.mean([np.log(normalized_variance(band) + 1e-12) for band in np.array_split(image, _BANDS)])


def measure_field(stack, z_um, generator, inputs_um=INPUT_Z_UM):
    """Refocus a tilted field at the paper's two positions and regress its rows on the reference's.

    Parameters
    ----------
    stack : (Z, Y, X) ndarray
        Aligned planes of one field in order of z.
    z_um : (Z,) ndarray of float
    generator : keras.Model
        From `deepr.networks.generator.load_generator`.
    inputs_um : sequence of float
        Positions to refocus, counted so that their middle is the reference's; the nearest planes are taken.

    Returns
    -------
    rows : DataFrame
        One row per position, image ("input" or "output") and row of the image: z_um (that of the plane
        taken), image, row, sharpness, deviation.
    images : (2 P + 1, Y, X) ndarray of float32
        Normalised: the P inputs, the P outputs, the reference.
    shown_um : list of float
        z of the inputs.

    Raises
    ------
    InputError
        If the stack has no plane within 0.5 um of a position.
    """
    window, reference = reference_window(stack, z_um)
    middle_um = (z_um[window.start] + z_um[window.stop - 1]) / 2
    from_zero = np.asarray(z_um, dtype=float) - middle_um + (min(inputs_um) + max(inputs_um)) / 2
    planes = [int(np.argmin(np.abs(from_zero - wanted))) for wanted in inputs_um]
    for plane, wanted in zip(planes, inputs_um, strict=True):
        if abs(from_zero[plane] - wanted) > 0.5:
            raise InputError(
                f"the stack has planes from {from_zero[0]:g} to {from_zero[-1]:g} um, counted from the reference, "
                f"wanted one at {wanted:g} um"
            )
    inputs = stack[planes]
    outputs = refocus_stack(inputs, generator)
    reference = normalise(reference)
    frames, images = [], []
    for name, group in (("input", inputs), ("output", outputs)):
        for plane, image in zip(planes, group, strict=True):
            images.append(normalise(image))
            sharpness, deviation = row_sharpness(images[-1], reference)
            frames.append(
                pd.DataFrame(
                    {
                        "z_um": round(float(from_zero[plane]), 3),
                        "image": name,
                        "row": np.arange(len(sharpness)),
                        "sharpness": sharpness,
                        "deviation": deviation,
                    }
                )
            )
    shown_um = [round(float(from_zero[plane]), 3) for plane in planes]
    return pd.concat(frames, ignore_index=True), np.stack([*images, reference]), shown_um
