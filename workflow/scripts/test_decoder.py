"""Estimate the defocus of every test image within range, pixel by pixel, and compare with the truth."""

from pathlib import Path

import numpy as np
import pandas as pd
from deepr.depth import measure_map
from deepr.networks.blind_refocusing import refocus_stack
from deepr.networks.decoder import defocus_maps, load_decoder
from deepr.networks.generator import load_generator
from deepr.networks.reproducibility import fix_threads
from deepr.runtime import logged, progress
from deepr.slides import SlideWriter, open_slide
from deepr.tables import InputError, read_table, write_table

# Planes whose images are kept for the figure, as shares of the training range
KEPT_SHARES = (-0.6, 0.0, 0.6)


def test_decoder(generator_path, decoder_path, manifest_path, slide_paths, network, range_um, table_path, images_path):
    """Write one row per test patch and plane, and for a few planes input, Deep-R output and map."""
    generator, decoder = load_generator(generator_path), load_decoder(decoder_path)
    manifest = read_table(manifest_path)
    manifest = manifest[manifest["kept"] & (manifest["split"] == "test")]
    if manifest.empty:
        raise InputError(f"{manifest_path}: no test patch was kept, wanted at least one; column reason says why")
    rows = []
    with open_slide(slide_paths[0]) as slide:
        facts = {name: getattr(slide, name) for name in ("pixel_um", "objective", "channel", "source")}
    with SlideWriter(images_path, description="Input, Deep-R output and defocus map in um", **facts) as writer:
        for path in slide_paths:
            name = Path(path).name.removesuffix(".ome.tif")
            with open_slide(path) as slide:
                for patch in progress(manifest[manifest["slide"] == name].to_dict("records"), desc=name):
                    field, y, x, size = patch["fov"], patch["y"], patch["x"], patch["size"]
                    z_um = slide.z_um(field) - patch["focus_z_um"]
                    within = np.flatnonzero(np.abs(z_um) <= range_um + 1e-3)
                    planes = np.asarray(slide.stack(field)[within, y : y + size, x : x + size])
                    z_um = np.round(z_um[within], 3) + 0.0
                    maps = defocus_maps(planes, generator, decoder)
                    place = {key: patch[key] for key in ("dataset", "slide", "fov", "y", "x")}
                    for plane, z, map_um in zip(within, z_um, maps, strict=True):
                        measured = measure_map(map_um, z, slide.pixel_um)
                        rows.append({"network": network, **place, "plane": int(plane), "z_um": float(z), **measured})
                    kept = sorted({int(np.argmin(np.abs(z_um - share * range_um))) for share in KEPT_SHARES})
                    outputs = refocus_stack(planes[kept], generator)
                    series = f"{name}_{field}_y{y}_x{x}"
                    for kind, images in (("input", planes[kept]), ("output", outputs), ("map", maps[kept])):
                        writer.write(f"{series}_{kind}", images.astype(np.float32), z_um[kept])
    write_table(pd.DataFrame(rows), table_path)


if __name__ == "__main__":
    with logged(snakemake):
        fix_threads(snakemake.params.threads)
        test_decoder(
            generator_path=snakemake.input.generator,
            decoder_path=snakemake.input.decoder,
            manifest_path=snakemake.input.manifest,
            slide_paths=snakemake.input.slides,
            network=snakemake.wildcards.network,
            range_um=snakemake.params.range_um,
            table_path=snakemake.output.table,
            images_path=snakemake.output.images,
        )
