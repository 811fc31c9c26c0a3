"""How a section made of layers becomes an image: defocus, drift and tilt, without noise."""

import math
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import scipy.fft

from deepr.optics.psf import DESIGN_COVER_GLASS_UM, Pupil
from deepr.runtime import limit_threads

# Samples of a radial transfer function per period of its fastest ripple, and how much finer the table
# is from which each pixel of the Fourier plane takes the nearest entry.
_SAMPLES_PER_RIPPLE = 8
_TABLE_STEPS = 48

# Rows beyond the frame that follow a tilt; beyond them the section goes on without tilt.
_TILT_GUARD_PX = 48

# Along a tilted section, images at levels this much closer than the depth of field are blended by cubic
# (Catmull-Rom) interpolation. On the axis of a point that errs by 0.1 % of its peak.
_LEVELS_PER_DEPTH_OF_FIELD = 4


class ImageFormation:
    """Optics and frame of an acquisition; made once for a slide and used for all its fields.

    The frame is cut out of a larger grid. Its margin on every side is the blur radius at the largest
    defocus, so that light from outside the frame comes in as it should and none goes round the edges.

    Parameters
    ----------
    objective : deepr.optics.objective.Objective
    emission_um : float
        Wavelength in vacuum.
    frame_px : int
        Side of the square frame.
    max_defocus_um : float
        Largest distance of a plane from the best focus of the section's middle.
    cover_glass_um, specimen_index : float
        See `deepr.optics.psf.Pupil`.

    Attributes
    ----------
    grid_px : int
        Side that a specimen's layers must have.
    margin_px : int
        What the grid has more than the frame at its first row and column.
    """

    def __init__(
        self,
        objective,
        emission_um,
        frame_px,
        max_defocus_um,
        cover_glass_um=DESIGN_COVER_GLASS_UM,
        specimen_index=1.0,
    ):
        if frame_px < 2:
            raise ValueError(f"the frame is {frame_px} px wide; wanted at least 2")
        self.objective = objective
        self.frame_px = frame_px
        with limit_threads(1):
            self.pupil = Pupil(objective, emission_um, cover_glass_um, specimen_index, max_defocus_um)
        blur_um = max(self.pupil.blur_radius_um(-max_defocus_um), self.pupil.blur_radius_um(max_defocus_um))
        margin = math.ceil(blur_um / objective.pixel_um)
        # An even grid has one row of spatial frequencies that stands for both signs; scipy's fast sizes
        # for real transforms are all even from 6 on.
        self.grid_px = scipy.fft.next_fast_len(frame_px + 2 * margin, real=True)
        self.margin_px = (self.grid_px - frame_px) // 2
        self._prepare_lines()

    def _prepare_lines(self):
        pixel_um = self.objective.pixel_um
        fy = scipy.fft.fftfreq(self.grid_px).astype(np.float32)
        fx = scipy.fft.rfftfreq(self.grid_px).astype(np.float32)
        self._fy, self._fx = fy, fx
        # The camera integrates over its pixels.
        self._pixel_transfer = np.sinc(fy)[:, None] * np.sinc(fx)
        step = 1 / (_SAMPLES_PER_RIPPLE * self.pupil.radius_um)
        highest = min(self.pupil.cutoff, math.hypot(0.5, 0.5) / pixel_um)
        count = math.ceil(highest / step) + 3
        self._lines = self.pupil.transfer(np.arange(-1, count) * step)
        nearest = np.rint(np.hypot(fy[:, None], fx) * (_TABLE_STEPS / (step * pixel_um))).astype(np.intp)
        # One entry per table is kept at 0 for everything beyond the cut-off.
        np.minimum(nearest, (count - 2) * _TABLE_STEPS, out=nearest)
        # Real and imaginary part lie side by side, and both take the same factor.
        self._nearest = np.repeat(nearest, 2, axis=1)

    def transfer_tables(self, z_um, depths_um):
        """Tabulate the transfer function of every layer in every plane.

        Parameters
        ----------
        z_um : (Z,) array_like of float
            Planes, relative to the best focus of the depth 0.
        depths_um : (L,) array_like of float

        Returns
        -------
        (Z, L, F) ndarray of float32
            On a coarse line of frequencies; `image` makes it fine by cubic interpolation.
        """
        z, depth = np.meshgrid(np.atleast_1d(z_um), depths_um, indexing="ij")
        # One BLAS thread: the same sums on every machine, and small products beside other jobs of the
        # workflow would otherwise wait for one another.
        with limit_threads(1):
            return self._lines(z.ravel(), depth.ravel()).reshape(*z.shape, -1)

    def spectra(self, layers):
        """Transform the layers of a specimen, (L, N, N) float32, to (L, N, N // 2 + 1) complex64."""
        if layers.shape[1:] != (self.grid_px, self.grid_px):
            raise ValueError(f"the layers are {layers.shape[1:]} px; wanted {(self.grid_px, self.grid_px)}")
        result = scipy.fft.rfft2(layers)
        result *= self._pixel_transfer
        return result

    def planes(self, spectra, depths_um, z_um, moves, finish, tilt_deg=0.0, threads=1):
        """Form the images of a section at many stage positions.

        Parameters
        ----------
        spectra : (L, N, N // 2 + 1) ndarray of complex64
            From `spectra`.
        depths_um : (L,) array_like of float
            Depth of each layer below the middle of the section (away from the cover glass).
        z_um : (Z,) array_like of float
            Stage positions relative to the best focus of the section's middle at the frame's centre.
        moves : (Z, 3) array_like of float
            dy_px, dx_px, rotation_deg of each plane: its content moves from (x, y), counted from the
            frame's centre, to (x - r y + dx, y + r x + dy), r being the rotation in radians.
        finish : callable
            Takes (plane index, (Y, X) float32 image of the frame in the layers' unit), in a worker
            thread; what it returns is yielded.
        tilt_deg : float
            Tilt about the x axis: row y is in focus at z = y pixel_um sin(tilt).
        threads : int

        Yields
        ------
        object
            What `finish` made of each plane, in order.
        """
        z_um = np.atleast_1d(np.asarray(z_um, dtype=np.float64))

        with ThreadPoolExecutor(threads) as pool:
            if tilt_deg == 0:
                sources, spectrum = self.transfer_tables(z_um, depths_um), partial(self._defocused, spectra)
            else:
                sources, spectrum = self._tilted(spectra, depths_um, z_um, tilt_deg, pool), scipy.fft.rfft2

            def plane(index):
                return finish(index, self._moved(spectrum(sources[index]), *moves[index]))

            yield from pool.map(plane, range(z_um.size))

    def _defocused(self, spectra, table):
        """Sum the layers' spectra, each times its transfer function; table is (L, F)."""
        fine = _interpolate(table)
        total = np.zeros(spectra.shape[1:], np.complex64)
        sums = total.view(np.float32)
        factor = np.empty_like(sums)
        for layer, line in zip(spectra, fine, strict=True):
            np.take(line, self._nearest, out=factor, mode="clip")
            factor *= layer.view(np.float32)
            sums += factor
        return total

    def _moved(self, spectrum, dy_px, dx_px, rotation_deg):
        """Rotate and shift by a shear along x and one along y, both by phases, and cut out the frame.

        The product of the two shears differs from the rotation by r^2, 1e-5 px at 0.03 degrees.
        """
        radian = math.radians(rotation_deg)
        start, stop = self.margin_px, self.margin_px + self.frame_px
        centre = start + (self.frame_px - 1) / 2
        position = np.arange(self.grid_px) - centre
        rows = scipy.fft.ifft(spectrum, axis=0, overwrite_x=True)
        rows *= _phases(dx_px - radian * position[:, None], self._fx)
        image = scipy.fft.irfft(rows, n=self.grid_px, axis=1, overwrite_x=True)[:, start:stop]
        columns = scipy.fft.rfft(image, axis=0)
        columns *= _phases(dy_px + radian * position[None, start:stop], self._fx[:, None])
        return scipy.fft.irfft(columns, n=self.grid_px, axis=0, overwrite_x=True)[start:stop]

    def _tilted(self, spectra, depths_um, z_um, tilt_deg, pool):
        """Give (Z, N, N) images in which every row has its own defocus, from images at discrete levels."""
        step = self.pupil.emission_um / self.objective.numerical_aperture**2 / _LEVELS_PER_DEPTH_OF_FIELD
        half = self.frame_px / 2 + _TILT_GUARD_PX
        row = np.arange(self.grid_px) - self.margin_px - (self.frame_px - 1) / 2
        height = np.clip(row, -half, half) * self.objective.pixel_um * math.sin(math.radians(tilt_deg))
        level_of = (z_um[:, None] - height) / step
        levels = np.arange(math.floor(level_of.min()) - 1, math.ceil(level_of.max()) + 2)
        tables = self.transfer_tables(levels * step, depths_um)
        blended = np.zeros((z_um.size, self.grid_px, self.grid_px), np.float32)

        def at_level(table):
            return scipy.fft.irfft2(self._defocused(spectra, table), s=blended.shape[1:], overwrite_x=True)

        for level, image in zip(levels, pool.map(at_level, tables), strict=True):
            weight = _cubic_weight(np.abs(level_of - level)).astype(np.float32)
            for plane in np.flatnonzero(weight.any(axis=1)):
                used = np.flatnonzero(weight[plane])
                blended[plane, used] += weight[plane, used, None] * image[used]
        return blended


