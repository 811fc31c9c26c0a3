"""Bead widths in the stack that Deep-Z makes of one defocused image, before and after Deep-R."""

import logging

import numpy as np
import pandas as pd

from deepr.beads import measure_beads, plane_step_um
from deepr.networks.blind_refocusing import refocus_stack
from deepr.networks.virtual_refocusing import propagate_through

INPUT_Z_UM = -2.0
STEP_UM = 0.2
SHOWN_UM = 5.2

log = logging.getLogger(__name__)


def measure_virtual_stack(planes, z_um, focus_plane, pixel_um, deepz, deepr, saturation=None):
    """Propagate the plane nearest to -2 um from -2 to 2 um and measure the beads in what comes out.

    Parameters
    ----------
    planes : (Z, Y, X) ndarray
        Aligned planes of a patch, equally far apart.
    z_um : (Z,) ndarray of float
        From the patch's focus plane.
    focus_plane : int
    pixel_um : float
    deepz, deepr : keras.Model
    saturation : float, optional
        Largest grey value that the camera gives, as for `deepr.beads.measure_beads`.

    Returns
    -------
    rows : DataFrame
        One row per bead, curve and z: bead, curve ("deepz", "deepr_on_deepz", "input", "deepr_on_input"),
        z_um, fwhm_um and kept. The curves "input" and "deepr_on_input" have the input's own z alone. Empty
        if the real stack has no bead that can be measured.
    images : dict of (Z, Y, X) ndarray
        By curve, cut to 5.2 um around a bead of median width; empty as well.

    Notes
    -----
    Beads are found, and left out, once, in the real stack; each is then measured at its place in all others.
    """
    start = int(np.argmin(np.abs(z_um - INPUT_Z_UM)))
    targets_um = np.round(np.arange(z_um[start], -INPUT_Z_UM + STEP_UM / 2, STEP_UM), 3)
    step_um = plane_step_um(z_um)
    try:
        found = measure_beads(planes, pixel_um, step_um, focus_plane=focus_plane, saturation=saturation)
    except ValueError as reason:
        log.warning("no bead is measured in this patch: %s", reason)
        return pd.DataFrame(columns=["bead", "curve", "z_um", "fwhm_um", "kept"]), {}
    image = planes[start]
    virtual = propagate_through(image, targets_um - z_um[start], deepz)
    both = refocus_stack(np.concatenate([virtual, image[None].astype(np.float32)]), deepr)
    stacks = {
        "deepz": (virtual, targets_um),
        "deepr_on_deepz": (both[:-1], targets_um),
        "input": (image[None], z_um[start : start + 1]),
        "deepr_on_input": (both[-1:], z_um[start : start + 1]),
    }
    frames = []
    for curve, (stack, heights_um) in stacks.items():
        measured = measure_beads(
            stack, pixel_um, STEP_UM, beads=found, focus_plane=int(np.argmin(np.abs(heights_um))), min_beads=0
        )
        measured["z_um"] = heights_um[measured["plane"]]
        frames.append(measured[["bead", "z_um", "fwhm_um", "kept"]].assign(curve=curve))
    rows = pd.concat(frames, ignore_index=True)[["bead", "curve", "z_um", "fwhm_um", "kept"]]
    return rows, _cut(stacks, found, focus_plane, pixel_um, planes.shape[1:])


def _cut(stacks, found, focus_plane, pixel_um, shape):
    """Cut every stack to a square around a bead of median width, as near to it as the border allows."""
    focused = found[found["kept"] & (found["plane"] == focus_plane)].sort_values("fwhm_um")
    bead = focused.iloc[len(focused) // 2]
    side = min(*shape, round(SHOWN_UM / pixel_um))
    middle = (bead["y_px"], bead["x_px"])
    top, left = (int(np.clip(at - side // 2, 0, size - side)) for at, size in zip(middle, shape, strict=True))
    return {curve: stack[:, top : top + side, left : left + side] for curve, (stack, _) in stacks.items()}
