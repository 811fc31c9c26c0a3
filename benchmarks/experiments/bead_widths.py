"""Judge Figure 4's and Figure S3's claims on other networks than the run's own, as `gpu_training.py` makes them.

Run as ``python benchmarks/experiments/bead_widths.py SMALLER LARGER``, with ``workflow`` and ``workflow/scripts`` on
the PYTHONPATH, after ``make fig4 figS3``. Each argument is a network's folder, the one of the smaller range first.
Prints the mean width and the number of beads against z, and the claims.
"""

import argparse
import json
import tempfile
from pathlib import Path

from deepr.scorecard.beads import judge_figure_4, judge_figure_s3
from deepr.tables import read_table
from measure_bead_widths import measure
from refocus_volume import refocus_volume
from test_network import test_on_slides


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", type=Path, nargs=2, metavar="FOLDER")
    parser.add_argument("--results", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    described = [json.loads((path / "config.json").read_text())["network"] for path in arguments.networks]
    ranges_um = [network["range_um"] for network in described]
    if ranges_um[0] >= ranges_um[1]:
        raise SystemExit(f"networks of +-{ranges_um[0]:g} and +-{ranges_um[1]:g} um, wanted the smaller range first")
    source, scale = described[0]["data"]["beads"]["source"], described[0]["scale"]
    names = [f"+-{range_um:g} um" for range_um in ranges_um]
    generators = [path / "generator.keras" for path in arguments.networks]
    manifest = arguments.results / "beads" / "manifest.tsv"
    slides = sorted((arguments.results / "beads" / "aligned").glob("test*.ome.tif"))
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for name, generator in zip(names, generators, strict=True):
            test_on_slides(
                generator_path=generator,
                manifest_path=manifest,
                slide_paths=slides,
                transforms_paths=[path.with_name(path.name.replace(".ome.tif", ".tsv")) for path in slides],
                truth_paths=None,
                network=name,
                measurements_path=folder / f"{name}.tsv",
                folder=folder / name,
            )
        measure(manifest, slides, [folder / name for name in names], names, None, folder / "widths.tsv")
        volumes = sorted((arguments.results / "beads_volume" / "aligned").glob("test*.ome.tif"))
        refocus_volume(generators, names, volumes, folder / "volume.tsv", folder / "volume.ome.tif")
        widths = read_table(folder / "widths.tsv").fillna({"network": ""})
        volume = read_table(folder / "volume.tsv")
    kept = widths[widths["kept"].astype(bool)]
    print(kept.groupby(["z_um", "network"])["fwhm_um"].agg(["mean", "count"]).unstack().round(2).to_string())
    for judge, table in ((judge_figure_4, widths), (judge_figure_s3, volume)):
        for row in judge(table, names, ranges_um, source, scale).itertuples():
            print(f"{row.claim}: {row.measured} ({row.verdict})")


if __name__ == "__main__":
    main()
