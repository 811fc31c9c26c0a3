"""Prostate tissue stained with haematoxylin and eosin, for brightfield microscopy in colour.

Glands of an epithelium with nuclei round a lumen, in a stroma of smooth muscle and collagen with slender nuclei; a
tumour has many small crowded glands, larger nuclei and little stroma.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from deepr.optics.specimens.specimen import CELL_DEPTHS_UM, SECTION_DEPTHS_UM, at_depth
from deepr.optics.specimens.texture import Cells, ring_noise, scattered_seeds, smooth_noise

# Absorbance (base 10) of the stains in red, green and blue per unit amount: the vectors of Ruifrok and Johnston, Anal.
# Quant. Cytol. Histol. 23, 291 (2001).
HAEMATOXYLIN = np.array([0.650, 0.704, 0.286])
EOSIN = np.array([0.072, 0.990, 0.105])

# Photoelectrons of a pixel where nothing absorbs; the camera shows that as nearly white.
WHITE_ELECTRONS = 15_000.0


@dataclass(frozen=True)
class StainedSection:
    """How much of each stain lies at which depth.

    Attributes
    ----------
    haematoxylin, eosin : (L, Y, X) ndarray of float32
        Amount in each layer, in units of `HAEMATOXYLIN` and `EOSIN`.
    depths_um : (L,) ndarray of float64
        Depth of each layer below the middle of the section.
    """

    haematoxylin: np.ndarray
    eosin: np.ndarray
    depths_um: np.ndarray


def prostate_parameters(rng):
    """Draw what differs from slide to slide (from patient to patient): architecture and staining."""
    return {
        "tumour": 0.0,
        "gland_um": rng.uniform(34.0, 46.0),
        "crowding": rng.uniform(0.9, 1.1),
        "haematoxylin": rng.uniform(0.85, 1.15),
        "eosin": rng.uniform(0.85, 1.15),
    }


def make_prostate(shape, pixel_um, rng, *, tumour, gland_um, crowding, haematoxylin, eosin):
    """Make one field of a stained prostate section.

    Parameters
    ----------
    shape : tuple of int
        (Y, X) of a layer.
    pixel_um : float
    rng : numpy.random.Generator
    tumour : float
        0 for benign glands, 1 for a tumour: small crowded glands, larger nuclei, little stroma.
    gland_um : float
        Mean radius of a benign gland.
    crowding : float
        Glands per area, 1 on average.
    haematoxylin, eosin : float
        Strength of the two stains, 1 on average.

    Returns
    -------
    StainedSection
    """
    radius_um = gland_um * (1 - 0.62 * tumour)
    distance_um = _glands(shape, pixel_um, rng, radius_um, crowding)
    band_um = 13.0 - 2.0 * tumour
    within = expit(2.5 * -distance_um)
    lumen = expit(2.0 * (-distance_um - band_um * (1 + 0.15 * smooth_noise(shape, 5 / pixel_um, rng))))
    lumen *= 1 - 0.5 * tumour
    epithelium, stroma = within * (1 - lumen), 1 - within
    blue = _nuclei(shape, pixel_um, rng, epithelium, distance_um, band_um, tumour)
    slender, pink = _stroma(shape, pixel_um, rng, stroma)
    cytoplasm = 1 + 0.18 * smooth_noise(shape, 0.8 / pixel_um, rng) + 0.12 * smooth_noise(shape, 3 / pixel_um, rng)
    secretion = np.maximum(smooth_noise(shape, 6 / pixel_um, rng) - 0.8, 0)
    flat_blue = epithelium * 0.09 * cytoplasm + 0.02 * stroma * pink
    flat_pink = epithelium * (0.14 - 0.03 * tumour) * cytoplasm + 0.21 * stroma * pink + 0.05 * lumen * secretion
    blues = [(flat_blue + 0.60 * (b + s)).astype(np.float32) for b, s in zip(blue, slender, strict=True)]
    pinks = [
        (flat_pink * (1 - 0.6 * np.minimum(b + s, 1))).astype(np.float32) for b, s in zip(blue, slender, strict=True)
    ]
    count = len(SECTION_DEPTHS_UM)
    stains = np.empty((2, count, *shape), np.float32)
    for index, depth_um in enumerate(SECTION_DEPTHS_UM):
        stains[0, index] = at_depth(blues, depth_um) * np.float32(haematoxylin / count)
        stains[1, index] = at_depth(pinks, depth_um) * np.float32(eosin / count)
    return StainedSection(stains[0], stains[1], SECTION_DEPTHS_UM)


def _glands(shape, pixel_um, rng, radius_um, crowding):
    """Give the distance to the outline of the nearest gland, negative inside, um."""
    spacing_um = 2.5 * radius_um / math.sqrt(crowding)
    centres = scattered_seeds(shape, spacing_um / pixel_um, rng, jitter=0.3)
    y = np.arange(shape[0], dtype=np.float32)[:, None]
    x = np.arange(shape[1], dtype=np.float32)
    nearest = np.full(shape, 1e3, np.float32)
    for centre in centres:
        own_um = radius_um * rng.lognormal(0, 0.25)
        waves = [(k, rng.normal(0, 0.3 / k), rng.uniform(0, 2 * math.pi)) for k in (2, 3, 4, 5, 7)]
        reach = 2.2 * own_um / pixel_um
        rows, columns = (slice(max(0, int(c - reach)), max(0, int(c + reach))) for c in centre)
        dy, dx = (y[rows] - centre[0]) * pixel_um, (x[columns] - centre[1]) * pixel_um
        if not (dy.size and dx.size):
            continue
        angle = np.arctan2(dy, dx)
        outline = own_um * (1 + sum(a * np.cos(k * angle + p) for k, a, p in waves))
        np.minimum(nearest[rows, columns], np.hypot(dy, dx) - outline, out=nearest[rows, columns])
    return nearest + np.float32(0.8) * smooth_noise(shape, 3.0 / pixel_um, rng)


def _nuclei(shape, pixel_um, rng, epithelium, distance_um, band_um, tumour):
    """Draw the nuclei of the epithelium, one image for each cell depth: a row at the base, some above."""
    spacing_um = 6.4
    seeds = scattered_seeds(shape, spacing_um / pixel_um, rng, jitter=0.36)
    at = tuple(np.clip(np.rint(seeds).astype(int), 0, np.array(shape) - 1).T)
    depth_in = -distance_um[at]
    base = (depth_in > 0.5) & (depth_in < (0.62 + 0.3 * tumour) * band_um)
    present = base & (epithelium[at] > 0.4) & (rng.uniform(size=len(seeds)) < 0.9)
    size_um = (2.5 + 1.0 * tumour) * rng.lognormal(0, 0.12 + 0.1 * tumour, len(seeds))
    return _ellipses(shape, pixel_um, rng, seeds, present, size_um, 1.25, rng.uniform(0, math.pi, len(seeds)))


def _stroma(shape, pixel_um, rng, stroma):
    """Draw slender nuclei (an image for each cell depth) and wavy fibres that follow one direction."""
    angle = rng.uniform(0, math.pi)
    seeds = scattered_seeds(shape, 15.0 / pixel_um, rng, jitter=0.45)
    at = tuple(np.clip(np.rint(seeds).astype(int), 0, np.array(shape) - 1).T)
    present = (stroma[at] > 0.6) & (rng.uniform(size=len(seeds)) < 0.75)
    own_angle = angle + rng.normal(0, 0.3, len(seeds))
    slender = _ellipses(shape, pixel_um, rng, seeds, present, np.full(len(seeds), 2.3), 3.2, own_angle)
    fibres = ring_noise(shape, 3.2 / pixel_um, rng, stretch=7.0, angle=angle, spread=0.6)
    waves = smooth_noise(shape, 7.0 / pixel_um, rng, stretch=3.0, angle=angle)
    gaps = expit(5 * (ring_noise(shape, 14.0 / pixel_um, rng, stretch=5.0, angle=angle, spread=0.5) + 1.2))
    return slender, np.maximum(1 + 0.28 * fibres + 0.18 * waves, 0.1) * gaps


def _ellipses(shape, pixel_um, rng, seeds, present, size_um, aspect, angle):
    """Draw one nucleus for each present seed: radius size_um, long axis `aspect` times the short one's.

    Nuclei are cut by the section anywhere: their middles lie at depths of their own.
    """
    count = len(seeds)
    first, _, _, offset = Cells(shape, seeds, np.zeros((2, *shape), np.float32)).territories(seeds)
    dy, dx = offset * np.float32(pixel_um)
    turn = angle.astype(np.float32).take(first)
    along, across = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
    size = size_um.astype(np.float32).take(first)
    squared = np.square(along / (size * np.float32(math.sqrt(aspect))))
    squared += np.square(across * np.float32(math.sqrt(aspect)) / size)
    middle_um = rng.uniform(-3.0, 3.0, count).astype(np.float32).take(first)
    strength = (present * rng.lognormal(0, 0.15, count)).astype(np.float32).take(first)
    chromatin = 1 + 0.20 * smooth_noise(shape, 0.5 / pixel_um, rng)
    rim = 1 + 0.35 * np.exp(-np.square((np.sqrt(squared) - 0.9) / 0.12))
    images = []
    for level in CELL_DEPTHS_UM:
        reach = squared + np.square((level - middle_um) / (1.3 * size))
        images.append((strength * chromatin * rim * expit(10 * (1 - reach))).astype(np.float32))
    return images
