"""Alignment against pystackreg, side by side: ``.venv/bin/python benchmarks/alignment.py`` from the root."""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from pystackreg import StackReg
from scipy.ndimage import gaussian_filter

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))

from deepr.alignment import align_stack, transform_plane

PLANES = 41
SIDE_PX = 512


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="rounds; the least time of each is compared")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    stack = make_stack()
    programs = {
        "pystackreg": align_with_pystackreg,
        "align_stack, 1 process": lambda stack: align_stack(stack)[0],
        f"align_stack, {arguments.threads} processes": lambda stack: align_stack(stack, threads=arguments.threads)[0],
    }
    seconds = {name: [] for name in programs}
    results = {}
    # Round by round, so that a busy spell of the machine does not fall on one program alone.
    for _ in range(arguments.repeats):
        for name, align in programs.items():
            start = time.perf_counter()
            results[name] = align(stack)
            seconds[name].append(time.perf_counter() - start)
    reference = results["pystackreg"]
    # pystackreg leaves floats, of which ImageJ's conversion is to be taken outside the timing.
    expected = np.floor(np.clip(reference, 0, np.iinfo(stack.dtype).max) + 0.5)
    expected[0] = stack[0]
    print(f"Alignment of {PLANES} planes of {SIDE_PX} x {SIDE_PX}, least of {arguments.repeats} rounds")
    print(f"{'program':26s}  time (s)  times as fast  differing pixels")
    for name, times in seconds.items():
        ratio = min(seconds["pystackreg"]) / min(times)
        different = 0 if results[name] is reference else np.count_nonzero(results[name] != expected)
        print(f"{name:26s}  {min(times):8.2f}  {ratio:13.2f}  {different:16d}")


def make_stack():
    """Return photon counts of smooth noise, drifting, blurred by a Gaussian that widens with |z|."""
    rng = np.random.default_rng(1)
    texture = gaussian_filter(rng.normal(size=(SIDE_PX, SIDE_PX)), 2.0, mode="wrap")
    texture = 200 + 1000 * (texture - texture.min()) / np.ptp(texture)
    stack = np.empty((PLANES, SIDE_PX, SIDE_PX), np.uint16)
    drift_px = np.cumsum(rng.normal(scale=0.3, size=(PLANES, 2)), axis=0)
    rotation_deg = np.cumsum(rng.normal(scale=0.02, size=PLANES))
    middle = SIDE_PX / 2
    for z in range(PLANES):
        turn = np.deg2rad(rotation_deg[z])
        matrix = np.eye(3)
        matrix[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
        matrix[:2, 2] = middle - matrix[:2, :2] @ [middle, middle] + drift_px[z]
        blurred = gaussian_filter(texture, 0.2 * abs(z - PLANES // 2), mode="wrap")
        stack[z] = rng.poisson(np.clip(transform_plane(blurred, matrix), 0, None))
    return stack


def align_with_pystackreg(stack):
    program = StackReg(StackReg.RIGID_BODY)
    program.register_stack(stack, reference="previous", suppress_axis_warning=True)
    return program.transform_stack(stack)


if __name__ == "__main__":
    main()
