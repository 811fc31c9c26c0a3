"""Ovarian carcinoma stained for pan-cytokeratin, as immunofluorescence shows it.

Nests of epithelial cells with bright walls, a cytoplasm full of keratin filaments and dark nuclei, some
round a lumen with a bright edge, in a dark stroma of faint fibres.
"""

import math

import numpy as np
from scipy.special import expit

from deepr.optics.specimens.specimen import CELL_DEPTHS_UM, SECTION_DEPTHS_UM, Specimen, at_depth
from deepr.optics.specimens.texture import Cells, add_points, level_lines, ring_noise, scattered_seeds, smooth_noise

# Photoelectrons per unit of the brightness below, set once: the 99.9th percentile of a field in focus is
# then about 4,000 (the median over fields and slides), which the paper's camera and exposure suggest.
_ELECTRONS = 147.0


def ovary_parameters(rng):
    """Draw what differs from slide to slide: cells, architecture, stain."""
    return {
        "cell_um": rng.uniform(10.5, 14.0),
        "coverage": rng.uniform(0.50, 0.70),
        "nest_um": rng.uniform(16.0, 30.0),
        "lumen_share": rng.uniform(0.0, 0.14),
        "wall_brightness": rng.uniform(0.7, 1.3),
        "stain": rng.uniform(0.8, 1.2),
        "background": rng.uniform(15.0, 30.0),
        "stroma": rng.uniform(0.02, 0.05),
    }


def make_ovary(
    shape, pixel_um, rng, *, cell_um, coverage, nest_um, lumen_share, wall_brightness, stain, background, stroma
):
    """Make one field of an ovarian section.

    Parameters
    ----------
    shape : tuple of int
        (Y, X) of a layer.
    pixel_um : float
    rng : numpy.random.Generator
    cell_um : float
        Distance from cell to cell.
    coverage : float
        Share of the area in epithelial nests.
    nest_um : float
        Scale of the nests.
    lumen_share : float
        Share of the epithelium's area that is lumen.
    wall_brightness : float
        Brightness of cell walls against the cytoplasm's filaments.
    stain : float
        Brightness of everything, 1 on average.
    background : float
        Photoelectrons per pixel everywhere.
    stroma : float
        Brightness of the stroma against the epithelium's.

    Returns
    -------
    Specimen
    """
    seeds = scattered_seeds(shape, cell_um / pixel_um, rng)
    count = len(seeds)
    epithelial, luminal = _architecture(shape, seeds, pixel_um, rng, coverage, nest_um, lumen_share)
    brightness = np.where(epithelial, rng.lognormal(-0.08, 0.4, count), 0).astype(np.float32)
    lean = rng.normal(0, 0.12, (count, 2)).astype(np.float32) / pixel_um
    warp = np.stack([_waviness(shape, pixel_um, rng) for _ in range(2)])
    nuclei = _Nuclei(count, cell_um, pixel_um, rng)
    cells = Cells(shape, seeds, warp)
    drawn = [
        _draw_cells(cells, seeds + depth * lean, depth, nuclei, brightness, luminal, pixel_um)
        for depth in CELL_DEPTHS_UM
    ]
    cytoplasms, walls = zip(*drawn, strict=True)
    layers = np.empty((len(SECTION_DEPTHS_UM), *shape), np.float32)
    texture = _Filaments(shape, pixel_um, rng)
    faint = _stroma(shape, pixel_um, rng) * np.float32(stroma)
    for index, depth in enumerate(SECTION_DEPTHS_UM):
        cytoplasm, wall = at_depth(cytoplasms, depth), at_depth(walls, depth)
        layers[index] = cytoplasm * texture.at(index)
        layers[index] += np.float32(wall_brightness) * wall
        layers[index] += faint[index % len(faint)]
    _add_puncta(layers, pixel_um, rng, cytoplasm)
    layers *= np.float32(stain * _ELECTRONS)
    return Specimen(layers, SECTION_DEPTHS_UM, background)


def _architecture(shape, seeds, pixel_um, rng, coverage, nest_um, lumen_share):
    """Decide which cells are epithelial and which are lumen: level sets of noise, read at the cells."""
    at = tuple(np.clip(np.rint(seeds).astype(int), 0, np.array(shape) - 1).T)
    nest = smooth_noise(shape, nest_um / pixel_um, rng) + 0.35 * smooth_noise(shape, 0.35 * nest_um / pixel_um, rng)
    lumen = smooth_noise(shape, 0.4 * nest_um / pixel_um, rng)
    inside = nest > np.quantile(nest, 1 - coverage)
    deep = nest > np.quantile(nest, 1 - 0.8 * coverage)
    is_lumen = deep & (lumen > np.quantile(lumen[deep], 1 - lumen_share))
    return inside[at] & ~is_lumen[at], is_lumen[at]


def _waviness(shape, pixel_um, rng):
    return 0.5 / pixel_um * smooth_noise(shape, 1.8 / pixel_um, rng) + 1.0 / pixel_um * smooth_noise(
        shape, 6.0 / pixel_um, rng
    )


