"""Deep-R: one command from z-stacks to every figure and table of the paper. This file is the contents page."""

import gc
import os
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")

HERE = Path(workflow.current_basedir.get_path_or_uri(secret_free=True))
sys.path.insert(0, str(HERE / "workflow"))
# Every job, local, in conda or on a cluster, finds the library by this path, and nothing else by it.
os.environ.update(PYTHONPATH=str(HERE / "workflow"))

# A config of one's own replaces the demonstration; merged into it, it would plan both.
if "datasets" not in config:

    configfile: HERE / "config" / "config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/acquisition.smk"
include: "workflow/rules/alignment.smk"
include: "workflow/rules/focus.smk"
include: "workflow/rules/networks.smk"
include: "workflow/rules/testing.smk"
include: "workflow/rules/deconvolution.smk"
include: "workflow/rules/autofocus.smk"
include: "workflow/rules/beads.smk"
include: "workflow/rules/tilt.smk"
include: "workflow/rules/depth.smk"
include: "workflow/rules/virtual_refocusing.smk"
include: "workflow/rules/own.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/tables.smk"


rule all:
    default_target: True
    input:
        [files_of_target(target) for target in TARGETS],
        [files_of_network(network) for network in DEEPR],
        OWN_FILES,
        "results/scorecard.tsv",


rule figures:
    input:
        [files_of_target(target) for target in TARGETS if target.startswith("fig")],


rule tables:
    input:
        [files_of_target(target) for target in TARGETS if target.startswith("table")],


rule networks:
    input:
        [files_of_network(network) for network in DEEPR],


for target in TARGETS:

    rule:
        name:
            target
        input:
            files_of_target(target),


rule manifests:
    input:
        expand("results/{dataset}/manifest.tsv", dataset=DATASETS),


refuse_taken_names([rule.name for rule in workflow.rules])

for network in DEEPR:

    rule:
        name:
            network
        input:
            files_of_network(network),


onstart:
    gc.set_threshold(*GARBAGE_THRESHOLDS)


onsuccess:
    print(made_table(), file=sys.stderr)
    cancel_timers()


onerror:
    cancel_timers()
