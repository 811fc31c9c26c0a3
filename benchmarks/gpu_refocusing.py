"""Time refocusing on a GPU, with TensorFlow or, as ``KERAS_BACKEND`` says, with JAX: the same Keras network.

Run as ``KERAS_BACKEND=jax python benchmarks/gpu_refocusing.py``, with ``workflow`` on the PYTHONPATH and nothing else
running. The weights are not trained: time does not depend on them. A row is the time from 16-bit images in memory to
refocused ones in memory, normalisation and the way to the GPU and back included; the first call of each way, which
compiles, is not counted. Both backends take products of float32 in TF32 on a GPU that has it.
"""

import argparse
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from deepr.autofocus import CAMERA_PX, FRAME_AREA_MM2
from deepr.networks.blind_refocusing import refocus, refocus_stack
from deepr.networks.generator import build_generator
from deepr.tables import write_table

PATCH_PX = 512


def measure(base_channels, repeats):
    """Give a row per network width, way and repetition."""
    if not any(device.startswith("gpu") for device in keras.distribution.list_devices()):
        raise SystemExit(f"{keras.config.backend()} finds no GPU on this machine, wanted one")
    frame = np.random.default_rng(0).integers(100, 4000, (CAMERA_PX, CAMERA_PX)).astype(np.uint16)
    side = CAMERA_PX // PATCH_PX
    patches = frame.reshape(side, PATCH_PX, side, PATCH_PX).swapaxes(1, 2).reshape(-1, PATCH_PX, PATCH_PX)
    ways = {
        "patches": (lambda network: refocus_stack(patches, network), FRAME_AREA_MM2),
        "frame": (lambda network: refocus(frame, network), FRAME_AREA_MM2),
        "one patch": (lambda network: refocus(patches[0], network), FRAME_AREA_MM2 / side**2),
    }
    rows = []
    for width in base_channels:
        network = build_generator(width, seed=0)
        for way, (function, area_mm2) in ways.items():
            function(network)
            for repeat in range(repeats):
                started = time.perf_counter()
                function(network)
                seconds = time.perf_counter() - started
                rows.append(
                    {
                        "device": name_of_gpu(),
                        "backend": keras.config.backend(),
                        "base_channels": width,
                        "parameters": network.count_params(),
                        "way": way,
                        "repeat": repeat,
                        "seconds": seconds,
                        "seconds_per_mm2": seconds / area_mm2,
                    }
                )
    return pd.DataFrame(rows)


def name_of_gpu():
    """Give what the backend calls the first GPU."""
    if keras.config.backend() == "jax":
        import jax

        return jax.devices("gpu")[0].device_kind
    import tensorflow as tf

    return tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[0])["device_name"]


def summarise(rows):
    """Give a row per width: milliseconds of one patch, and seconds per square millimetre of every way."""
    keys = ["device", "backend", "base_channels"]
    table = rows.groupby([*keys, "way"])["seconds_per_mm2"].agg(["min", "mean", "std"]).unstack("way")
    table = table.swaplevel(axis=1).sort_index(axis=1)
    one = 1000 * rows[rows["way"] == "one patch"].set_index(keys)["seconds"].groupby(keys).agg(["min", "median"])
    for place, statistic in enumerate(one):
        table.insert(place, ("one patch", f"ms, {statistic}"), one[statistic])
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-channels", type=int, nargs="+", default=[8, 16, 24, 48])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--output", type=Path, default=Path("results/benchmarks/gpu_refocusing.tsv"))
    arguments = parser.parse_args()
    rows = measure(arguments.base_channels, arguments.repeats)
    write_table(rows, arguments.output)
    print(summarise(rows).round(5).to_string())


if __name__ == "__main__":
    main()
