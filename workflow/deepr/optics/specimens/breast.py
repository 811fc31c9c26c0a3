"""Unstained breast tissue, as its autofluorescence shows it under near-ultraviolet light.

Wavy bundles of collagen, ducts with an epithelium round a lumen, fat cells as dark discs with thin rims,
elastic fibres and fine bright grains.
"""

import math

import numpy as np
from scipy.special import expit

from deepr.optics.specimens.specimen import CELL_DEPTHS_UM, SECTION_DEPTHS_UM, Specimen, at_depth
from deepr.optics.specimens.texture import Cells, add_points, scattered_seeds, smooth_noise

# Photoelectrons per unit of the brightness below, set once: the 99.9th percentile of a field in focus is
# then about 1,500 (the median over fields and slides); autofluorescence is weaker than a stain.
_ELECTRONS = 142.0

# Width of the line that a line's brightness is spread over, and bundles drawn at a time (memory).
_LINE_UM = 0.325
_BUNDLES_AT_ONCE = 150


def breast_parameters(rng):
    """Draw what differs from slide to slide: composition, collagen, brightness."""
    return {
        "fat": rng.uniform(0.12, 0.32),
        "fat_cell_um": rng.uniform(45.0, 65.0),
        "ducts_per_mm2": rng.uniform(20.0, 60.0),
        "duct_um": rng.uniform(22.0, 34.0),
        "collagen": rng.uniform(0.8, 1.25),
        "crimp_um": rng.uniform(14.0, 26.0),
        "grains_per_um2": rng.uniform(0.008, 0.02),
        "brightness": rng.uniform(0.8, 1.2),
        "background": rng.uniform(32.0, 48.0),
    }


def make_breast(
    shape,
    pixel_um,
    rng,
    *,
    fat,
    fat_cell_um,
    ducts_per_mm2,
    duct_um,
    collagen,
    crimp_um,
    grains_per_um2,
    brightness,
    background,
):
    """Make one field of a breast section.

    Parameters
    ----------
    shape : tuple of int
        (Y, X) of a layer.
    pixel_um : float
    rng : numpy.random.Generator
    fat : float
        Share of the area in fat cells.
    fat_cell_um : float
        Distance from fat cell to fat cell.
    ducts_per_mm2 : float
        Ducts and acini in a square millimetre.
    duct_um : float
        Mean outer radius of a duct.
    collagen : float
        Amount of collagen, 1 on average.
    crimp_um : float
        Wavelength of the collagen's waves.
    grains_per_um2 : float
        Bright grains.
    brightness : float
        Brightness of everything, 1 on average.
    background : float
        Photoelectrons per pixel everywhere.

    Returns
    -------
    Specimen
    """
    duct = _Ducts(shape, pixel_um, rng, ducts_per_mm2, duct_um)
    rims, fat_mask = _fat(shape, pixel_um, rng, fat, fat_cell_um, duct.distance_um)
    epithelium = duct.draw(rng)
    stroma = (1 - fat_mask) * (duct.distance_um > 0)
    layers = np.zeros((len(SECTION_DEPTHS_UM), *shape), np.float32)
    _add_collagen(layers, pixel_um, rng, collagen, crimp_um, stroma, duct)
    _add_elastic_fibres(layers, pixel_um, rng, stroma)
    _add_grains(layers, pixel_um, rng, grains_per_um2, stroma, duct.distance_um)
    # Ground substance: what is too fine to be told apart.
    ground = 0.04 + 0.03 * smooth_noise(shape, 6.0 / pixel_um, rng)
    ground = np.maximum(ground, 0).astype(np.float32) * stroma
    for index, depth in enumerate(SECTION_DEPTHS_UM):
        layers[index] += at_depth(rims, depth) + at_depth(epithelium, depth)
        layers[index] += ground
    layers *= np.float32(brightness * _ELECTRONS)
    return Specimen(layers, SECTION_DEPTHS_UM, background)


