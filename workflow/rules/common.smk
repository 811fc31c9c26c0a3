"""What the config and the sheets plan, and what the rules share."""

from deepr.configuration import check_plan, complete_config, planes_um
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


def kind_of_slide(wildcards):
    """Tell whether a simulated slide is one for training or for testing."""
    return "training" if wildcards.slide in slides_of(wildcards.dataset, "train") else "test"


def settings_of_slide(wildcards):
    """Give the settings by which a simulated slide is acquired."""
    return config["datasets"][wildcards.dataset]["slides"][kind_of_slide(wildcards)]


def source_of(dataset):
    """Say where a data set comes from, as every figure and table repeats it."""
    return "simulated" if dataset in SIMULATED else "own"


def any_of(names):
    """Write a list of names as a regular expression; an empty one matches nothing."""
    return "|".join(names) or "(?!)"


# Which network each figure shows, from the paper; a figure is on offer when its network is planned.
NETWORK_OF_FIGURE = {"fig2": "ovary_5", "figS8": "breast_5", "figS9": "breast_5"}
TARGETS = [
    *(target for target, network in NETWORK_OF_FIGURE.items() if network in NETWORKS.index),
    "tableS1",
]
SUFFIXES_OF_TARGET = {"fig": ["pdf", "svg", "png", "tsv"], "tab": ["tsv", "html", "png"]}


def files_of_target(target):
    """List the files that make one figure or table, and its rows of the scorecard."""
    folder = "figures" if target.startswith("fig") else "tables"
    return [
        *(f"results/{folder}/{target}.{suffix}" for suffix in SUFFIXES_OF_TARGET[target[:3]]),
        f"results/scorecard/{target}.tsv",
    ]


def dataset_of_figure(target):
    """Name the data set that a figure shows."""
    return datasets_of(NETWORKS.loc[NETWORK_OF_FIGURE[target]])[0]


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
    target=any_of(TARGETS),


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
