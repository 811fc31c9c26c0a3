"""Combinations of settings, sheets and images that could only fail hours later, refused before anything is planned."""

import difflib
from pathlib import Path

import numpy as np

from deepr.bbbc006 import SHAPE, SITES, WELLS, find_places, plane_z_um
from deepr.configuration import PUBLIC, planes_um
from deepr.network_folders import read_config
from deepr.tables import InputError

# Pixels that differ by less are of one size, stated differently.
PIXEL_TOLERANCE = 0.01


def check_plan(config, networks, own_stacks):
    """Refuse combinations of settings that could only fail hours later.

    Parameters
    ----------
    config : dict
        Completed config.
    networks : pandas.DataFrame
        The networks sheet, one row per network, ``datasets`` a comma-separated list.
    own_stacks : pandas.DataFrame
        The sheet of a person's own stacks; may be empty.

    Raises
    ------
    InputError
        One sentence that names the key or the row, the value found and the one wanted.
    """
    for name, dataset in config["datasets"].items():
        if dataset["source"] == "simulate":
            _check_simulated(name, dataset)
        elif dataset["source"] in PUBLIC:
            _check_public(name, dataset)
        elif name not in set(own_stacks["dataset"]):
            raise InputError(
                f"config: datasets.{name}.source is 'stacks', but {config['stacks']} has no row of data set "
                f"'{name}'; wanted at least one"
            )
    for row in networks.itertuples():
        section = "deepz" if row.kind == "deepz" else "training"
        crop_px = row.crop_px or config[section]["crop_px"]
        for name in row.datasets.split(","):
            dataset = config["datasets"][name.strip()]
            if crop_px > dataset["patch_px"]:
                where = f"network '{row.name}': crop_px" if row.crop_px else f"config: {section}.crop_px"
                raise InputError(
                    f"{where} is {crop_px}, larger than datasets.{name}.patch_px {dataset['patch_px']}; wanted at "
                    "most the patch of every data set that a network trains on"
                )
            _check_split(row, name.strip(), dataset, own_stacks, config["stacks"])
            if dataset["source"] in PUBLIC:
                _check_range_in_public(row, name.strip(), dataset)
            if dataset["source"] == "simulate":
                z_um = planes_um(dataset["slides"]["training"]["z_um"])
                if row.range_um > min(-z_um[0], z_um[-1]):
                    raise InputError(
                        f"network '{row.name}': range_um is {row.range_um:g}, but the training planes of data set "
                        f"'{name}' end at {z_um[0]:g} and {z_um[-1]:g} um; wanted a range within them"
                    )
        _check_validation(row, config, own_stacks)
        if "/" in row.start_from:
            _check_start(row, config)
    weights = config["training"]["loss_weights"]
    if not config["training"]["pilot_iterations"] and not any(weights.values()):
        raise InputError(
            "config: training.loss_weights are all 0, which trains nothing; wanted one above 0, or "
            "training.pilot_iterations above 0"
        )


def check_sources(config):
    """Refuse specimens that cannot be made, and say which public images are not where they should be.

    Parameters
    ----------
    config : dict
        Completed config.

    Returns
    -------
    list of str
        One sentence for each data set whose public images are missing: what was made of them may be there.

    Raises
    ------
    InputError
        One sentence that names the key, the value found and the one wanted.
    """
    remarks = []
    for name, dataset in config["datasets"].items():
        if dataset["source"] == "simulate":
            _check_specimen(name, dataset)
        elif dataset["source"] == "files":
            planes = range(dataset["planes"]["first"], dataset["planes"]["last"] + 1)
            try:
                find_places(dataset["folder"], planes)
            except InputError as error:
                remarks.append(f"config: datasets.{name}.folder is {error}")
    return remarks


def _check_specimen(name, dataset):
    # Planning a job loads no microscope.
    from deepr.optics.specimens import is_stained, slide_parameters

    specimen, wavelengths = dataset["specimen"], np.size(dataset["emission_um"])
    wanted = 3 if is_stained(specimen) else 1
    if wavelengths != wanted:
        seen = "is stained and seen in red, green and blue" if wanted == 3 else "fluoresces in one channel"
        raise InputError(
            f"config: datasets.{name}.emission_um has {wavelengths} wavelength{'s' * (wavelengths > 1)}, but specimen "
            f"'{specimen}' {seen}; wanted {wanted}"
        )
    known = list(slide_parameters(specimen, np.random.default_rng(0)))
    places = {"specimen_parameters": dataset["specimen_parameters"]}
    for split, slides in dataset["slides"].items():
        places[f"slides.{split}.specimen_parameters"] = slides["specimen_parameters"]
    for place, parameters in places.items():
        for key in parameters:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1)
                hint = f"did you mean '{near[0]}'?" if near else f"wanted one of {', '.join(known)}"
                raise InputError(f"config: unknown key '{key}' at datasets.{name}.{place}; {hint}")


