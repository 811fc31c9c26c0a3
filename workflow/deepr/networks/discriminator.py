"""The discriminator: a convolutional network that tells focused images from the generator's."""

import keras
from keras import layers

from deepr.networks.generator import initial_seeds, initializers

BLOCKS = 6
NEGATIVE_SLOPE = 0.01


def build_discriminator(base_channels, image_channels=1, seed=None):
    """Build the discriminator, with random weights.

    Six blocks of two 3 x 3 convolutions, the second with stride 2 and twice the channels, each followed
    by a leaky ReLU of slope 0.01; then the average over the image, a fully connected layer of
    64 x `base_channels` with leaky ReLU, and one with a sigmoid.

    Parameters
    ----------
    base_channels : int
        Channels of the first convolution; they double at each block.
    image_channels : int
        Channels of the image: 1, or 3 in colour.
    seed : int, optional
        Seed of the initial weights; without it they differ at every call.

    Returns
    -------
    keras.Model
        (B, Y, X, image_channels) to (B, 1): the probability that the image is a focused one and not the
        generator's.

    Notes
    -----
    After the discriminator of Deep-Z, Wu et al., Nat. Methods 16, 1323 (2019), with its width scaled.

    The Deep-R paper says that "the weights for the fully connected layers were initialized to 0.1".
    Taken literally all units of a layer are equal, the output is exactly 1 in float32 and every gradient
    exactly 0, so that neither network would learn from the other. Read here as the biases: kernels start
    as those of the convolutions do (Glorot) and all biases from 0.1, as in Deep-Z's released graphs.
    """
    if base_channels < 1:
        raise ValueError(f"base_channels must be positive, not {base_channels}")
    seeds = initial_seeds(seed)
    x = inputs = keras.Input((None, None, image_channels))
    for block in range(BLOCKS):
        width = base_channels * 2**block
        x = layers.Conv2D(width, 3, padding="same", name=f"block{block}_conv1", **initializers(seeds))(x)
        x = layers.LeakyReLU(NEGATIVE_SLOPE, name=f"block{block}_relu1")(x)
        x = layers.Conv2D(2 * width, 3, strides=2, padding="same", name=f"block{block}_conv2", **initializers(seeds))(x)
        x = layers.LeakyReLU(NEGATIVE_SLOPE, name=f"block{block}_relu2")(x)  # (B, Y / 2**(block + 1), ...)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.Dense(base_channels * 2**BLOCKS, name="dense1", **initializers(seeds))(x)
    x = layers.LeakyReLU(NEGATIVE_SLOPE, name="dense1_relu")(x)
    outputs = layers.Dense(1, activation="sigmoid", name="dense2", **initializers(seeds))(x)
    return keras.Model(inputs, outputs, name="discriminator")
