"""Deconvolution of a plane with a known point spread function: the two rivals of Deep-R, and a Wiener filter.

Everything is periodic: what is blurred over one edge comes back at the opposite one, so a strip about as
wide as the PSF is unreliable all round. The paper crops 10 pixels for that reason.
"""

import numpy as np
from scipy import fft

# DeconvolutionLab2's epsilon, in the image's own units (counts): a blurred estimate below it is not divided by.
SMALLEST_DIVISOR = 1e-6


def richardson_lucy(image, psf, iterations=100, threads=1):
    """Deconvolve an image by the multiplicative update for Poisson noise.

    Parameters
    ----------
    image : (M, N) ndarray
        Blurred image in counts, not negative: subtract the camera's offset and clip at 0.
    psf : (P, Q) ndarray
        Point spread function, not negative, centred on pixel (P // 2, Q // 2), P <= M and Q <= N; divided
        by its sum here. Odd and even sizes are both centred without a shift.
    iterations : int
        Number of updates.
    threads : int
        Threads of the Fourier transforms; the result is the same for any number. Of many images, several
        side by side in a thread each gain more than threads inside one: the transforms are short.

    Returns
    -------
    (M, N) ndarray of float32
        Estimate in counts, with the image's mean.

    Raises
    ------
    ValueError
        If a shape is not two-dimensional, the PSF is larger than the image or sums to zero, a pixel of
        either is negative or not finite, or `iterations` is less than 1.

    Notes
    -----
    Starts from the image itself. Where the blurred estimate is less than 1e-6 the ratio of data to
    estimate is 0, so images are expected in counts, not in units that make every pixel tiny. The original
    program shifts the result by (1, 1) pixel for an odd PSF in an even image; that is not copied.

    References
    ----------
    Richardson, J. Opt. Soc. Am. 62, 55 (1972), doi:10.1364/JOSA.62.000055; Lucy, Astron. J. 79, 745 (1974),
    doi:10.1086/111605; update and start as in DeconvolutionLab2 2.1.2, Sage et al., Methods 115, 28 (2017),
    doi:10.1016/j.ymeth.2016.12.015.
    """
    _check_iterations(iterations)
    image, psf = _checked_pair(image, psf, negative_pixels=False)
    *_, estimate = _richardson_lucy_updates(image, psf, iterations, threads)
    return estimate


def richardson_lucy_iterates(image, psf, iterations=100, threads=1):
    """Every estimate on the way of `richardson_lucy`, to stop where a comparison is best.

    Parameters
    ----------
    image, psf, iterations, threads
        As in `richardson_lucy`, and refused alike, before the first estimate is asked for.

    Returns
    -------
    iterator of (int, (M, N) ndarray of float32)
        Number of updates, from 1 to `iterations`, and the estimate after them, an array of its own.
    """
    _check_iterations(iterations)
    image, psf = _checked_pair(image, psf, negative_pixels=False)
    updates = _richardson_lucy_updates(image, psf, iterations, threads)
    return ((n, estimate.copy()) for n, estimate in enumerate(updates, start=1))


def landweber(image, psf, iterations=100, step=0.1, threads=1):
    """Deconvolve an image by gradient descent on the squared residual.

    Parameters
    ----------
    image : (M, N) ndarray
        Blurred image, in counts.
    psf : (P, Q) ndarray
        Point spread function, centred on pixel (P // 2, Q // 2), P <= M and Q <= N; divided by its sum here.
    iterations : int
        Number of updates after the first estimate, which is one step from zero.
    step : float
        Step of the descent; it converges for 0 < step < 2 (less if the PSF has negative pixels and
        amplifies a frequency).
    threads : int
        Threads of the Fourier transforms; the result is the same for any number.

    Returns
    -------
    (M, N) ndarray of float32
        May hold negative values: no constraint is applied, as in the original.

    Raises
    ------
    ValueError
        If a shape is not two-dimensional, the PSF is larger than the image or its sum is not above zero, a
        pixel of either is not finite, `iterations` is less than 1, or `step` does not converge.

    Notes
    -----
    The update is linear, so its result after any number of iterations is one filter in Fourier space: with
    the transfer function H, the image's spectrum is multiplied by conj(H) (1 - (1 - step |H|^2)^(n + 1)) / |H|^2.

    References
    ----------
    Landweber, Am. J. Math. 73, 615 (1951), doi:10.2307/2372313; update and start as in
    DeconvolutionLab2 2.1.2, Sage et al., Methods 115, 28 (2017), doi:10.1016/j.ymeth.2016.12.015.
    """
    _check_iterations(iterations)
    image, psf = _checked_pair(image, psf)
    correlation, power = _correlation_spectrum(image, psf, threads)
    _check_step(step, power)
    return _inverse(correlation * _landweber_gain(power, step, iterations), image.shape, threads)


