"""Consistency of the planes that wavelet coefficients come from, as the EPFL plugin checks it."""

import numpy as np

from deepr.edof.wavelets import detail_bands

_CHECKED_LEVELS = 3
_WINDOW = 5


def check_subbands(chosen, energy, scales):
    """Make the three bands of the finest levels agree on planes, in place.

    Parameters
    ----------
    chosen : (P, Q) ndarray of int
        Plane of each coefficient, in the layout of `deepr.edof.wavelets.analyse`.
    energy : (P, Q) ndarray of float
        Squared magnitude of the coefficients.
    scales : int
        Levels of the pyramid.

    Notes
    -----
    Two of three bands decide; of three different planes the one with the strictly largest energy.
    """
    for level in range(1, min(_CHECKED_LEVELS, scales) + 1):
        bands = detail_bands(chosen.shape, level)
        a, b, c = (chosen[band] for band in bands)
        energy_a, energy_b, energy_c = (energy[band] for band in bands)
        agreed = np.where((a == b) | (a == c), a, b)
        different = (a != b) & (a != c) & (b != c)
        strongest_a = (energy_a > energy_b) & (energy_a > energy_c)
        strongest_b = (energy_b > energy_a) & (energy_b > energy_c)
        strongest_c = (energy_c > energy_a) & (energy_c > energy_b)
        np.copyto(agreed, a, where=different & strongest_a)
        np.copyto(agreed, c, where=different & strongest_c)
        decided = ~different | strongest_a | strongest_b | strongest_c
        for band in bands:
            np.copyto(chosen[band], agreed, where=decided)


def check_majority(chosen, scales):
    """Replace planes by those of more than half of their 5 x 5 window, in place; as `check_subbands`."""
    for level in range(1, min(_CHECKED_LEVELS, scales) + 1):
        for band in detail_bands(chosen.shape, level):
            chosen[band] = _majority(chosen[band])


def _majority(planes):
    """Return the plane that holds more than half of the 5 x 5 window, mirrored at edges, or the centre's."""
    needed = _WINDOW**2 // 2 + 1
    surrounded = np.pad(planes, _WINDOW // 2, mode="reflect")
    rows, columns = planes.shape

    def count(votes):
        along_x = sum(votes[:, i : i + columns] for i in range(_WINDOW))
        return sum(along_x[i : i + rows] for i in range(_WINDOW))

    # A value held by most of the window also holds most of each bit's votes, so the bits name the candidate.
    candidate = np.zeros_like(planes)
    for bit in range(int(planes.max()).bit_length()):
        ones = count((surrounded >> bit & 1).astype(np.uint8)) >= needed
        candidate |= ones.astype(planes.dtype) << bit
    votes = np.zeros(planes.shape, np.uint8)
    for i in range(_WINDOW):
        for j in range(_WINDOW):
            votes += surrounded[i : i + rows, j : j + columns] == candidate
    return np.where(votes >= needed, candidate, planes)
