"""Time and memory of the fusion of z-stacks: run from the root as ``.venv/bin/python benchmarks/edof.py``."""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))

from deepr.edof import extended_depth_of_field

PLANES = 41
SIDES_PX = (512, 1024, 2048)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7, help="the least time of so many is printed")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--measure", metavar="STACK", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure, arguments.threads, arguments.repeats)
        return
    print(f"Fusion of {PLANES} planes, all defaults, least of {arguments.repeats} times (of 1 at 2048 px)")
    print("side (px)  threads  time (s)  peak memory (GiB)")
    for side_px in SIDES_PX:
        with tempfile.TemporaryDirectory() as folder:
            stack_path = Path(folder) / "stack.npy"
            make_stack(stack_path, side_px)
            for threads in sorted({1, arguments.threads}):
                repeats = 1 if side_px == max(SIDES_PX) else arguments.repeats
                # A process of its own, as the peak of a process never falls.
                options = ["--measure", stack_path, "--threads", threads, "--repeats", repeats]
                subprocess.run([sys.executable, __file__, *map(str, options)], check=True)


def make_stack(path, side_px):
    """Write photon counts of smooth noise, blurred by a Gaussian that widens with |z|."""
    rng = np.random.default_rng(1)
    texture = gaussian_filter(rng.normal(size=(side_px, side_px)), 1.5, mode="wrap")
    texture = 200 + 1000 * (texture - texture.min()) / np.ptp(texture)
    stack = np.lib.format.open_memmap(path, "w+", np.uint16, (PLANES, side_px, side_px))
    for z in range(PLANES):
        stack[z] = rng.poisson(gaussian_filter(texture, 0.3 * abs(z - PLANES // 2), mode="wrap"))
    stack.flush()


def measure(stack_path, threads, repeats):
    stack = np.load(stack_path, mmap_mode="r")
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        extended_depth_of_field(stack, threads=threads)
        seconds.append(time.perf_counter() - start)
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{stack.shape[1]:9d}  {threads:7d}  {min(seconds):8.3f}  {peak_gib:17.2f}", flush=True)


if __name__ == "__main__":
    main()
