"""How far Figure S1's claim can be met at all: rows of images that are in focus throughout, measured as outputs are.

Run as ``python benchmarks/experiments/tilted_ceiling.py``, with ``workflow`` on the PYTHONPATH, after ``make figS1``.
Takes, for each tilted field, the reference itself, an image whose rows come each from the plane that its tilt brings
into focus, and the composite of extended depth of field, and prints in how many rows each is sharper than the inputs:
in the figure's scale, every image normalised by itself, and in the grey values of the stack.
"""

import argparse
from pathlib import Path

import numpy as np
import yaml
from deepr.configuration import complete_config
from deepr.edof import extended_depth_of_field
from deepr.metrics import normalise
from deepr.sharpness import row_sharpness
from deepr.slides import open_slide
from deepr.tilt import INPUT_Z_UM, reference_window

CONFIG = Path(__file__).resolve().parents[2] / "config" / "config.yaml"
SCALES = {"each normalised by itself": normalise, "grey values": lambda image: np.asarray(image, dtype=float)}


def in_focus_row_by_row(stack, from_middle_um, pixel_um, tilt_deg):
    """Take each row of a (Z, Y, X) stack from the plane in which a section tilted about x is in focus there."""
    rows = np.arange(stack.shape[1])
    focus_um = (rows - rows.mean()) * pixel_um * np.tan(np.radians(tilt_deg))
    return stack[np.abs(from_middle_um[:, None] - focus_um).argmin(axis=0), rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--dataset", default="breast_tilted")
    arguments = parser.parse_args()
    config = yaml.safe_load(CONFIG.read_text())
    complete_config(config)
    settings = config["datasets"][arguments.dataset]
    patch_px = settings["patch_px"]
    above = {}
    for path in sorted((arguments.results / arguments.dataset / "aligned").glob("*.ome.tif")):
        with open_slide(path) as slide:
            for field in slide.fields:
                stack = slide.stack(field)
                top, left = ((side - patch_px) // 2 for side in stack.shape[1:])
                stack = stack[:, top : top + patch_px, left : left + patch_px]
                z_um = slide.z_um(field)
                window, reference = reference_window(stack, z_um)
                from_middle_um = z_um - (z_um[window.start] + z_um[window.stop - 1]) / 2
                images = {
                    "the reference": reference,
                    "each row in focus": in_focus_row_by_row(
                        stack, from_middle_um, slide.pixel_um, settings["tilt_deg"]
                    ),
                    "extended depth of field": extended_depth_of_field(stack, **config["edof"])[0],
                }
                for wanted_um in np.subtract(INPUT_Z_UM, np.mean(INPUT_Z_UM)):
                    plane = stack[np.abs(from_middle_um - wanted_um).argmin()]
                    for scale, scaled in SCALES.items():
                        before = row_sharpness(scaled(plane), scaled(reference))[0]
                        for name, image in images.items():
                            after = row_sharpness(scaled(image), scaled(reference))[0]
                            above.setdefault((scale, name), []).append(after > before)
    for (scale, name), rows in above.items():
        print(f"{scale}: {name} sharper than the input in {100 * np.mean(rows):.0f} % of {np.size(rows)} rows")


if __name__ == "__main__":
    main()
