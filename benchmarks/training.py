"""Time what a training step is made of: seconds per update of Deep-R and of CARE, of reading pairs and of a checkpoint.

A checkpoint with its row of the history is written every 20 iterations of three batches, if the config says nothing
else.
Run as ``python benchmarks/training.py``, with ``workflow`` and csbdeep on the PYTHONPATH and nothing else running.
"""

import argparse
import functools
import tempfile
from pathlib import Path

import care_network
import numpy as np
import pandas as pd
from comparison import OURS, PEER, own_processes, show, take_turns, time_row
from deepr.slides import SlideWriter, open_slide

FULL = {"adversarial": 0.02, "ms_ssim": 1.0, "berhu": 1.0}
VARIANTS = {
    "deepr, BerHu, 1 G": (1, 0, {"adversarial": 0.0, "ms_ssim": 0.0, "berhu": 1.0}, "float32"),
    "deepr, MS-SSIM + BerHu, 1 G": (1, 0, {"adversarial": 0.0, "ms_ssim": 1.0, "berhu": 1.0}, "float32"),
    "deepr, full loss, 1 G": (1, 0, FULL, "float32"),
    "deepr, full loss, 1 G + 1 D": (1, 1, FULL, "float32"),
    "deepr, full loss, 2 G + 1 D": (2, 1, FULL, "float32"),
    "deepr, full loss, 2 G + 1 D, bfloat16": (2, 1, FULL, "bfloat16"),
}
READING = "deepr, reading a batch of pairs"
WRITING = "deepr, writing a row and a checkpoint"
CARE = "csbdeep, CARE, 1 update"


def measure(repeats=20, threads=2, base_channels=8, crop_px=128, batch_size=5):
    """Give the rows of one batch: what each network does with it once."""
    # Imported here: the processes that are timed import this file, and have to set TensorFlow up first.
    from deepr.networks.precision import has_bfloat16

    width = (threads, base_channels, crop_px, batch_size)
    variants = [name for name, (*_, precision) in VARIANTS.items() if precision == "float32" or has_bfloat16()]
    with own_processes(["deepr", "csbdeep"]) as executors:

        def ask(name):
            if name == CARE:
                call = (update_care, threads, batch_size, crop_px)
                return lambda: executors["csbdeep"].submit(*call).result()
            return lambda: executors["deepr"].submit(update_deepr, name, *width).result()

        names = (READING, WRITING, *variants, CARE)
        seconds, _ = take_turns({name: ask(name) for name in names}, repeats, warm_up=True)
    task = f"one batch of {batch_size} crops of {crop_px} x {crop_px} px, base {base_channels}"
    return [
        time_row("training", task, name, PEER if name == CARE else OURS, times, threads=threads)
        for name, times in seconds.items()
    ]


def update_deepr(name, threads, base_channels, crop_px, batch_size):
    """Make the updates of one variant on one batch, read a batch, or write a checkpoint."""
    prepare_deepr(threads, base_channels, crop_px, batch_size)[name]()


@functools.cache
def prepare_deepr(threads, base_channels, crop_px, batch_size):
    """Build the networks of every variant; give a function each that updates them on one batch."""
    from deepr.networks.adversaries import Adversaries
    from deepr.networks.checkpoints import Checkpoint
    from deepr.networks.pairs import PairSampler
    from deepr.networks.training import HISTORY_COLUMNS, set_up_training

    set_up_training(threads)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "slide.ome.tif"
        write_slide(path, fields=4, side=512, planes=41)
        # The open file outlives its name.
        slide = open_slide(path)
    rows = pd.DataFrame({"dataset": "d", "slide": "s", "fov": [f"f{field}" for field in range(4)]})
    rows = rows.assign(y=0, x=0, size=512, focus_plane=20, focus_z_um=0.0, kept=True)
    pairs = PairSampler(rows, {("d", "s"): slide}, 5, crop_px, batch_size, 0, True)
    batch = pairs.batch(0)
    numbers = iter(range(10**9))
    functions = {READING: lambda: pairs.batch(next(numbers))}
    for name, (generator_updates, discriminator_updates, weights, precision) in VARIANTS.items():
        plan = {
            "base_channels": base_channels,
            "discriminator_channels": base_channels,
            "batch_size": batch_size,
            "generator_updates_per_batch": generator_updates,
            "discriminator_updates_per_batch": discriminator_updates,
            "generator_learning_rate": 1e-3,
            "gradient_norm": 1.0,
            "discriminator_learning_rate": 1e-6,
            "loss_weights": weights,
            "berhu_threshold": 0.1,
            "precision": precision,
        }
        networks = Adversaries(plan, 1, {"generator": 1, "discriminator": 2})
        functions[name] = functools.partial(networks.train_on_batch, *batch)

    def write():
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = Checkpoint(folder, {}, HISTORY_COLUMNS)
            checkpoint.load()
            checkpoint.append(dict.fromkeys(HISTORY_COLUMNS, 0.123456789))
            checkpoint.save({**networks.variables(), "best": networks.generator.get_weights()}, {})
            checkpoint.close()

    return functions | {WRITING: write}


def write_slide(path, fields, side, planes):
    """Write a slide of noise: what is in it does not matter for the time it takes."""
    rng = np.random.default_rng(0)
    with SlideWriter(path, 0.1625, "40x/0.95", "Cy5", "simulated") as writer:
        for field in range(fields):
            stack = rng.integers(100, 4000, (planes, side, side), dtype=np.uint16)
            writer.write(f"f{field}", stack, 0.5 * (np.arange(planes) - planes // 2))


def update_care(threads, batch_size, crop_px):
    """Make one update of CARE on one batch."""
    prepare_care(threads, batch_size, crop_px)()


@functools.cache
def prepare_care(threads, batch_size, crop_px):
    """Build CARE; give a function that updates it on one batch of noise."""
    care_network.set_up(threads)
    network = care_network.build(batch_size).keras_model
    inputs, truths = np.random.default_rng(0).normal(size=(2, batch_size, crop_px, crop_px, 1)).astype(np.float32)
    return lambda: network.train_on_batch(inputs, truths)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-channels", type=int, default=8)
    parser.add_argument("--crop-px", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    show(
        measure(
            arguments.repeats,
            arguments.threads,
            arguments.base_channels,
            arguments.crop_px,
            arguments.batch_size,
        )
    )


if __name__ == "__main__":
    main()
