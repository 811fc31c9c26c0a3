"""Time and memory of the fusion of z-stacks: run from the root as ``.venv/bin/python benchmarks/edof.py``."""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))

from comparison import ELSEWHERE, OURS, in_own_process, row, show, time_row
from deepr.edof import extended_depth_of_field

PLANES = 41
SIDES_PX = (512, 1024, 2048)
# No program in Python does the same. The plugin itself, Java, quality 4, was timed once, on another machine.
PLUGIN_SIDE_PX, PLUGIN_SECONDS = 2048, 98.0


def measure(repeats=7, threads=2, sides_px=SIDES_PX):
    """Give the rows of every size: least time and largest memory with 1 and with `threads` threads."""
    rows = []
    for side_px in sides_px:
        task = f"fusion of {PLANES} planes of {side_px} x {side_px} px, all defaults"
        with tempfile.TemporaryDirectory() as folder:
            stack_path = Path(folder) / "stack.npy"
            make_stack(stack_path, side_px)
            for count in sorted({1, threads}):
                rounds = 1 if side_px == max(SIDES_PX) else repeats
                # A process of its own, as the peak of a process never falls.
                seconds, peak_gib = in_own_process(fuse, stack_path, count, rounds)
                rows.append(time_row("EDOF", task, "deepr", OURS, seconds, threads=count))
                rows.append(
                    row("EDOF", task, "deepr", OURS, peak_gib, threads=count, quantity="peak memory", unit="GiB")
                )
        if side_px == PLUGIN_SIDE_PX:
            note = "quality 4, measured once on another machine"
            rows.append(row("EDOF", task, "original plugin (Java)", ELSEWHERE, PLUGIN_SECONDS, note=note))
    return rows


def make_stack(path, side_px):
    """Write photon counts of smooth noise, blurred by a Gaussian that widens with |z|."""
    rng = np.random.default_rng(1)
    texture = gaussian_filter(rng.normal(size=(side_px, side_px)), 1.5, mode="wrap")
    texture = 200 + 1000 * (texture - texture.min()) / np.ptp(texture)
    stack = np.lib.format.open_memmap(path, "w+", np.uint16, (PLANES, side_px, side_px))
    for z in range(PLANES):
        stack[z] = rng.poisson(gaussian_filter(texture, 0.3 * abs(z - PLANES // 2), mode="wrap"))
    stack.flush()


def fuse(stack_path, threads, repeats):
    """Fuse the stack several times; give the seconds of each and the process's largest memory in GiB."""
    stack = np.load(stack_path, mmap_mode="r")
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        extended_depth_of_field(stack, threads=threads)
        seconds.append(time.perf_counter() - start)
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7, help="runs of each size (1 at 2048 px)")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    show(measure(arguments.repeats, arguments.threads))


if __name__ == "__main__":
    main()
