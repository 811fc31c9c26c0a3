"""What the size of a field and the distance of its planes do to its alignment.

Run as ``python benchmarks/experiments/field_size.py``, with ``workflow`` and ``workflow/scripts`` on the PYTHONPATH.
Acquires fields of several sizes, and with several distances of planes, with the demonstration's drift, aligns them,
and prints what remains in the patches against the simulator's truth.
"""

import argparse
import itertools
import tempfile
from pathlib import Path

import yaml
from acquire_slide import acquire
from align_slide import align_slide
from deepr.configuration import complete_config, planes_um
from deepr.tables import InputError, read_table
from deepr.truth import alignment_residuals

CONFIG = Path(__file__).resolve().parents[2] / "config" / "config.yaml"
SLIDE = "field_size"
DISTANCES_UM = {"within 2 um": (0, 2), "4 to 5 um": (4, 5), "9 to 10 um": (9, 10)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-sets", nargs="+", default=["ovary", "breast", "beads"], metavar="NAME")
    parser.add_argument("--sides", nargs="+", type=int, default=[544, 800, 1088], metavar="PX")
    parser.add_argument("--steps", nargs="+", type=float, default=[0.5, 0.25], metavar="UM", help="between planes")
    parser.add_argument("--fields", type=int, default=4, help="of each data set, size and step")
    arguments = parser.parse_args()
    config = yaml.safe_load(CONFIG.read_text())
    complete_config(config)
    for name in arguments.data_sets:
        for side_px, step_um in itertools.product(arguments.sides, arguments.steps):
            try:
                residuals = residuals_of(config, name, side_px, step_um, arguments.fields)
            except InputError as error:
                print(f"{name}, no field of {side_px} px, planes {step_um:g} um apart, is left: {error}")
                continue
            found = residuals["fov"].nunique()
            print(f"{name}, {found} of {arguments.fields} fields of {side_px} px, planes {step_um:g} um apart:")
            distance_um = residuals["defocus_um"].abs()
            for label, (nearest_um, farthest_um) in DISTANCES_UM.items():
                found_px = residuals.loc[distance_um.between(nearest_um, farthest_um), "residual_px"]
                median_px, high_px, largest_px = found_px.quantile([0.5, 0.95, 1.0])
                print(
                    f"  {label:12s} median {median_px:.2f}, 95th percentile {high_px:.2f}, largest {largest_px:.2f} px "
                    f"of {len(found_px)} planes",
                    flush=True,
                )


def residuals_of(config, name, side_px, step_um, fields):
    """Acquire fields like a test slide's, but for size and planes, align them, and give each plane's residual."""
    settings = {**config["datasets"][name], "frame_px": side_px}
    z_um = {**settings["slides"]["test"]["z_um"], "step": step_um, "fine_within": 0}
    limits = {"max_rotation_deg": config["alignment"]["max_rotation_deg"], "max_shift_px": settings["max_shift_px"]}
    with tempfile.TemporaryDirectory() as folder:
        stacks, truth, aligned = (Path(folder) / f"{kind}.ome.tif" for kind in ("stacks", "truth", "aligned"))
        planes, transforms = (Path(folder) / f"{kind}.tsv" for kind in ("planes", "transforms"))
        acquire(
            stacks_path=stacks,
            truth_path=truth,
            planes_path=planes,
            dataset=name,
            slide=SLIDE,
            settings=settings,
            z_um=planes_um(z_um).tolist(),
            fields=fields,
            drift=config["microscope"]["drift"],
            truth_range_um=0.5,
            seed=config["seed"],
            threads=1,
        )
        align_slide(stacks, aligned, transforms, config["alignment"]["anchor"], limits, settings["patch_px"], threads=1)
        return alignment_residuals(*(read_table(path).assign(slide=SLIDE) for path in (transforms, planes)), side_px)


if __name__ == "__main__":
    main()