def check_mixtures(config, networks, data_sets):
    """Refuse networks that cannot take the images of all their data sets, and say where pixels differ in size.

    Parameters
    ----------
    config : dict
        Completed config.
    networks : pandas.DataFrame
        As for `check_plan`.
    data_sets : dict
        By name of a data set ``channels`` (1 or 3) and ``pixel_um`` (a collection); data sets of which nothing
        is known are left out.

    Returns
    -------
    list of str
        One sentence for each network that mixes pixel sizes, which is allowed and seldom meant.

    Raises
    ------
    InputError
        If grey and colour are mixed, within a network or with the one that it starts from, or the network is too
        narrow for colour, or of a kind without it, or images in colour are to be fused without reassignment.
    """
    remarks = []
    channels_of = {}
    for row in networks.itertuples():
        names = [name.strip() for name in row.datasets.split(",") if name.strip() in data_sets]
        if names:
            channels_of[row.name] = data_sets[names[0]]["channels"]
    for row in networks.itertuples():
        names = [name.strip() for name in row.datasets.split(",") if name.strip() in data_sets]
        for name in names:
            found, first = data_sets[name]["channels"], data_sets[names[0]]["channels"]
            if found == 3 and not config["edof"]["reassign"]:
                raise InputError(
                    f"config: edof.reassign is false, but data set '{name}' is in colour, which is fused by "
                    "reassignment alone; wanted true"
                )
            if found != first:
                raise InputError(
                    f"network '{row.name}': data set '{name}' has {found} channel{'s' * (found > 1)} and '{names[0]}' "
                    f"{first}; wanted all grey or all in colour"
                )
            if found > config["training"]["base_channels"]:
                raise InputError(
                    f"config: training.base_channels is {config['training']['base_channels']}; wanted at least 4 for "
                    f"network '{row.name}', whose data set '{name}' is in colour"
                )
        _check_channels(row, channels_of)
        sizes = sorted({size for name in names for size in data_sets[name]["pixel_um"]})
        if sizes and sizes[-1] > (1 + PIXEL_TOLERANCE) * sizes[0]:
            remarks.append(
                f"network '{row.name}' mixes pixels of {sizes[0]:g} to {sizes[-1]:g} um: the same defocus in um blurs "
                "them over different numbers of pixels"
            )
    return remarks


def _check_channels(row, channels_of):
    """Refuse a network whose images its kind, or the network that it starts from or reads, does not take."""
    kinds = {1: "grey", 3: "in colour"}
    own = channels_of.get(row.name)
    if own == 3 and row.kind == "deepz":
        raise InputError(
            f"network '{row.name}': kind is deepz, but data set '{row.datasets}' is in colour; wanted grey"
        )
    first = channels_of.get(row.start_from)
    if "/" in row.start_from:
        first = read_config(row.start_from).get("image_channels")
    if own and first and own != first:
        raise InputError(
            f"network '{row.name}': start_from is '{row.start_from}', whose images are "
            f"{kinds.get(first, f'of {first} channels')}, and its own are {kinds[own]}; wanted the same"
        )


def _training_fields(name, dataset, own_stacks):
    """Count the fields of view that a data set has for training and validation."""
    if dataset["source"] == "simulate":
        slides = dataset["slides"].get("training")
        return slides["count"] * slides["fields"] if slides else 0
    if dataset["source"] in PUBLIC:
        return len(SITES) * dataset["wells"].get("training", 0)
    return int(((own_stacks["dataset"] == name) & (own_stacks["split"] == "train")).sum())


