"""What the two networks minimise: BerHu, multi-scale structural similarity and the adversarial terms."""

import functools

import numpy as np
from keras import ops

POWER_FACTORS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW_PX = 11
WINDOW_SIGMA_PX = 1.5
K1, K2 = 0.01, 0.03
SCALE_FLOOR = 1e-4


def berhu(truth, output, threshold=0.1):
    """Reversed Huber loss: absolute differences where small, squared ones where large.

    Parameters
    ----------
    truth, output : (B, Y, X, C) tensor
        Ground truth, normalised to unit variance, and the generator's output.
    threshold : float
        Where the two branches meet; the paper takes about 10 % of the ground truth's standard
        deviation, which is 1.

    Returns
    -------
    scalar tensor
        Mean over pixels. The paper's equation 4 has the sum; the number of pixels goes into the term's
        weight, so that a weight holds for every crop size.
    """
    difference = ops.abs(output - truth)
    large = (ops.square(difference) + threshold**2) / (2 * threshold)
    return ops.mean(ops.where(difference <= threshold, difference, large))


def ms_ssim(truth, output, max_val=None):
    """Multi-scale structural similarity, with gradients that are always finite.

    Parameters
    ----------
    truth, output : (B, Y, X, C) tensor
        Ground truth and the generator's output; Y and X fixed, at least 11.
    max_val : float or (B,) tensor, optional
        Dynamic range of the images. Not given: the range of each ground truth, as the paper names no
        value, `tf.image.ssim_multiscale` has no default, and a normalised image has no natural one.

    Returns
    -------
    (B,) tensor
        1 for equal images.

    Notes
    -----
    The value is that of `tf.image.ssim_multiscale` with its default parameters wherever every scale's
    mean is above 1e-4. The original clips negative scales to zero and takes a power below one of them,
    whose gradient there is not a number; a fresh generator hits that within a few steps. Here
    each scale is held at 1e-4 at least.

    Five scales of an 11-px window need images of 161 px. For smaller ones the scales that do not fit
    are left out and the remaining powers divided by their sum: four scales at 128 px, three at 64.

    The Gaussian window is applied as one product with a banded matrix along each axis, for all four
    local moments at once: on a CPU 12 times faster, forward and backward, than as a convolution.

    References
    ----------
    Wang, Simoncelli and Bovik, Asilomar Conf. Signals Syst. Comput. (2003),
    doi:10.1109/ACSSC.2003.1292216.
    """
    powers = scale_powers(min(truth.shape[1:3]))
    if max_val is None:
        max_val = ops.max(truth, axis=(1, 2, 3)) - ops.min(truth, axis=(1, 2, 3))
    max_val = ops.reshape(ops.cast(max_val, truth.dtype), (-1, 1, 1, 1))
    c1, c2 = ops.square(K1 * max_val), ops.square(K2 * max_val)
    similarity = 1.0
    for scale, power in enumerate(powers):
        if scale:
            truth, output = _halve(truth), _halve(output)
        moments = ops.stack([truth, output, truth * output, ops.square(truth) + ops.square(output)])  # (4, B, Y, X, C)
        mean_truth, mean_output, mean_product, mean_squares = ops.unstack(_window_average(moments), axis=0)
        product = 2 * mean_truth * mean_output
        squares = ops.square(mean_truth) + ops.square(mean_output)
        value = (2 * mean_product - product + c2) / (mean_squares - squares + c2)
        if scale == len(powers) - 1:  # the luminance counts at the coarsest scale alone
            value = value * (product + c1) / (squares + c1)
        value = ops.maximum(ops.mean(value, axis=(1, 2)), SCALE_FLOOR)  # (B, C)
        similarity = similarity * ops.power(value, power)
    return ops.mean(similarity, axis=-1)


def scale_powers(side_px):
    """Give the power of each scale that fits into an image, from the finest, summing to one.

    Parameters
    ----------
    side_px : int
        Shorter side of the image, at least 11.

    Returns
    -------
    tuple of float
        The five standard powers from 161 px on, unchanged (their sum is 1.0001).

    Raises
    ------
    ValueError
        If the image is smaller than the window.
    """
    count, side = 0, side_px
    while count < len(POWER_FACTORS) and side >= WINDOW_PX:
        count, side = count + 1, (side + 1) // 2
    if count == 0:
        raise ValueError(f"MS-SSIM needs images of at least {WINDOW_PX} px, not {side_px}")
    if count == len(POWER_FACTORS):
        return POWER_FACTORS
    total = sum(POWER_FACTORS[:count])
    return tuple(power / total for power in POWER_FACTORS[:count])


