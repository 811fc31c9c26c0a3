"""Throughput of one and of two workers: ``.venv/bin/python benchmarks/workers.py`` from the root.

Acquisition, alignment and all-in-focus images of the demonstration's ovary slides, each stage a run of Snakemake with
one core and again with two, in a temporary folder. Fair only while nothing else runs; some five minutes. A worker is a
core and has one slide at a time. Of an odd number of slides the last is left out: one worker would wait for the other.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
STAGES = {"acquisition": "raw", "alignment": "aligned", "all-in-focus images": "edof"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=REPOSITORY / "config/config.yaml")
    parser.add_argument("--dataset", default="ovary", help="one that is simulated")
    arguments = parser.parse_args()
    slides = slides_of(arguments.config, arguments.dataset)
    print(f"{len(slides)} slides of {arguments.dataset}: seconds with one worker, with two, and the ratio")
    seconds = {}
    for cores in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            # What every run needs before its first job: the sheets read, the jobs listed.
            idle = run(arguments.config, folder, cores, ["--dryrun"], slides, arguments.dataset, "raw")
            for stage, kind in STAGES.items():
                taken = run(arguments.config, folder, cores, ["--notemp"], slides, arguments.dataset, kind)
                seconds[stage, cores] = taken - idle
    for stage in STAGES:
        one, two = seconds[stage, 1], seconds[stage, 2]
        print(f"{stage:20s} {one:7.1f} {two:7.1f} {one / two:6.2f}", flush=True)


def slides_of(config, dataset):
    """List an even number of slides of a simulated data set."""
    kinds = yaml.safe_load(config.read_text())["datasets"][dataset]["slides"]
    slides = [f"{kind}{number}" for kind, facts in kinds.items() for number in range(1, facts["count"] + 1)]
    return slides[: len(slides) // 2 * 2]


def run(config, folder, cores, options, slides, dataset, kind):
    """Let Snakemake make one file of each slide, and give the seconds."""
    targets = [f"results/{dataset}/{kind}/{slide}.ome.tif" for slide in slides]
    command = [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile"), "--configfile", str(config)),
        *("--cores", str(cores), "--quiet", "all", *options, "--", *targets),
    ]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
