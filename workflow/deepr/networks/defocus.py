"""Maps of defocus of images of any size: the decoder in tiles, as `deepr.networks.blind_refocusing` refocuses."""

from pathlib import Path

import keras
import numpy as np
from keras import layers

from deepr.metrics import normalise
from deepr.network_folders import name_of_generator, name_of_network, read_config
from deepr.networks.blind_refocusing import TILE_OVERLAP_PX, WHOLE_IMAGE_PIXELS, refocus_stack
from deepr.networks.decoder import build_features, load_decoder
from deepr.networks.generator import weights_hash
from deepr.networks.virtual_pairs import DPM_UNIT_UM
from deepr.tables import InputError


def load_decoder_of(network, decoder, generator):
    """Load a decoder that was trained on a given network.

    Parameters
    ----------
    network, decoder : str or Path
        Folders of the Deep-R network and of the decoder, as their trainings wrote them.
    generator : keras.Model
        The network as it was loaded; its weights must be those that the decoder's training read.

    Returns
    -------
    keras.Model

    Raises
    ------
    InputError
        If there is no decoder, or it was trained on another network, or on other weights of it.
    """
    model = load_decoder(decoder)
    wanted, found = name_of_network(network), name_of_generator(decoder)
    if found != wanted:
        raise InputError(
            f"{Path(decoder)}: found a decoder of the network '{found}', wanted one of '{wanted}' ({network})"
        )
    read = read_config(decoder).get("generator_sha256")
    own = weights_hash(generator)
    if read and read != own:
        raise InputError(
            f"{Path(decoder)}: found a decoder of other weights of '{wanted}' ({read[:8]}...), wanted one of its"
            f" present ones ({own[:8]}...): train the decoder again"
        )
    return model


def join(generator, decoder):
    """Join a generator's frozen half and the decoder that reads it into one network, from image to map.

    Parameters
    ----------
    generator : keras.Model
        From `deepr.networks.generator.load_generator`.
    decoder : keras.Model
        From `load_decoder_of`.

    Returns
    -------
    keras.Model
        (B, Y, X, C) to the defocus in units of 10 um, (B, Y, X, C): the same map in each channel, so that it
        can stand in a generator's place. It sees as far around a pixel as the generator does.

    Raises
    ------
    InputError
        If the decoder reads features of other widths.
    """
    features = build_features(generator)
    found = [output.shape[-1] for output in features.outputs]
    wanted = [tensor.shape[-1] for tensor in decoder.inputs]
    if found != wanted:
        raise InputError(f"the decoder reads features of {wanted} channels, the network's have {found}")
    output, channels = decoder(features.outputs), generator.input_shape[-1]
    return keras.Model(generator.input, layers.Concatenate()([output] * channels) if channels > 1 else output)


def map_defocus(images, network, max_pixels=WHOLE_IMAGE_PIXELS, overlap_px=TILE_OVERLAP_PX):
    """Estimate how far each pixel of images of any size is out of focus.

    Parameters
    ----------
    images : (N, Y, X) or (N, Y, X, 3) ndarray
        For example the planes of a stack, of the kind that the network was trained with.
    network : keras.Model
        From `join`.
    max_pixels, overlap_px
        As for `deepr.networks.blind_refocusing.refocus`; larger images are cut into tiles.

    Returns
    -------
    (N, Y, X) ndarray of float32
        Defocus in um: z of the image minus z of focus, at each pixel.

    Raises
    ------
    ValueError
        If an image is of another kind than the network's, too small, constant or not finite.

    Notes
    -----
    `deepr.networks.decoder.defocus_maps` looks at images as a whole, and both agree where they are not cut. An
    image that is normalised already comes back from `refocus_stack` on the network's own scale.
    """
    normalised = np.stack([normalise(image) for image in images])
    maps = refocus_stack(normalised, network, max_pixels, overlap_px)
    return DPM_UNIT_UM * (maps[..., 0] if maps.ndim == 4 else maps)
