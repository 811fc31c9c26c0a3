"""U2OS cells on glass, as in BBBC006: nuclei (Hoechst) or actin (phalloidin).

Sizes, density and brightness of the nuclei are those measured on real images of that set: 280 to 360 um2, axes
1.4 to 1, some 250 to 550 in a square millimetre, about 500 counts above the background.
"""

import math

import numpy as np
from scipy.special import expit

from deepr.optics.specimens.specimen import Specimen
from deepr.optics.specimens.texture import Cells, ring_noise, scattered_seeds, smooth_noise

# The cells lie on the glass and are some micrometres high.
CELL_LAYERS_UM = np.linspace(-4.0, 4.0, 9)
# Culture medium or buffer.
WATER_INDEX = 1.33

# Photoelectrons of a nucleus, or of the actin of a cell, at unit brightness, in focus.
_NUCLEUS_ELECTRONS = 1900.0
_ACTIN_ELECTRONS = 2600.0


def cell_parameters(rng):
    """Draw what differs from slide to slide: density, size, brightness."""
    return {
        "cells_per_mm2": rng.uniform(330.0, 620.0),
        "nucleus_um2": rng.uniform(270.0, 340.0),
        "brightness": rng.uniform(0.85, 1.2),
        "background": rng.uniform(40.0, 90.0),
    }


class _Layout:
    """Where the cells of a field lie, and what each is like."""

    def __init__(self, shape, pixel_um, rng, cells_per_mm2, nucleus_um2):
        self.shape, self.pixel_um = shape, pixel_um
        spacing_um = math.sqrt(1e6 / (0.87 * cells_per_mm2))
        seeds = scattered_seeds(shape, spacing_um / pixel_um, rng, jitter=0.42)
        # Clearings: cells grow in patches.
        territory = smooth_noise(shape, 1.6 * spacing_um / pixel_um, rng)
        at = tuple(np.clip(np.rint(seeds).astype(int), 0, np.array(shape) - 1).T)
        self.present = territory[at] > -1.0
        count = len(seeds)
        self.seeds = seeds
        self.angle = rng.uniform(0, math.pi, count).astype(np.float32)
        area = nucleus_um2 * rng.lognormal(0, 0.22, count)
        aspect = rng.lognormal(math.log(1.35), 0.12, count)
        self.dividing = rng.uniform(size=count) < 0.03
        area = np.where(self.dividing, 0.35 * area, area)
        self.long_um = np.sqrt(area * aspect / math.pi).astype(np.float32)
        self.short_um = np.sqrt(area / aspect / math.pi).astype(np.float32)
        self.brightness = (rng.lognormal(0, 0.18, count) * np.where(self.dividing, 2.5, 1.0)).astype(np.float32)
        self.middle_um = rng.uniform(-0.8, 0.8, count).astype(np.float32)
        self.half_height_um = rng.uniform(2.0, 3.2, count).astype(np.float32)
        warp = np.stack([1.0 / pixel_um * smooth_noise(shape, 4.0 / pixel_um, rng) for _ in range(2)])
        self.first, _, wall_px, offset = Cells(shape, seeds, warp).territories(seeds)
        self.wall_um = wall_px * np.float32(pixel_um)
        self.offset_um = offset * np.float32(pixel_um)

    def of(self, values):
        """Give every pixel the value of its cell."""
        return values.take(self.first)

    def within_nucleus(self):
        """Give the squared elliptical distance from the middle of the cell's nucleus, 1 at its outline."""
        angle = self.of(self.angle)
        along = self.offset_um[1] * np.cos(angle) + self.offset_um[0] * np.sin(angle)
        across = self.offset_um[0] * np.cos(angle) - self.offset_um[1] * np.sin(angle)
        return np.square(along / self.of(self.long_um)) + np.square(across / self.of(self.short_um))