class _Ducts:
    """Closed, uneven contours; `distance_um` is negative inside the outermost of a pixel's nearest duct."""

    def __init__(self, shape, pixel_um, rng, per_mm2, radius_um):
        self._shape, self._pixel_um = shape, pixel_um
        extent = np.array(shape) * pixel_um
        count = rng.poisson(per_mm2 * extent.prod() * 1e-6)
        y = (np.arange(shape[0], dtype=np.float32) * pixel_um)[:, None]
        x = np.arange(shape[1], dtype=np.float32) * pixel_um
        self.distance_um = np.full(shape, 1e3, np.float32)
        self.tangent = np.zeros(shape, np.float32)
        self.thickness_um = float(rng.uniform(11.0, 15.0))
        for _ in range(count):
            centre = rng.uniform(0, extent)
            dy, dx = y - np.float32(centre[0]), x - np.float32(centre[1])
            angle = np.arctan2(dy, dx)
            uneven = sum(a * np.cos(k * angle + p) for k, a, p in _harmonics(rng))
            distance = np.hypot(dy, dx) - np.float32(radius_um * rng.lognormal(0, 0.25)) * (1 + uneven)
            nearer = distance < self.distance_um
            self.distance_um[nearer] = distance[nearer]
            self.tangent[nearer] = angle[nearer] + np.float32(math.pi / 2)

    def draw(self, rng):
        """Draw epithelium, basement membrane and what the lumen holds: one image for each cell depth."""
        um = self._pixel_um
        seeds = scattered_seeds(self._shape, 7.5 / um, rng)
        count = len(seeds)
        brightness = rng.lognormal(0, 0.25, count).astype(np.float32)
        radius = rng.uniform(2.2, 3.0, count).astype(np.float32)
        depth = rng.uniform(-3.5, 3.5, count).astype(np.float32)
        lean = rng.normal(0, 0.15, (count, 2)).astype(np.float32) / um
        warp = np.stack([0.4 / um * smooth_noise(self._shape, 2.0 / um, rng) for _ in range(2)])
        cells = Cells(self._shape, seeds, warp)
        secretion = np.maximum(smooth_noise(self._shape, 5.0 / um, rng), 0) * np.float32(0.12)
        grain = 1 + 0.30 * smooth_noise(self._shape, 0.35 / um, rng) + 0.20 * smooth_noise(self._shape, 1.2 / um, rng)
        within = expit(-3 * self.distance_um)
        apical = expit(3 * (self.distance_um + self.thickness_um))
        membrane = 0.55 * np.exp(-np.square((self.distance_um - 0.4) / 0.45))
        images = []
        for level in CELL_DEPTHS_UM:
            first, _, wall_px, offset = cells.territories(seeds + level * lean)
            reach = np.sqrt(np.square(offset).sum(axis=0) * um**2 + np.square(1.2 * (level - depth[first])))
            outside = expit(5 * (reach - radius[first]))
            walls = np.exp(-np.square(wall_px * um / 0.3))
            cytoplasm = brightness[first] * (0.06 + 0.24 * outside) * grain + 0.08 * walls
            images.append((within * (apical * cytoplasm + (1 - apical) * secretion) + membrane).astype(np.float32))
        return images


def _harmonics(rng):
    return [(k, rng.normal(0, 0.22 / k), rng.uniform(0, 2 * math.pi)) for k in (2, 3, 4, 5)]


