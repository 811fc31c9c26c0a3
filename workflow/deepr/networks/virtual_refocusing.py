"""Refocusing an image onto a plane or surface of one's choice with a trained Deep-Z network.

Apart from `deepr.networks.blind_refocusing`, so that a change here does not repeat the blind tests of Deep-R.
"""

import numpy as np

from deepr.networks.generator import SIZE_MULTIPLE
from deepr.networks.virtual_pairs import DPM_UNIT_UM


def virtually_refocus(image, dpm_um, generator):
    """Propagate an image by a given distance, or onto a given surface.

    Parameters
    ----------
    image : (Y, X) ndarray
        At least 32 px high and wide, any real dtype.
    dpm_um : float or (Y, X) ndarray
        Digital propagation matrix: at each pixel the z wanted minus the z of the image, in um.
    generator : keras.Model
        Deep-Z network, from `deepr.networks.generator.load_generator`.

    Returns
    -------
    (Y, X) ndarray of float32
        mean(image) + std(image) x the generator's output; not radiometric, as `inference.refocus`.

    Raises
    ------
    ValueError
        If the generator takes no DPM, or image or DPM have another shape, are not finite, or the image is
        constant.

    Notes
    -----
    The image is normalised by its mean and deviation, as for Deep-R. The released Deep-Z plug-in subtracts
    the median and divides by a percentile of the foreground instead. Sides that are no multiple of 32 are
    continued by reflection.
    """
    image, dpm_um = np.asarray(image), np.asarray(dpm_um)
    if dpm_um.ndim and dpm_um.shape != image.shape:
        raise ValueError(f"dpm_um has shape {dpm_um.shape}, wanted one number or the image's shape {image.shape}")
    return propagate_through(image, [dpm_um], generator)[0]


def propagate_through(image, dpms_um, generator, at_once=4):
    """Propagate one image by many DPMs.

    Parameters
    ----------
    image : (Y, X) ndarray
    dpms_um : (N,) or (N, Y, X) array_like
        Distances or maps, see `virtually_refocus`.
    generator : keras.Model
    at_once : int
        Images that are computed together.

    Returns
    -------
    (N, Y, X) ndarray of float32
    """
    image = np.asarray(image)
    if generator.input_shape[-1] != 2 or generator.output_shape[-1] != 1:
        raise ValueError(
            f"the generator goes from {generator.input_shape[-1]} to {generator.output_shape[-1]} channels, wanted a "
            f"Deep-Z network from 2 (image and DPM) to 1"
        )
    if image.ndim != 2 or min(image.shape) < SIZE_MULTIPLE:
        raise ValueError(f"image has shape {image.shape}, wanted (Y, X) of at least {SIZE_MULTIPLE} px on each side")
    mean, deviation = image.mean(dtype=np.float64), image.std(dtype=np.float64)
    if not (np.isfinite(mean) and np.isfinite(deviation)) or deviation <= 1e-12 * abs(mean):
        raise ValueError(f"image has mean {mean:g} and deviation {deviation:g}, wanted finite pixels that vary")
    dpms_um = np.asarray(dpms_um, dtype=np.float64)
    if not np.isfinite(dpms_um).all():
        raise ValueError("dpm_um holds NaN or infinity, wanted a finite distance at every pixel")
    height, width = image.shape
    padding = [(0, -height % SIZE_MULTIPLE), (0, -width % SIZE_MULTIPLE)]
    normalised = np.pad((image - mean) / deviation, padding, mode="reflect")
    # XLA, which Keras might choose, takes three times as long for convolutions on a CPU.
    generator.jit_compile = False
    outputs = np.empty((len(dpms_um), height, width), np.float32)
    for first in range(0, len(dpms_um), at_once):
        batch = []
        for dpm_um in dpms_um[first : first + at_once]:
            dpm = np.pad(np.broadcast_to(dpm_um, image.shape) / DPM_UNIT_UM, padding, mode="reflect")
            batch.append(np.stack([normalised, dpm], axis=-1))
        propagated = np.asarray(generator.predict_on_batch(np.asarray(batch, np.float32)))
        outputs[first : first + at_once] = mean + deviation * propagated[:, :height, :width, 0]
    return outputs
