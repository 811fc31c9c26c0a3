"""Building stones of tissue: noise of a given scale, threads along its level lines, points, cells."""

import math

import numpy as np
import scipy.fft
from scipy.spatial import cKDTree


def smooth_noise(shape, scale_px, rng, stretch=1.0, angle=0.0):
    """Draw periodic Gaussian noise whose autocorrelation is a Gaussian.

    Parameters
    ----------
    shape : tuple of int
        (Y, X).
    scale_px : float
        Standard deviation of the kernel that white noise would be smoothed with.
    rng : numpy.random.Generator
    stretch : float
        How much longer the kernel is along ``angle`` than across.
    angle : float
        Radians from the x axis towards the y axis.

    Returns
    -------
    (Y, X) ndarray of float32
        Mean 0, standard deviation about 1.
    """
    return _filtered(shape, rng, lambda f: np.exp(-2 * (math.pi * scale_px * f) ** 2), 1.3 / scale_px, stretch, angle)


def ring_noise(shape, period_px, rng, stretch=1.0, angle=0.0, spread=0.3):
    """Draw periodic Gaussian noise with one period: its level lines run that far apart; see `smooth_noise`."""
    centre = 1 / period_px
    return _filtered(
        shape, rng, lambda f: np.exp(-(((f - centre) / (spread * centre)) ** 2)), 2.2 * centre, stretch, angle
    )


