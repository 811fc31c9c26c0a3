"""Time of 100 Richardson-Lucy updates beside scikit-image's: ``.venv/bin/python benchmarks/deconvolution.py``."""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve
from skimage import restoration

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))

from comparison import OURS, PEER, show, take_turns, time_row
from deepr.deconvolution import landweber, richardson_lucy

SIDE_PX = 512
PSF_SIDE_PX = 65
ITERATIONS = 100
SCIKIT_IMAGE = "scikit-image, Richardson-Lucy"


def measure(repeats=7, threads=2):
    """Give the rows of one image at a time, and of as many images side by side as there are threads.

    scikit-image has Richardson-Lucy alone, and no threads inside one image.
    """
    image, psf = make_image()
    contestants = {
        SCIKIT_IMAGE: lambda threads: restoration.richardson_lucy(image, psf, ITERATIONS, clip=False),
        "deepr, Richardson-Lucy": lambda threads: richardson_lucy(image, psf, ITERATIONS, threads=threads),
        "deepr, Landweber": lambda threads: landweber(image, psf, ITERATIONS, threads=threads),
    }
    size = f"{ITERATIONS} updates, {SIDE_PX} x {SIDE_PX} px, PSF {PSF_SIDE_PX} x {PSF_SIDE_PX} px"
    one, many = f"{size}, one image", f"{size}, each of {threads} at once"
    programs = {}
    with ThreadPoolExecutor(threads) as pool:
        for name, deconvolve in contestants.items():
            for count in [1] if name == SCIKIT_IMAGE else sorted({1, threads}):
                programs[one, name, count] = lambda deconvolve=deconvolve, count=count: deconvolve(count)
            programs[many, name, threads] = lambda deconvolve=deconvolve: list(pool.map(deconvolve, [1] * threads))
        seconds, _ = take_turns(programs, repeats)
    return [
        time_row(
            "deconvolution",
            task,
            name,
            PEER if name == SCIKIT_IMAGE else OURS,
            times,
            scale=1 / threads if task == many else 1,
            threads=count,
        )
        for (task, name, count), times in sorted(seconds.items(), key=lambda item: item[0][0] == many)
    ]


def make_image():
    """Photon counts of smooth noise seen through a Gaussian PSF, and the PSF."""
    rng = np.random.default_rng(1)
    texture = gaussian_filter(rng.normal(size=(SIDE_PX, SIDE_PX)), 1.5, mode="wrap")
    axis_px = np.arange(PSF_SIDE_PX) - PSF_SIDE_PX // 2
    profile = np.exp(-(axis_px**2) / (2 * 6.0**2))
    psf = np.outer(profile, profile) / profile.sum() ** 2
    texture = 200 + 1000 * (texture - texture.min()) / np.ptp(texture)
    return rng.poisson(fftconvolve(texture, psf, mode="same")).astype(np.float32), psf.astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7, help="runs of each, taken in turns")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    show(measure(arguments.repeats, arguments.threads))


if __name__ == "__main__":
    main()
