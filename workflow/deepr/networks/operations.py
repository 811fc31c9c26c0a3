"""How many floating-point operations the networks take, counted on the networks as they are built."""

from functools import cache

from deepr.networks.description import describe_network

# A gradient by the weights costs as much as the forward pass, and so does one by the layer's input.
FORWARD, WITH_GRADIENTS, THROUGH = 1, 3, 2


def operations_of_layers(model):
    """Count the operations of each layer per pixel of the input image.

    Parameters
    ----------
    model : keras.Model
        As for `deepr.networks.description.describe_network`.

    Returns
    -------
    pandas.Series
        Floating-point operations, two for each product that is added, by name of the layer. Only convolutions
        count: they are more than 99 % of both networks. Dense layers see one value per channel and image.
    """
    layers = describe_network(model).set_index("layer")
    layers = layers[layers["kind"].str.startswith("Conv2D")]
    products = layers["parameters"] - layers["channels"]
    # A transposed convolution is applied at each pixel of its smaller input.
    levels = layers["level"].astype(int) + layers["kind"].eq("Conv2DTranspose")
    return 2.0 * products / 4.0**levels


@cache
def operations_per_pixel(base_channels, discriminator_channels, input_channels, output_channels):
    """Count the operations of one forward pass per pixel of the image.

    Parameters
    ----------
    base_channels, discriminator_channels : int
        Width of generator and discriminator.
    input_channels, output_channels : int
        Of the generator; the discriminator sees its output.

    Returns
    -------
    dict of float
        ``generator``, ``down`` (its down-sampling half, which a decoder reads), ``up`` (the other half, whose
        structure a decoder has) and ``discriminator``.
    """
    from deepr.networks.discriminator import build_discriminator
    from deepr.networks.generator import build_generator

    generator = operations_of_layers(build_generator(base_channels, input_channels, output_channels, seed=0))
    discriminator = operations_of_layers(build_discriminator(discriminator_channels, output_channels, seed=0))
    down = generator[generator.index.str.startswith("down")].sum()
    return {
        "generator": float(generator.sum()),
        "down": float(down),
        "up": float(generator.sum() - down),
        "discriminator": float(discriminator.sum()),
    }


def operations_of_training(kind, settings, image_channels=1):
    """Count the operations of a whole training.

    Parameters
    ----------
    kind : {"deepr", "deepz", "decoder"}
    settings : dict
        As `deepr.networks.training.train_network`, `deepr.networks.deepz_training.train_deepz` and
        `deepr.networks.decoder_training.train_decoder` take them.
    image_channels : int
        1, or 3 for images in colour.

    Returns
    -------
    float
        Floating-point operations, validations and pilot included; losses and optimisers, which take less than a
        hundredth, are not.

    Notes
    -----
    Per image of a batch a generator's update runs generator and discriminator forward, the gradient through the
    discriminator and those of the generator; a discriminator's update runs it on two images, forward and backward.
    """
    inputs = image_channels + (kind == "deepz")
    passes = operations_per_pixel(settings["base_channels"], settings["discriminator_channels"], inputs, image_channels)
    if kind == "decoder":
        step = FORWARD * passes["down"] + WITH_GRADIENTS * passes["up"]
        pilot_step, look = 0.0, passes["generator"]
    else:
        generator_updates = settings["generator_updates_per_batch"]
        discriminator_updates = settings["discriminator_updates_per_batch"]
        pilot_step = generator_updates * WITH_GRADIENTS * passes["generator"]
        step = pilot_step + discriminator_updates * 2 * WITH_GRADIENTS * passes["discriminator"]
        step += generator_updates * THROUGH * passes["discriminator"]
        look = FORWARD * passes["generator"]
    pilot_iterations = settings["pilot_iterations"] if kind == "deepr" else 0
    validations = (settings["iterations"] + pilot_iterations) / settings["validation_interval"]
    images_per_iteration = settings["batches_per_iteration"] * settings["batch_size"]
    images = images_per_iteration * (settings["iterations"] * step + pilot_iterations * pilot_step)
    return settings["crop_px"] ** 2 * (images + validations * settings["validation_pairs"] * look)
