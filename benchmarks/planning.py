"""Time and memory of planning: ``.venv/bin/python benchmarks/planning.py`` from the root.

Dry runs of the paper's scale, of ten simulated data sets of 1,000 slides each, and of as many slides of a person's own
stacks. The own stacks are real TIFF files of 21 small planes, linked many times: planning reads every header, and a
header takes as long whatever the size of its planes.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
PLANES = 21
SIDE_PX = 96
# Every so many slides one is for testing.
TEST_EVERY = 10


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-sets", type=int, default=10)
    parser.add_argument("--slides", type=int, default=1000, help="in each data set")
    arguments = parser.parse_args()
    named = f"{arguments.data_sets} x {arguments.slides:,} slides"
    print(f"{'dry run':40s}    jobs  wall (s)  processor (s)  peak memory (GiB)")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        plans = {
            "config/paper.yaml": REPOSITORY / "config/paper.yaml",
            f"simulated, {named}": write_simulated(folder, arguments.data_sets, arguments.slides),
            f"own stacks, {named}": write_own(folder, arguments.data_sets, arguments.slides),
        }
        for name, config in plans.items():
            print(f"{name:40s}  " + "  ".join(plan(config, folder)), flush=True)


def write_simulated(folder, data_sets, slides):
    """Write a config of simulated data sets, one field to a slide, with a network for each."""
    z_um = {"start": -10, "stop": 10, "step": 0.2}
    test = max(1, slides // TEST_EVERY)
    counts = {"training": slides - test, "test": test}
    settings = {
        **{"source": "simulate", "specimen": "ovary", "objective": "40x/0.95", "channel": "Cy5"},
        **{"emission_um": 0.692, "cover_glass_um": 163, "frame_px": 544, "patch_px": 512},
        "slides": {split: {"count": count, "fields": 1, "z_um": z_um} for split, count in counts.items()},
    }
    write_rows(folder / "none.tsv", [])
    return write_config(folder / "simulated.yaml", data_sets, settings, "none.tsv")


def write_own(folder, data_sets, slides):
    """Write a sheet of own stacks, one field to a slide, and their files."""
    first = folder / "stack.tif"
    planes = np.random.default_rng(1).integers(0, 4000, (PLANES, SIDE_PX, SIDE_PX)).astype(np.uint16)
    tifffile.imwrite(first, planes, photometric="minisblack")
    rows = []
    for data_set in range(data_sets):
        for slide in range(slides):
            path = folder / f"set{data_set}_{slide}.tif"
            os.link(first, path)
            rows.append(own_row(data_set, slide, path.name))
    write_rows(folder / "stacks.tsv", rows)
    return write_config(folder / "own.yaml", data_sets, {"source": "stacks", "patch_px": 64}, "stacks.tsv")


def write_rows(path, rows):
    """Write a sheet of own stacks, whose rows are dicts."""
    columns = own_row(0, 0, "").keys()
    path.write_text("".join("\t".join(row) + "\n" for row in (columns, *(row.values() for row in rows))))


def own_row(data_set, slide, path):
    """Give one row of the sheet of own stacks, cells by column."""
    return {
        **{"dataset": f"set{data_set}", "slide": f"s{slide}", "fov": "f1"},
        **{"split": "test" if slide % TEST_EVERY == 0 else "train", "path": path, "axes": "ZYX", "channel": "Cy5"},
        **{"pixel_um": "0.325", "step_um": "0.5", "objective": "20x/0.75"},
    }


def write_config(path, data_sets, settings, stacks):
    """Write a config of equal data sets, and the sheet of their networks beside it."""
    names = [f"set{number}" for number in range(data_sets)]
    networks = path.with_suffix(".networks.tsv")
    rows = ["name\tkind\tdatasets\trange_um", *(f"{name}_5\tdeepr\t{name}\t5" for name in names)]
    networks.write_text("\n".join(rows) + "\n")
    config = {
        **{"scale": "paper", "networks": networks.name, "stacks": stacks},
        "datasets": {name: settings for name in names},
        "training": {"crop_px": 64},
    }
    path.write_text(yaml.safe_dump(config))
    return path


def plan(config, folder):
    """Let Snakemake plan a config, and give jobs, seconds and memory as text."""
    command = [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile"), "--configfile", str(config)),
        *("--dryrun", "--cores", "2", "--quiet", "rules", "--nocolor"),
    ]
    output = folder / "output.txt"
    start = time.perf_counter()
    with open(output, "w") as file:
        process = subprocess.Popen(command, cwd=folder, stdout=file, stderr=subprocess.STDOUT)
        # The usage of this one child, and not the largest of all so far.
        _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - start
    text = output.read_text()
    if status != 0:
        sys.exit(f"{config} cannot be planned:\n{text}")
    jobs = int(re.search(r"^total +(\d+)", text, re.MULTILINE)[1])
    processor_s = usage.ru_utime + usage.ru_stime
    return f"{jobs:6d}", f"{wall_s:8.1f}", f"{processor_s:13.1f}", f"{usage.ru_maxrss / 2**20:17.2f}"


if __name__ == "__main__":
    main()