def landweber_iterates(image, psf, iterations=100, step=0.1, threads=1):
    """Every estimate on the way of `landweber`, to stop where a comparison is best.

    Parameters
    ----------
    image, psf, iterations, step, threads
        As in `landweber`, and refused alike, before the first estimate is asked for.

    Returns
    -------
    iterator of (int, (M, N) ndarray of float32)
        Number of updates, from 1 to `iterations`, and the estimate after them.
    """
    _check_iterations(iterations)
    image, psf = _checked_pair(image, psf)
    correlation, power = _correlation_spectrum(image, psf, threads)
    _check_step(step, power)
    return _landweber_updates(correlation, power, step, iterations, image.shape, threads)


def wiener(image, psf, noise_to_signal=0.01, threads=1):
    """Deconvolve an image by the inverse filter, regularised by a constant.

    Parameters
    ----------
    image : (M, N) ndarray
        Blurred image, in counts.
    psf : (P, Q) ndarray
        Point spread function, centred on pixel (P // 2, Q // 2), P <= M and Q <= N; divided by its sum here.
    noise_to_signal : float
        Power of the noise over that of the sharp image, taken to be the same at every frequency: the
        constant K in conj(H) / (|H|^2 + K). Frequencies with |H|^2 well below K are suppressed instead of
        restored; larger is smoother.
    threads : int
        Threads of the Fourier transforms; the result is the same for any number.

    Returns
    -------
    (M, N) ndarray of float32
        May hold negative values. Its mean is the image's divided by 1 + K.

    Raises
    ------
    ValueError
        If a shape is not two-dimensional, the PSF is larger than the image or its sum is not above zero, a
        pixel of either is not finite, or `noise_to_signal` is not a positive number.

    References
    ----------
    Wiener, Extrapolation, Interpolation, and Smoothing of Stationary Time Series (MIT Press, 1949). The
    paper does not use it: it is here as a quick look at what a PSF can do for an image.
    """
    if not (np.isfinite(noise_to_signal) and noise_to_signal > 0):
        raise ValueError(f"noise_to_signal must be a positive number, got {noise_to_signal!r}")
    image, psf = _checked_pair(image, psf)
    correlation, power = _correlation_spectrum(image, psf, threads)
    return _inverse(correlation / (power + noise_to_signal), image.shape, threads)


def _richardson_lucy_updates(image, psf, iterations, threads):
    """Yield the estimate after each update; it is one array, overwritten by the next update."""
    # The inverse transforms below are left unscaled, their factor is in the transfer function.
    blur = (_transfer_function(psf, image.shape) / image.size).astype(np.complex64)
    correlate = blur.conj()
    estimate = image.copy()
    negligible = np.empty(image.shape, dtype=bool)
    for _ in range(iterations):
        ratio = _filter(estimate, blur, threads)
        np.less(ratio, SMALLEST_DIVISOR, out=negligible)
        np.copyto(ratio, np.inf, where=negligible)
        np.divide(image, ratio, out=ratio)
        estimate *= _filter(ratio, correlate, threads)
        yield estimate


