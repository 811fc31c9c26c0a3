"""A microscope with a stage, a specimen and a camera: exposures, focus search, z-stacks, a clock."""

import math
from dataclasses import dataclass

import numpy as np

from deepr.optics.camera import Camera


@dataclass(frozen=True)
class StageDrift:
    """How the field wanders and turns while the stage steps through z.

    A random walk and a slow trend, both by the distance travelled in z, so that a stack drifts as much
    with fine steps as with coarse ones; the plane nearest to z = 0 stays where it is.

    Attributes
    ----------
    step_px : float
        Standard deviation, along each axis, of the random walk over 0.5 um of z.
    trend_px_per_um : float
        Standard deviation of the field's constant drift along each axis.
    rotation_deg : float
        Standard deviation of the rotation, which forgets itself over `rotation_memory_um`.
    rotation_memory_um : float
    """

    step_px: float = 0.15
    trend_px_per_um: float = 0.05
    rotation_deg: float = 0.015
    rotation_memory_um: float = 4.0

    def draw(self, z_um, rng):
        """Draw the drift of a stack.

        Parameters
        ----------
        z_um : (Z,) ndarray of float
            Planes in the order in which they are taken.
        rng : numpy.random.Generator

        Returns
        -------
        (Z, 3) ndarray of float64
            dy_px, dx_px, rotation_deg of each plane.
        """
        travelled = np.diff(z_um, prepend=z_um[0])
        walk = np.cumsum(rng.normal(size=(z_um.size, 2)) * np.sqrt(np.abs(travelled) / 0.5)[:, None], axis=0)
        shift = self.step_px * walk + self.trend_px_per_um * rng.normal(size=2) * z_um[:, None]
        keep = np.exp(-np.abs(travelled) / self.rotation_memory_um)
        rotation = rng.normal(size=z_um.size)
        for plane in range(1, z_um.size):
            rotation[plane] = keep[plane] * rotation[plane - 1] + math.sqrt(1 - keep[plane] ** 2) * rotation[plane]
        moves = np.column_stack([shift, self.rotation_deg * rotation])
        return moves - moves[np.argmin(np.abs(z_um))]


@dataclass(frozen=True)
class Timing:
    """Seconds per exposure: field logs of OughtaFocus users give 0.61 to 0.84 s for the stage and 0.275
    to 0.377 s for an image, of which the paper's exposure is 0.1 s."""

    exposure_s: float = 0.1
    settling_s: float = 0.7
    transfer_s: float = 0.25


