"""Time refocusing: milliseconds per 512 x 512 px, one by one and in batches, and for a whole frame.

Run as ``python benchmarks/refocusing.py``, with ``workflow`` on the PYTHONPATH and nothing else running.
"""

import argparse
import time

import deepr.networks  # noqa: F401  before TensorFlow, whose set-up it chooses
import numpy as np
import tensorflow as tf
from deepr.networks.generator import build_generator
from deepr.networks.inference import refocus, refocus_stack


def milliseconds(function, repeats):
    """Give the least and the median time of a call, after one that does not count."""
    function()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        times.append(1e3 * (time.perf_counter() - started))
    return min(times), float(np.median(times))


def main():
    """Print a line per width and way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-channels", type=int, nargs="+", default=[8])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=10)
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(arguments.threads)
    rng = np.random.default_rng(0)
    patch = rng.integers(100, 4000, (512, 512)).astype(np.uint16)
    stack = rng.integers(100, 4000, (8, 512, 512)).astype(np.uint16)
    frame = rng.integers(100, 4000, (2048, 2048)).astype(np.uint16)
    print(f"{arguments.threads} threads, TensorFlow {tf.__version__}: least and median time per 512 x 512 px")
    for base_channels in arguments.base_channels:
        generator = build_generator(base_channels, seed=0)
        ways = {
            "refocus, one patch": (lambda: refocus(patch, generator), 1),  # noqa: B023
            "refocus_stack, 8 patches": (lambda: refocus_stack(stack, generator), 8),  # noqa: B023
            "refocus, a frame of 2048 px": (lambda: refocus(frame, generator), 16),  # noqa: B023
        }
        for name, (function, patches) in ways.items():
            least, median = milliseconds(function, arguments.repeats)
            print(f"base {base_channels:2d}  {name:30s} {least / patches:8.1f} {median / patches:8.1f} ms", flush=True)


if __name__ == "__main__":
    main()
