"""Scalar point spread function of a dry objective through a cover glass of the wrong thickness.

The pupil is uniform and its phase is that of Gibson and Lanni. Everything is radially symmetric, so a
plane is a Hankel transform of the pupil, and its transfer function a Hankel transform of the plane:
two matrix products give the transfer functions of hundreds of defocused planes at once.
"""

import math

import numpy as np
from scipy.special import j0

DESIGN_COVER_GLASS_UM = 170.0
COVER_GLASS_INDEX = 1.515

# Sixteen Gauss-Legendre nodes follow this many oscillations to about six digits.
_NODES_PER_PANEL = 16
_CYCLES_PER_PANEL = 2.0

# A focused PSF holds 1 - 2 / (pi v) of its light within v = 2 pi NA r / wavelength: at
# r = 34 wavelength / NA (v = 214) all but 0.3 %.
_TAIL = 34.0


class Pupil:
    """The pupil of an objective that looks at one place of a specimen.

    The phase of the ray at the angle theta (its sine is s) in air is 2 pi / wavelength times

        (tg - 170 um) sqrt(1.515^2 - s^2) + d sqrt(n^2 - s^2) - (z + z0) sqrt(1 - s^2),

    tg being the cover glass, d the depth in a specimen of index n, and z the position of the stage.
    z0 is chosen such that at d = 0 the intensity on the axis is largest at z = 0. Design and actual
    immersion are both air, so the working distance cancels. Positive z is the side on which a cover
    glass thinner than 170 um turns a point into a sharp peak with rings, negative z the side on which
    it becomes a smooth disc; a source at a greater depth d is in focus at a greater z.

    The amplitude in the pupil is uniform. An isotropic emitter seen by an aplanatic lens would give
    (cos theta)^-1/2, reflection losses and the tilt of the dipole's field take away at the same edge;
    the uniform pupil lies between, and is that of the scalar model of Aguet's PSF generator.

    Parameters
    ----------
    objective : deepr.optics.objective.Objective
    emission_um : float
        Wavelength in vacuum.
    cover_glass_um : float
        Effective thickness of the cover glass; with a correction collar, 170 um minus what it leaves.
    specimen_index : float
        Refractive index of the medium in which a depth is counted.
    max_defocus_um : float
        Largest absolute value of z (and of the apparent depth) that the quadrature shall resolve.
    radius_um : float, optional
        Radius that the quadrature shall reach; by default the blur at `max_defocus_um` and a tail
        beyond it that leaves out less than 0.5 % of the light, as transfer functions need it.

    Attributes
    ----------
    best_focus_um : float
        The z0 above.
    radius_um : float
        Radius up to which planes are computed before they are transformed.
    cutoff : float
        2 NA / wavelength, in cycles per um.

    Raises
    ------
    ValueError
        If a length is not positive, or the specimen's index not above the numerical aperture.

    References
    ----------
    Gibson and Lanni, J. Opt. Soc. Am. A 8, 1601 (1991). Aguet et al., Opt. Express 17, 6829 (2009).
    """

    def __init__(
        self,
        objective,
        emission_um,
        cover_glass_um=DESIGN_COVER_GLASS_UM,
        specimen_index=1.0,
        max_defocus_um=15.0,
        radius_um=None,
    ):
        aperture = objective.numerical_aperture
        for name, value in (("emission_um", emission_um), ("max_defocus_um", max_defocus_um)):
            if not value > 0:
                raise ValueError(f"{name} is {value}; wanted a positive number")
        if not specimen_index > aperture:
            raise ValueError(f"the specimen's index is {specimen_index}; wanted more than the aperture {aperture}")
        self.objective = objective
        self.emission_um = emission_um
        self.specimen_index = specimen_index
        self.cutoff = 2 * aperture / emission_um
        self._mismatch_um = cover_glass_um - DESIGN_COVER_GLASS_UM
        self.best_focus_um = 0.0
        reach = max_defocus_um + 3 * abs(self._mismatch_um)
        self._place_nodes(cycles=reach / emission_um)
        self.best_focus_um = self._find_best_focus()
        if radius_um is None:
            blur_um = max(self.blur_radius_um(-max_defocus_um), self.blur_radius_um(max_defocus_um))
            radius_um = blur_um + _TAIL * emission_um / aperture
        self.radius_um = radius_um
        self._place_nodes(cycles=(self.radius_um * aperture + reach) / emission_um)

    def blur_radius_um(self, z_um, depth_um=0.0):
        """Give how far from the axis the rays of a point meet the plane that is imaged, in um."""
        sine = np.linspace(0.0, self.objective.numerical_aperture, 201)
        slope = (z_um + self.best_focus_um) / np.sqrt(1 - sine**2)
        slope -= self._mismatch_um / np.sqrt(COVER_GLASS_INDEX**2 - sine**2)
        slope -= depth_um / np.sqrt(self.specimen_index**2 - sine**2)
        return float(np.abs(sine * slope).max())

    def amplitude(self, z_um, depth_um, radius_um):
        """Give the complex amplitude at radii from the axis.

        Parameters
        ----------
        z_um, depth_um : (P,) array_like of float
            Stage position and depth of the source for each plane (they broadcast).
        radius_um : (R,) array_like of float

        Returns
        -------
        (2, P, R) ndarray of float32
            Real and imaginary part; the sum of squares integrates to 1 over the plane.
        """
        return self._propagate(z_um, depth_um, self._bessel(radius_um, self._frequency))

    def intensity(self, z_um, depth_um, radius_um):
        """Give the intensity per um^2 at radii from the axis, (P, R) float32; see `amplitude`."""
        return np.square(self.amplitude(z_um, depth_um, radius_um)).sum(axis=0)

    def transfer(self, frequency, planes_per_batch=512):
        """Prepare the transfer functions on a line of spatial frequencies.

        Parameters
        ----------
        frequency : (F,) array_like of float
            Spatial frequencies, cycles per um.
        planes_per_batch : int
            Planes that are computed together, to bound the memory.

        Returns
        -------
        callable
            Takes ``z_um, depth_um`` as (P,) arrays and gives the (P, F) float32 transfer functions:
            1 at frequency 0 (less the tail beyond `radius_um`, below 0.5 %), real, 0 beyond the cut-off.
        """
        frequency = np.asarray(frequency, dtype=np.float64)
        cycles = self.radius_um * (self.cutoff + frequency.max())
        radius, weight = _composite_nodes(0.0, self.radius_um, cycles)
        to_plane = self._bessel(radius, self._frequency)
        to_frequency = self._bessel(radius, frequency) * (2 * math.pi * radius * weight).astype(np.float32)[:, None]

        def lines(z_um, depth_um=0.0):
            z_um, depth_um = np.broadcast_arrays(np.atleast_1d(z_um), depth_um)
            result = np.empty((z_um.size, frequency.size), np.float32)
            for start in range(0, z_um.size, planes_per_batch):
                part = slice(start, start + planes_per_batch)
                plane = np.square(self._propagate(z_um[part], depth_um[part], to_plane)).sum(axis=0)
                result[part] = plane @ to_frequency
            return result

        return lines

    def _propagate(self, z_um, depth_um, bessel):
        z_um, depth_um = np.broadcast_arrays(np.atleast_1d(z_um), depth_um)
        path = self._glass + np.multiply.outer(depth_um, self._specimen)
        path -= np.multiply.outer(z_um + self.best_focus_um, self._air)
        # Only phase differences count; without the mean the argument keeps its digits in float32.
        path -= path[:, :1].copy()
        phase = ((path / self.emission_um) % 1.0).astype(np.float32) * np.float32(2 * math.pi)
        field = np.concatenate([np.cos(phase) * self._area, np.sin(phase) * self._area])
        return (field @ bessel.T).reshape(2, z_um.size, -1)

    def _place_nodes(self, cycles):
        theta, weight = _composite_nodes(0.0, math.asin(self.objective.numerical_aperture), cycles)
        sine = np.sin(theta)
        self._frequency = sine / self.emission_um
        self._air = np.cos(theta)
        self._specimen = np.sqrt(self.specimen_index**2 - sine**2)
        self._glass = self._mismatch_um * np.sqrt(COVER_GLASS_INDEX**2 - sine**2)
        # k dk over the pupil, scaled once for all planes: the light through the pupil is 1.
        area = weight * sine * self._air
        self._area = (area / self.emission_um * math.sqrt(2 * math.pi / area.sum())).astype(np.float32)

    def _find_best_focus(self):
        if self._mismatch_um == 0:
            return 0.0
        centre, width = 0.0, 1.5 * abs(self._mismatch_um)
        for _ in range(3):
            z_um = np.linspace(centre - width, centre + width, 1001)
            centre = float(z_um[np.argmax(self.intensity(z_um, 0.0, [0.0])[:, 0])])
            width /= 50
        return centre

    @staticmethod
    def _bessel(radius, frequency):
        return j0(2 * math.pi * np.multiply.outer(np.asarray(radius), frequency)).astype(np.float32)


