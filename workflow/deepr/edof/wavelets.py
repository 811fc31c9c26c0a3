"""Complex Daubechies wavelet transform of an image, computed in the Fourier domain."""

from functools import cache

import numpy as np
import scipy.fft

# First halves of the symmetric low-pass filters: real part, imaginary part.
_HALF_FILTERS = {
    6: (
        (-0.0662912607, 0.1104854346, 0.6629126074),
        (-0.0855816496, -0.0855816496, 0.1711632992),
    ),
    14: (
        (
            0.0049120149, -0.0054111299, -0.0701089996, -0.0564377788, 0.1872348173, 0.3676385056,
            0.2792793518,
        ),
        (
            0.0018464710, 0.0143947836, 0.0079040001, -0.1169376946, -0.2596312614, -0.0475928095,
            0.4000165107,
        ),
    ),
    22: (
        (
            -0.0002890832, -0.0000935982, 0.0059961342, 0.0122232015, -0.0243700791, -0.1092940542,
            -0.0918847036, 0.1540094645, 0.4014277015, 0.3153022916, 0.0440795062,
        ),
        (
            0.0000211708, -0.0012780664, -0.0029648612, 0.0144283733, 0.0503067404, -0.0044659104,
            -0.1999654035, -0.2603015239, 0.0013800055, 0.2232934469, 0.1795460286,
        ),
    ),
}  # fmt: skip
FILTER_LENGTHS = tuple(_HALF_FILTERS)
_BLOCK_PIXELS = 2**15


def analyse(plane, filter_length=14, scales=None):
    """Transform an image into complex Daubechies wavelet coefficients.

    Parameters
    ----------
    plane : (M, N) ndarray of real or complex
        Image, taken as periodic; M and N are powers of two.
    filter_length : {6, 14, 22}
        Number of filter taps.
    scales : int, optional
        Number of levels; by default as many as the shorter side can be halved.

    Returns
    -------
    (M, N) ndarray of complex128
        Pyramid: the low-pass band of the last level at the top left; at each level of (P, Q) coefficients
        per band, ``[:P, Q:2*Q]`` holds what is high-pass along x, ``[P:2*P, :Q]`` along y and
        ``[P:2*P, Q:2*Q]`` along both.

    Raises
    ------
    ValueError
        If the image is not two-dimensional, a side is not a power of two, or there is no such filter or
        level.

    Notes
    -----
    Filters and alignment are those of the Extended Depth of Field plugin. A band's spectrum is the product of
    the image's and the filter's, with the aliases of the dropped samples folded in, so that one Fourier
    transform of the image and one inverse transform per band of details are all it takes.

    References
    ----------
    Forster et al., Microsc. Res. Tech. 65, 33 (2004), doi:10.1002/jemt.20092.
    """
    plane = np.asarray(plane)
    scales = checked_scales(plane.shape, filter_length, scales)
    return Analyser(plane.shape, filter_length, scales).analyse(plane, np.empty(plane.shape, np.complex128))


