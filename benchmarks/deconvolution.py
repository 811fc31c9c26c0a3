"""Time of 100 Richardson-Lucy updates beside scikit-image's: ``.venv/bin/python benchmarks/deconvolution.py``."""

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
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
        "scikit-image": lambda threads: restoration.richardson_lucy(image, psf, ITERATIONS, clip=False),
        "deepr": lambda threads: richardson_lucy(image, psf, ITERATIONS, threads=threads),
        "deepr landweber": lambda threads: landweber(image, psf, ITERATIONS, threads=threads),
    }
    # Threads inside one image, and images side by side; scikit-image has no threads inside.
    runs = {("one image", name, 1): [] for name in contestants}
    runs |= {("one image", name, arguments.threads): [] for name in contestants if name != "scikit-image"}
    runs |= {("side by side", name, arguments.threads): [] for name in contestants}
    with ThreadPoolExecutor(arguments.threads) as pool:
        # In turns, so that whatever else the machine does falls on all of them.
        for _ in range(arguments.repeats):
            for (way, name, threads), seconds in runs.items():
                start = time.perf_counter()
                if way == "side by side":
                    list(pool.map(contestants[name], [1] * threads))
                    seconds.append((time.perf_counter() - start) / threads)
                else:
                    contestants[name](threads)
                    seconds.append(time.perf_counter() - start)
    print(f"{ITERATIONS} iterations, image {SIDE_PX} px, PSF {PSF_SIDE_PX} px, float32, {arguments.repeats} runs")
    print("seconds per image                      threads   least  median")
    for (way, name, threads), seconds in runs.items():
        print(f"{way:14}{name:25}{threads:7d}{min(seconds):8.3f}{np.median(seconds):8.3f}")


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
