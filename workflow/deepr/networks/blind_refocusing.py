"""Refocusing an image of any size with a trained generator."""

import math

import keras
import numpy as np

from deepr.networks.generator import SIZE_MULTIPLE

WHOLE_IMAGE_PIXELS = 2048 * 2048
TILE_OVERLAP_PX = 384
MOST_AT_ONCE = 8


def refocus(image, generator, max_pixels=WHOLE_IMAGE_PIXELS, overlap_px=TILE_OVERLAP_PX):
    """Refocus a defocused image.

    Parameters
    ----------
    image : (Y, X) or (Y, X, 3) ndarray
        At least 32 px high and wide, any real dtype; with as many channels as the generator was trained
        with.
    generator : keras.Model
        From `deepr.networks.generator.load_generator`.
    max_pixels : int
        Largest image that is refocused as a whole; a larger one is cut into overlapping tiles of at most
        so many pixels. About 200 bytes of memory are needed per pixel at 8 base channels.
    overlap_px : int
        Overlap of neighbouring tiles, a multiple of 32, at least 256.

    Returns
    -------
    (Y, X) or (Y, X, 3) ndarray of float32
        mean(image) + std(image) x the generator's output. It is NOT radiometric: the network sees images
        and ground truths normalised each by itself, so the focused image's own mean and contrast are not
        known, and the input's are put in their place.

    Raises
    ------
    ValueError
        If the image is of another kind than the generator's, too small, constant or not finite.

    Notes
    -----
    Sides that are no multiple of 32 are continued by reflection at the bottom and the right. Tiles begin
    at multiples of 32, as the generator's down-sampling demands, are all of one size, and give way to each
    other gradually in the middle of their overlap, where neither is touched by its own border: the
    generator's output depends on at most 250 px to each side, and hardly on what is beyond 130.
    """
    return refocus_stack(np.asarray(image)[None], generator, max_pixels, overlap_px)[0]