def make_nuclei(shape, pixel_um, rng, *, cells_per_mm2, nucleus_um2, brightness, background):
    """Make one field of nuclei.

    Parameters
    ----------
    shape : tuple of int
        (Y, X) of a layer.
    pixel_um : float
    rng : numpy.random.Generator
    cells_per_mm2 : float
        Cells in a square millimetre where there are any.
    nucleus_um2 : float
        Typical area of a nucleus.
    brightness : float
        Brightness of everything, 1 on average.
    background : float
        Photoelectrons per pixel everywhere.

    Returns
    -------
    Specimen
    """
    cells = _Layout(shape, pixel_um, rng, cells_per_mm2, nucleus_um2)
    reach = cells.within_nucleus() * (1 + 0.12 * smooth_noise(shape, 3.0 / pixel_um, rng))
    chromatin = 1 + 0.16 * smooth_noise(shape, 0.9 / pixel_um, rng) + 0.12 * smooth_noise(shape, 2.2 / pixel_um, rng)
    nucleoli = expit(8 * (smooth_noise(shape, 1.3 / pixel_um, rng) - 1.5))
    stain = cells.of(cells.brightness * cells.present) * np.maximum(chromatin * (1 - 0.6 * nucleoli), 0.1)
    inside = np.maximum(1 - reach, 0)
    half = cells.of(cells.half_height_um) * np.sqrt(inside)
    middle = cells.of(cells.middle_um)
    # Some stain is everywhere in the cell.
    cytoplasm = 0.02 * expit(cells.wall_um - 1.0) * cells.of(cells.present.astype(np.float32))
    layers = np.empty((len(CELL_LAYERS_UM), *shape), np.float32)
    for layer, depth_um in zip(layers, CELL_LAYERS_UM, strict=True):
        filled = expit(5 * (half - np.abs(depth_um - middle))) * (reach < 1)
        layer[:] = stain * filled / 5 + cytoplasm / len(CELL_LAYERS_UM)
    layers *= np.float32(brightness * _NUCLEUS_ELECTRONS)
    return Specimen(layers, CELL_LAYERS_UM, background)


def make_phalloidin(shape, pixel_um, rng, *, cells_per_mm2, nucleus_um2, brightness, background):
    """Make one field of actin: stress fibres along each cell, a bright cortex, ruffles; see `make_nuclei`."""
    cells = _Layout(shape, pixel_um, rng, cells_per_mm2, nucleus_um2)
    present = cells.of(cells.present * np.where(cells.dividing, 1.6, cells.brightness).astype(np.float32))
    # A cell ends at its neighbour, or where it does not reach further.
    reach_um = np.hypot(*cells.offset_um) * (1 + 0.15 * smooth_noise(shape, 5.0 / pixel_um, rng))
    extent_um = 1e3 / math.sqrt(cells_per_mm2) * 0.62
    edge_um = np.minimum(cells.wall_um, extent_um - reach_um)
    spread = expit(2 * edge_um)
    fibres = _fibres(cells, rng) * spread
    cortex = np.exp(-np.square((edge_um - 0.6) / 0.7)) * (1 + 0.4 * smooth_noise(shape, 2.0 / pixel_um, rng))
    ruffles = np.maximum(smooth_noise(shape, 0.8 / pixel_um, rng) - 1.8, 0) * np.exp(-np.maximum(edge_um, 0) / 4)
    haze = 0.16 * spread * (1 + 0.25 * smooth_noise(shape, 1.5 / pixel_um, rng))
    thick_um = 1.5 + 4.0 * np.exp(-np.square(reach_um / (0.45 * extent_um)))
    layers = np.empty((len(CELL_LAYERS_UM), *shape), np.float32)
    glass_um = -2.5
    for layer, depth_um in zip(layers, CELL_LAYERS_UM, strict=True):
        # Stress fibres run along the glass, the cortex follows the cell's height.
        near_glass = math.exp(-(((depth_um - glass_um) / 0.9) ** 2)) / 1.6
        body = expit(4 * (depth_um - glass_um + 0.5)) * expit(4 * (thick_um - (depth_um - glass_um)))
        layer[:] = present * (fibres * near_glass + (0.35 * cortex + 0.5 * ruffles + haze) * body / 3)
    layers *= np.float32(brightness * _ACTIN_ELECTRONS)
    return Specimen(np.maximum(layers, 0), CELL_LAYERS_UM, background)


def _fibres(cells, rng):
    """Draw stress fibres: thin parallel lines, in each cell along one of a few directions."""
    shape, um = cells.shape, cells.pixel_um
    directions = 6
    own = np.minimum((cells.of(cells.angle) / math.pi * directions).astype(int), directions - 1)
    strength = np.maximum(smooth_noise(shape, 6.0 / um, rng) + 0.6, 0)
    result = np.zeros(shape, np.float32)
    for number in range(directions):
        angle = (number + 0.5) * math.pi / directions
        lines = ring_noise(shape, 2.4 / um, rng, stretch=14.0, angle=angle, spread=0.5)
        np.copyto(result, np.square(np.maximum(lines - 0.3, 0)), where=own == number)
    return 0.55 * strength * result