class _Nuclei:
    """Ellipsoids, one in every cell, some above or below the section."""

    def __init__(self, count, cell_um, pixel_um, rng):
        self.shift = rng.normal(0, 0.07 * cell_um / pixel_um, (2, count)).astype(np.float32)
        self.angle = rng.uniform(0, np.pi, count).astype(np.float32)
        radius = 0.30 * cell_um * rng.lognormal(0, 0.12, count)
        aspect = rng.uniform(1.0, 1.6, count) ** 0.5
        self.long = (radius * aspect / pixel_um).astype(np.float32)
        self.short = (radius / aspect / pixel_um).astype(np.float32)
        self.depth = (rng.uniform(-4.0, 4.0, count) / (1.1 * radius)).astype(np.float32)
        self.per_um = (1 / (1.1 * radius)).astype(np.float32)
        self.radius = (radius / pixel_um).astype(np.float32)

    def distance(self, first, offset, depth_um):
        """Give the distance of each pixel from the surface of its cell's nucleus, px, negative inside."""
        dy, dx = offset[0] - self.shift[0].take(first), offset[1] - self.shift[1].take(first)
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        u = dx * (cosine / self.long).take(first) + dy * (sine / self.long).take(first)
        v = dy * (cosine / self.short).take(first) - dx * (sine / self.short).take(first)
        w = np.square(self.per_um * np.float32(depth_um) - self.depth).take(first)
        return (np.sqrt(u * u + v * v + w) - 1) * self.radius.take(first)


def _draw_cells(cells, seeds, depth_um, nuclei, brightness, luminal, pixel_um):
    """Draw cytoplasm and walls at one depth: two (Y, X) float32 images."""
    first, second, wall_px, offset = cells.territories(seeds)
    own, other = brightness.take(first), brightness.take(second)
    nucleus_um = nuclei.distance(first, offset, depth_um) * np.float32(pixel_um)
    wall_um = wall_px * np.float32(pixel_um)
    outside = expit(8 * nucleus_um)
    # Keratin is densest round the nucleus and under the cell's surface.
    cytoplasm = own * outside * (0.55 + 0.6 * np.exp(-np.square(nucleus_um / 1.0)) + 0.8 * np.exp(-wall_um / 0.9))
    # Walls between two cells, and the brighter free edge towards a lumen.
    both = np.minimum(own, other) + 0.35 * own + 1.2 * own * luminal.take(second)
    wall = both * np.exp(-np.square(wall_um / 0.17)) * 2.2
    return cytoplasm, wall


class _Filaments:
    """Keratin filaments in every layer: level lines of noise that change over about 1.5 um of depth."""

    _LAYERS_PER_NOISE = 4

    def __init__(self, shape, pixel_um, rng):
        count = len(SECTION_DEPTHS_UM) // self._LAYERS_PER_NOISE + 2
        self._coarse = [ring_noise(shape, 2.6 / pixel_um, rng, spread=0.5) for _ in range(count)]
        self._fine = [ring_noise(shape, 1.2 / pixel_um, rng, spread=0.5) for _ in range(count)]
        self._density = 1 + 0.45 * smooth_noise(shape, 1.6 / pixel_um, rng)
        np.maximum(self._density, 0.1, out=self._density)

    def at(self, index):
        """Give the texture of a layer, (Y, X) float32, about 1 on average."""
        low, part = divmod(index, self._LAYERS_PER_NOISE)
        angle = math.pi / 2 * part / self._LAYERS_PER_NOISE
        coarse, fine = (
            np.float32(math.cos(angle)) * noise[low] + np.float32(math.sin(angle)) * noise[low + 1]
            for noise in (self._coarse, self._fine)
        )
        texture = level_lines(coarse, 0.22)
        texture *= np.float32(2.6)
        texture += np.float32(1.3) * level_lines(fine, 0.26)
        texture += np.float32(0.15)
        texture *= self._density
        return texture


def _stroma(shape, pixel_um, rng):
    """Draw faint fibres that run along one another: (2, Y, X), for odd and even layers."""
    angle = rng.uniform(0, np.pi)
    return np.stack(
        [
            0.3
            + 2.0 * level_lines(ring_noise(shape, 3.5 / pixel_um, rng, stretch=6.0, angle=angle), 0.35)
            + 0.6 * np.maximum(smooth_noise(shape, 5.0 / pixel_um, rng), 0)
            for angle in rng.normal(angle, 0.35, 2)
        ]
    )


def _add_puncta(layers, pixel_um, rng, cytoplasm):
    """Add small bright grains, most of them in the cytoplasm."""
    height, width = cytoplasm.shape
    count = rng.poisson(0.12 * height * width * pixel_um**2)
    y, x = rng.uniform(0, height, count), rng.uniform(0, width, count)
    here = cytoplasm[y.astype(int), x.astype(int)]
    weight = rng.lognormal(0, 0.7, count) * (0.15 + here) * 7.0 * (0.30 / pixel_um) ** 2
    add_points(layers, SECTION_DEPTHS_UM, y, x, rng.uniform(-2.2, 2.2, count), weight)
