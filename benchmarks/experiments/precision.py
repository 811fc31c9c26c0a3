"""How much bfloat16 changes refocused images: against float32, and where tiles join.

Run as ``python benchmarks/experiments/precision.py``, with ``workflow`` on the PYTHONPATH, after ``make fig2``, on a
processor with bfloat16. The planes of every test field within the network's range are refocused in both precisions;
then fields tiled to a large image, as a whole and in tiles. Differences are in shares of the float32 result's standard
deviation (root mean square) and of its range (largest).
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from deepr.networks.blind_refocusing import refocus, refocus_stack
from deepr.networks.generator import load_generator
from deepr.networks.precision import PRECISIONS, with_precision
from deepr.slides import open_slide
from deepr.tables import write_table

LARGE_PX, TILE_PX = 1600, 1024


def compare(found, wanted, **place):
    """Give one row: how far an image is from another."""
    error = found.astype(np.float64) - wanted
    return {**place, "rms": np.sqrt(np.mean(error**2)) / wanted.std(), "largest": np.abs(error).max() / np.ptp(wanted)}


def main():
    """Write precision.tsv and print its summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--network", default="ovary_5")
    parser.add_argument("--dataset", default="ovary")
    parser.add_argument("--output", type=Path, default=Path("results/benchmarks/precision.tsv"))
    arguments = parser.parse_args()
    folder = arguments.results / "networks" / arguments.network
    range_um = json.loads((folder / "config.json").read_text())["network"]["range_um"]
    networks = {precision: with_precision(load_generator(folder), precision) for precision in PRECISIONS}
    rows = []
    for path in sorted((arguments.results / arguments.dataset / "aligned").glob("test*.ome.tif")):
        with open_slide(path) as slide:
            for field in slide.fields:
                planes = slide.stack(field)[np.abs(slide.z_um(field)) <= range_um]
                wanted, found = (refocus_stack(planes, network) for network in networks.values())
                pairs = zip(found, wanted, strict=True)
                rows += [compare(*pair, what="bfloat16 against float32", field=field) for pair in pairs]
                for plane in (planes[0], planes[-1]):
                    large = np.pad(plane, [(0, LARGE_PX - side) for side in plane.shape], mode="symmetric")
                    for precision, network in networks.items():
                        whole, tiles = refocus(large, network), refocus(large, network, max_pixels=TILE_PX**2)
                        rows.append(compare(tiles, whole, what=f"tiles against the whole, {precision}", field=field))
    table = pd.DataFrame(rows)
    write_table(table, arguments.output)
    print(table.groupby("what")[["rms", "largest"]].agg(["median", "max"]).to_string(float_format="{:.2g}".format))


if __name__ == "__main__":
    main()
