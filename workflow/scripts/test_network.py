"""Refocus every plane of a data set's test slides with one network and measure the result."""

from pathlib import Path

from deepr.networks.generator import load_generator
from deepr.networks.reproducibility import fix_threads
from deepr.networks.testing import measure_patch, noise_free_patch, tidy
from deepr.runtime import logged, progress
from deepr.slides import SlideWriter, open_slide
from deepr.tables import InputError, read_table, write_table


def test_on_slides(
    generator_path,
    manifest_path,
    slide_paths,
    transforms_paths,
    truth_paths,
    network,
    measurements_path,
    folder,
):
    """Write the refocused planes of every kept test patch and one row per patch, plane and image."""
    generator = load_generator(generator_path)
    manifest = read_table(manifest_path)
    manifest = manifest[manifest["kept"] & (manifest["split"] == "test")]
    if manifest.empty:
        raise InputError(f"{manifest_path}: no test patch was kept, wanted at least one; column reason says why")
    Path(folder).mkdir(parents=True, exist_ok=True)
    rows = []
    truths = truth_paths or [None] * len(slide_paths)
    for path, transforms_path, truth_path in zip(slide_paths, transforms_paths, truths, strict=True):
        name = Path(path).name.removesuffix(".ome.tif")
        patches = manifest[manifest["slide"] == name]
        if patches.empty:
            continue
        transforms = read_table(transforms_path)
        truth = open_slide(truth_path) if truth_path else None
        with (
            open_slide(path) as slide,
            SlideWriter(
                Path(folder) / f"{name}.ome.tif",
                pixel_um=slide.pixel_um,
                objective=slide.objective,
                channel=slide.channel,
                source=slide.source,
                description=f"Refocused by {network}; z counts from the focus plane",
            ) as writer,
        ):
            for patch in progress(patches.to_dict("records"), desc=name):
                field, y, x, size = patch["fov"], patch["y"], patch["x"], patch["size"]
                z_um = slide.z_um(field)
                measured, outputs = measure_patch(
                    planes=slide.stack(field)[:, y : y + size, x : x + size],
                    focus_plane=patch["focus_plane"],
                    z_um=z_um,
                    generator=generator,
                    noise_free=noise_free_patch(truth, transforms, field, patch) if truth else None,
                )
                writer.write(f"{field}_y{y}_x{x}", outputs, z_um - z_um[patch["focus_plane"]])
                place = {key: patch[key] for key in ("dataset", "slide", "fov", "y", "x")}
                rows.extend({"network": network, **place, **row} for row in measured)
    write_table(tidy(rows), measurements_path)


if __name__ == "__main__":
    with logged(snakemake):
        fix_threads(snakemake.params.threads)
        test_on_slides(
            generator_path=snakemake.input.generator,
            manifest_path=snakemake.input.manifest,
            slide_paths=snakemake.input.slides,
            transforms_paths=snakemake.input.transforms,
            truth_paths=snakemake.input.truth,
            network=snakemake.wildcards.network,
            measurements_path=snakemake.output.measurements,
            folder=snakemake.output.slides,
        )