def _filter(image, transfer, threads):
    """Multiply an image's spectrum by a transfer function and go back, without the factor 1 / size."""
    # One axis at a time, so that the complex transforms can be in place: irfft2 always makes a copy.
    spectrum = fft.rfft(image, axis=1, workers=threads)
    spectrum = fft.fft(spectrum, axis=0, workers=threads, overwrite_x=True)
    spectrum *= transfer
    spectrum = fft.ifft(spectrum, axis=0, norm="forward", workers=threads, overwrite_x=True)
    return fft.irfft(spectrum, n=image.shape[1], axis=1, norm="forward", workers=threads)


def _landweber_updates(correlation, power, step, iterations, shape, threads):
    gain = np.full_like(power, step)
    for n in range(1, iterations + 1):
        gain *= 1 - step * power
        gain += step
        yield n, _inverse(correlation * gain, shape, threads)


def _landweber_gain(power, step, iterations):
    """Sum of step (1 - step |H|^2)^k over k = 0 to `iterations`, as a geometric series."""
    terms = iterations + 1
    loss = step * power
    # Small losses need the logarithm: 1 - (1 - loss)^n would lose their digits.
    restored = np.where(
        loss < 0.5,
        -np.expm1(terms * np.log1p(-np.minimum(loss, 0.5))),
        1 - (1 - loss) ** terms,
    )
    return np.divide(restored, power, out=np.full_like(power, step * terms), where=power > 0)


def _correlation_spectrum(image, psf, threads):
    """Spectrum of the image correlated with the PSF, and the squared modulus of the transfer function."""
    transfer = _transfer_function(psf, image.shape)
    correlation = transfer.conj() * fft.rfft2(image.astype(np.float64), workers=threads)
    return correlation, np.square(transfer.real) + np.square(transfer.imag)


def _inverse(spectrum, shape, threads):
    return fft.irfft2(spectrum, s=shape, workers=threads).astype(np.float32)


def _transfer_function(psf, shape):
    """Half spectrum of a PSF whose centre pixel, whatever its parity, is moved to the origin."""
    padded = np.zeros(shape)
    padded[: psf.shape[0], : psf.shape[1]] = psf
    return fft.rfft2(np.roll(padded, (-(psf.shape[0] // 2), -(psf.shape[1] // 2)), axis=(0, 1)))


def _checked_pair(image, psf, negative_pixels=True):
    """Image as float32, PSF as float64 with the sum 1."""
    image = _checked_plane("image", image, np.float32, negative_pixels)
    psf = _checked_plane("PSF", psf, np.float64, negative_pixels)
    if psf.shape[0] > image.shape[0] or psf.shape[1] > image.shape[1]:
        raise ValueError(f"the PSF must not be larger than the image, got {psf.shape} for an image of {image.shape}")
    total = psf.sum()
    # Negative pixels may leave the rounding of a sum instead of 0.
    if not total > 1e-12 * np.abs(psf).sum():
        raise ValueError(f"the PSF must have a sum above zero, got {total:g}")
    return image, psf / total


def _checked_plane(name, values, dtype, negative_pixels):
    values = np.asarray(values)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"the {name} must have two dimensions and at least one pixel, got shape {values.shape}")
    if values.dtype.kind not in "buif":
        raise ValueError(f"the {name} must hold real numbers, got {values.dtype}")
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(values, dtype=dtype)
    if not np.isfinite(values).all():
        raise ValueError(f"the {name} must be finite, found NaN, infinity or a value too large for {values.dtype}")
    if not negative_pixels and values.min() < 0:
        raise ValueError(f"the {name} must not be negative anywhere, found {values.min():g}: clip it at 0")
    return values


def _check_iterations(iterations):
    if not isinstance(iterations, (int, np.integer)) or iterations < 1:
        raise ValueError(f"iterations must be a whole number of at least 1, got {iterations!r}")


def _check_step(step, power):
    # The largest gain is 1, at zero frequency, unless the PSF has negative pixels.
    limit = 2 / max(1.0, power.max())
    if not 0 < step < limit:
        raise ValueError(f"step must lie between 0 and {limit:.4g} (exclusive) to converge, got {step!r}")
