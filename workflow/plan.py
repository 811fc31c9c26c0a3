"""Say what a config would cost to run, from what a run on this machine measured; nothing is run."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pandas as pd
import yaml
from deepr.benchmarks import read_benchmarks, read_run, share_time
from deepr.configuration import complete_config, training_settings
from deepr.costs import (
    GPU_TFLOPS,
    OTHER_STAGE,
    PAPER_HOURS,
    PAPER_ITERATIONS,
    STAGES,
    Plan,
    estimate,
    peak_gb,
    summarise,
    tflops_of_the_paper,
)
from deepr.planned_slides import describe_slides
from deepr.sheets import read_networks, read_stacks
from deepr.tables import InputError, write_table

# Keras loads TensorFlow to count operations, of which none is computed: it shall not speak of the processor.
os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0")
REPOSITORY = Path(__file__).resolve().parents[1]
COLUMNS = {
    "jobs": ("jobs", "{:.0f}"),
    "core_h": ("core h", "{:,.1f}"),
    "gpu_h": ("GPU h", "{:,.1f}"),
    "core_h_without_gpu": ("core h, no GPU", "{:,.1f}"),
    "kept_gb": ("disk GB", "{:,.2f}"),
    "memory_gb": ("GB per job", "{:.1f}"),
    "spread": ("spread", "{:.1f}"),
}


def main(arguments=None):
    """Print the plan and write it as a table; give the exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        measured_plan = make_plan(parsed.measured, parsed.measured_cores)
        check_trainings(measured_plan, parsed.measured)
        measured = read_benchmarks(measured_plan.jobs)
        runs = _runs(measured)
        plan = make_plan(parsed.configfile, parsed.cores)
        costs = estimate(plan, measured_plan, measured, parsed.gpu_tflops)
    except InputError as error:
        print(f"plan: {error}", file=sys.stderr)
        return 1
    by_stage = summarise(costs, "stage", [*STAGES, OTHER_STAGE])
    by_network = summarise(costs[costs["network"] != ""], "network", list(plan.networks.index))
    print(f"{parsed.configfile}, from {len(measured)} jobs of {parsed.measured} that ran here\n")
    print(_table(by_stage, "stage"), "\n")
    print(_table(by_network, "network"), "\n")
    for sentence in _sentences(parsed, plan, costs, measured):
        print(textwrap.fill(sentence, 100, subsequent_indent="  ", break_on_hyphens=False))
    if runs:
        print("\nCore time of the runs measured, in percent:\n")
        print(_table_of_runs(runs))
    rows = [
        frame.rename(columns={by: "name"}).assign(by=by) for by, frame in (("stage", by_stage), ("network", by_network))
    ]
    table = pd.concat(rows, ignore_index=True).assign(config=parsed.configfile)
    write_table(table[["config", "by", "name", *table.columns.drop(["config", "by", "name"])]], parsed.output)
    return 0


def make_plan(configfile, cores):
    """Read a config and its sheets, and let Snakemake list its jobs as for a run from nothing."""
    path = _path_of(configfile)
    jobs = list_jobs(path, cores)
    config = complete_config(yaml.safe_load(path.read_text(encoding="utf-8")))
    networks, stacks = (_path_of(config[key]) for key in ("networks", "stacks"))
    networks = read_networks(networks, datasets=list(config["datasets"])).set_index("name", drop=False)
    own_stacks = read_stacks(stacks)
    return Plan(jobs, config, networks, describe_slides(config, own_stacks))


def check_trainings(plan, configfile, folder="results/networks"):
    """Refuse a config that is not the one that the networks in this folder were trained by."""
    for network, row in plan.networks.iterrows():
        path = Path(folder) / network / "config.json"
        if not path.is_file():
            continue
        found = json.loads(path.read_text(encoding="utf-8"))["settings"]
        wanted = training_settings(plan.config, row)
        for key in ("base_channels", "batch_size", "crop_px", "iterations"):
            if found[key] != wanted[key]:
                raise InputError(
                    f"{path}: found {key} {found[key]}, wanted {wanted[key]} as {configfile} says; --measured names "
                    "the config of the run in this folder"
                )


def list_jobs(configfile, cores):
    """Let Snakemake list all jobs of a config, whatever has been made already.

    Raises
    ------
    InputError
        If Snakemake cannot plan it.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jobs"
        command = [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")),
            *("--configfile", str(configfile), "--dryrun", "--forceall", "--cores", str(cores), "--nocolor"),
            *("--quiet", "all", "--logger", "jobs", "--logger-jobs-file", str(path)),
        ]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "workflow" / "plugins")}
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if result.returncode < 0:
            raise InputError(f"{configfile}: planning was stopped by signal {-result.returncode}, wanted it to end")
        if result.returncode:
            # A dry run says on standard output what is wrong.
            raise InputError(f"{configfile} cannot be planned: {_reason(result.stderr + result.stdout)}")
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _reason(messages):
    """Find in Snakemake's messages the sentence that says what is wrong."""
    lines = [line.strip() for line in messages.splitlines() if line.strip()]
    after = [number + 1 for number, line in enumerate(lines) if line.startswith("WorkflowError")]
    return lines[after[0]] if after and after[0] < len(lines) else lines[-1]


