"""Acquisition of a z-stack, and its PSFs against psfmodels: ``.venv/bin/python benchmarks/acquisition.py``."""

import argparse
import importlib.util
import resource
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))

from comparison import OURS, PEER, row, show, take_turns, time_row
from deepr.optics.imaging import ImageFormation
from deepr.optics.microscope import Microscope
from deepr.optics.objective import OBJECTIVES
from deepr.optics.psf import pupil_psf
from deepr.optics.specimens import make_specimen, refractive_index, slide_parameters

Z_UM = np.arange(-10, 10.1, 0.5)
SLIDES = {"ovary": ("40x/0.95", 0.692, 163.0), "breast": ("20x/0.75", 0.447, 160.0)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="rounds; the least time of each is given")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--frame", type=int, default=544, help="side of the frame, px")
    arguments = parser.parse_args()
    for specimen in SLIDES:
        seconds, grid_px = time_acquisition(specimen, arguments)
        print(f"{specimen}: {Z_UM.size} planes of {arguments.frame} px on a grid of {grid_px} px, least of rounds")
        for step, times in seconds.items():
            print(f"  {step:46s} {min(times):7.2f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"largest memory so far {peak:.1f} GiB")
    show(measure(arguments.repeats))


def time_acquisition(specimen, arguments):
    """Time the steps from nothing to a stack of uint16; the first step is done once for a slide."""
    objective, emission_um, cover_glass_um = SLIDES[specimen]
    lens = OBJECTIVES[objective]
    rng = np.random.default_rng(0)
    seconds = {}

    def clock(step, call, *positional, **keywords):
        start = time.perf_counter()
        result = call(*positional, **keywords)
        seconds.setdefault(step, []).append(time.perf_counter() - start)
        return result

    optics = (lens, emission_um, arguments.frame, 12.0, cover_glass_um, refractive_index(specimen))
    for _ in range(arguments.repeats):
        formation = clock("optics of a slide", ImageFormation, *optics)
        shape = (formation.grid_px, formation.grid_px)
        parameters = slide_parameters(specimen, rng)
        section = clock("layers of a field", make_specimen, specimen, shape, lens.pixel_um, rng, **parameters)
        for threads in sorted({1, arguments.threads}):
            microscope = clock("spectra of the layers", Microscope, formation, section, rng, threads=threads)
            clock("one exposure of a focus search", microscope.snap, 1.0)
            clock(f"stack with drift and noise, {threads} threads", microscope.acquire_stack, Z_UM)
    return seconds, formation.grid_px


def measure(repeats=3):
    """Give the rows of 41 planes of the 40x PSF, 255 px wide, beside psfmodels' scalar model.

    psfmodels interpolates linearly between radii one pixel apart: the pixel is fine here, 0.05 um. It is installed for
    Python 3.11 alone; elsewhere the peer's row is missing.
    """
    lens, size, pixel_um = OBJECTIVES["40x/0.95"], 255, 0.05
    programs = {"deepr, pupil_psf": lambda: pupil_psf(lens, 0.692, Z_UM, size, pixel_um)}
    if importlib.util.find_spec("psfmodels"):
        import psfmodels

        model = {"NA": 0.95, "wvl": 0.692, "ns": 1.0, "ni": 1.0, "ni0": 1.0, "tg": 170.0, "ti0": 180.0}
        programs["psfmodels, scalar"] = lambda: psfmodels.make_psf(
            Z_UM, nx=size, dxy=pixel_um, oversample_factor=1, model="scalar", normalize=False, **model
        )
    seconds, stacks = take_turns(programs, repeats)
    task = f"PSF, {Z_UM.size} planes of {size} x {size} px"
    rows = [
        time_row("optics", task, name, OURS if name.startswith("deepr") else PEER, times)
        for name, times in seconds.items()
    ]
    if len(stacks) == 2:
        ours, theirs = (stack / stack[Z_UM.size // 2].max() for stack in stacks.values())
        quantity = "largest difference, of the peak in focus"
        rows.append(
            row("optics", task, "deepr, pupil_psf", OURS, np.abs(ours - theirs).max(), quantity=quantity, unit="")
        )
    return rows


if __name__ == "__main__":
    main()