def _check_split(row, name, dataset, own_stacks, sheet):
    """Refuse a data set that a network cannot be trained on, or not tested."""
    if dataset["source"] == "stacks":
        wanted = f"rows of {sheet} with split train"
    else:
        wanted = f"datasets.{name}.{'slides' if dataset['source'] == 'simulate' else 'wells'}.training"
    if not _training_fields(name, dataset, own_stacks):
        raise InputError(
            f"network '{row.name}': datasets is '{row.datasets}', but data set '{name}' has nothing to train on; "
            f"wanted {wanted}"
        )
    own = own_stacks[own_stacks["dataset"] == name]
    if dataset["source"] == "stacks" and row.kind == "deepr" and not (own["split"] == "test").any():
        raise InputError(
            f"network '{row.name}': datasets is '{row.datasets}', but data set '{name}' has nothing to test on; "
            f"wanted a slide with split test in {sheet}"
        )


def _check_validation(row, config, own_stacks):
    """Refuse a network none of whose data sets has two fields, one to train on and one to validate."""
    names = [name.strip() for name in row.datasets.split(",")]
    counts = {name: _training_fields(name, config["datasets"][name], own_stacks) for name in names}
    if max(counts.values()) < 2:
        raise InputError(
            f"network '{row.name}': data set '{names[0]}' has 1 training field, which cannot be divided into training "
            "and validation; wanted 2 or more"
        )


def _check_start(row, config):
    """Refuse to start from a network of another kind or width, whose weights do not fit."""
    about = Path(row.start_from) / "config.json"
    described = read_config(row.start_from)
    if not described:
        raise InputError(f"network '{row.name}': start_from has no {about}; wanted the folder as its training wrote it")
    found = {section: described.get(section, {}) for section in ("settings", "network")}
    kind = found["network"].get("kind", row.kind)
    if kind != row.kind:
        raise InputError(f"network '{row.name}': {row.start_from} is a network of kind {kind}; wanted {row.kind}")
    width, wanted = found["settings"].get("base_channels"), config["training"]["base_channels"]
    if width != wanted:
        raise InputError(
            f"network '{row.name}': {row.start_from} has base_channels {width}, and training.base_channels of the "
            f"config is {wanted}; wanted the same"
        )


def _check_public(name, dataset):
    wells = sum(dataset["wells"].values())
    if wells > len(WELLS):
        raise InputError(f"config: datasets.{name}.wells are {wells} in all; wanted at most {len(WELLS)}, the plate's")
    if dataset["patch_px"] > min(SHAPE):
        raise InputError(
            f"config: datasets.{name}.patch_px is {dataset['patch_px']}; wanted at most 512, for the images of BBBC006 "
            f"are {SHAPE[0]} x {SHAPE[1]} px"
        )


def _check_range_in_public(row, name, dataset):
    planes = dataset["planes"]
    if row.range_um > min(-plane_z_um(planes["first"]), plane_z_um(planes["last"])):
        raise InputError(
            f"network '{row.name}': range_um is {row.range_um:g}, but planes {planes['first']} to {planes['last']} of "
            f"data set '{name}' end at {plane_z_um(planes['first']):g} and {plane_z_um(planes['last']):g} um; wanted a "
            "range within them"
        )


def _check_simulated(name, dataset):
    for split, slides in dataset["slides"].items():
        z_um = slides["z_um"]
        if z_um["stop"] <= z_um["start"]:
            raise InputError(
                f"config: datasets.{name}.slides.{split}.z_um.stop is {z_um['stop']:g}; wanted more than "
                f"start, {z_um['start']:g}"
            )
        spans = [(z_um["stop"] - z_um["start"], z_um["step"], "step", "stop - start")]
        if z_um["fine_within"]:
            fine = min(z_um["fine_within"], z_um["stop"]) - max(-z_um["fine_within"], z_um["start"])
            spans.append((fine, z_um["fine_step"], "fine_step", "what lies within fine_within"))
        for span, step, key, what in spans:
            if abs(span / step - round(span / step)) > 1e-6:
                raise InputError(
                    f"config: datasets.{name}.slides.{split}.z_um.{key} is {step:g}; wanted a whole number of steps in "
                    f"{what}, {span:g} um"
                )
        if split == "test" and z_um["fine_within"] and dataset["specimen"].startswith("beads"):
            raise InputError(
                f"config: datasets.{name}.slides.test.z_um.fine_within is {z_um['fine_within']:g}; wanted none on test "
                "slides of beads, whose widths along z are measured on planes of equal distance"
            )
    if dataset["frame_px"] < dataset["patch_px"]:
        raise InputError(
            f"config: datasets.{name}.frame_px is {dataset['frame_px']}, smaller than patch_px "
            f"{dataset['patch_px']}; wanted a field that holds at least one patch"
        )