def pupil_psf(
    objective,
    emission_um,
    z_um,
    size_px,
    pixel_um=None,
    cover_glass_um=DESIGN_COVER_GLASS_UM,
    depth_um=0.0,
    specimen_index=1.0,
):
    """Compute planes of the point spread function.

    Parameters
    ----------
    objective : deepr.optics.objective.Objective
    emission_um : float
        Wavelength in vacuum.
    z_um : (Z,) array_like of float
        Stage positions; 0 is the best focus at depth 0, see `Pupil` for the sign.
    size_px : int
        Side N of the square planes; the point lies on pixel (N // 2, N // 2).
    pixel_um : float, optional
        Pixel on the specimen; the objective's own by default.
    cover_glass_um, depth_um, specimen_index : float
        See `Pupil`.

    Returns
    -------
    (Z, N, N) ndarray of float32
        Share of the point's light that falls on each pixel, sampled at its centre. All planes have
        the same normalisation, the light through the pupil: a plane wide enough sums to 1.

    Raises
    ------
    ValueError
        If a length is not positive or the specimen's index below the numerical aperture.
    """
    pixel_um = objective.pixel_um if pixel_um is None else pixel_um
    z_um = np.atleast_1d(np.asarray(z_um, dtype=np.float64))
    reach = max(1.0, float(np.abs(z_um).max()) + abs(depth_um))
    offset = np.arange(size_px) - size_px // 2
    squared = np.add.outer(offset**2, offset**2)
    # Equal distances from the axis are computed once: about an eighth of the pixels.
    distance, index = np.unique(squared, return_inverse=True)
    radius = np.sqrt(distance) * pixel_um
    pupil = Pupil(objective, emission_um, cover_glass_um, specimen_index, reach, radius_um=radius[-1])
    profile = pupil.intensity(z_um, depth_um, radius) * np.float32(pixel_um**2)
    return profile[:, index.reshape(squared.shape)]


def _composite_nodes(start, stop, cycles):
    """Give nodes and weights of Gauss-Legendre panels that follow so many oscillations."""
    panels = max(2, math.ceil(cycles / _CYCLES_PER_PANEL))
    node, weight = np.polynomial.legendre.leggauss(_NODES_PER_PANEL)
    edges = np.linspace(start, stop, panels + 1)
    half = np.diff(edges) / 2
    nodes = (edges[:-1] + half)[:, None] + half[:, None] * node
    return nodes.ravel(), (half[:, None] * weight).ravel()
