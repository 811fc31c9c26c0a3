"""What the config and the sheets plan, and what the rules share."""

import gc
import threading
from functools import cache, lru_cache

from deepr.bbbc006 import CHANNELS, OBJECTIVE as BBBC006_OBJECTIVE, PIXEL_UM as BBBC006_PIXEL_UM
from deepr.bbbc006 import SHAPE as BBBC006_SHAPE, choose_wells
from deepr.calibration import uncalibrated_stacks
import numpy as np
import smart_open
from deepr.configuration import PUBLIC, SETTINGS_WITHOUT_RESULT, complete_config, planes_um, training_settings
from deepr.optics.objective import OBJECTIVES
from deepr.plan_checks import check_mixtures, check_plan, check_sources
from deepr.provenance import source_hash
from deepr.stacks import check_stacks, narrow_fields
from deepr.sheets import read_networks, read_stacks
from deepr.tables import InputError
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

# A plan is millions of objects that stay. Looking among them for garbage, again and again, would take an eighth of its
# time; once it stands, the Snakefile sets back how often that is done.
GARBAGE_THRESHOLDS = gc.get_threshold()
gc.set_threshold(1_000_000, 1_000, 1_000)

# Snakemake parses the paths of a rule's script three times for each of its jobs, and each time smart_open makes a class
# for the answer. The answer is a tuple and always the same; kept, a plan of many slides takes a seventh less time.
smart_open.parse_uri = lru_cache(smart_open.parse_uri)


def path_of_sheet(key):
    """Look for a sheet of the config in the working directory, then beside the Snakefile."""
    for folder in (Path.cwd(), HERE):
        if (folder / config[key]).is_file():
            return folder / config[key]
    raise InputError(f"config: {key} is '{config[key]}'; wanted a file in {Path.cwd()} or {HERE}")


def plan():
    """Read and check the config and the sheets, so that a mistake stops here and not hours later."""
    complete_config(config)
    networks = read_networks(path_of_sheet("networks"), datasets=list(config["datasets"]))
    stacks = read_stacks(path_of_sheet("stacks"))
    used = stacks["dataset"].isin(config["datasets"])
    remarks = unused_rows(config["stacks"], stacks[~used])
    stacks = stacks[used].assign(stack_mb=0.0)
    check_plan(config, networks, stacks)
    # A job's own process plans again, with files that have been checked.
    if workflow.is_main_process:
        remarks += check_sources(config)
        own_images = {}
        for name, rows in stacks.groupby("dataset"):
            users = networks[[name in datasets_of(row) for row in networks.itertuples()]]
            patch_px = config["datasets"][name]["patch_px"]
            ranges_um = (users["range_um"].max(), users["range_um"].min()) if len(users) else (None, None)
            facts = check_stacks(rows, patch_px, *ranges_um)
            stacks.loc[rows.index, "stack_mb"] = facts["stack_mb"]
            remarks += [narrow_fields(rows, facts, patch_px), uncalibrated_stacks(rows)]
            own_images[name] = {"channels": facts["channels"].iloc[0], "pixel_um": set(rows["pixel_um"])}
        remarks += check_mixtures(config, networks, {**images_of_microscopes(), **own_images})
        for remark in filter(None, remarks):
            logger.warning(remark)
    return networks.set_index("name", drop=False), stacks


def unused_rows(sheet, rows):
    """Say which rows of the own stacks' sheet belong to no data set of the config."""
    names = ", ".join(sorted(set(rows["dataset"])))
    count = f"{len(rows)} row{'s' * (len(rows) > 1)}"
    return [f"{sheet}: {count} not used, of data sets that the config does not have ({names})"] if len(rows) else []


def images_of_microscopes():
    """Say of each data set that is simulated or public how many channels its images have, and their pixels."""
    images = {}
    for name, settings in config["datasets"].items():
        if settings["source"] == "simulate":
            channels = 3 if isinstance(settings["emission_um"], list) else 1
            images[name] = {"channels": channels, "pixel_um": {OBJECTIVES[settings["objective"]].pixel_um}}
        elif settings["source"] in PUBLIC:
            images[name] = {"channels": 1, "pixel_um": {BBBC006_PIXEL_UM}}
    return images


