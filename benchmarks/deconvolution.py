"""Time of 100 Richardson-Lucy updates beside scikit-image's: ``.venv/bin/python benchmarks/deconvolution.py``."""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve
from skimage import restoration

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))

from deepr.deconvolution import landweber, richardson_lucy

SIDE_PX = 512
PSF_SIDE_PX = 65
ITERATIONS = 100


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7, help="runs of each, taken in turns")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    image, psf = make_image()
    contestants = {
        "scikit-image richardson_lucy": lambda: restoration.richardson_lucy(image, psf, ITERATIONS, clip=False)
    }
    for threads in sorted({1, arguments.threads}):
        contestants[f"deepr richardson_lucy, {threads} thread(s)"] = lambda threads=threads: richardson_lucy(
            image, psf, ITERATIONS, threads
        )
    contestants["deepr landweber, 1 thread"] = lambda: landweber(image, psf, ITERATIONS)
    seconds = {name: [] for name in contestants}
    # In turns, so that whatever else the machine does falls on all of them.
    for _ in range(arguments.repeats):
        for name, deconvolve in contestants.items():
            start, start_cpu = time.perf_counter(), time.process_time()
            deconvolve()
            seconds[name].append((time.perf_counter() - start, time.process_time() - start_cpu))
    print(f"{ITERATIONS} iterations, image {SIDE_PX} px, PSF {PSF_SIDE_PX} px, float32, {arguments.repeats} runs")
    print(f"{'':35} least (s)  median (s)  median CPU (s)")
    for name, runs in seconds.items():
        wall, cpu = np.transpose(runs)
        print(f"{name:35}{wall.min():10.3f}{np.median(wall):12.3f}{np.median(cpu):16.3f}")


def make_image():
    """Photon counts of smooth noise seen through a Gaussian PSF, and the PSF."""
    rng = np.random.default_rng(1)
    texture = gaussian_filter(rng.normal(size=(SIDE_PX, SIDE_PX)), 1.5, mode="wrap")
    axis_px = np.arange(PSF_SIDE_PX) - PSF_SIDE_PX // 2
    profile = np.exp(-(axis_px**2) / (2 * 6.0**2))
    psf = np.outer(profile, profile) / profile.sum() ** 2
    texture = 200 + 1000 * (texture - texture.min()) / np.ptp(texture)
    return rng.poisson(fftconvolve(texture, psf, mode="same")).astype(np.float32), psf.astype(np.float32)


if __name__ == "__main__":
    main()