def _fat(shape, pixel_um, rng, share, cell_um, duct_distance_um):
    """Draw rims of fat cells, one image for each cell depth, and where they keep the collagen out."""
    seeds = scattered_seeds(shape, cell_um / pixel_um, rng, jitter=0.3)
    at = tuple(np.clip(np.rint(seeds).astype(int), 0, np.array(shape) - 1).T)
    territory = smooth_noise(shape, 0.8 * cell_um / pixel_um, rng)
    is_fat = (territory > np.quantile(territory, 1 - share))[at] & (duct_distance_um[at] > 0.4 * cell_um)
    warp = np.stack([1.2 / pixel_um * smooth_noise(shape, 8.0 / pixel_um, rng) for _ in range(2)])
    cells = Cells(shape, seeds, warp)
    lean = rng.normal(0, 0.25, seeds.shape).astype(np.float32) / pixel_um
    uneven = np.float32(0.5) * (1 + 0.3 * smooth_noise(shape, 4.0 / pixel_um, rng))
    images, mask = [], np.zeros(shape, np.float32)
    for level in CELL_DEPTHS_UM:
        first, wall_px = cells.rounded(seeds + level * lean, 5.0 / pixel_um)
        wall_um = wall_px * np.float32(pixel_um)
        own = is_fat[first] & (duct_distance_um > 1)
        images.append(own * uneven * np.exp(-np.square((wall_um - 0.8) / 0.5)))
        mask = np.maximum(mask, own * expit(3 * (wall_um - 0.5)))
    return images, mask


def _follow(direction, start, steps, step_px):
    """Follow a field of lines from many points at once: (steps, N, 2) positions and (steps, N) angles.

    Lines have no sense: of the two, the one that turns less is taken, and no path runs to and fro.
    """
    height, width = direction.shape
    position, angle = start.copy(), None
    path, heading = np.empty((steps, len(start), 2), np.float32), np.empty((steps, len(start)), np.float32)
    for step in range(steps):
        row, column = position[:, 0].astype(int) % height, position[:, 1].astype(int) % width
        line = direction[row, column]
        angle = line if angle is None else line + math.pi * np.rint((angle - line) / math.pi)
        path[step], heading[step] = position, angle
        position[:, 0] += step_px * np.sin(angle)
        position[:, 1] += step_px * np.cos(angle)
    return path, heading


def _add_collagen(layers, pixel_um, rng, amount, crimp_um, stroma, duct):
    """Add bundles of fibrils that follow a common direction, round the ducts and in common waves."""
    shape = layers.shape[1:]
    base = rng.uniform(0, 2 * math.pi)
    direction = base + 0.55 * smooth_noise(shape, 28.0 / pixel_um, rng)
    # Directions are lines: turn the tangent by half a turn where that is nearer, before blending.
    turned = duct.tangent + math.pi * np.rint((direction - duct.tangent) / math.pi)
    near = np.exp(-np.maximum(duct.distance_um, 0) / 14.0)
    direction = (direction + near * (turned - direction)).astype(np.float32)
    bundles = rng.poisson(amount * shape[0] * shape[1] * pixel_um**2 / 230.0)
    for first in range(0, bundles, _BUNDLES_AT_ONCE):
        count = min(_BUNDLES_AT_ONCE, bundles - first)
        _add_bundles(layers, pixel_um, rng, direction, count, crimp_um, stroma)


