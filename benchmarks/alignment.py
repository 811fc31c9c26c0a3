"""Alignment against pystackreg, side by side: ``.venv/bin/python benchmarks/alignment.py`` from the root."""

import argparse
import sys
from pathlib import Path

import numpy as np
from pystackreg import StackReg
from scipy.ndimage import gaussian_filter

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))

from comparison import OURS, PEER, row, show, take_turns, time_row
from deepr.alignment import align_stack, transform_plane

PLANES = 41
SIDE_PX = 512


def measure(repeats=3, threads=2):
    """Give the rows of both programs: least time, and the pixels in which ours differs from pystackreg's."""
    stack = make_stack()
    counts = sorted({1, threads})
    programs = {("pystackreg", 1): lambda: align_with_pystackreg(stack)}
    programs |= {("deepr", count): lambda count=count: align_stack(stack, threads=count)[0] for count in counts}
    seconds, results = take_turns(programs, repeats)
    # pystackreg leaves floats, of which ImageJ's conversion is to be taken outside the timing.
    expected = np.floor(np.clip(results["pystackreg", 1], 0, np.iinfo(stack.dtype).max) + 0.5)
    expected[0] = stack[0]
    task = f"rigid body, {PLANES} planes of {SIDE_PX} x {SIDE_PX} px"
    rows = []
    for (program, count), times in seconds.items():
        side = PEER if program == "pystackreg" else OURS
        rows.append(time_row("alignment", task, program, side, times, threads=count))
    for count in counts:
        different = np.count_nonzero(results["deepr", count] != expected)
        rows.append(
            row("alignment", task, "deepr", OURS, different, threads=count, quantity="differing pixels", unit="")
        )
    return rows


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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="rounds; the least time of each is compared")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    show(measure(arguments.repeats, arguments.threads))


if __name__ == "__main__":
    main()