def refocus_stack(images, generator, max_pixels=WHOLE_IMAGE_PIXELS, overlap_px=TILE_OVERLAP_PX):
    """Refocus many images of one size, each by itself, faster than one by one.

    On a CPU a batch of one is computed by one thread alone; here up to eight images, as `max_pixels` allows,
    are computed at once.

    Parameters
    ----------
    images : (N, Y, X) or (N, Y, X, 3) ndarray
        For example the planes of a stack.
    generator, max_pixels, overlap_px
        As for `refocus`, with which the images agree up to rounding.

    Returns
    -------
    ndarray of float32
        Of the same shape.

    Raises
    ------
    ValueError
        As `refocus`.
    """
    channels = generator.input_shape[-1]
    if images.ndim not in (3, 4) or (images.shape[3] if images.ndim == 4 else 1) != channels:
        wanted = "(Y, X)" if channels == 1 else f"(Y, X, {channels})"
        raise ValueError(f"image has shape {images.shape[1:]}, wanted {wanted}, as the generator was trained")
    if min(images.shape[1:3]) < SIZE_MULTIPLE:
        raise ValueError(f"image has shape {images.shape[1:]}, wanted at least {SIZE_MULTIPLE} px on each side")
    if overlap_px < 256 or overlap_px % SIZE_MULTIPLE:
        raise ValueError(f"overlap_px is {overlap_px}, wanted a multiple of {SIZE_MULTIPLE} from 256 on")
    height, width = images.shape[1:3]
    padding = [(0, -height % SIZE_MULTIPLE), (0, -width % SIZE_MULTIPLE), (0, 0)]
    pixels = (height + padding[0][1]) * (width + padding[1][1])
    at_once = max(1, min(MOST_AT_ONCE, max_pixels // pixels))
    outputs = np.empty(images.shape, np.float32)
    for first in range(0, len(images), at_once):
        batch = images[first : first + at_once]
        scales = [_scale(image) for image in batch]
        normalised = np.stack(
            [
                np.pad((image.reshape(height, width, channels) - mean) / deviation, padding, mode="reflect")
                for image, (mean, deviation) in zip(batch, scales, strict=True)
            ]
        ).astype(np.float32)
        if pixels <= max_pixels:
            refocused = refocus_normalised(normalised, generator)
        else:
            refocused = _refocus_tiles(normalised[0], generator, max_pixels, overlap_px)[None]
        for output, image, (mean, deviation) in zip(outputs[first : first + at_once], refocused, scales, strict=True):
            output[:] = (mean + deviation * image[:height, :width].astype(np.float64)).reshape(output.shape)
    return outputs


def refocus_normalised(images, generator):
    """Run the generator on images that are normalised already.

    Parameters
    ----------
    images : (B, Y, X, C) ndarray of float32
        Zero mean and unit variance each; Y and X multiples of 32. Many images of one size are faster in
        one call than one by one.
    generator : keras.Model

    Returns
    -------
    (B, Y, X, C) ndarray of float32
    """
    # TensorFlow's XLA, which Keras might choose, takes three times as long for convolutions on a CPU; JAX compiles with
    # XLA or not at all.
    generator.jit_compile = keras.config.backend() == "jax"
    return np.asarray(generator.predict_on_batch(images))


def _scale(image):
    """Give an image's mean and deviation; the channels of an image in colour share them."""
    mean, deviation = image.mean(dtype=np.float64), image.std(dtype=np.float64)
    if not (np.isfinite(mean) and np.isfinite(deviation)):
        raise ValueError("image holds NaN or infinity, wanted finite pixels")
    if deviation <= 1e-12 * abs(mean):
        raise ValueError(f"image is constant, {mean:g}, wanted one that varies")
    return mean, deviation


def _refocus_tiles(image, generator, max_pixels, overlap_px):
    """Refocus (Y, X, C) tile by tile and blend; Y and X are multiples of 32."""
    side = int(math.sqrt(max_pixels)) // SIZE_MULTIPLE * SIZE_MULTIPLE
    if side < 2 * overlap_px:
        raise ValueError(
            f"max_pixels is {max_pixels}, wanted at least {4 * overlap_px**2} for tiles that overlap by {overlap_px} px"
        )
    # A side that fits into one tile leaves more pixels to the other
    height = min(image.shape[0], side)
    width = min(image.shape[1], max_pixels // height // SIZE_MULTIPLE * SIZE_MULTIPLE)
    height = min(image.shape[0], max_pixels // width // SIZE_MULTIPLE * SIZE_MULTIPLE)
    output = np.zeros((*image.shape[:2], generator.output_shape[-1]), np.float32)
    for y, y_weight in _tile_weights(image.shape[0], height, overlap_px):
        for x, x_weight in _tile_weights(image.shape[1], width, overlap_px):
            tile = refocus_normalised(image[None, y : y + height, x : x + width], generator)[0]
            output[y : y + height, x : x + width] += tile * (y_weight[:, None] * x_weight)[:, :, None]
    return output


def _tile_weights(length, tile, overlap):
    """Give each tile's origin along one axis and its weights, which sum to one at every pixel."""
    origins = sorted({min(origin, length - tile) for origin in range(0, length - overlap, tile - overlap)})
    weights = []
    for number, origin in enumerate(origins):
        weight = np.ones(tile, np.float32)
        if number > 0:
            rise = _rise(origins[number - 1] + tile - origin)
            weight[: len(rise)] *= rise
        if number < len(origins) - 1:
            fall = 1 - _rise(origin + tile - origins[number + 1])
            weight[tile - len(fall) :] *= fall
        weights.append((origin, weight))
    return weights


def _rise(overlap):
    """Go from 0 to 1 over the middle eighth of an overlap."""
    position = (np.arange(overlap) + 0.5) / overlap
    return np.clip((position - 0.5) * 8 + 0.5, 0, 1).astype(np.float32)