class Analyser:
    """`analyse` for many planes of one shape, in memory of its own: each thread needs one for itself.

    Fresh memory for every plane would cost as much time as the arithmetic.
    """

    def __init__(self, shape, filter_length, scales):
        self.filter_length = filter_length
        self.scales = scales
        self.spectrum = np.empty(shape, np.complex128)

    def analyse(self, plane, out):
        """Write the pyramid of a plane, centred in zeros if it is smaller than the shape, to ``out``."""
        if plane.shape != self.spectrum.shape:
            self.spectrum[:] = 0
        self.spectrum[centre(plane.shape, self.spectrum.shape)] = plane
        low = scipy.fft.fft2(self.spectrum, overwrite_x=True)
        for level in range(1, self.scales + 1):
            _split(low, self.filter_length)
            for band in detail_bands(out.shape, level):
                out[band] = scipy.fft.ifft2(low[band], overwrite_x=True)
            rows, columns = (side // 2 for side in low.shape)
            low = low[:rows, :columns]
        out[:rows, :columns] = scipy.fft.ifft2(low, overwrite_x=True)
        return out


def detail_bands(shape, level):
    """Return the slices of a level's details, from 1: high-pass along y, along x, along both."""
    rows, columns = (side >> level for side in shape)
    low_y, high_y = slice(0, rows), slice(rows, 2 * rows)
    low_x, high_x = slice(0, columns), slice(columns, 2 * columns)
    return (high_y, low_x), (low_y, high_x), (high_y, high_x)


def _split(spectrum, filter_length):
    """Replace a spectrum, in place, by those of its four bands, in the layout of a pyramid."""
    rows, columns = (side // 2 for side in spectrum.shape)
    responses_x = _responses(filter_length, 2 * columns)
    responses_y = _responses(filter_length, 2 * rows)[:, :, :, np.newaxis]
    step = max(1, _BLOCK_PIXELS // columns)
    for first in range(0, rows, step):
        # Rows that are aliases of each other, few enough for a core's cache, along x and then along y.
        block = slice(first, min(first + step, rows))
        near, far = spectrum[:rows][block], spectrum[rows:][block]
        halves_near, halves_far = (
            [_fold(part[:, :columns], part[:, columns:], response) for response in responses_x] for part in (near, far)
        )
        for i, half_x in enumerate((slice(0, columns), slice(columns, 2 * columns))):
            for part, response in zip((near, far), responses_y[:, :, block], strict=True):
                part[:, half_x] = _fold(halves_near[i], halves_far[i], response)


def _fold(near, far, response):
    """Filter both halves of a spectrum and add them: the aliases of dropping every other sample."""
    band = near * response[0]
    band += far * response[1]
    return band


def synthesise(pyramid, filter_length=14, scales=None):
    """Transform complex Daubechies wavelet coefficients back into an image.

    Parameters
    ----------
    pyramid : (M, N) ndarray of complex
        Coefficients, laid out as `analyse` returns them.
    filter_length, scales
        As given to `analyse`.

    Returns
    -------
    (M, N) ndarray of float64
        The image: the real part of the inverse transform.

    Raises
    ------
    ValueError
        As `analyse`.
    """
    pyramid = np.asarray(pyramid, np.complex128)
    scales = checked_scales(pyramid.shape, filter_length, scales)
    rows, columns = (side >> scales for side in pyramid.shape)
    low = scipy.fft.fft2(pyramid[:rows, :columns])
    for level in range(scales, 0, -1):
        high_y, high_x, diagonal = (scipy.fft.fft2(pyramid[band]) for band in detail_bands(pyramid.shape, level))
        low_x = _join(low, high_y, 0, filter_length)
        high_x = _join(high_x, diagonal, 0, filter_length)
        low = _join(low_x, high_x, 1, filter_length)
    return scipy.fft.ifft2(low).real


def _join(low, high, axis, filter_length):
    """Undo the split along an axis: the filters are orthonormal, so their conjugates invert them."""
    # Twice, as the responses hold the 1/2 of the fold.
    responses = 2 * _responses(filter_length, 2 * low.shape[axis]).conj()
    if axis == 0:
        responses = responses[..., np.newaxis]
    return np.concatenate([_fold(low, high, responses[:, half]) for half in range(2)], axis=axis)


def centre(shape, inside):
    """Return the slices that a plane of a shape takes in the middle of a larger one."""
    return tuple(
        slice((large - side) // 2, (large - side) // 2 + side) for side, large in zip(shape, inside, strict=True)
    )


def checked_scales(shape, filter_length, scales):
    """Return the number of scales, the largest for None, or refuse what cannot be transformed."""
    if filter_length not in _HALF_FILTERS:
        raise ValueError(f"The filter length is {filter_length!r}, but must be one of {FILTER_LENGTHS}.")
    if len(shape) != 2 or any(side < 2 or side & (side - 1) for side in shape):
        raise ValueError(f"The image has the shape {shape}, but must have two sides that are powers of two.")
    largest = min(shape).bit_length() - 1
    if scales is None:
        return largest
    if not 1 <= scales <= largest:
        raise ValueError(f"The number of scales is {scales}, but must be 1 to {largest} for {shape} pixels.")
    return scales


@cache
def _responses(filter_length, n):
    """Responses [low-pass, high-pass][near, far half of n frequencies], times the 1/2 of folding."""
    real, imaginary = (np.array(half + half[::-1]) for half in _HALF_FILTERS[filter_length])
    taps = np.arange(filter_length)
    low_pass = real + 1j * imaginary
    high_pass = np.where(taps % 2, -1, 1) * low_pass.conj()
    waves = np.exp(2j * np.pi * np.outer(np.arange(n), taps - filter_length // 2) / n)
    return 0.5 * np.stack([waves @ low_pass, waves @ high_pass]).reshape(2, 2, n // 2)
