"""What a run will cost in core hours, GPU hours, disk and memory, scaled from what a run on this machine measured."""

from collections import namedtuple

import numpy as np
import pandas as pd

from deepr.configuration import training_settings

# Jobs and everything that their work follows from: the jobs as `deepr.benchmarks.read_benchmarks` takes them, the
# completed config, the networks' sheet indexed by name, and the slides of `deepr.planned_slides.describe_slides`.
Plan = namedtuple("Plan", ["jobs", "config", "networks", "slides"])

STAGES = {
    "acquisition": ("acquire_slide", "import_slide", "fetch_slide"),
    "alignment": ("align_slide",),
    "extended depth of field": ("fuse_extended_depth_of_field",),
    "focus planes, manifests": ("find_focus_planes", "build_manifest", "check_focus_planes"),
    "training": ("train_network", "train_deepz", "train_decoder"),
    "testing": (
        *("test_network", "test_decoder", "measure_tilted_slides", "refocus_volume"),
        *("defocus_onto_surfaces", "measure_virtual_stacks"),
    ),
    "measurements": (
        *("measure_psf", "deconvolve_test_slides", "measure_bead_widths", "search_focus", "time_refocusing"),
        "describe_network",
    ),
}
OTHER_STAGE = "figures, tables, report"

# These look at the same planes of each test patch however fine the steps in z are.
PLANES_DO_NOT_COUNT = ("deconvolve_test_slides", "defocus_onto_surfaces")
DATASET_OF_RULE = {"deconvolve_test_slides": "ovary"}

# An assumption, near what the paper's time asks of its GPU (`tflops_of_the_paper`), an RTX 2080 Ti of 13 TFLOP/s.
GPU_TFLOPS = 10.0
PAPER_HOURS, PAPER_ITERATIONS = 30.0, 100_000


def stage_of(rule):
    """Name the stage of the paper's methods that a rule belongs to."""
    return next((stage for stage, rules in STAGES.items() if rule in rules), OTHER_STAGE)


def work_of(plan, job):
    """Say how much there is to do in a job, in a unit that all jobs of its rule share.

    Parameters
    ----------
    plan : Plan
    job : dict
        One of its jobs.

    Returns
    -------
    float
        Trainings: floating-point operations. Jobs of a slide: its voxels (fields x planes x pixels x colours). Jobs
        that run a network on a data set: the voxels of its test slides x the square of the network's width, as if
        nothing but the generator took time. Other jobs of a data set: its voxels. All others: 1.
    """
    rule, wildcards = job["rule"], job["wildcards"]
    stage = stage_of(rule)
    if stage == "training":
        return operations_of_network(plan, wildcards["network"])
    if "slide" in wildcards:
        return plan.slides[wildcards["dataset"]][wildcards["slide"]].voxels
    dataset = wildcards.get("dataset", DATASET_OF_RULE.get(rule))
    if dataset is None:
        return 1.0
    slides = _slides_of(plan, dataset, "test" if stage in ("testing", "measurements") else None)
    voxels = sum(slide.voxels / (slide.planes if rule in PLANES_DO_NOT_COUNT else 1) for slide in slides)
    return voxels * (plan.config["training"]["base_channels"] ** 2 if stage == "testing" else 1)


def _slides_of(plan, dataset, split=None):
    return [slide for slide in plan.slides[dataset].values() if split in (None, slide.split)]


def operations_of_network(plan, network):
    """Count the floating-point operations of a network's training, as `deepr.networks.operations` does."""
    # Keras takes seconds to load, and only a plan with trainings needs it.
    from deepr.networks.operations import operations_of_training

    row = plan.networks.loc[network]
    first = row["datasets"].split(",")[0].strip()
    samples = _slides_of(plan, first)[0].samples
    return operations_of_training(row["kind"], training_settings(plan.config, row), samples)


def rates(measured_plan, measured):
    """Give what a unit of work took in each rule.

    Parameters
    ----------
    measured_plan : Plan
        Of the run that was measured.
    measured : pandas.DataFrame
        Of `deepr.benchmarks.read_benchmarks` for the jobs of this plan.

    Returns
    -------
    pandas.DataFrame
        Indexed by rule and data set, and by rule and "" for all of them together: ``core_s`` (median over the jobs,
        core seconds per unit of work), ``start_s`` (median time that a job's process takes to start and import),
        ``spread`` (largest over smallest) and ``output_bytes`` (median of what a job leaves).
    """
    jobs = [measured_plan.jobs[number] for number in measured["job"]]
    working_s = measured["working_s"].fillna(measured["seconds"])
    table = measured.assign(
        core_s=working_s * measured["threads"] / [work_of(measured_plan, job) for job in jobs],
        start_s=measured["seconds"] - working_s,
    )
    together = table.assign(dataset="")
    # A data set named "" is a rule's jobs without one, which would count twice.
    groups = pd.concat([table[table["dataset"] != ""], together]).groupby(["rule", "dataset"])
    frame = groups[["core_s", "start_s", "output_bytes"]].median()
    # Work of less than a tenth of a second is logged as none.
    return frame.assign(spread=groups["core_s"].max() / groups["core_s"].min().replace(0, np.nan))


