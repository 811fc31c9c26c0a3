"""Deep-R against CARE: trained for the same time on the same pairs, tested on the same unseen patches.

Run as ``make benchmark``, or as ``python benchmarks/care.py --results results`` with ``workflow`` and csbdeep on the
PYTHONPATH, after ``make results/ovary/manifest.tsv`` and with nothing else running.

Deep-R trains with the settings of the demonstration: full loss, batches of 5, the generator in bfloat16 where the
processor has it, rates that fall along a cosine, which ends when the time does. CARE trains with csbdeep's defaults for
as many seconds, once with csbdeep's batches of 16 and once with batches of 5. Both draw the same crops of the same
patches, turned and mirrored alike and normalised alike, from the same seed, and choose their best weights by the same
validation pairs; each has a process of its own with the same number of threads and oneDNN on. Drawing CARE's crops
beforehand takes no time of its training.
"""

import argparse
import functools
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import care_network
import numpy as np
import pandas as pd
import yaml
from comparison import OURS, PEER, in_own_process, row, show
from deepr.configuration import complete_config
from deepr.slides import open_slide
from deepr.tables import InputError, read_table

CONFIG = Path(__file__).resolve().parents[1] / "config" / "config.yaml"
Z_TOLERANCE_UM = 1e-3


class Data(NamedTuple):
    """What both networks see: where the slides are, how far from focus, how it is drawn."""

    results: Path
    dataset: str
    range_um: float
    crop_px: int
    batch_size: int
    seed: int


def measure(
    results=Path("results"), seconds=150.0, threads=2, seed=2021, dataset="ovary", range_um=5.0, config_path=CONFIG
):
    """Give the rows of Deep-R and of CARE: time and updates of the training, gain in SSIM by distance from focus."""
    config = complete_config(yaml.safe_load(Path(config_path).read_text(encoding="utf-8")))
    settings = {**config["training"], "threads": threads}
    data = Data(Path(results), dataset, range_um, settings["crop_px"], settings["batch_size"], seed)
    with tempfile.TemporaryDirectory() as folder:
        contestants = [("deepr", OURS, *in_own_process(contest_deepr, data, settings, seconds, Path(folder)))]
        # As long as ours really took, and at least the pairs that ours saw.
        ours = contestants[0][2]
        for batch_size in sorted({care_network.BATCH_SIZE, settings["batch_size"]}, reverse=True):
            place = Path(folder) / f"care_{batch_size}"
            outcome = in_own_process(
                contest_care, data, settings, ours["seconds"], ours["pairs drawn"], batch_size, place
            )
            contestants.append((f"csbdeep, CARE, batches of {batch_size}", PEER, *outcome))
    with open_aligned(data, manifest_of(data)["slide"].iloc[0]) as slide:
        task = f"{dataset} ({slide.source}) within {range_um:g} um, trained for {seconds:g} s"
    rows = []
    for program, side, record, measured in contestants:
        gains = ssim_gains(measured)
        place = {"threads": threads}
        note = ", ".join(f"{value} {name}" for name, value in record.items() if name != "seconds")
        rows.append(row("care", task, program, side, record["seconds"], quantity="training time", note=note, **place))
        rows.append(row("care", task, program, side, **mean_gain(gains), **place))
        for z_um, here in gains.groupby("z_um")["gain"]:
            by_z = {"quantity": "SSIM gain", "unit": "", "z_um": z_um, "runs": len(here)}
            rows.append(row("care", task, program, side, here.mean(), median=here.median(), **by_z, **place))
    return rows


def ssim_gains(measured):
    """Give the output's SSIM minus the input's of every image but those in focus, which are the ground truth itself.

    Parameters
    ----------
    measured : DataFrame
        Rows of `deepr.networks.testing.measure_patch` with the column patch besides.

    Returns
    -------
    DataFrame
        Columns patch, z_um and gain.
    """
    ssim = measured.pivot(index=["patch", "z_um"], columns="image", values="ssim")
    gains = (ssim["output"] - ssim["input"]).rename("gain").reset_index()
    return gains[gains["z_um"].abs() > Z_TOLERANCE_UM]


def mean_gain(gains):
    """Give what a row says of the mean over all images of the range."""
    return {
        "value": gains["gain"].mean(),
        "median": gains["gain"].median(),
        "quantity": "mean SSIM gain",
        "unit": "",
        "runs": len(gains),
        "note": f"{gains['patch'].nunique()} patches; the plane in focus does not count",
    }


