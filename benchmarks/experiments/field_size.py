"""What the size of a field does to its alignment: the larger it is, the better StackReg finds its drift.

Run as ``python benchmarks/experiments/field_size.py``, with ``workflow`` on the PYTHONPATH. Acquires fields of several
sizes with the demonstration's drift, aligns them, and prints what remains in the patches against the simulator's truth.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from deepr.alignment import align_stack, valid_window
from deepr.configuration import complete_config, planes_um
from deepr.focus import brent_search, sharpest_plane, vollath5
from deepr.optics.acquisition import acquire_slide
from deepr.optics.microscope import StageDrift
from deepr.truth import alignment_residuals

CONFIG = Path(__file__).resolve().parents[2] / "config" / "config.yaml"
DISTANCES_UM = {"within 2 um": (0, 2), "4 to 5 um": (4, 5), "9 to 10 um": (9, 10)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-sets", nargs="+", default=["ovary", "breast", "beads"], metavar="NAME")
    parser.add_argument("--sides", nargs="+", type=int, default=[544, 800, 1072], metavar="PX")
    parser.add_argument("--fields", type=int, default=4, help="of each data set and size")
    arguments = parser.parse_args()
    config = yaml.safe_load(CONFIG.read_text())
    complete_config(config)
    for name in arguments.data_sets:
        for side_px in arguments.sides:
            residuals = residuals_of(config, name, side_px, arguments.fields)
            distance_um = residuals["defocus_um"].abs()
            print(f"{name}, fields of {side_px} px:")
            for label, (nearest_um, farthest_um) in DISTANCES_UM.items():
                found_px = residuals.loc[distance_um.between(nearest_um, farthest_um), "residual_px"]
                median_px, high_px, largest_px = found_px.quantile([0.5, 0.95, 1.0])
                print(
                    f"  {label:12s} median {median_px:.2f}, 95th percentile {high_px:.2f}, largest {largest_px:.2f} px "
                    f"of {len(found_px)} planes",
                    flush=True,
                )


def residuals_of(config, name, side_px, fields):
    """Acquire fields of a data set as its test slides are, align them, and give each plane's residual."""
    settings = config["datasets"][name]
    limits = {"max_rotation_deg": config["alignment"]["max_rotation_deg"], "max_shift_px": settings["max_shift_px"]}
    acquired = acquire_slide(
        frame_px=side_px,
        z_um=planes_um(settings["slides"]["test"]["z_um"]).tolist(),
        fields=fields,
        slide="field_size",
        dataset=name,
        seed=config["seed"],
        truth_range_um=0.5,
        threads=1,
        search=brent_search,
        score=vollath5,
        drift=StageDrift(**config["microscope"]["drift"]),
        **{
            key: settings[key]
            for key in ("specimen", "specimen_parameters", "objective", "emission_um", "cover_glass_um", "tilt_deg")
        },
    )
    found, known = [], []
    for view in acquired:
        anchor = sharpest_plane(view.stack)
        _, matrices = align_stack(view.stack, anchor, **limits)
        y, x, height, width = valid_window(view.stack.shape[1:3], matrices, multiple=settings["patch_px"])
        entries = matrices[:, :2].reshape(len(matrices), 6)
        rows = pd.DataFrame(entries, columns=["m00", "m01", "m02", "m10", "m11", "m12"])
        rows = rows.assign(fov=view.field, plane=np.arange(len(rows)), z_um=view.z_um, anchor=anchor)
        found.append(rows.assign(crop_y=y, crop_x=x, height=height, width=width))
        known.append(pd.DataFrame(view.truth_rows))
    tables = [pd.concat(frames).assign(slide="field_size") for frames in (found, known)]
    return alignment_residuals(*tables, side_px)


if __name__ == "__main__":
    main()