def estimate(plan, measured_plan, measured, gpu_tflops=GPU_TFLOPS):
    """Estimate the cost of each job of a plan.

    Parameters
    ----------
    plan, measured_plan : Plan
        What is asked about, and the run that was measured.
    measured : pandas.DataFrame
        Of `deepr.benchmarks.read_benchmarks` for the jobs of `measured_plan`.
    gpu_tflops : float
        Operations that a GPU sustains in a training, in 1e12 per second: an assumption.

    Returns
    -------
    pandas.DataFrame
        One row per job: ``stage``, ``rule``, ``network``, ``dataset``, ``core_h`` (cores that the job holds x hours;
        for a job with a GPU those beside it), ``gpu_h``, ``core_h_without_gpu`` (the same work on processors alone),
        ``kept_gb``, ``temporary_gb`` (raw slides, until they are aligned), ``asked_mb`` and ``spread`` (as in `rates`).
        NaN where nothing like it was measured.
    """
    known = rates(measured_plan, measured)
    width = plan.config["training"]["base_channels"] / measured_plan.config["training"]["base_channels"]
    rows = []
    for job in plan.jobs:
        if job["benchmark"] is None:
            # A target that only gathers files.
            continue
        rule, dataset = job["rule"], job["wildcards"].get("dataset", "")
        rate = next((known.loc[key] for key in ((rule, dataset), (rule, "")) if key in known.index), None)
        work = work_of(plan, job)
        core_s = np.nan if rate is None else rate["core_s"] * work + rate["start_s"] * job["threads"]
        gpu_s = work / (gpu_tflops * 1e12) if job["gpu"] else 0.0
        left_bytes = np.nan if rate is None else rate["output_bytes"]
        kept_bytes, temporary_bytes = _stack_bytes(plan, job)
        if stage_of(rule) == "training":
            kept_bytes = left_bytes * width**2
        rows.append(
            {
                "stage": stage_of(rule),
                "rule": rule,
                "network": job["wildcards"].get("network", ""),
                "dataset": dataset,
                "core_h": (gpu_s * job["threads"] if job["gpu"] else core_s) / 3600,
                "gpu_h": gpu_s * job["gpu"] / 3600,
                "core_h_without_gpu": core_s / 3600,
                "kept_gb": (left_bytes if kept_bytes is None else kept_bytes) / 1e9,
                "temporary_gb": temporary_bytes / 1e9,
                "asked_mb": job["mem_mb"],
                "spread": np.nan if rate is None else rate["spread"],
            }
        )
    return pd.DataFrame(rows)


def _stack_bytes(plan, job):
    """Give the bytes that a job with stacks as its output leaves, and those that go again; None where it has none."""
    rule, wildcards = job["rule"], job["wildcards"]
    if rule == "test_network":
        return sum(slide.refocused_bytes for slide in _slides_of(plan, wildcards["dataset"], "test")), 0.0
    if "slide" not in wildcards:
        return None, 0.0
    slide = plan.slides[wildcards["dataset"]][wildcards["slide"]]
    if rule in STAGES["acquisition"]:
        return slide.truth_bytes, slide.raw_bytes
    kept_bytes = {"align_slide": slide.aligned_bytes, "fuse_extended_depth_of_field": slide.composite_bytes}
    return kept_bytes.get(rule), 0.0


def summarise(costs, by, order):
    """Add up the costs of jobs.

    Parameters
    ----------
    costs : pandas.DataFrame
        Of `estimate`.
    by : str
        Column by which jobs are grouped.
    order : list of str
        Its values, in the order of the rows; values without a job make none.

    Returns
    -------
    pandas.DataFrame
        One row per group, and a last one "total": ``jobs``, the sums of the costs, the largest ``memory_gb`` that a job
        asks for, the largest ``spread``, and ``unmeasured``, the number of jobs that are missing in the sums.
    """
    sums = ["core_h", "gpu_h", "core_h_without_gpu", "kept_gb", "temporary_gb"]
    costs = costs.assign(jobs=1, unmeasured=costs["core_h_without_gpu"].isna(), memory_gb=costs["asked_mb"] / 1000)
    groups = pd.concat([costs, costs.assign(**{by: "total"})]).groupby(by)
    frame = groups[["jobs", *sums, "unmeasured"]].sum().join(groups[["memory_gb", "spread"]].max())
    return frame.reindex([name for name in (*order, "total") if name in frame.index]).reset_index()


def peak_gb(costs, at_once):
    """Give the most disk that a run can need at once, in GB.

    Parameters
    ----------
    costs : pandas.DataFrame
        Of `estimate`.
    at_once : int
        Slides that are aligned at the same time, whose raw and aligned stacks exist side by side.

    Returns
    -------
    float
        What is kept in the end, and what raw slides take more than what becomes of them, as if every slide were
        acquired before the first is aligned; which order Snakemake takes depends on the machine.
    """
    by_stage = costs.groupby("stage")["kept_gb"].sum()
    becomes_gb = by_stage.get("alignment", 0.0) + by_stage.get("extended depth of field", 0.0)
    more_gb = max(0.0, costs["temporary_gb"].sum() - becomes_gb)
    return costs["kept_gb"].sum() + more_gb + at_once * costs["temporary_gb"].max()


def tflops_of_the_paper(plan):
    """Give what a GPU would sustain if a deepr network of this plan took the paper's 30 h for 100,000 iterations.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    float
        In 1e12 operations per second, for the first network of kind deepr; NaN if there is none.
    """
    rows = plan.networks[plan.networks["kind"] == "deepr"]
    if rows.empty:
        return np.nan
    first = rows.index[0]
    paper = plan._replace(networks=plan.networks.assign(iterations=PAPER_ITERATIONS))
    return operations_of_network(paper, first) / (PAPER_HOURS * 3600) / 1e12
