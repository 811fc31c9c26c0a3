"""Refocus real images of BBBC006 that the simulated optics put out of focus: an extra beside the paper's figures.

Each image in focus is taken as a thin layer, blurred by the microscope's optics at each distance from focus, and
exposed anew by the camera. SSIM of that input and of the network's output with the real image, by distance.

Run as ``python benchmarks/bbbc006.py IMAGES... --network results/networks/nuclei_10/generator.keras``, with
``workflow`` on the PYTHONPATH.
"""

import argparse
from pathlib import Path

import deepr.networks  # noqa: F401  before TensorFlow, whose set-up it chooses
import numpy as np
import pandas as pd
from deepr.figures.style import INPUT_COLOUR, OUTPUT_COLOUR, new_figure, paper_style, provenance_line, save_figure
from deepr.metrics import ssim
from deepr.networks.inference import load_generator, refocus_stack
from deepr.optics.acquisition import CAMERAS
from deepr.optics.imaging import ImageFormation
from deepr.optics.objective import OBJECTIVES
from deepr.tables import write_table
from skimage.io import imread

OBJECTIVE = "20x/0.45"
HOECHST_UM = 0.461
FRAME_PX = 448
COLOURS = {"input": INPUT_COLOUR, "output": OUTPUT_COLOUR}
Z_UM = np.arange(-10.0, 10.1, 2.0)


def defocus(image, formation, camera, rng):
    """Put a real image out of focus.

    Parameters
    ----------
    image : (Y, X) ndarray of uint16
        In focus, larger than the formation's grid.
    formation : deepr.optics.imaging.ImageFormation
    camera : deepr.optics.camera.Camera
    rng : numpy.random.Generator

    Returns
    -------
    reference : (FRAME_PX, FRAME_PX) ndarray of uint16
        Middle of the image.
    planes : (Z, FRAME_PX, FRAME_PX) ndarray of uint16
        The same at `Z_UM`.
    """
    grid = formation.grid_px
    y, x = ((size - grid) // 2 for size in image.shape)
    electrons = camera.electrons(image[y : y + grid, x : x + grid])
    background = np.float32(np.percentile(electrons, 1))
    spectra = formation.spectra((electrons - background)[np.newaxis])
    drawn = formation.planes(
        spectra, [0.0], Z_UM, np.zeros((Z_UM.size, 3)), lambda _, plane: camera.expose(plane + background, rng)
    )
    margin = formation.margin_px
    reference = image[y + margin : y + margin + FRAME_PX, x + margin : x + margin + FRAME_PX]
    return reference, np.stack(list(drawn))


def measure(paths, generator, seed=0):
    """Give one row per image, distance from focus and kind of image: image, z_um, kind, ssim."""
    camera = CAMERAS[OBJECTIVE]
    formation = ImageFormation(OBJECTIVES[OBJECTIVE], HOECHST_UM, FRAME_PX, np.abs(Z_UM).max())
    rows = []
    for path in paths:
        reference, planes = defocus(imread(path), formation, camera, np.random.default_rng(seed))
        outputs = refocus_stack(planes, generator)
        for z_um, plane, output in zip(Z_UM, planes, outputs, strict=True):
            for kind, image in (("input", plane), ("output", output)):
                rows.append({"image": Path(path).name, "z_um": z_um, "kind": kind, "ssim": ssim(image, reference)})
    return pd.DataFrame(rows)


@paper_style
def draw(table, path, scale):
    """Draw the mean SSIM by distance from focus, with every image as a thin line; write PNG, PDF and SVG."""
    figure = new_figure(height_mm=65, width_mm=90)
    axes = figure.add_axes((0.17, 0.19, 0.80, 0.71))
    for kind in ("input", "output"):
        for _, one in table[table["kind"] == kind].groupby("image"):
            axes.plot(one["z_um"], one["ssim"], color=COLOURS[kind], linewidth=0.4, alpha=0.5)
        mean = table[table["kind"] == kind].groupby("z_um")["ssim"].mean()
        axes.plot(mean.index, mean, color=COLOURS[kind], label=kind, marker="o", markersize=2.5)
    axes.set(xlabel="distance from focus (µm)", ylabel="SSIM with the real image in focus")
    axes.set_title("BBBC006 in focus, blurred by the simulated optics", loc="left")
    axes.legend(frameon=False)
    provenance_line(figure, "BBBC006", scale)
    save_figure(figure, path)


def main():
    """Print the means, write the table and the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", nargs="+", help="images in focus, 520 x 696 px")
    parser.add_argument("--network", required=True, help="generator.keras of a network trained on nuclei")
    parser.add_argument("--output", default="docs/gallery/bbbc006", help="path without suffix")
    parser.add_argument("--scale", default="demonstration", help="scale at which the network was trained")
    arguments = parser.parse_args()
    table = measure(arguments.images, load_generator(arguments.network))
    print(table.groupby(["kind", "z_um"])["ssim"].mean().unstack().round(3).to_string())
    write_table(table, f"{arguments.output}.tsv")
    draw(table, arguments.output, arguments.scale)


if __name__ == "__main__":
    main()
