"""Acquisition of a z-stack, and its PSFs against psfmodels: ``.venv/bin/python benchmarks/acquisition.py``."""

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np
import psfmodels

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))

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
    compare_with_psfmodels(arguments.repeats)


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


def compare_with_psfmodels(repeats):
    """Time 41 planes of the 40x PSF, 255 px wide, and compare them with those of psfmodels' scalar model.

    psfmodels interpolates linearly between radii one pixel apart: the pixel is fine here, 0.05 um.
    """
    lens, size, pixel_um = OBJECTIVES["40x/0.95"], 255, 0.05
    model = {"NA": 0.95, "wvl": 0.692, "ns": 1.0, "ni": 1.0, "ni0": 1.0, "tg": 170.0, "ti0": 180.0}
    programs = {
        "psfmodels, scalar": lambda: psfmodels.make_psf(
            Z_UM, nx=size, dxy=pixel_um, oversample_factor=1, model="scalar", normalize=False, **model
        ),
        "pupil_psf": lambda: pupil_psf(lens, 0.692, Z_UM, size, pixel_um),
    }
    seconds, planes = {name: [] for name in programs}, {}
    for _ in range(repeats):
        for name, make in programs.items():
            start = time.perf_counter()
            planes[name] = make()
            seconds[name].append(time.perf_counter() - start)
    theirs, ours = (stack / stack[Z_UM.size // 2].max() for stack in planes.values())
    print(f"PSF: {Z_UM.size} planes of {size} px, least of {repeats} rounds")
    for name, times in seconds.items():
        print(f"  {name:46s} {min(times):7.2f} s")
    print(f"  largest difference {np.abs(ours - theirs).max():.1e} of the peak in focus")


if __name__ == "__main__":
    main()
