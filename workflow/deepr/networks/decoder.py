"""The defocus decoder: reads off a trained Deep-R network how far each pixel is out of focus."""

import zipfile
import zlib
from pathlib import Path

import keras
import numpy as np
from keras import layers

from deepr.networks.generator import DOWN_SAMPLINGS, SIZE_MULTIPLE, initial_seeds, initializers
from deepr.networks.virtual_pairs import DPM_UNIT_UM
from deepr.tables import InputError


def build_features(generator):
    """Give the frozen half of a trained generator: what its down-sampling path hands to the up-sampling path.

    Parameters
    ----------
    generator : keras.Model
        Deep-R network, from `deepr.networks.generator.load_generator`.

    Returns
    -------
    keras.Model
        (B, Y, X, C) to a list of the five skips, finest first, and the bottleneck. It shares the
        generator's layers, which are set not to be trained.
    """
    generator.trainable = False
    outputs = [generator.get_layer(f"down{level}_add").output for level in range(DOWN_SAMPLINGS + 1)]
    return keras.Model(generator.input, outputs, name="features")


def measure_features(features, images, at_once=5):
    """Measure the mean and the variance of every channel that the decoder reads.

    Parameters
    ----------
    features : keras.Model
        From `build_features`.
    images : (N, Y, X, C) ndarray of float32
        Normalised images.
    at_once : int
        Images that are computed together.

    Returns
    -------
    list of (ndarray, ndarray)
        Of each output of `features`: means and variances over images and pixels, (channels,) each, float64.
    """
    sums = [np.zeros((2, output.shape[-1])) for output in features.outputs]
    for first in range(0, len(images), at_once):
        outputs = features.predict_on_batch(images[first : first + at_once])
        for level, output in zip(sums, outputs, strict=True):
            output = np.asarray(output, np.float64)
            level += len(output) * np.stack([output.mean((0, 1, 2)), np.square(output).mean((0, 1, 2))])
    moments = [level / len(images) for level in sums]
    return [(mean, np.maximum(square - mean**2, 0)) for mean, square in moments]


