"""Time what a training step is made of: milliseconds per update, and the share spent on reading pairs.

Run as ``python benchmarks/training.py``, with ``workflow`` on the PYTHONPATH and nothing else running.
"""

import argparse
import tempfile
import time
from pathlib import Path

import deepr.networks  # noqa: F401  before TensorFlow, whose set-up it chooses
import numpy as np
import pandas as pd
import tensorflow as tf
from deepr.networks.adversaries import Adversaries
from deepr.networks.pairs import PairSampler
from deepr.networks.training import fix_threads
from deepr.slides import SlideWriter, open_slide

FULL = {"adversarial": 0.02, "ms_ssim": 1.0, "berhu": 1.0}
VARIANTS = {
    "BerHu, 1 G": (1, 0, {"adversarial": 0.0, "ms_ssim": 0.0, "berhu": 1.0}),
    "MS-SSIM + BerHu, 1 G": (1, 0, {"adversarial": 0.0, "ms_ssim": 1.0, "berhu": 1.0}),
    "full loss, 1 G": (1, 0, FULL),
    "full loss, 1 G + 1 D": (1, 1, FULL),
    "full loss, 2 G + 1 D (one batch)": (2, 1, FULL),
}


def milliseconds(function, repeats):
    """Give the least and the median time of a call, after one that does not count."""
    function()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        times.append(1e3 * (time.perf_counter() - started))
    return min(times), float(np.median(times))


def write_slide(path, fields, side, planes):
    """Write a slide of noise: what is in it does not matter for the time it takes."""
    rng = np.random.default_rng(0)
    with SlideWriter(path, 0.1625, "40x/0.95", "Cy5", "simulated") as writer:
        for field in range(fields):
            stack = rng.integers(100, 4000, (planes, side, side), dtype=np.uint16)
            writer.write(f"f{field}", stack, 0.5 * (np.arange(planes) - planes // 2))


def main():
    """Print a line per variant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-channels", type=int, default=8)
    parser.add_argument("--crop-px", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    fix_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "slide.ome.tif"
        write_slide(path, fields=4, side=512, planes=41)
        rows = pd.DataFrame({"dataset": "d", "slide": "s", "fov": [f"f{field}" for field in range(4)]})
        rows = rows.assign(y=0, x=0, size=512, focus_plane=20, focus_z_um=0.0, kept=True)
        with open_slide(path) as slide:
            slides = {("d", "s"): slide}
            pairs = PairSampler(rows, slides, 5, arguments.crop_px, arguments.batch_size, 0, True)
            numbers = iter(range(10**9))
            reading, median = milliseconds(lambda: pairs.batch(next(numbers)), arguments.repeats)
            batch = pairs.batch(0)
    print(
        f"base {arguments.base_channels}, {arguments.batch_size} crops of {arguments.crop_px} px, "
        f"{arguments.threads} threads, TensorFlow {tf.__version__}: least and median time"
    )
    print(f"{'reading a batch of pairs':34s} {reading:8.1f} {median:8.1f} ms")
    for name, (generator_updates, discriminator_updates, weights) in VARIANTS.items():
        plan = {
            "base_channels": arguments.base_channels,
            "discriminator_channels": arguments.base_channels,
            "batch_size": arguments.batch_size,
            "generator_updates_per_batch": generator_updates,
            "discriminator_updates_per_batch": discriminator_updates,
            "generator_learning_rate": 1e-3,
            "gradient_norm": 1.0,
            "discriminator_learning_rate": 1e-6,
            "loss_weights": weights,
            "berhu_threshold": 0.1,
        }
        networks = Adversaries(plan, 1, {"generator": 1, "discriminator": 2})
        started = time.perf_counter()
        networks.train_on_batch(*batch)
        first = time.perf_counter() - started
        least, median = milliseconds(lambda: networks.train_on_batch(*batch), arguments.repeats)  # noqa: B023
        print(f"{name:34s} {least:8.1f} {median:8.1f} ms, the first {first:.1f} s", flush=True)
    print(f"share of reading, if it were not done ahead: {100 * reading / least:.1f} %")


if __name__ == "__main__":
    main()