def _filtered(shape, rng, window, highest, stretch, angle):
    """Fill the low frequencies of a spectrum at random, so that a smooth field costs one inverse transform."""
    height, width = shape
    rows = min(height // 2, math.ceil(highest * height) + 1)
    columns = min(width // 2, math.ceil(highest * width) + 1)
    fy = (np.arange(-rows, rows) / height).astype(np.float32)[:, None]
    fx = (np.arange(columns) / width).astype(np.float32)
    along = fx * np.float32(math.cos(angle)) + fy * np.float32(math.sin(angle))
    across = fy * np.float32(math.cos(angle)) - fx * np.float32(math.sin(angle))
    gain = window(np.sqrt((stretch * along) ** 2 + across**2))
    block = rng.standard_normal((2 * rows, columns, 2), dtype=np.float32).view(np.complex64)[..., 0] * gain
    spectrum = np.zeros((height, width // 2 + 1), np.complex64)
    spectrum[:rows, :columns] = block[rows:]
    spectrum[height - rows :, :columns] = block[:rows]
    spectrum[0, 0] = 0
    power = (np.abs(spectrum[:, 0]) ** 2).sum() + 2 * (np.abs(spectrum[:, 1:]) ** 2).sum()
    spectrum *= np.float32(height * width / math.sqrt(power))
    # Of the column of frequency 0, which is its own mirror image, the transform keeps the real part.
    spectrum[:, 0] *= np.float32(math.sqrt(2))
    return scipy.fft.irfft2(spectrum, s=shape, overwrite_x=True)


def level_lines(noise, width):
    """Turn noise of standard deviation 1 into bright lines along its zero lines; ``width`` in deviations."""
    return np.exp(-np.square(noise * np.float32(1 / width)))


def add_points(layers, depths_um, y_px, x_px, depth_um, weight):
    """Add points to layers, each spread over the two nearest layers and the four nearest pixels.

    Parameters
    ----------
    layers : (L, Y, X) ndarray of float32
        Changed in place; points beyond an edge come in at the opposite one.
    depths_um : (L,) ndarray of float
        Evenly spaced.
    y_px, x_px, depth_um, weight : (N,) ndarray of float
        Points above the first or below the last layer fade out within one spacing.
    """
    count, height, width = layers.shape
    place = ((depth_um - depths_um[0]) / (depths_um[1] - depths_um[0])).astype(np.float32)
    inside = (place > -1) & (place < count)
    place, y_px, x_px, weight = (v[inside].astype(np.float32) for v in (place, y_px, x_px, weight))
    floors = [np.floor(v) for v in (place, y_px, x_px)]
    part = [v - floor for v, floor in zip((place, y_px, x_px), floors, strict=True)]
    layer, row, column = (floor.astype(np.int64) for floor in floors)
    flat = layers.reshape(-1)
    for dz in (0, 1):
        depth_share = weight * np.abs(1 - dz - part[0])
        depth_share[(layer + dz < 0) | (layer + dz >= count)] = 0
        plane = np.clip(layer + dz, 0, count - 1) * height
        for dy in (0, 1):
            line = (plane + (row + dy) % height) * width
            line_share = depth_share * np.abs(1 - dy - part[1])
            for dx in (0, 1):
                np.add.at(flat, line + (column + dx) % width, line_share * np.abs(1 - dx - part[2]))


def scattered_seeds(shape, spacing_px, rng, jitter=0.38):
    """Place points on a hexagonal lattice and move each at random: (N, 2) float32, y and x, beyond the edges too."""
    rows = np.arange(-2, math.ceil(shape[0] / (spacing_px * 0.87)) + 3)
    columns = np.arange(-2, math.ceil(shape[1] / spacing_px) + 3)
    y, x = np.meshgrid(rows * 0.87, columns.astype(float), indexing="ij")
    x = x + 0.5 * (rows[:, None] % 2)
    points = np.stack([y.ravel(), x.ravel()], axis=1) + rng.uniform(-jitter, jitter, (y.size, 2))
    return (points * spacing_px).astype(np.float32)


class Cells:
    """Territories of points: which cell a pixel belongs to, and how far the wall to the next is.

    The candidates for each pixel are looked up once on a coarse grid, so that the territories of
    points that move a little from layer to layer cost no further search.

    Parameters
    ----------
    shape : tuple of int
        (Y, X).
    seeds : (N, 2) ndarray of float32
        y and x of the points, px.
    warp : (2, Y, X) ndarray of float32
        Added to the pixels' coordinates: makes the walls wavy.
    """

    COARSE = 4
    CANDIDATES = 5

    def __init__(self, shape, seeds, warp):
        self._y = np.arange(shape[0], dtype=np.float32)[:, None] + warp[0]
        self._x = np.arange(shape[1], dtype=np.float32) + warp[1]
        step = slice(self.COARSE // 2, None, self.COARSE)
        points = np.stack([self._y[step, step], self._x[step, step]], axis=-1)
        near = cKDTree(seeds).query(points, k=self.CANDIDATES)[1]
        blocks = np.repeat(np.repeat(near, self.COARSE, axis=0), self.COARSE, axis=1)
        missing = [(0, max(0, size - have)) for size, have in zip(shape, blocks.shape[:2], strict=True)]
        blocks = np.pad(blocks[: shape[0], : shape[1]], [*missing, (0, 0)], mode="edge")
        self._candidates = np.moveaxis(blocks, -1, 0).copy()

    def rounded(self, seeds, radius_px):
        """Give the nearest point of each pixel and a distance to the walls whose level lines have round corners.

        Parameters
        ----------
        seeds : (N, 2) ndarray of float32
            The points, moved.
        radius_px : float
            Scale over which two walls are rounded into one.

        Returns
        -------
        first : (Y, X) ndarray of int
        wall_px : (Y, X) ndarray of float32
        """
        first, _, _, offset = self.territories(seeds)
        nearest = np.square(offset).sum(axis=0)
        y, x = _columns(seeds)
        own_y, own_x = y.take(first), x.take(first)
        total = np.full(nearest.shape, 1e-20, np.float32)
        for candidate in self._candidates:
            apart = np.hypot(y.take(candidate) - own_y, x.take(candidate) - own_x)
            wall = (self._squared_distance(seeds, candidate) - nearest) / (2 * np.maximum(apart, 1e-3))
            total += np.where(candidate == first, 0, np.exp(wall * np.float32(-1 / radius_px)))
        return first, np.float32(-radius_px) * np.log(total)

    def territories(self, seeds):
        """Give the nearest and the second point of each pixel, and the distance to the wall between.

        Parameters
        ----------
        seeds : (N, 2) ndarray of float32
            The points, moved.

        Returns
        -------
        first, second : (Y, X) ndarray of int
        wall_px : (Y, X) ndarray of float32
        offset : (2, Y, X) ndarray of float32
            y and x of the pixel from the nearest point.
        """
        first = self._candidates[0].copy()
        nearest = self._squared_distance(seeds, first)
        second, next_nearest = first.copy(), np.full_like(nearest, np.inf)
        for candidate in self._candidates[1:]:
            squared = self._squared_distance(seeds, candidate)
            closer = squared < nearest
            between = squared < next_nearest
            # Where a candidate is the nearest, the nearest so far becomes the second.
            np.copyto(second, candidate, where=between)
            np.copyto(second, first, where=closer)
            np.minimum(next_nearest, np.maximum(squared, nearest), out=next_nearest)
            np.copyto(first, candidate, where=closer)
            np.minimum(nearest, squared, out=nearest)
        y, x = _columns(seeds)
        own_y, own_x = y.take(first), x.take(first)
        apart = np.hypot(own_y - y.take(second), own_x - x.take(second))
        wall = (next_nearest - nearest) / (2 * np.maximum(apart, 1e-3))
        return first, second, wall, np.stack([self._y - own_y, self._x - own_x])

    def _squared_distance(self, seeds, index):
        y, x = _columns(seeds)
        squared = np.square(self._y - y.take(index))
        squared += np.square(self._x - x.take(index))
        return squared


def _columns(points):
    return np.ascontiguousarray(points[:, 0]), np.ascontiguousarray(points[:, 1])
