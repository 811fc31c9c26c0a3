"""How much the border of an image harms its refocusing: crops as in training against whole patches as in testing.

Run as ``python benchmarks/experiments/borders.py``, with ``workflow`` on the PYTHONPATH, after ``make fig2``. Every
test patch is refocused whole and, as the network was trained, in crops that know nothing of each other; both are
compared with the ground truth, by the distance of a pixel from the border of its crop.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from deepr.metrics import normalise, rmse, ssim
from deepr.networks.inference import load_generator, refocus_normalised
from deepr.slides import open_slide
from deepr.tables import read_table, write_table


def in_crops(images, generator, crop_px):
    """Refocus (Z, Y, X) normalised images crop by crop and put the crops together again."""
    planes, height, width = images.shape
    rows, columns = height // crop_px, width // crop_px
    crops = images[:, : rows * crop_px, : columns * crop_px].reshape(planes, rows, crop_px, columns, crop_px)
    crops = crops.transpose(0, 1, 3, 2, 4).reshape(-1, crop_px, crop_px, 1)
    outputs = np.concatenate([refocus_normalised(part, generator) for part in np.array_split(crops, planes)])
    outputs = outputs.reshape(planes, rows, columns, crop_px, crop_px).transpose(0, 1, 3, 2, 4)
    return outputs.reshape(planes, rows * crop_px, columns * crop_px)


def main():
    """Write borders.tsv and print its means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--network", default="ovary_5")
    parser.add_argument("--dataset", default="ovary")
    parser.add_argument("--output", type=Path, default=Path("results/benchmarks/borders.tsv"))
    arguments = parser.parse_args()
    folder = arguments.results / "networks" / arguments.network
    settings = json.loads((folder / "config.json").read_text())
    crop_px, range_um = settings["settings"]["crop_px"], settings["network"]["range_um"]
    generator = load_generator(folder)
    manifest = read_table(arguments.results / arguments.dataset / "manifest.tsv")
    manifest = manifest[manifest["kept"] & (manifest["split"] == "test")]
    rows, errors = [], []
    for name, patches in manifest.groupby("slide"):
        with open_slide(arguments.results / arguments.dataset / "aligned" / f"{name}.ome.tif") as slide:
            for patch in patches.to_dict("records"):
                z_um = slide.z_um(patch["fov"]) - patch["focus_z_um"]
                planes = np.flatnonzero((np.abs(z_um) <= range_um + 1e-3) & (np.abs(z_um) > 0.9))
                y, x, size = patch["y"], patch["x"], patch["size"] // crop_px * crop_px
                stack = slide.stack(patch["fov"])
                truth = normalise(stack[patch["focus_plane"], y : y + size, x : x + size])
                images = np.stack([normalise(stack[plane, y : y + size, x : x + size]) for plane in planes])
                whole = np.concatenate([refocus_normalised(image[None, ..., None], generator) for image in images])
                outputs = {"whole patch": whole[..., 0], "crops": in_crops(images, generator, crop_px)}
                # Distance of every pixel from the border of its crop
                line = np.minimum(np.arange(crop_px), np.arange(crop_px)[::-1])
                distance = np.tile(np.minimum(line[:, None], line), (size // crop_px, size // crop_px))
                for way, results in outputs.items():
                    for plane, output in zip(planes, results, strict=True):
                        output = normalise(output)
                        place = {"fov": patch["fov"], "z_um": round(float(z_um[plane]), 3), "way": way}
                        rows.append({**place, "ssim": ssim(output, truth), "rmse": rmse(output, truth)})
                        squares = (output - truth) ** 2
                        for low, high in ((0, 8), (8, 16), (16, 32), (32, crop_px // 2)):
                            zone = (distance >= low) & (distance < high)
                            error = float(np.sqrt(squares[zone].mean()))
                            errors.append({**place, "from_border_px": f"{low} to {high - 1}", "rmse": error})
    frame = pd.concat([pd.DataFrame(rows).assign(from_border_px="all"), pd.DataFrame(errors)], ignore_index=True)
    write_table(frame, arguments.output)
    print(frame.groupby(["from_border_px", "way"], sort=False)[["ssim", "rmse"]].mean().round(4).to_string())


if __name__ == "__main__":
    main()
