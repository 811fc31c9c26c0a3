"""Time of 100 Richardson-Lucy updates beside scikit-image's: ``.venv/bin/python benchmarks/deconvolution.py``."""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve
from skimage import restoration

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))

from comparison import OURS, PEER, own_processes, show, take_turns, time_row
from deepr.deconvolution import landweber, richardson_lucy

SIDE_PX = 512
PSF_SIDE_PX = 65
ITERATIONS = 100
SCIKIT_IMAGE = "scikit-image, Richardson-Lucy"


def deconvolve(name, image, psf, threads):
    """Deconvolve by one of the programs; scikit-image has Richardson-Lucy alone, and no threads inside one image."""
    if name == SCIKIT_IMAGE:
        return restoration.richardson_lucy(image, psf, ITERATIONS, clip=False)
    method = {"deepr, Richardson-Lucy": richardson_lucy, "deepr, Landweber": landweber}[name]
    return method(image, psf, ITERATIONS, threads=threads)


def measure(repeats=7, threads=2):
    """Give the rows of one image at a time, and of as many images side by side as there are threads.

    Each has a process of its own, as it has where nobody compares: what a program has freed makes the next one's
    arrays cheaper (glibc then keeps the pages), scikit-image's by nearly half.
    """
    size = f"{ITERATIONS} updates, {SIDE_PX} x {SIDE_PX} px, PSF {PSF_SIDE_PX} x {PSF_SIDE_PX} px"
    one, many = f"{size}, one image", f"{size}, each of {threads} at once"
    names = (SCIKIT_IMAGE, "deepr, Richardson-Lucy", "deepr, Landweber")
    counts = {name: [1] if name == SCIKIT_IMAGE else sorted({1, threads}) for name in names}
    # Task, program, images at once, threads inside an image.
    contestants = [(one, name, 1, count) for name in names for count in counts[name]]
    contestants += [(many, name, threads, 1) for name in names]
    with own_processes(contestants) as executors:

        def ask(contestant):
            return lambda: executors[contestant].submit(deconvolve_images, *contestant[1:]).result()

        seconds, _ = take_turns({contestant: ask(contestant) for contestant in contestants}, repeats, warm_up=True)
    return [
        time_row(
            "deconvolution",
            task,
            name,
            PEER if name == SCIKIT_IMAGE else OURS,
            times,
            scale=1 / images,
            threads=images * count,
        )
        for (task, name, images, count), times in seconds.items()
    ]


def deconvolve_images(name, images, threads):
    """Deconvolve as many images at once, each in a thread of its own."""
    image, psf = make_image()
    if images == 1:
        deconvolve(name, image, psf, threads)
    else:
        with ThreadPoolExecutor(images) as pool:
            list(pool.map(lambda _: deconvolve(name, image, psf, threads), range(images)))


@cache
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