def generator_loss(truth, output, judgement, weights, berhu_threshold=0.1):
    """Total loss of the generator, equation 1 of the paper, and its parts.

    Parameters
    ----------
    truth, output : (B, Y, X, C) tensor
        Ground truth and the generator's output, normalised units.
    judgement : (B, 1) tensor or None
        The discriminator's probability that `output` is a focused image; None where its weight is 0.
    weights : dict
        Factors of the parts, keys adversarial, ms_ssim and berhu.
    berhu_threshold : float
        See `berhu`.

    Returns
    -------
    dict
        Scalar tensors: total, and the parts before weighting: adversarial (1 - D(G(x)))^2, ms_ssim
        1 - MSSSIM, and berhu. A part whose weight is 0 is neither computed nor there.
    """
    parts = {}
    if weights["adversarial"]:
        parts["adversarial"] = ops.mean(ops.square(1 - judgement))
    if weights["ms_ssim"]:
        parts["ms_ssim"] = 1 - ops.mean(ms_ssim(truth, output))
    if weights["berhu"]:
        parts["berhu"] = berhu(truth, output, berhu_threshold)
    total = sum(weights[name] * part for name, part in parts.items())
    return {"total": total, **parts}


def discriminator_loss(judgement_of_output, judgement_of_truth):
    """Loss of the discriminator, equation 2 of the paper with a factor of one half.

    Parameters
    ----------
    judgement_of_output, judgement_of_truth : (B, 1) tensor
        The discriminator's probabilities that the generator's outputs, and the ground truths, are
        focused images.

    Returns
    -------
    dict
        Scalar tensors: total 0.5 (D(G(x))^2 + (1 - D(y))^2), and the mean probabilities
        discriminator_fake and discriminator_real.

    Notes
    -----
    The printed equation has no 1/2, but its value where the discriminator cannot tell, D = 0.5, would
    then be 0.5; the paper's figure S8 settles at about 0.25.
    """
    fake = ops.mean(ops.square(judgement_of_output))
    real = ops.mean(ops.square(1 - judgement_of_truth))
    return {
        "total": 0.5 * (fake + real),
        "discriminator_fake": ops.mean(judgement_of_output),
        "discriminator_real": ops.mean(judgement_of_truth),
    }


def _window_average(moments):
    """Average (4, B, Y, X, C) over the Gaussian window, where it fits: (4, B, Y - 10, X - 10, C)."""
    _, _, height, width, channels = moments.shape
    if channels == 1:
        flat = ops.reshape(moments, (4, -1, height, width))
    else:
        flat = ops.transpose(moments, (0, 1, 4, 2, 3))
        flat = ops.reshape(flat, (4, -1, height, width))
    flat = ops.tensordot(flat, _window_matrix(width), axes=((3,), (1,)))  # (4, B C, Y, X - 10)
    flat = ops.tensordot(flat, _window_matrix(height), axes=((2,), (1,)))  # (4, B C, X - 10, Y - 10)
    flat = ops.reshape(flat, (4, -1, channels, width - WINDOW_PX + 1, height - WINDOW_PX + 1))
    return ops.transpose(flat, (0, 1, 4, 3, 2))


@functools.cache
def _window_matrix(side_px):
    """Matrix (side - 10, side) whose product with a line of pixels is its Gaussian-weighted average."""
    taps = np.exp(-0.5 * np.square((np.arange(WINDOW_PX) - WINDOW_PX // 2) / WINDOW_SIGMA_PX))
    rows = np.arange(side_px - WINDOW_PX + 1)[:, None]
    matrix = np.zeros((len(rows), side_px), np.float32)
    matrix[rows, rows + np.arange(WINDOW_PX)] = taps / taps.sum()
    return matrix


def _halve(images):
    """Average 2 x 2 pixels; a last odd line is doubled first, as in TensorFlow."""
    odd_y, odd_x = images.shape[1] % 2, images.shape[2] % 2
    if odd_y or odd_x:
        images = ops.pad(images, [(0, 0), (0, odd_y), (0, odd_x), (0, 0)], mode="symmetric")
    return ops.average_pool(images, 2, strides=2, padding="valid")