def _add_bundles(layers, pixel_um, rng, direction, count, crimp_um, stroma):
    """Add bundles of 5 to 19 fibrils each."""
    shape = layers.shape[1:]
    owner = np.repeat(np.arange(count), rng.integers(5, 20, count))
    step_um, length_um = 0.25, 110.0
    steps = int(length_um / step_um)
    start = rng.uniform(0, 1, (count, 2)) * shape
    path, heading = _follow(direction, start, steps, step_um / pixel_um)
    along = np.arange(steps)[:, None] * step_um
    wave = rng.lognormal(np.log(crimp_um), 0.2, count)
    phase = rng.uniform(0, 2 * math.pi, count) + 0.8 * np.cumsum(rng.normal(0, 0.04, (steps, count)), axis=0)
    sway = rng.uniform(0.4, 2.2, count) * np.sin(2 * math.pi * along / wave + phase)
    width = rng.uniform(0.6, 2.6, count)
    offset = rng.normal(0, 1, owner.size) * width[owner]
    offset = offset + 0.5 * np.sin(2 * math.pi * along / (2.3 * wave[owner]) + rng.uniform(0, 6.3, owner.size))
    aside = ((sway[:, owner] + offset) / pixel_um).astype(np.float32)
    y = path[:, owner, 0] + aside * np.cos(heading)[:, owner]
    x = path[:, owner, 1] - aside * np.sin(heading)[:, owner]
    depth = rng.uniform(-2.6, 2.6, count)[owner] + rng.normal(0, 0.7, owner.size)
    depth = depth + rng.normal(0, 0.02, owner.size) * (along - length_um / 2)
    # A fibril begins and ends somewhere along its bundle, and fades there.
    begin = rng.uniform(0, 0.4, owner.size) * length_um
    end = rng.uniform(0.6, 1.0, owner.size) * length_um
    weight = expit((along - begin) / 2) * expit((end - along) / 2)
    weight *= rng.lognormal(-0.1, 0.5, owner.size) * rng.lognormal(0, 0.35, count)[owner]
    _add_lines(layers, pixel_um, y, x, depth, 1.1 * step_um * weight, stroma)


def _add_elastic_fibres(layers, pixel_um, rng, stroma):
    """Add single bright fibres that bend at random."""
    shape = layers.shape[1:]
    area_um2 = shape[0] * shape[1] * pixel_um**2
    count = rng.poisson(area_um2 / 2500.0)
    steps, step_um = 300, 0.25
    distance = np.arange(steps)[:, None] * step_um
    waves = [(rng.lognormal(np.log(um), 0.3, count), rng.uniform(0, 6.3, count)) for um in (60.0, 25.0, 12.0)]
    bends = sum(rng.normal(0, 0.35, count) * np.sin(2 * math.pi * distance / wave + shift) for wave, shift in waves)
    angle = rng.uniform(0, 2 * math.pi, count) + bends
    y = rng.uniform(0, shape[0], count) + np.cumsum(np.sin(angle), axis=0) * step_um / pixel_um
    x = rng.uniform(0, shape[1], count) + np.cumsum(np.cos(angle), axis=0) * step_um / pixel_um
    depth = rng.uniform(-2.2, 2.2, count) + rng.normal(0, 0.02, count) * distance
    weight = np.broadcast_to(step_um * rng.lognormal(1.0, 0.4, count), y.shape)
    _add_lines(layers, pixel_um, y, x, depth, weight, stroma)


def _add_lines(layers, pixel_um, y_px, x_px, depth_um, weight, stroma):
    """Add the points of lines where there is stroma; weight is brightness times length, um."""
    y_px, x_px, depth_um, weight = (np.ravel(v) for v in (y_px, x_px, depth_um, weight))
    height, width = stroma.shape
    inside = stroma[y_px.astype(int) % height, x_px.astype(int) % width]
    add_points(layers, SECTION_DEPTHS_UM, y_px, x_px, depth_um, weight * inside * (_LINE_UM / pixel_um**2))


def _add_grains(layers, pixel_um, rng, per_um2, stroma, duct_distance_um):
    """Add fine bright grains (lipofuscin), most of them in the epithelium."""
    shape = layers.shape[1:]
    count = rng.poisson(4 * per_um2 * shape[0] * shape[1] * pixel_um**2)
    y, x = rng.uniform(0, shape[0], count), rng.uniform(0, shape[1], count)
    row, column = y.astype(int), x.astype(int)
    inside = duct_distance_um[row, column] < 0
    kept = rng.uniform(size=count) < np.where(inside, 1.0, 0.25 * stroma[row, column])
    weight = rng.lognormal(1.0, 0.7, count) * kept * (_LINE_UM / pixel_um) ** 2
    add_points(layers, SECTION_DEPTHS_UM, y, x, rng.uniform(-2.2, 2.2, count), weight)