def contest_deepr(data, settings, seconds, folder):
    """Train Deep-R for about so many seconds and test it, in this process; give its record and its measurements."""
    from deepr.networks.inference import load_generator
    from deepr.networks.training import train_network

    training, validation = (draw_from(data, split) for split in ("train", "validation"))
    trial = {**settings, "iterations": settings["validation_interval"] + 1}
    train_network(training, validation, folder / "trial", trial, data.seed)
    history = read_table(folder / "trial" / "history.tsv")
    iterations = plan_iterations(history["seconds"].to_numpy(), seconds)
    config = train_network(training, validation, folder / "deepr", {**settings, "iterations": iterations}, data.seed)
    record = {
        "seconds": config["seconds"],
        "iterations": iterations,
        "pairs drawn": iterations * settings["batches_per_iteration"] * data.batch_size,
        "generator updates": config["generator_updates"],
        "parameters": config["generator_parameters"],
    }
    return record, test(data, load_generator(folder / "deepr"))


def plan_iterations(seconds, wanted_s):
    """Plan for how many iterations a time is enough, by a trial that ends one iteration after its first validation.

    Parameters
    ----------
    seconds : (N,) ndarray of float
        Time since the start at the end of each iteration of the trial. The first iteration and the first validation,
        which iteration N - 1 ends with, build their graphs; iteration N ends with a validation too.
    wanted_s : float

    Returns
    -------
    int
        At least 1.
    """
    interval = len(seconds) - 1
    iteration_s = (seconds[interval - 2] - seconds[0]) / (interval - 2)
    first_validation_s, validation_s = np.diff(seconds)[-2:] - iteration_s
    start_s = seconds[0] - iteration_s + max(0.0, first_validation_s - validation_s)
    return max(1, round((wanted_s - start_s) / (iteration_s + max(0.0, validation_s) / interval)))


def contest_care(data, settings, seconds, least_pairs, batch_size, folder):
    """Train CARE for so many seconds and test it, in this process; give its record and its measurements."""
    care_network.set_up(settings["threads"], data.seed)
    training, validation = (draw_from(data, split) for split in ("train", "validation"))
    looked_at = validation.validation_set(settings["validation_pairs"])
    draw_pairs = functools.partial(first_pairs, training)
    record = care_network.train(draw_pairs, least_pairs, looked_at, folder, batch_size, seconds)
    return record, test(data, care_network.load(folder).keras_model)


def first_pairs(pairs, count):
    """Give the pairs that the first batches of a training hold: inputs and truths, (count, Y, X, C) each."""
    batches = [pairs.batch(number) for number in range(-(-count // pairs.batch_size))]
    inputs, truths = (np.concatenate(images)[:count] for images in zip(*batches, strict=True))
    return inputs, truths


def draw_from(data, split):
    """Open the pairs of one split, as the training of the workflow does."""
    from deepr.networks.pairs import PairSampler

    patches = manifest_of(data)
    patches = patches[patches["split"] == split]
    slides = {(data.dataset, name): open_aligned(data, name) for name in patches["slide"].unique()}
    draws = (data.range_um, data.crop_px, data.batch_size, data.seed)
    return PairSampler(patches, slides, *draws, augment=split == "train")


def manifest_of(data):
    return read_table(data.results / data.dataset / "manifest.tsv")


def open_aligned(data, slide):
    return open_slide(data.results / data.dataset / "aligned" / f"{slide}.ome.tif")


def test(data, network):
    """Refocus every plane within the range of every kept test patch; one row per patch, plane and image.

    The network is a Keras model from a normalised image to a normalised image, whatever its make.
    """
    from deepr.networks.testing import measure_patch

    patches = manifest_of(data)
    patches = patches[patches["kept"] & (patches["split"] == "test")]
    if patches.empty:
        raise InputError(f"{data.results / data.dataset / 'manifest.tsv'}: no test patch was kept, wanted at least one")
    rows = []
    for number, patch in enumerate(patches.to_dict("records")):
        with open_aligned(data, patch["slide"]) as slide:
            z_um = slide.z_um(patch["fov"])
            planes = np.flatnonzero(np.abs(z_um - z_um[patch["focus_plane"]]) <= data.range_um + Z_TOLERANCE_UM)
            y, x, size = patch["y"], patch["x"], patch["size"]
            measured, _ = measure_patch(
                planes=slide.stack(patch["fov"])[planes, y : y + size, x : x + size],
                focus_plane=int(np.searchsorted(planes, patch["focus_plane"])),
                z_um=z_um[planes],
                generator=network,
            )
        rows.extend({"patch": number, **measurement} for measurement in measured)
    return pd.DataFrame(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the workflow's results")
    parser.add_argument("--config", type=Path, default=CONFIG, help="config whose section training is used")
    parser.add_argument("--dataset", default="ovary")
    parser.add_argument("--range-um", type=float, default=5.0)
    parser.add_argument("--seconds", type=float, default=150.0, help="of each training")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=2021)
    arguments = parser.parse_args()
    try:
        show(
            measure(
                arguments.results,
                arguments.seconds,
                arguments.threads,
                arguments.seed,
                arguments.dataset,
                arguments.range_um,
                arguments.config,
            )
        )
    except InputError as error:
        sys.exit(f"care.py: {error}")


if __name__ == "__main__":
    main()
