"""Train Figure 2's network from several seeds on the same data: how much of its curve is chance.

Run as ``python benchmarks/experiments/seeds.py``, with ``workflow`` and ``workflow/scripts`` on the PYTHONPATH,
after ``make fig2``. It needs as many times the time of one training as there are new seeds, and goes on where it was
stopped; what is older than the data is made again. The run's own network counts as the first seed. Writes a table and a
plot.
"""

import argparse
import json
from pathlib import Path

import pandas as pd
from deepr.figures import style
from deepr.metrics import summarise_by_defocus
from deepr.tables import read_table, write_table
from test_network import test_on_slides
from train_network import train


def curve(results, network, dataset, folder, seed):
    """Train and test one network, if that is not done, and give its curves against defocus."""
    settings = json.loads((results / "networks" / network / "config.json").read_text())
    if seed == settings["seed"]:
        measurements = results / "predictions" / network / dataset / "measurements.tsv"
    else:
        measurements = folder / str(seed) / "measurements.tsv"
    slides = {
        split: sorted((results / dataset / "aligned").glob(f"{split}*.ome.tif")) for split in ("training", "test")
    }
    data = [results / dataset / "manifest.tsv", *slides["training"], *slides["test"]]
    newest = max(path.stat().st_mtime for path in data)
    current = measurements.exists() and measurements.stat().st_mtime >= newest
    if seed == settings["seed"] and not current:
        raise SystemExit(f"{measurements}: absent or older than its data, wanted those of a run (make fig2)")
    if not current:
        train(
            manifest_paths=[results / dataset / "manifest.tsv"],
            slide_paths=slides["training"],
            folder=folder / str(seed),
            row={key: settings["network"][key] for key in ("name", "kind", "datasets", "range_um")},
            settings=settings["settings"],
            seed=seed,
            start_from=None,
            scale=settings["network"].get("scale", ""),
        )
        test_on_slides(
            generator_path=folder / str(seed) / "generator.keras",
            manifest_path=results / dataset / "manifest.tsv",
            slide_paths=slides["test"],
            transforms_paths=[path.with_name(path.name.replace(".ome.tif", ".tsv")) for path in slides["test"]],
            truth_paths=None,
            network=f"{network}, seed {seed}",
            measurements_path=measurements,
            folder=folder / str(seed) / "slides",
        )
    frames = [
        summarise_by_defocus(read_table(measurements), metric).assign(metric=metric) for metric in ("ssim", "rmse")
    ]
    return pd.concat(frames).assign(seed=seed)


@style.paper_style
def draw(curves, range_um, output_base):
    """Draw the outputs' mean SSIM and RMSE against z, a line per seed, and the input's."""
    figure = style.new_figure(height_mm=62)
    colours = (style.OUTPUT_COLOUR, style.SECOND_COLOUR, "#d9660f", "#7a3fb0", "#444444")
    for column, (metric, label) in enumerate((("ssim", "SSIM"), ("rmse", "RMSE"))):
        axes = style.axes_mm(figure, 14 + 88 * column, 4, 72, 40)
        style.shade_training_range(axes, range_um)
        own = curves[curves["metric"] == metric]
        first = own[(own["image"] == "input") & (own["seed"] == own["seed"].iloc[0])]
        axes.plot(first["z_um"], first["mean"], color=style.INPUT_COLOUR, label="Input")
        for (seed, line), colour in zip(own[own["image"] == "output"].groupby("seed"), colours, strict=False):
            axes.plot(line["z_um"], line["mean"], color=colour, lw=0.9, label=f"Deep-R output, seed {seed}")
        axes.set(xlabel="Axial defocus distance z (µm)", ylabel=label)
        axes.set_ylim(bottom=0)
    figure.legend(*axes.get_legend_handles_labels(), loc="lower center", bbox_to_anchor=(0.5, 0.03), ncols=4)
    style.provenance_line(figure, "simulated", "demonstration")
    style.save_figure(figure, output_base)


def main():
    """Train what is missing, write seeds.tsv and draw seeds.png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--network", default="ovary_5")
    parser.add_argument("--dataset", default="ovary")
    parser.add_argument("--seeds", type=int, nargs="+", default=[2021, 2022, 2023])
    parser.add_argument("--output", type=Path, default=Path("results/benchmarks/seeds"))
    arguments = parser.parse_args()
    curves = [
        curve(arguments.results, arguments.network, arguments.dataset, arguments.output, seed)
        for seed in arguments.seeds
    ]
    curves = pd.concat(curves, ignore_index=True)
    write_table(curves, arguments.output / "seeds.tsv")
    range_um = json.loads((arguments.results / "networks" / arguments.network / "config.json").read_text())
    range_um = range_um["network"]["range_um"]
    draw(curves, range_um, arguments.output / "seeds")
    outputs = curves[(curves["image"] == "output") & curves["z_um"].abs().between(0.9, range_um)]
    whole = outputs[outputs["z_um"] % 1 == 0].pivot_table(index=["metric", "z_um"], columns="seed", values="mean")
    whole["spread"] = whole.max(axis=1) - whole.min(axis=1)
    print(whole.round(3).to_string())
    print("mean over the range:\n", whole.groupby("metric").mean().round(4).to_string())


if __name__ == "__main__":
    main()
