"""Fluorescent beads of 300 nm: dry on a cover glass, or in the volume of a mounting medium."""

import math

import numpy as np
import scipy.fft

from deepr.optics.specimens.specimen import Specimen

BEAD_DIAMETER_UM = 0.3
# Beads in a volume lie on layers this far apart, less than the depth of field.
VOLUME_UM = 20.0
VOLUME_LAYER_UM = 0.5

# Air between dry beads and the objective's design; ProLong Gold when cured.
DRY_INDEX = 1.0
MEDIUM_INDEX = 1.46

# Photoelectrons that a bead of mean brightness gives in one exposure: its peak in focus is then some thousands of
# counts above the background, as in public frames of the same camera.
_BEAD_ELECTRONS = 30000.0
_BRIGHTNESS_SPREAD = 0.3
_BACKGROUND_ELECTRONS = 15.0


def bead_parameters(rng):
    """Draw what differs from slide to slide: density, clusters, dirt, brightness."""
    return {
        "beads_per_1000_um2": rng.uniform(2.6, 3.6),
        "clusters": rng.uniform(0.05, 0.12),
        "dirt_per_1000_um2": rng.uniform(0.1, 0.3),
        "brightness": rng.uniform(0.8, 1.2),
        "background": _BACKGROUND_ELECTRONS * rng.uniform(0.9, 1.1),
    }


def volume_parameters(rng):
    """Draw what differs from slide to slide of beads in a volume."""
    return {
        "beads_per_1000_um2": rng.uniform(5.0, 7.0),
        "brightness": rng.uniform(0.8, 1.2),
        "background": _BACKGROUND_ELECTRONS * rng.uniform(0.9, 1.1),
    }


def make_beads(shape, pixel_um, rng, *, beads_per_1000_um2, clusters, dirt_per_1000_um2, brightness, background):
    """Make one field of beads that lie dry on a cover glass, all at one depth.

    Parameters
    ----------
    shape : tuple of int
        (Y, X) of a layer.
    pixel_um : float
    rng : numpy.random.Generator
    beads_per_1000_um2 : float
        Places with a bead.
    clusters : float
        Share of the places where two to four beads touch.
    dirt_per_1000_um2 : float
        Diffuse bright specks of 0.8 to 2 um.
    brightness : float
        Brightness of all beads, 1 on average.
    background : float
        Photoelectrons per pixel everywhere.

    Returns
    -------
    Specimen
    """
    area_um2 = shape[0] * shape[1] * pixel_um**2
    count = rng.poisson(beads_per_1000_um2 * area_um2 / 1000)
    places_um = rng.uniform(0, 1, (count, 2)) * shape * pixel_um
    crowd = np.where(rng.uniform(size=count) < clusters, rng.integers(2, 5, count), 1)
    owner = np.repeat(np.arange(count), crowd)
    # The first bead of a place lies there, the others beside it, touching.
    first = np.r_[True, owner[1:] != owner[:-1]] if count else np.zeros(0, bool)
    angle = rng.uniform(0, 2 * math.pi, owner.size)
    aside_um = np.where(first, 0.0, BEAD_DIAMETER_UM)[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    spectrum = _bead_spectrum(shape, pixel_um, places_um[owner] + aside_um, _electrons(rng, owner.size, brightness))
    specks = rng.poisson(dirt_per_1000_um2 * area_um2 / 1000)
    speck_um = rng.uniform(0, 1, (specks, 2)) * shape * pixel_um
    weight = 2 * _electrons(rng, specks, brightness)
    for place, electrons, fwhm_um in zip(speck_um, weight, rng.uniform(0.8, 2.0, specks), strict=True):
        blur = _gaussian_transfer(shape, pixel_um, fwhm_um)
        spectrum += blur * _point_spectrum(shape, pixel_um, place[None], np.array([electrons]))
    layer = scipy.fft.irfft2(spectrum, s=shape)
    return Specimen(layer[None].astype(np.float32), np.zeros(1), background)


def make_beads_in_volume(shape, pixel_um, rng, *, beads_per_1000_um2, brightness, background):
    """Make one field of beads in 20 um of a mounting medium.

    Parameters
    ----------
    shape : tuple of int
        (Y, X) of a layer.
    pixel_um : float
    rng : numpy.random.Generator
    beads_per_1000_um2 : float
        Beads above an area, over all depths.
    brightness, background : float
        As for `make_beads`.

    Returns
    -------
    Specimen
        Layers 0.5 um apart from -10 to 10 um, each bead on the nearest.
    """
    count = rng.poisson(beads_per_1000_um2 * shape[0] * shape[1] * pixel_um**2 / 1000)
    places_um = rng.uniform(0, 1, (count, 2)) * shape * pixel_um
    depths_um = np.linspace(-VOLUME_UM / 2, VOLUME_UM / 2, round(VOLUME_UM / VOLUME_LAYER_UM) + 1)
    level = rng.integers(0, depths_um.size, count)
    electrons = _electrons(rng, count, brightness)
    layers = np.empty((depths_um.size, *shape), np.float32)
    for number, layer in enumerate(layers):
        own = level == number
        layer[:] = scipy.fft.irfft2(_bead_spectrum(shape, pixel_um, places_um[own], electrons[own]), s=shape)
    return Specimen(layers, depths_um, background)


def sphere_transfer(frequency, diameter_um):
    """Give the Fourier transform of a uniformly filled sphere seen from one side, 1 at frequency 0.

    Parameters
    ----------
    frequency : ndarray of float
        Cycles per um.
    diameter_um : float

    Returns
    -------
    ndarray of float
        3 (sin q - q cos q) / q^3 with q = pi x diameter x frequency.
    """
    q = np.maximum(np.pi * diameter_um * np.asarray(frequency, dtype=float), 1e-3)
    return 3 * (np.sin(q) - q * np.cos(q)) / q**3


def _electrons(rng, count, brightness):
    return _BEAD_ELECTRONS * brightness * rng.lognormal(-(_BRIGHTNESS_SPREAD**2) / 2, _BRIGHTNESS_SPREAD, count)


def _frequencies(shape, pixel_um):
    return scipy.fft.fftfreq(shape[0], pixel_um), scipy.fft.rfftfreq(shape[1], pixel_um)


def _point_spectrum(shape, pixel_um, places_um, electrons):
    """Give the half spectrum of points at any places, without rounding them to pixels: (Y, X // 2 + 1) complex."""
    fy, fx = _frequencies(shape, pixel_um)
    rows = np.exp(-2j * np.pi * fy[:, None] * places_um[:, 0]) * electrons
    columns = np.exp(-2j * np.pi * fx[:, None] * places_um[:, 1])
    return rows @ columns.T


def _bead_spectrum(shape, pixel_um, places_um, electrons):
    fy, fx = _frequencies(shape, pixel_um)
    transfer = sphere_transfer(np.hypot(fy[:, None], fx), BEAD_DIAMETER_UM)
    return transfer * _point_spectrum(shape, pixel_um, places_um, electrons)


def _gaussian_transfer(shape, pixel_um, fwhm_um):
    fy, fx = _frequencies(shape, pixel_um)
    sigma_um = fwhm_um / (2 * math.sqrt(2 * math.log(2)))
    return np.exp(-2 * (np.pi * sigma_um) ** 2 * (fy[:, None] ** 2 + fx**2))
