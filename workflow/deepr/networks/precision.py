"""Networks that compute in bfloat16: half the bits of float32, and faster where the processor has such instructions."""

import logging
from pathlib import Path

import keras

FLOAT32, BFLOAT16 = PRECISIONS = ("float32", "bfloat16")
PROCESSOR_FLAGS = {"avx512_bf16", "amx_bf16"}
PROCESSOR_FILE = Path("/proc/cpuinfo")

log = logging.getLogger(__name__)


def with_precision(generator, precision):
    """Give a generator that computes in another precision.

    Parameters
    ----------
    generator : keras.Model
        From `deepr.networks.generator.build_generator`, or loaded. Its weights are float32, and the copy's too.
    precision : {"float32", "bfloat16"}
        Of all layers but the last, which computes in float32 in any case.

    Returns
    -------
    keras.Model
        The generator itself if it computes so already, otherwise a copy with its weights.

    Raises
    ------
    ValueError
        If there is no such precision.

    Notes
    -----
    A bfloat16 has the range of a float32 and three digits in decimals. A trained generator's output changes by 0.3 to
    0.6 % of the image's standard deviation (root mean square): little beside its distance from the truth.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}, wanted {' or '.join(PRECISIONS)}")
    *layers, last = generator.layers
    if all(layer.compute_dtype == precision for layer in layers if layer.weights):
        return generator

    def copy(layer):
        policy = f"mixed_{BFLOAT16}" if precision == BFLOAT16 and layer is not last else FLOAT32
        return type(layer).from_config({**layer.get_config(), "dtype": policy})

    changed = keras.models.clone_model(generator, clone_function=copy)
    changed.set_weights(generator.get_weights())
    return changed


def available_precision(wanted):
    """Give the precision that is wanted if this machine is known to be fast in it, otherwise float32.

    Parameters
    ----------
    wanted : {"float32", "bfloat16"}

    Returns
    -------
    str
        bfloat16 only if it is wanted, the processor has instructions for it (AVX-512 BF16, AMX) and no GPU does its
        work: not every GPU has them. What is not as wanted is said in the log.

    Notes
    -----
    To look for a GPU sets up Keras' backend, so the number of threads has to be fixed before.
    """
    if wanted == BFLOAT16 and not (has_bfloat16() and not keras.distribution.list_devices("gpu")):
        log.info("bfloat16 is for processors that have it, without a GPU; here float32 is taken")
        return FLOAT32
    return wanted


def has_bfloat16():
    """Tell whether this machine's processor has instructions for bfloat16; no where its flags cannot be read."""
    if not PROCESSOR_FILE.is_file():
        return False
    flags = [line for line in PROCESSOR_FILE.read_text().splitlines() if line.startswith("flags")]
    return any(not PROCESSOR_FLAGS.isdisjoint(line.split()) for line in flags)
