"""What a specimen is to the microscope."""

from dataclasses import dataclass

import numpy as np

# Microtome sections are 4 um thick; layers 0.5 um apart follow their depth.
SECTION_UM = 4.0
SECTION_DEPTHS_UM = np.linspace(-SECTION_UM / 2, SECTION_UM / 2, 9)

# Cytoseal 60, in which the paper's sections are mounted.
MOUNTING_INDEX = 1.495


# Cells are drawn at these depths and blended between them: walls lean by less than a pixel per layer.
CELL_DEPTHS_UM = (-2.0, 0.0, 2.0)


@dataclass(frozen=True)
class Specimen:
    """Layers of light sources at known depths.

    Attributes
    ----------
    layers : (L, Y, X) ndarray of float32
        Photoelectrons per pixel and exposure that each layer gives where it is in focus.
    depths_um : (L,) ndarray of float64
        Depth of each layer below the middle of the section, away from the cover glass.
    background : float
        Photoelectrons per pixel and exposure that are the same everywhere.
    """

    layers: np.ndarray
    depths_um: np.ndarray
    background: float


def at_depth(drawn, depth_um):
    """Blend what was drawn at `CELL_DEPTHS_UM`, a list of (Y, X) ndarray, linearly for a depth between."""
    place = float(np.interp(depth_um, CELL_DEPTHS_UM, range(len(CELL_DEPTHS_UM))))
    lower = min(int(place), len(CELL_DEPTHS_UM) - 2)
    part = np.float32(place - lower)
    return (1 - part) * drawn[lower] + part * drawn[lower + 1]