def datasets_of(row):
    """List the data sets of a row of the networks' sheet."""
    return [name.strip() for name in row.datasets.split(",")]


try:
    NETWORKS, OWN_STACKS = plan()
except InputError as error:
    raise WorkflowError(str(error)) from None

DATASETS = list(config["datasets"])
SIMULATED = [name for name, dataset in config["datasets"].items() if dataset["source"] == "simulate"]
OWN = [name for name, dataset in config["datasets"].items() if dataset["source"] == "stacks"]
BBBC006 = [name for name, dataset in config["datasets"].items() if dataset["source"] in PUBLIC]
for name in BBBC006:
    config["datasets"][name]["objective"] = BBBC006_OBJECTIVE
    config["datasets"][name]["emission_um"] = CHANNELS[config["datasets"][name]["channel"]][2]
DEEPR = list(NETWORKS.index[NETWORKS["kind"] == "deepr"])


def trained_on(dataset):
    """Say whether a network of kind deepr is trained, and so tested, on a data set."""
    return any(dataset in datasets_of(NETWORKS.loc[network]) for network in DEEPR)


@cache
def splits_of(dataset):
    """Give the split ('train' or 'test') of each slide of a data set, by name, for jobs to look up by thousands."""
    if dataset in OWN:
        rows = OWN_STACKS[OWN_STACKS["dataset"] == dataset]
        # Sorted, for the order of the sheet's lines shall change nothing.
        return dict(sorted(zip(rows["slide"], rows["split"], strict=True)))
    if dataset in BBBC006:
        settings = config["datasets"][dataset]
        counts = {kind: -(-wells // settings["wells_per_slide"]) for kind, wells in settings["wells"].items()}
    else:
        counts = {kind: slides["count"] for kind, slides in config["datasets"][dataset]["slides"].items()}
    return {
        **{f"training{number}": "train" for number in range(1, counts.get("training", 0) + 1)},
        **{f"test{number}": "test" for number in range(1, counts["test"] + 1)},
    }


def slides_of(dataset, split=None):
    """Name the slides of a data set, all or those of one split ('train' or 'test')."""
    return [slide for slide, its_split in splits_of(dataset).items() if split in (None, its_split)]


def test_slides(dataset):
    """List the aligned test slides of a data set."""
    return [f"results/{dataset}/aligned/{slide}.ome.tif" for slide in slides_of(dataset, "test")]


def acquisition_of(wildcards):
    """Give the planes and the number of fields of a simulated slide."""
    kind = "training" if splits_of(wildcards.dataset).get(wildcards.slide) == "train" else "test"
    return config["datasets"][wildcards.dataset]["slides"][kind]


def microscope_of(wildcards):
    """Give the specimen of a simulated slide, and what is the same for every slide of its data set."""
    keys = (
        *("specimen", "specimen_parameters", "objective", "channel", "emission_um"),
        *("cover_glass_um", "frame_px", "tilt_deg"),
    )
    settings = {key: config["datasets"][wildcards.dataset][key] for key in keys}
    own = acquisition_of(wildcards)["specimen_parameters"]
    return {**settings, "specimen_parameters": {**settings["specimen_parameters"], **own}}


def wells_of(wildcards):
    """Name the wells of BBBC006 that make one slide."""
    settings = config["datasets"][wildcards.dataset]
    split = "train" if splits_of(wildcards.dataset).get(wildcards.slide) == "train" else "test"
    kind = "training" if split == "train" else "test"
    wells = choose_wells(split, settings["wells"][kind], config["seed"])
    return wells[slides_of(wildcards.dataset, split).index(wildcards.slide) :: len(slides_of(wildcards.dataset, split))]


def public_source_of(wildcards):
    """Say which images of BBBC006 make a slide."""
    settings = config["datasets"][wildcards.dataset]
    return {key: settings[key] for key in ("channel", "planes", "min_contrast")}


def public_place_of(wildcards, resources):
    """Say where the images of BBBC006 are; they are the same everywhere, so this is no reason to run again."""
    settings = config["datasets"][wildcards.dataset]
    return {key: settings[key] for key in ("source", "folder" if settings["source"] == "files" else "url")}


def settings_of(wildcards, *keys):
    """Give some settings of a job's data set: one parameter, for each takes its time in a plan of many slides."""
    return {key: config["datasets"][wildcards.dataset][key] for key in keys}


def slide_to_acquire(wildcards):
    """Say how a simulated slide is acquired: specimen and microscope, planes, fields.

    Noise-free planes are kept up to `truth_range_um` from focus, on training slides only the nearest.
    """
    acquisition = acquisition_of(wildcards)
    truth_range_um = acquisition["z_um"]["step"]
    if splits_of(wildcards.dataset).get(wildcards.slide) == "test":
        truth_range_um = max(config["microscope"]["truth_range_um"], truth_range_um)
    return {
        "settings": microscope_of(wildcards),
        "z_um": planes_um(acquisition["z_um"]).tolist(),
        "fields": acquisition["fields"],
        "truth_range_um": truth_range_um,
    }


def source_of(dataset):
    """Say where a data set comes from, as every figure and table repeats it."""
    return "simulated" if dataset in SIMULATED else "BBBC006" if dataset in BBBC006 else "own"


def facts_of_dataset(dataset):
    """Say in one row where a data set comes from and how it was acquired."""
    settings = config["datasets"][dataset]
    facts = {"data set": dataset, "source": source_of(dataset), "patch_px": settings["patch_px"]}
    for key in ("specimen", "objective", "channel", "emission_um", "cover_glass_um", "tilt_deg"):
        facts[key] = str(settings.get(key, ""))
    return {
        **facts,
        "training slides": len(slides_of(dataset, "train")),
        "test slides": len(slides_of(dataset, "test")),
    }


def sources_of(datasets):
    """Say where several data sets come from."""
    return ", ".join(sorted({source_of(dataset) for dataset in datasets}))


def any_of(names):
    """Write a list of names as a regular expression; an empty one matches nothing."""
    return "|".join(names) or "(?!)"


def predictions_of(network, dataset):
    """Name the measurements of one network on the test slides of one data set."""
    return f"results/predictions/{network}/{dataset}/measurements.tsv"


def prediction_slides(network, dataset):
    """Name the folder of what one network made of the test slides of one data set."""
    return f"results/predictions/{network}/{dataset}/slides"


def range_of(network):
    """Give the training range of a network in um."""
    return float(NETWORKS.loc[network, "range_um"])


def depth_of_field_um(dataset):
    """Give lambda / NA^2 of a simulated data set in um."""
    settings = config["datasets"][dataset]
    # Of the colours of brightfield the middle one counts.
    emission_um = float(np.median(settings["emission_um"]))
    return emission_um / OBJECTIVES[settings["objective"]].numerical_aperture ** 2


# Figures and tables on offer, each with the evidence and the facts on which its claims are judged.
TARGETS = {}
# Beside the targets, the road itself is judged against the simulator's truth.
ROAD = {
    f"{name}_truth": ({"checks": f"results/{name}/checks.tsv"}, {"dataset": name})
    for name in SIMULATED
    if slides_of(name, "train")
}
SUFFIXES = {"figures": ["pdf", "svg", "png", "tsv"], "tables": ["tsv", "html", "png"]}


def offer(target, evidence, networks=(), datasets=None, facts=dict):
    """Put a figure or table on offer, if this run has all that it shows.

    `evidence` gives the tables by which its claims are judged, a path or a list of paths by keyword of the judge
    in deepr.scorecard; `facts` is called for the judge's other keywords, and only if the target is on offer.
    """
    datasets = DATASETS if datasets is None else datasets
    # A person's own data may bear the name of one of the paper's data sets; the paper's figures are not of them.
    shown = set(DATASETS) - set(OWN) if networks else set(DATASETS)
    if set(networks) <= set(NETWORKS.index) and set(datasets) <= shown:
        TARGETS[target] = (evidence, {"data_source": sources_of(datasets), **facts()})


def files_of_target(target):
    """List the files that make one figure or table, and its rows of the scorecard."""
    folder = "tables" if target.startswith("table") else "figures"
    return [
        *(f"results/{folder}/{target}.{suffix}" for suffix in SUFFIXES[folder]),
        f"results/scorecard/{target}.tsv",
    ]


def evidence_of(wildcards):
    """Give the tables by which a target's claims are judged, by keyword."""
    return {**ROAD, **TARGETS}[wildcards.target][0]


def facts_of(wildcards):
    """Give what a judge needs beside the evidence."""
    return {"scale": config["scale"], **{**ROAD, **TARGETS}[wildcards.target][1]}


def files_of_network(network):
    """List what makes a network whole: its weights, and its blind test on its own data sets."""
    return [
        f"results/networks/{network}/generator.keras",
        *(predictions_of(network, dataset) for dataset in datasets_of(NETWORKS.loc[network])),
    ]


def refuse_taken_names(taken):
    """Refuse networks, each a target by its own name, that bear the name of a rule."""
    for network in DEEPR:
        if network in taken:
            raise WorkflowError(
                f"{config['networks']}: found a network '{network}', wanted a name that is no rule or target of the "
                "workflow"
            )


@cache
def largest_stack_mb(dataset):
    """Give the size in MB of the largest stack of a data set."""
    settings = config["datasets"][dataset]
    if dataset in OWN:
        return OWN_STACKS.loc[OWN_STACKS["dataset"] == dataset, "stack_mb"].max()
    if dataset in BBBC006:
        return np.prod(BBBC006_SHAPE) * (settings["planes"]["last"] - settings["planes"]["first"] + 1) * 2 / 1e6
    planes = max(len(planes_um(slides["z_um"])) for slides in settings["slides"].values())
    bytes_per_pixel = 3 if isinstance(settings["emission_um"], list) else 2
    return settings["frame_px"] ** 2 * planes * bytes_per_pixel / 1e6


# A job on a cluster is Snakemake twice, 300 MB, beside the step; a second attempt asks for twice the memory.


def memory_for_stack(wildcards, attempt):
    """Estimate a job's memory in MB from the largest stack of a data set, of which it holds one at a time."""
    return int(attempt * (1000 + 12 * largest_stack_mb(wildcards.dataset)))


def memory_of_acquisition(wildcards, attempt):
    """Estimate in MB what a simulated field takes: its stack, and each layer of the specimen with its spectrum.

    The layers are as much wider than the frame as the outermost plane is blurred.
    """
    settings = config["datasets"][wildcards.dataset]
    objective = OBJECTIVES[settings["objective"]]
    farthest_um = np.abs(planes_um(acquisition_of(wildcards)["z_um"])).max() + 2
    grid_px = settings["frame_px"] + 2 * objective.blur_radius_um(farthest_um) / objective.pixel_um
    # As deepr.optics.specimens makes them, which takes longer to import than to plan a slide.
    layers = 41 if settings["specimen"] == "beads_volume" else 9
    return memory_for_stack(wildcards, attempt) + attempt * int(8e-6 * layers * grid_px**2)


def memory_of_training(wildcards, attempt):
    """Estimate a training's memory in MB: 250 bytes per pixel of a batch and base channel, and pages of the slides."""
    settings = {**training_of_network(wildcards), **config.get(NETWORKS.loc[wildcards.network, "kind"], {})}
    crop_px = max(settings["crop_px"], training_of_network(wildcards)["crop_px"])
    return int(attempt * (1900 + 300e-6 * settings["base_channels"] * settings["batch_size"] * crop_px**2))


def memory_of_testing(wildcards, attempt):
    """Estimate in MB what refocusing up to eight patches at once takes, or one large image."""
    pixels = max(8 * config["datasets"][wildcards.dataset]["patch_px"] ** 2, 2048**2)
    return int(attempt * (1500 + 40e-6 * config["training"]["base_channels"] * pixels))


def made_table():
    """Say what the run made and where, one line per figure and table, and what the scorecard holds."""
    from deepr.scorecard import summarise

    return summarise(Path("results"), list(TARGETS))


def cancel_timers():
    """Let Snakemake end at once: its scheduler's timers (max-jobs-per-timespan in the profile) would be waited for."""
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.cancel()


wildcard_constraints:
    dataset=any_of(DATASETS),
    network=any_of(NETWORKS.index),
    slide=r"[A-Za-z0-9_.-]+",
    target="|".join([r"(fig|table)[A-Za-z0-9]+", any_of(ROAD)]),


@cache
def own_rows_by_slide():
    """Give the own stacks' rows by data set and slide, by name of the field in each, whatever their order."""
    rows = {}
    for row in OWN_STACKS.sort_values("fov").to_dict("records"):
        rows.setdefault((row["dataset"], row["slide"]), []).append(row)
    return rows


def rows_of_slide(wildcards):
    """Give the rows of the own stacks' sheet that make one slide."""
    return own_rows_by_slide().get((wildcards.dataset, wildcards.slide), [])


def files_of_slide(wildcards):
    """List the files that make one slide of a person's own data."""
    return [path for row in rows_of_slide(wildcards) for path in row["paths"]]


def fields_of_slide(wildcards):
    """Say of each field of a person's own slide all that its planes depend on, and nothing else."""
    keys = ("fov", "paths", "axes", "channel_index", "step_um", "z_um", "pixel_um", "objective", "channel")
    return [{key: row[key] for key in keys} for row in rows_of_slide(wildcards)]


def row_of_network(wildcards):
    """Give a network's row of the sheet as plain values."""
    row = NETWORKS.loc[wildcards.network]
    return {
        "name": wildcards.network,
        "kind": row["kind"],
        "datasets": datasets_of(row),
        "range_um": float(row["range_um"]),
    }


def training_of_network(wildcards):
    """Give what the config and a network's row say of the result of its training."""
    return training_settings(config, NETWORKS.loc[wildcards.network])


def habits_of_training(wildcards, resources):
    """Give the settings of a training that change no number of it.

    Params whose function asks for the resources are no reason to run a job again.
    """
    return {key: config["training"][key] for key in SETTINGS_WITHOUT_RESULT}


def cells_of_slide(wildcards, resources):
    """Say for messages where each field of a person's own slide stands in the sheet; no reason to run again."""
    return [{key: row[key] for key in ("where", "path")} for row in rows_of_slide(wildcards)]


def start_of_network(wildcards):
    """Name the generator that a network starts from, if its row says one."""
    start = NETWORKS.loc[wildcards.network, "start_from"]
    # A name of the same sheet, or the folder of a network that was trained before.
    folder = start if start not in NETWORKS.index else f"results/networks/{start}"
    return f"{folder}/generator.keras" if start else []


# Every network that was trained on own stacks, with each of its data sets.
OWN_PAIRS = [
    (network, dataset) for network in DEEPR for dataset in datasets_of(NETWORKS.loc[network]) if dataset in OWN
]


def own_networks_of(dataset):
    """List the networks that were trained on a data set of a person's own stacks."""
    return [network for network, name in OWN_PAIRS if name == dataset]


OWN_FILES = [
    *(f"results/own/{network}/{dataset}/quality.svg" for network, dataset in OWN_PAIRS),
    *(f"results/own/{dataset}_networks.svg" for dataset in OWN if own_networks_of(dataset)),
    *(["results/own/summary.tsv"] if OWN_PAIRS else []),
]


def wanted_own_files(wildcards):
    """List what the target own makes; called for it alone, it must not end as if all were done."""
    if not OWN_FILES:
        raise WorkflowError(
            "target own: this config has no network on stacks of your own; wanted a --configfile with a data set of "
            "source stacks that a network of its sheet names (deepr init DIR writes one)"
        )
    return OWN_FILES