def build_decoder(features, statistics=None, seed=None):
    """Build the decoder, with random weights: the up-sampling path of the generator, and one output channel.

    Parameters
    ----------
    features : keras.Model
        From `build_features`; only the channels of its outputs are used.
    statistics : list of (ndarray, ndarray), optional
        From `measure_features`: the decoder brings every channel that it reads to zero mean and unit variance
        by these constants. Without it the features are taken as they are.
    seed : int, optional
        Seed of the initial weights; without it they differ at every call.

    Returns
    -------
    keras.Model
        The features to a map (B, Y, X, 1), the defocus in units of 10 um.

    Notes
    -----
    The paper: "a separate decoder with the same structure of the up-sampling path". What it reads is not
    stated; here the bottleneck and the skips, as the up-sampling path itself does. The frozen features
    differ in scale by a factor of a hundred, and a decoder that reads them as they are learns nothing in
    thousands of steps. A channel that hardly varies (a deviation of less than 3 % of the level's largest)
    is not blown up beyond that.
    """
    seeds = initial_seeds(seed)
    skips = [keras.Input((None, None, output.shape[-1]), name=f"level{i}") for i, output in enumerate(features.outputs)]
    inputs = skips
    if statistics is not None:
        skips = [
            layers.Normalization(mean=mean, variance=np.maximum(variance, 1e-3 * variance.max()), name=f"scale{level}")(
                x
            )
            for level, (x, (mean, variance)) in enumerate(zip(inputs, statistics, strict=True))
        ]
    x = skips[-1]
    for level in reversed(range(DOWN_SAMPLINGS)):
        width = skips[level].shape[-1]
        up = layers.Conv2DTranspose(
            width, 3, strides=2, padding="same", name=f"up{level}_transpose", **initializers(seeds)
        )(x)
        block = layers.Concatenate(name=f"up{level}_join")([up, skips[level]])
        for number, channels in ((1, width * 3 // 2), (2, width)):
            name = f"up{level}_conv{number}"
            block = layers.Conv2D(channels, 3, padding="same", activation="relu", name=name, **initializers(seeds))(
                block
            )
        x = layers.Add(name=f"up{level}_add")([block, up])  # (B, Y / 2**level, X / 2**level, width)
    output = layers.Conv2D(1, 3, padding="same", name="output", **initializers(seeds))(x)
    return keras.Model(inputs, output, name="decoder")


def load_decoder(path):
    """Load a trained decoder, without running any code that came with it.

    Parameters
    ----------
    path : str or Path
        A network's folder, or its ``decoder.keras``.

    Returns
    -------
    keras.Model

    Raises
    ------
    InputError
        If there is no such file or it is no decoder.
    """
    path = Path(path)
    file = path / "decoder.keras" if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"{file}: no such file, wanted a trained decoder (decoder.keras)")
    try:
        decoder = keras.saving.load_model(file, compile=False, safe_mode=True)
    except (ValueError, OSError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{file}: not a decoder as this workflow saves it ({error})") from error
    if len(decoder.inputs) != DOWN_SAMPLINGS + 1:
        raise InputError(f"{file}: a network with {len(decoder.inputs)} inputs, wanted {DOWN_SAMPLINGS + 1}")
    return decoder


def defocus_map(image, generator, decoder):
    """Estimate how far each pixel of an image is out of focus.

    Parameters
    ----------
    image : (Y, X) or (Y, X, 3) ndarray
        At least 32 px high and wide, any real dtype, of the kind that the generator was trained with.
    generator : keras.Model
        The Deep-R network that the decoder was trained on.
    decoder : keras.Model
        From `load_decoder`.

    Returns
    -------
    (Y, X) ndarray of float32
        Defocus in um: z of the image minus z of focus, at each pixel.

    Raises
    ------
    ValueError
        If the image is of another kind than the generator's, too small, constant or not finite, or the
        decoder belongs to another generator.

    Notes
    -----
    The image is normalised by its own mean and deviation, as for Deep-R, and looked at as a whole; sides
    that are no multiple of 32 are continued by reflection. Where there is no structure there is nothing to
    read a defocus off: the map then goes to what is most likely over the training range.
    """
    return defocus_maps(np.asarray(image)[None], generator, decoder)[0]


def defocus_maps(images, generator, decoder, at_once=4):
    """Estimate the defocus of many images of one size; see `defocus_map`.

    Parameters
    ----------
    images : (N, Y, X) or (N, Y, X, 3) ndarray
        For example the planes of a stack.
    generator, decoder : keras.Model
    at_once : int
        Images that are computed together.

    Returns
    -------
    (N, Y, X) ndarray of float32
        In um.
    """
    channels = generator.input_shape[-1]
    if images.ndim not in (3, 4) or (images.shape[3] if images.ndim == 4 else 1) != channels:
        wanted = "(Y, X)" if channels == 1 else f"(Y, X, {channels})"
        raise ValueError(f"image has shape {images.shape[1:]}, wanted {wanted}, as the generator was trained")
    if min(images.shape[1:3]) < SIZE_MULTIPLE:
        raise ValueError(f"image has shape {images.shape[1:]}, wanted at least {SIZE_MULTIPLE} px on each side")
    features = build_features(generator)
    found = [output.shape[-1] for output in features.outputs]
    wanted = [tensor.shape[-1] for tensor in decoder.inputs]
    if found != wanted:
        raise ValueError(f"the decoder reads features of {wanted} channels, the generator's have {found}")
    height, width = images.shape[1:3]
    padding = [(0, -height % SIZE_MULTIPLE), (0, -width % SIZE_MULTIPLE), (0, 0)]
    for model in (features, decoder):
        model.jit_compile = False
    maps = np.empty(images.shape[:3], np.float32)
    for first in range(0, len(images), at_once):
        batch = [_normalised(image).reshape(height, width, channels) for image in images[first : first + at_once]]
        padded = np.stack([np.pad(image, padding, mode="reflect") for image in batch])
        output = np.asarray(decoder.predict_on_batch(features.predict_on_batch(padded)))
        maps[first : first + at_once] = DPM_UNIT_UM * output[:, :height, :width, 0]
    return maps


def _normalised(image):
    mean, deviation = image.mean(dtype=np.float64), image.std(dtype=np.float64)
    if not (np.isfinite(mean) and np.isfinite(deviation)):
        raise ValueError("image holds NaN or infinity, wanted finite pixels")
    if deviation <= 1e-12 * abs(mean):
        raise ValueError(f"image is constant, {mean:g}, wanted one that varies")
    return ((image - mean) / deviation).astype(np.float32)