def _path_of(name):
    """Look for a config or sheet where the Snakefile does: in the working directory, then beside the Snakefile."""
    for folder in (Path.cwd(), REPOSITORY):
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"{name}: no such file in {Path.cwd()} or {REPOSITORY}, wanted a config or a sheet")


def _runs(measured):
    """Divide the time of every run whose log Snakemake has left here."""
    runs = []
    for path in sorted(Path(".snakemake/log").glob("*.snakemake.log")):
        try:
            run = read_run(path)
        except InputError:
            # Nothing was done in it: all was up to date, or it was a target's dry run.
            continue
        shares = share_time(run, measured)
        if shares["jobs"]:
            runs.append({"started": run["started"], "cores": run["cores"], **shares})
    return runs


def _sentences(parsed, plan, costs, measured):
    """Say what the numbers rest on: what is assumed, what is missing, what does not fit."""
    peak = peak_gb(costs, parsed.cores)
    kept, raw = (f"{costs[column].sum():,.1f} GB" for column in ("kept_gb", "temporary_gb"))
    yield (
        f"Disk: {kept} are kept, and at most {peak:,.1f} GB are there at once, as if every slide were acquired before "
        f"one is aligned ({raw} of raw slides, which go again)."
    )
    yield "Spread: largest over smallest time for the same work in the run measured; the estimate takes the median."
    yield f"Assumed, not measured: a GPU sustains {parsed.gpu_tflops:g} TFLOP/s in a training (--gpu-tflops)."
    if plan.config["scale"] == "paper":
        yield (
            f"As a check, the paper's {PAPER_HOURS:g} h for {PAPER_ITERATIONS:,} iterations would be "
            f"{tflops_of_the_paper(plan):.1f} TFLOP/s with this config's networks, whose width is an assumption too."
        )
    yield "Assumed: core hours stay the same on more cores, and all processors are as fast as this one."
    yield (
        "Assumed: a training is as fast as measured; one that was measured in bfloat16 takes a third more in float32 "
        "(training.precision)."
    )
    yield "Assumed, from above: a job that runs a network does nothing else, and takes longer as its operations do."
    missing = costs[costs["core_h_without_gpu"].isna()]
    if len(missing):
        yield (
            f"Not measured, and missing in the sums: {len(missing)} jobs of {', '.join(sorted(set(missing['rule'])))}; "
            f"{parsed.measured} has to be run to its end first."
        )
    over = measured[measured["measured_mb"] > measured["asked_mb"]]
    for rule, rows in over.groupby("rule"):
        worst = rows.loc[(rows["measured_mb"] / rows["asked_mb"]).idxmax()]
        yield f"Memory: {rule} asked for {worst['asked_mb']:.0f} MB and took {worst['measured_mb']:.0f} MB."


def _table(frame, by):
    """Write a summary as aligned text; what was not measured at all is a dash."""
    text = pd.DataFrame({by: frame[by]})
    for column, (heading, form) in COLUMNS.items():
        text[heading] = ["-" if pd.isna(value) else form.format(value) for value in frame[column]]
    unknown = frame["unmeasured"] == frame["jobs"]
    text.loc[unknown, COLUMNS["core_h_without_gpu"][0]] = "-"
    text.loc[unknown & (frame["gpu_h"] == 0), COLUMNS["core_h"][0]] = "-"
    return text.to_string(index=False, justify="right")


def _table_of_runs(runs):
    rows = [
        {
            "started": f"{run['started']:%Y-%m-%d %H:%M}",
            "minutes": f"{run['wall_s'] / 60:.1f}",
            "cores": run["cores"],
            "jobs": run["jobs"],
            "work": f"{100 * run['working']:.1f}",
            "start, imports": f"{100 * run['starting']:.1f}",
            "Snakemake": f"{100 * run['snakemake']:.1f}",
            "unknown": f"{100 * run['unknown']:.1f}",
            "idle": f"{100 * run['idle']:.1f}",
        }
        for run in runs
    ]
    return pd.DataFrame(rows).to_string(index=False, justify="right")


def _parser():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--configfile", default="config/paper.yaml", help="config whose cost is asked for")
    parser.add_argument("--measured", default="config/config.yaml", help="config of the run in this folder")
    parser.add_argument("--measured-cores", type=int, default=os.cpu_count(), help="cores that this run had")
    parser.add_argument("--cores", type=int, default=8, help="cores of one machine of those that would run the plan")
    parser.add_argument("--gpu-tflops", type=float, default=GPU_TFLOPS, help="what a GPU sustains (an assumption)")
    parser.add_argument("--output", default="results/plan.tsv", help="table with the same numbers")
    return parser


if __name__ == "__main__":
    sys.exit(main())