class Microscope:
    """One field of view under the microscope.

    The stage arrives with the section out of focus by an amount that nobody knows. Positions are counted
    from a reference plane: where the stage arrived, and after `autofocus` where that search ended.

    Parameters
    ----------
    formation : deepr.optics.imaging.ImageFormation
        Objective, wavelength, frame.
    specimen : deepr.optics.specimens.Specimen
        Its layers must have the formation's `grid_px`.
    rng : numpy.random.Generator
        Start position, drift and noise come from it.
    camera : deepr.optics.camera.Camera
    tilt_deg : float
        Tilt of the section about the x axis.
    drift : StageDrift
    timing : Timing
    start_range_um : float
        The stage arrives within this distance of the focus.
    threads : int

    Attributes
    ----------
    clock_s : float
        Time spent on exposures, stage and transfer so far.
    exposures : int
        Number of exposures so far.
    """

    # Colour samples of a pixel, the last axis of an image.
    _samples = ()

    def __init__(
        self,
        formation,
        specimen,
        rng,
        camera=Camera(),  # noqa: B008 (frozen)
        tilt_deg=0.0,
        drift=StageDrift(),
        timing=Timing(),
        start_range_um=3.0,
        threads=1,
    ):
        self._formation = formation
        self._depths_um = np.asarray(specimen.depths_um, dtype=np.float64)
        self._spectra = formation.spectra(specimen.layers)
        self._background = np.float32(specimen.background)
        self._rng = rng
        self._camera = camera
        self._tilt_deg = tilt_deg
        self._drift = drift
        self._timing = timing
        self._threads = threads
        self._focus_um = float(rng.uniform(-start_range_um, start_range_um))
        self.clock_s = 0.0
        self.exposures = 0

    @property
    def focus_z_um(self):
        """Truth: position, relative to the reference plane, of best focus of the section's middle."""
        return self._focus_um

    def snap(self, z_um):
        """Move the stage and take one exposure.

        Parameters
        ----------
        z_um : float
            Relative to the reference plane.

        Returns
        -------
        (Y, X) ndarray of uint16
        """
        return next(self._expose(np.array([z_um]), np.zeros((1, 3))))

    def autofocus(self, search, score):
        """Search the focus and make the plane where the search ends the reference plane.

        Parameters
        ----------
        search : callable
            Takes a function that scores a position and the start position as ``start_um``; returns an
            object with ``z_um``, for example `deepr.focus.brent_search`.
        score : callable
            Takes an image, returns a number that is largest in focus, for example `deepr.focus.vollath5`.

        Returns
        -------
        object
            The result of the search, in positions relative to the former reference plane.
        """
        result = search(lambda z_um: score(self.snap(z_um)), start_um=0.0)
        self._focus_um -= float(result.z_um)
        return result

    def acquire_stack(self, z_um):
        """Take a z-stack, with drift from plane to plane.

        Parameters
        ----------
        z_um : (Z,) array_like of float
            Relative to the reference plane, in the order in which they are taken.

        Returns
        -------
        stack : (Z, Y, X) ndarray of uint16
        moves : (Z, 3) ndarray of float64
            Truth: dy_px, dx_px, rotation_deg of each plane, see `ImageFormation.planes`.
        """
        z_um = _positions(z_um)
        moves = self._drift.draw(z_um, self._rng)
        stack = None
        for plane, image in enumerate(self._expose(z_um, moves)):
            stack = np.empty((z_um.size, *image.shape), image.dtype) if stack is None else stack
            stack[plane] = image
        return stack, moves

    def noise_free(self, z_um, moves):
        """Give what the camera would count without noise, rounding or saturation.

        Parameters
        ----------
        z_um : (Z,) array_like of float
            Relative to the reference plane.
        moves : (Z, 3) array_like of float
            Drift of each plane, as `acquire_stack` gives it.

        Returns
        -------
        (Z, Y, X) ndarray of float32
            Counts.
        """
        z_um = _positions(z_um)
        planes = self._planes(z_um, moves, lambda _, image: self._camera.counts(self._electrons(image)))
        frame = self._formation.frame_px
        return np.stack(list(planes)) if z_um.size else np.empty((0, frame, frame, *self._samples), np.float32)

    def _expose(self, z_um, moves):
        # A generator for each plane: the noise does not depend on the number of threads.
        seeds = self._rng.integers(2**63, size=(z_um.size, 2))
        timing = self._timing
        self.clock_s += z_um.size * (timing.exposure_s + timing.settling_s + timing.transfer_s)
        self.exposures += z_um.size

        def develop(plane, image):
            return self._camera.expose(self._electrons(image), np.random.default_rng(seeds[plane]))

        return self._planes(z_um, moves, develop)

    def _electrons(self, image):
        # Where the pixels are coarser than the optics, a shift by Fourier phases rings below 0.
        return np.maximum(image, 0) + self._background

    def _planes(self, z_um, moves, finish):
        return self._formation.planes(
            self._spectra,
            self._depths_um,
            z_um - self._focus_um,
            moves,
            finish,
            tilt_deg=self._tilt_deg,
            threads=self._threads,
        )


def _positions(z_um):
    z_um = np.atleast_1d(np.asarray(z_um, dtype=np.float64))
    if not np.isfinite(z_um).all():
        raise ValueError("the positions in z hold values that are not finite")
    return z_um
