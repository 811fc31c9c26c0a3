"""What the config and the sheets plan, and what the rules share."""

from deepr.configuration import check_plan, complete_config, planes_um
from deepr.optics.objective import OBJECTIVES
from deepr.provenance import source_hash
from deepr.stacks import check_stacks
from deepr.sheets import read_networks, read_stacks
from deepr.tables import InputError
from snakemake.exceptions import WorkflowError


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
    stacks = stacks[stacks["dataset"].isin(config["datasets"])]
    check_plan(config, networks, stacks)
    for name, rows in stacks.groupby("dataset"):
        users = networks[[name in datasets_of(row) for row in networks.itertuples()]]
        check_stacks(
            rows,
            patch_px=config["datasets"][name]["patch_px"],
            range_um=users["range_um"].max() if len(users) else None,
        )
    return networks.set_index("name", drop=False), stacks


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


def slides_of(dataset, split=None):
    """Name the slides of a data set, all or those of one split ('train' or 'test')."""
    if dataset in OWN:
        rows = OWN_STACKS[OWN_STACKS["dataset"] == dataset]
        return list(dict.fromkeys(rows["slide"] if split is None else rows.loc[rows["split"] == split, "slide"]))
    counts = {kind: slides["count"] for kind, slides in config["datasets"][dataset]["slides"].items()}
    names = {
        "train": [f"training{number}" for number in range(1, counts["training"] + 1)],
        "test": [f"test{number}" for number in range(1, counts["test"] + 1)],
    }
    return names["train"] + names["test"] if split is None else names[split]


def acquisition_of(wildcards):
    """Give the planes and the number of fields of a simulated slide."""
    kind = "training" if wildcards.slide in slides_of(wildcards.dataset, "train") else "test"
    return config["datasets"][wildcards.dataset]["slides"][kind]


def microscope_of(dataset):
    """Give what is the same for every slide of a simulated data set."""
    keys = ("specimen", "objective", "channel", "emission_um", "cover_glass_um", "frame_px")
    return {key: config["datasets"][dataset][key] for key in keys}


def truth_range_of(wildcards):
    """Say how far around focus noise-free planes are kept: on training slides only the nearest."""
    if wildcards.slide in slides_of(wildcards.dataset, "test"):
        return config["microscope"]["truth_range_um"]
    return acquisition_of(wildcards)["z_um"]["step"]


def source_of(dataset):
    """Say where a data set comes from, as every figure and table repeats it."""
    return "simulated" if dataset in SIMULATED else "own"


def any_of(names):
    """Write a list of names as a regular expression; an empty one matches nothing."""
    return "|".join(names) or "(?!)"


# Which network and data set each figure shows, from the paper; a figure is on offer where its network is planned.
SHOWN_IN_FIGURE = {
    "fig2": ("ovary_5", "ovary"),
    "figS8": ("breast_5", "breast"),
    "figS9": ("breast_5", "breast"),
}
TARGETS = [
    *(target for target, (network, _) in SHOWN_IN_FIGURE.items() if network in NETWORKS.index),
    "tableS1",
]
# Beside the targets, the road itself is judged against the simulator's truth.
JUDGED = [*TARGETS, *(f"{dataset}_truth" for dataset in SIMULATED)]
SUFFIXES = {"figures": ["pdf", "svg", "png", "tsv"], "tables": ["tsv", "html", "png"]}


def files_of_target(target):
    """List the files that make one figure or table, and its rows of the scorecard."""
    folder = "figures" if target.startswith("fig") else "tables"
    return [
        *(f"results/{folder}/{target}.{suffix}" for suffix in SUFFIXES[folder]),
        f"results/scorecard/{target}.tsv",
    ]


def test_slides_of_figure(target):
    """List the aligned test slides that a figure shows."""
    dataset = SHOWN_IN_FIGURE[target][1]
    return [f"results/{dataset}/aligned/{slide}.ome.tif" for slide in slides_of(dataset, "test")]


def range_of_figure(target):
    """Give the training range in um of the network that a figure shows."""
    return float(NETWORKS.loc[SHOWN_IN_FIGURE[target][0], "range_um"])


def source_of_figure(target):
    """Say where the data of a figure are from."""
    return source_of(SHOWN_IN_FIGURE[target][1])


def depth_of_field_um(dataset):
    """Give lambda / NA^2 of a simulated data set in um."""
    settings = config["datasets"][dataset]
    return settings["emission_um"] / OBJECTIVES[settings["objective"]].numerical_aperture ** 2


def evidence_of(target):
    """List the results by which a target's claims are judged."""
    if target == "tableS1":
        return expand("results/{dataset}/manifest.tsv", dataset=DATASETS)
    if target not in SHOWN_IN_FIGURE:
        return f"results/{target.removesuffix('_truth')}/checks.tsv"
    network, dataset = SHOWN_IN_FIGURE[target]
    return {
        "fig2": f"results/predictions/{network}/{dataset}/measurements.tsv",
        "figS8": f"results/networks/{network}/history.tsv",
        "figS9": f"results/networks/{network}/layers.tsv",
    }[target]


def facts_of(target):
    """Give what a judge needs beside the evidence."""
    facts = {"scale": config["scale"]}
    if target == "tableS1":
        sources = sorted({source_of(dataset) for dataset in DATASETS})
        return {**facts, "data_sources": sources, "validation_fraction": config["split"]["validation_fraction"]}
    if target not in SHOWN_IN_FIGURE:
        return {**facts, "dataset": target.removesuffix("_truth")}
    facts["data_source"] = source_of_figure(target)
    if target == "fig2":
        facts["range_um"] = range_of_figure(target)
        facts["depth_of_field_um"] = depth_of_field_um(SHOWN_IN_FIGURE[target][1])
    return facts


def memory_for_stack(wildcards, input):
    """Estimate a job's memory in MB from the largest stack of a slide that it holds at once."""
    dataset = config["datasets"].get(wildcards.dataset, {})
    if "frame_px" in dataset:
        planes = max(len(planes_um(slides["z_um"])) for slides in dataset["slides"].values())
        stack_mb = dataset["frame_px"] ** 2 * planes * 2 / 1e6
    else:
        stack_mb = input.size_mb
    return int(500 + 12 * stack_mb)


def made_table():
    """Say what the run made and where, one line per figure and table, and what the scorecard holds."""
    from deepr.scorecard import summarise

    return summarise(Path("results"), TARGETS)


wildcard_constraints:
    dataset=any_of(DATASETS),
    network=any_of(NETWORKS.index),
    slide=r"[A-Za-z0-9_.-]+",
    target=any_of(JUDGED),


def rows_of_slide(wildcards):
    """Give the rows of the own stacks' sheet that make one slide."""
    of_slide = (OWN_STACKS["dataset"] == wildcards.dataset) & (OWN_STACKS["slide"] == wildcards.slide)
    return OWN_STACKS[of_slide].to_dict("records")


def files_of_slide(wildcards):
    """List the files that make one slide of a person's own data."""
    return [path for row in rows_of_slide(wildcards) for path in row["paths"]]


def row_of_network(wildcards):
    """Give a network's row of the sheet as plain values."""
    row = NETWORKS.loc[wildcards.network]
    return {
        "name": wildcards.network,
        "kind": row["kind"],
        "datasets": datasets_of(row),
        "range_um": float(row["range_um"]),
    }


def start_of_network(wildcards):
    """Name the generator that a network starts from, if its row says one."""
    start = NETWORKS.loc[wildcards.network, "start_from"]
    return f"results/networks/{start}/generator.keras" if start else []