def _cubic_weight(distance):
    """Give the weight, in Catmull-Rom interpolation, of a sample so many steps away."""
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((2.5 - 0.5 * distance) * distance - 4) * distance + 2
    return np.where(distance < 1, near, np.where(distance < 2, far, 0))


def _phases(shift_px, frequency):
    """Give exp(-2 pi i shift frequency) as complex64; the arguments broadcast."""
    angle = (np.float32(-2 * math.pi) * shift_px.astype(np.float32)) * frequency
    result = np.empty(angle.shape, np.complex64)
    np.cos(angle, out=result.real)
    np.sin(angle, out=result.imag)
    return result


def _interpolate(table):
    """Make lines finer by Catmull-Rom interpolation; the first and last two samples are end points.

    (L, F + 3) float32 to (L, F * steps + 1) float32.
    """
    t = (np.arange(_TABLE_STEPS) / _TABLE_STEPS).astype(np.float32)
    taps = 0.5 * np.stack([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2])
    windows = np.lib.stride_tricks.sliding_window_view(table, 4, axis=1)
    fine = np.empty((table.shape[0], windows.shape[1] * _TABLE_STEPS + 1), np.float32)
    fine[:, :-1] = (windows @ taps.astype(np.float32)).reshape(table.shape[0], -1)
    fine[:, -1] = 0
    return fine
