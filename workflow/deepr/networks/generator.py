"""The generator: a U-net with residual blocks that turns a defocused image into a focused one."""

import hashlib
import zipfile
import zlib
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from deepr.tables import InputError

DOWN_SAMPLINGS = 5
SIZE_MULTIPLE = 2**DOWN_SAMPLINGS


@keras.saving.register_keras_serializable(package="deepr")
class ZeroPaddedSkip(layers.Layer):
    """Add a residual that has fewer channels: the missing ones, after its last, count as zero.

    A layer of its own rather than a `Lambda`, so that a saved generator loads in Keras' safe mode.
    """

    def call(self, inputs):
        """Add `inputs[1]` of shape (B, Y, X, C) to `inputs[0]` of shape (B, Y, X, D), D >= C."""
        block, skip = inputs
        missing = block.shape[-1] - skip.shape[-1]
        return block + ops.pad(skip, [(0, 0), (0, 0), (0, 0), (0, missing)])

    def compute_output_shape(self, input_shape):
        """Give the shape of the wider input."""
        return input_shape[0]


def build_generator(base_channels, image_channels=1, output_channels=None, seed=None):
    """Build the generator, with random weights.

    Five down-sampling residual blocks and a bottleneck, then five up-sampling residual blocks joined to
    them by concatenation. Every convolution is 3 x 3 with zero padding; a block's two are followed by
    ReLU, and the residual is added after the second. The last convolution is linear.

    Parameters
    ----------
    base_channels : int
        Channels at full resolution, even; they double at each of the five down-samplings.
    image_channels : int
        Channels of the input: 1 for fluorescence, 3 for brightfield in colour, one more for a map of
        the propagation distance.
    output_channels : int, optional
        Channels of the output; those of the input if not given.
    seed : int, optional
        Seed of the initial weights; without it they differ at every call.

    Returns
    -------
    keras.Model
        (B, Y, X, image_channels) to (B, Y, X, output_channels), float32, normalised units; Y and X any
        multiples of 32.

    Raises
    ------
    ValueError
        If `base_channels` is not even or less than `image_channels`.

    Notes
    -----
    The topology is that of the released Deep-Z generator, Wu et al., Nat. Methods 16, 1323 (2019),
    which has the five down-sampling and five up-sampling blocks of the Deep-R paper and 77,802,908
    parameters at 48 channels and two inputs. Deep-R's own width is not known: 48 channels cannot reach
    the run times that its paper states. Kernels start from a truncated normal distribution (Glorot),
    as the paper says; biases from 0.1, as in Deep-Z.
    """
    if base_channels < max(2, image_channels) or base_channels % 2:
        raise ValueError(
            f"base_channels must be even and at least the {image_channels} of the image, not {base_channels}"
        )
    if output_channels is None:
        output_channels = image_channels
    seeds = initial_seeds(seed)
    widths = [base_channels * 2**level for level in range(DOWN_SAMPLINGS + 1)]

    x = inputs = keras.Input((None, None, image_channels))
    skips = []
    for level, width in enumerate(widths):
        # Deep-Z's first block narrows to 25 of 48 channels, all others widen by a half
        middle = max(1, round(25 * base_channels / 48)) if level == 0 else x.shape[-1] * 3 // 2
        block = _convolution(middle, f"down{level}_conv1", seeds)(x)
        block = _convolution(width, f"down{level}_conv2", seeds)(block)
        x = ZeroPaddedSkip(name=f"down{level}_add")([block, x])  # (B, Y / 2**level, X / 2**level, width)
        if level < DOWN_SAMPLINGS:
            skips.append(x)
            x = layers.MaxPooling2D(2, name=f"down{level}_pool")(x)
    for level in reversed(range(DOWN_SAMPLINGS)):
        width = widths[level]
        up = layers.Conv2DTranspose(
            width, 3, strides=2, padding="same", name=f"up{level}_transpose", **initializers(seeds)
        )(x)
        block = layers.Concatenate(name=f"up{level}_join")([up, skips[level]])
        block = _convolution(width * 3 // 2, f"up{level}_conv1", seeds)(block)
        block = _convolution(width, f"up{level}_conv2", seeds)(block)
        x = layers.Add(name=f"up{level}_add")([block, up])  # (B, Y / 2**level, X / 2**level, width)
    outputs = _convolution(output_channels, "output", seeds, activation=None)(x)
    return keras.Model(inputs, outputs, name="generator")


def initial_seeds(seed):
    """Yield an independent seed for each layer's weights, the same ones for the same `seed`."""
    sequence = np.random.SeedSequence(seed)
    while True:
        yield int(sequence.spawn(1)[0].generate_state(1)[0] >> 1)  # Keras takes signed 32-bit seeds


def initializers(seeds):
    """Give a layer its initial kernel (truncated normal, Glorot) and bias (0.1)."""
    return {
        "kernel_initializer": keras.initializers.GlorotNormal(seed=next(seeds)),
        "bias_initializer": keras.initializers.Constant(0.1),
    }


def _convolution(channels, name, seeds, activation="relu"):
    return layers.Conv2D(channels, 3, padding="same", activation=activation, name=name, **initializers(seeds))


def load_generator(path):
    """Load a trained generator, without running any code that came with it.

    Parameters
    ----------
    path : str or Path
        A network's folder, or its ``generator.keras``.

    Returns
    -------
    keras.Model

    Raises
    ------
    InputError
        If there is no such file or it is no generator.
    """
    path = Path(path)
    file = path / "generator.keras" if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"{file}: no such file, wanted a trained generator (generator.keras)")
    try:
        generator = keras.saving.load_model(
            file, custom_objects={"ZeroPaddedSkip": ZeroPaddedSkip}, compile=False, safe_mode=True
        )
    except (ValueError, OSError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{file}: not a generator as this workflow saves it ({error})") from error
    if len(generator.input_shape) != 4 or len(generator.output_shape) != 4:
        raise InputError(
            f"{file}: a network from {generator.input_shape} to {generator.output_shape}, wanted a generator of images"
        )
    return generator


def weights_hash(model):
    """Give the SHA-256 of a network's weights, in hexadecimal: the same for equal weights, in whatever file."""
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(repr(weight.shape).encode())
        digest.update(weight.tobytes())
    return digest.hexdigest()
