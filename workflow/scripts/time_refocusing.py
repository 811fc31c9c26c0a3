"""Time Deep-R on the area of a whole camera frame, patch by patch and as a whole."""

import time

import deepr.networks  # noqa: F401  before TensorFlow, whose set-up it chooses
import numpy as np
import pandas as pd
import tensorflow as tf
from deepr.autofocus import CAMERA_PX, FRAME_AREA_MM2
from deepr.networks.blind_refocusing import refocus, refocus_stack
from deepr.networks.generator import load_generator
from deepr.networks.precision import BFLOAT16, FLOAT32, has_bfloat16, with_precision
from deepr.networks.reproducibility import fix_threads
from deepr.runtime import logged
from deepr.tables import write_table

PATCH_PX = 512


def measure(generator_path, repeats, threads, times_path):
    """Write one row per way of refocusing a frame and repetition.

    On the processor, there in bfloat16 too if it has it, and on a GPU if there is one. The one patch is repeated as
    often as the frame has patches, for its times spread more.
    """
    fix_threads(threads)
    generator = load_generator(generator_path)
    frame = np.random.default_rng(0).integers(100, 4000, (CAMERA_PX, CAMERA_PX)).astype(np.uint16)
    side = CAMERA_PX // PATCH_PX
    patches = frame.reshape(side, PATCH_PX, side, PATCH_PX).swapaxes(1, 2).reshape(-1, PATCH_PX, PATCH_PX)
    ways = {
        "patches": lambda network: refocus_stack(patches, network),
        "frame": lambda network: refocus(frame, network),
        "one patch": lambda network: refocus(patches[0], network),
    }
    computers = [("CPU", FLOAT32)]
    computers += [("CPU", BFLOAT16)] if has_bfloat16() else []
    computers += [("GPU", FLOAT32)] if tf.config.list_physical_devices("GPU") else []
    rows = []
    for device, precision in computers:
        network = with_precision(generator, precision)
        with tf.device(f"/{device}:0"):
            for way, function in ways.items():
                function(network)
                for repeat in range(repeats * (side**2 if way == "one patch" else 1)):
                    started = time.perf_counter()
                    function(network)
                    seconds = time.perf_counter() - started
                    area_mm2 = FRAME_AREA_MM2 / (side**2 if way == "one patch" else 1)
                    place = {"device": device, "precision": precision, "threads": threads, "way": way}
                    rows.append({**place, "repeat": repeat, "seconds": seconds, "seconds_per_mm2": seconds / area_mm2})
    write_table(pd.DataFrame(rows), times_path)


if __name__ == "__main__":
    with logged(snakemake):
        measure(
            generator_path=snakemake.input.generator,
            repeats=snakemake.params.repeats,
            threads=snakemake.threads,
            times_path=snakemake.output[0],
        )
