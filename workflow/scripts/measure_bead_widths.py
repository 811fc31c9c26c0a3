"""Measure the width of every bead of the test slides in every plane, before and after each network."""

import logging
from pathlib import Path

import pandas as pd
from deepr.beads import measure_beads, plane_step_um
from deepr.runtime import logged, progress
from deepr.slides import open_slide
from deepr.tables import InputError, read_table, write_table

COLUMNS = (
    *("network", "slide", "fov", "y", "x", "bead", "plane", "z_um", "y_px", "x_px"),
    *("fwhm_x_um", "fwhm_y_um", "fwhm_um", "fwhm_se_um", "axial_fwhm_um", "kept", "reason"),
)

log = logging.getLogger(__name__)


def measure(manifest_path, slide_paths, prediction_folders, networks, saturation, widths_path):
    """Write one row per image stack (network, or none for the input), bead and plane.

    Beads are found, and left out, in the input; the outputs are measured at the same places. A patch in which no
    bead can be measured is named in the log.
    """
    manifest = read_table(manifest_path)
    manifest = manifest[manifest["kept"] & (manifest["split"] == "test")]
    if manifest.empty:
        raise InputError(f"{manifest_path}: no test patch was kept, wanted at least one; column reason says why")
    frames = []
    for path in slide_paths:
        name = Path(path).name.removesuffix(".ome.tif")
        patches = manifest[manifest["slide"] == name]
        with open_slide(path) as slide:
            for patch in progress(patches.to_dict("records"), desc=name):
                field, y, x, size = patch["fov"], patch["y"], patch["x"], patch["size"]
                z_um = slide.z_um(field)
                try:
                    step_um = plane_step_um(z_um)
                except ValueError as error:
                    raise InputError(f"{path}: {error} in stacks of test slides of beads") from error
                stack = slide.stack(field)[:, y : y + size, x : x + size]
                place = {"slide": name, "fov": field, "y": y, "x": x}
                try:
                    found = measure_beads(
                        stack, slide.pixel_um, step_um, focus_plane=patch["focus_plane"], saturation=saturation
                    )
                except ValueError as error:
                    log.warning("%s, field %s, patch at y %d, x %d: %s", path, field, y, x, error)
                    continue
                frames.append(found.assign(network="", **place))
                for network, folder in zip(networks, prediction_folders, strict=True):
                    outputs_path, series = Path(folder) / f"{name}.ome.tif", f"{field}_y{y}_x{x}"
                    with open_slide(outputs_path) as predictions:
                        output = predictions.stack(series)
                        try:
                            measured = measure_beads(output, slide.pixel_um, step_um, beads=found, min_beads=0)
                        except ValueError as error:
                            raise InputError(f"{outputs_path}, {series}: {error}") from error
                    frames.append(measured.assign(network=network, **place))
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(COLUMNS))
    write_table(table[list(COLUMNS)], widths_path)
    for sentence in count_fits(table):
        log.info(sentence)


def count_fits(table):
    """Say how many beads are kept, and of their fits how many failed in each image stack, a sentence each.

    A bead is left out for what it is in focus; of a kept one the fits of other planes can fail.
    """
    in_focus = table[(table["network"] == "") & (table["z_um"] == 0)]
    kept = in_focus["kept"].astype(bool)
    place = ["slide", "fov", "y", "x", "bead"]
    sentences = [f"{kept.sum()} beads kept, {(~kept).sum()} left out: {_reasons(in_focus[~kept])}"]
    fits = table.merge(in_focus.loc[kept, place], on=place)
    for network, own in fits.groupby("network"):
        failed = own[~own["kept"].astype(bool)]
        sentences.append(f"{network or 'input'}: {len(failed)} of {len(own)} fits failed: {_reasons(failed)}")
    return sentences


def _reasons(rows):
    counts = rows["reason"].value_counts()
    return ", ".join(f"{count} {reason}" for reason, count in counts.items()) or "none"


if __name__ == "__main__":
    with logged(snakemake):
        measure(
            manifest_path=snakemake.input.manifest,
            slide_paths=snakemake.input.slides,
            prediction_folders=snakemake.input.predictions,
            networks=snakemake.params.networks,
            saturation=snakemake.params.dataset["saturation"],
            widths_path=snakemake.output[0],
        )
