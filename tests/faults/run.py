"""Kill the tiny Figure 2 again and again, and compare what comes out with a run that nobody disturbed.

    python tests/faults/run.py [--rounds 3] [--seed 1] [--folder DIR]

Each round begins in an empty folder and kills one run in every stage, from Snakemake's planning to the scorecard:
SIGKILL to the whole process group, at a moment drawn within the stage's work, while one of its files is half-written,
or as soon as one has its name. The same command follows each time, without any help. At the end of a round tables,
slides, figures and weights must be those of the undisturbed run, and nothing half-written may be left.
"""

import argparse
import collections
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "workflow"))
from deepr.intermediates import check_file  # noqa: E402
from deepr.tables import InputError  # noqa: E402

POLL_S = 0.001
PLANNING = "planning"

# Below results/: where the logs of a stage's jobs are, and where its files appear.
STAGES = {
    "acquisition": ("logs/ovary/acquire/*.log", "ovary/raw/*"),
    "alignment": ("logs/ovary/align/*.log", "ovary/aligned/*"),
    "EDOF": ("logs/ovary/edof/*.log", "ovary/edof/*"),
    "focus planes": ("logs/ovary/patches/*.log", "ovary/patches/*"),
    "manifest": ("logs/ovary/manifest.log", "ovary/manifest.tsv"),
    "training": ("logs/networks/ovary_5/train.log", "networks/ovary_5/*.*"),
    "testing": ("logs/predictions/ovary_5/ovary.log", "predictions/ovary_5/ovary/**/*.*"),
    # Both follow the testing, side by side; the scorecard is the shorter.
    "scorecard": ("logs/scorecard/fig2.log", "scorecard/fig2.tsv"),
    "figure": ("logs/figures/fig2.log", "figures/fig2.*"),
}
MOMENTS = ("within", "half-written", "just written")

# What differs between two runs of equal results.
UNCOMPARED = re.compile(r"(logs|benchmarks)/|\.running$|\.snakemake_timestamp$")


class Run:
    """A run of the workflow in a process group of its own, in the folder's `results`.

    Parameters
    ----------
    command : list of str
    folder : Path
        Working directory.
    """

    def __init__(self, command, folder):
        self.results = folder / "results"
        self._before_ns = time.time_ns()
        self.started = time.monotonic()
        with open(folder / "output.txt", "a", encoding="utf-8") as output:
            self.process = subprocess.Popen(
                command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )

    def seconds(self):
        """Give the time since the start, in s."""
        return time.monotonic() - self.started

    def _new(self, pattern):
        """List the files below results/ that were written since the run began."""
        found = []
        for path in self.results.glob(pattern):
            try:
                if path.is_file() and path.stat().st_mtime_ns > self._before_ns:
                    found.append(path)
            except FileNotFoundError:
                continue  # renamed or removed meanwhile
        return found

    def jobs(self, stage, at_work=False):
        """List the logs of the stage's jobs that this run began, or only of those that have not ended."""
        begun = self._new(STAGES[stage][0])
        return [path for path in begun if not (at_work and re.search(r" took [\d.]+ s$", path.read_text().strip()))]

    def new_files(self, stage, half=False):
        """List what the stage has written since the run began, under its name or still half-written."""
        return [path for path in self._new(STAGES[stage][1]) if path.name.startswith(".part-") == half]

    def stages_at_work(self):
        """Name the stages whose jobs are running; before the first job that is the planning."""
        if not any(self.jobs(stage) for stage in STAGES):
            return [PLANNING]
        return [stage for stage in STAGES if self.jobs(stage, at_work=True)] or ["between two jobs"]

    def wait_for(self, happened, limit_s=900):
        """Wait until a function gives something true; False if the run ended before that."""
        until = time.monotonic() + limit_s
        while not happened():
            if self.process.poll() is not None:
                return False
            if time.monotonic() > until:
                self.kill()
                raise TimeoutError(f"nothing of what was waited for happened in {limit_s} s")
            time.sleep(POLL_S)
        return True

    def kill(self):
        """Kill every process of the run at once, and name the stages that were at work; [] if it had ended."""
        if self.process.poll() is not None:
            return []
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        return self.stages_at_work()


def command(*targets, repository=REPOSITORY):
    """Give what `make` calls, with two cores and the tiny config."""
    program = [sys.executable, str(repository / "workflow/run.py"), "--cores", "2", "--nocolor"]
    return [*program, "--configfile", str(repository / "tests/config/config.yaml"), "--", *targets]


def kill_once(run, stage, moment, share, durations_s):
    """Kill a run in a stage, and name the stages that were at work then.

    Parameters
    ----------
    run : Run
    stage : str
        Of `STAGES`, or planning.
    moment : {"within", "half-written", "just written"}
    share : float
        From 0 to 1, the place of "within" in the stage's duration.
    durations_s : dict
        Of each stage's shortest job in the undisturbed run.
    """
    stages = list(STAGES)

    def begun():
        return any(run.jobs(other) for other in stages)

    def passed():
        """Whether a kill before this one came too late, so that the stage has no work left."""
        later = stages[stages.index(stage) + 1 :]
        return not run.jobs(stage) and any(run.jobs(other) for other in later)

    if stage == PLANNING:
        run.wait_for(lambda: run.seconds() > share * durations_s[PLANNING] or begun())
    elif moment == "half-written":
        # Small files are half-written for a moment only, which may be missed.
        run.wait_for(lambda: run.new_files(stage, half=True) or run.new_files(stage) or passed())
    elif moment == "just written":
        run.wait_for(lambda: run.new_files(stage) or passed())
    elif run.wait_for(lambda: run.jobs(stage) or passed()):
        until = run.seconds() + share * durations_s[stage]
        run.wait_for(lambda: run.seconds() > until or not run.jobs(stage, at_work=True))
    return run.kill()


def differences(one, other):
    """List what differs between the results of two runs: files missing or more, tables, weights, images.

    Parameters
    ----------
    one, other : Path
        Two folders `results`.

    Returns
    -------
    list of str
        Empty if all is equal.
    """
    names = [{str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} for folder in (one, other)]
    names = [{name for name in found if not UNCOMPARED.search(name)} for found in names]
    found = [f"{name} is in one of the two only" for name in sorted(names[0] ^ names[1])]
    for name in sorted(names[0] & names[1]):
        if name.endswith("history.tsv"):
            found.extend(f"{name}, {column}, differs" for column in _other_columns(one / name, other / name))
        elif _content(one / name) != _content(other / name):
            found.append(f"{name} differs")
    return found


def _other_columns(one, other):
    """List the columns in which two histories differ; the seconds are no result."""
    histories = [pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False) for path in (one, other)]
    if list(histories[0]) != list(histories[1]) or len(histories[0]) != len(histories[1]):
        return ["the number of rows or columns"]
    differing = [column for column in histories[0] if (histories[0][column] != histories[1][column]).any()]
    return [column for column in differing if column != "seconds"]


def _content(path):
    """Give what must be equal of a file: of a training's record not the seconds, of models the arrays alone."""
    if path.name == "config.json":
        return {key: value for key, value in json.loads(path.read_text()).items() if key != "seconds"}
    if path.suffix == ".keras":
        return arrays_of(path)
    return path.read_bytes()


def arrays_of(path):
    """Read the weights of a .keras file: {name: (shape, type, bytes)}."""
    arrays = {}
    with zipfile.ZipFile(path) as archive, archive.open("model.weights.h5") as member, h5py.File(member) as weights:

        def keep(name, item):
            if isinstance(item, h5py.Dataset):
                value = np.asarray(item)
                arrays[name] = (value.shape, str(value.dtype), value.tobytes())

        weights.visititems(keep)
    return arrays


def undisturbed(folder):
    """Run once without a kill; give the duration of each stage's shortest job, and of the planning."""
    run = Run(command("fig2"), folder)
    run.wait_for(lambda: any(run.jobs(stage) for stage in STAGES))
    durations_s = {PLANNING: run.seconds()}
    if run.process.wait() != 0:
        raise RuntimeError(f"the undisturbed run failed; {folder / 'output.txt'} says why")
    for stage in STAGES:
        ends = [re.findall(r" took ([\d.]+) s$", path.read_text(), re.M)[-1] for path in run.jobs(stage)]
        durations_s[stage] = min(map(float, ends))
    return durations_s


def one_round(folder, number, rng, durations_s, told):
    """Kill in every stage once, run to the end, and give the stages of the kills and the faults found."""
    hit, faults = collections.Counter(), []
    waiting = [PLANNING, *STAGES, PLANNING]
    while waiting and not faults:
        stage, moment, share = waiting[0], MOMENTS[rng.integers(len(MOMENTS))], rng.uniform(0, 0.95)
        run = Run(command("fig2"), folder)
        stages = kill_once(run, stage, moment, share, durations_s)
        if not stages:
            if run.process.returncode:
                faults.append(f"a run failed; {folder / 'output.txt'} says why")
                continue
            # It was faster than its kill: compared as it is, and then all over again, so that there is work to kill.
            told(f"round {number}: the run ended before its kill in {stage}; from the beginning again")
            faults.extend(differences(folder.parent / "undisturbed/results", run.results))
            for made in (run.results, folder / ".snakemake"):
                shutil.rmtree(made)
            continue
        del waiting[0]
        written = stage != PLANNING and moment == "just written" and run.new_files(stage)
        here = f"{stage}, just written" if written else " and ".join(stages)
        meant = "" if stage in (here, PLANNING) or written else f" (meant: {stage})"
        half = sorted(str(path.relative_to(run.results)) for path in run.results.rglob(".part-*"))
        told(
            f"round {number}, kill {sum(hit.values()) + 1}: {here}{meant}, {run.seconds():.1f} s after the start"
            + (f", half-written: {', '.join(half)}" if half else "")
        )
        hit[stage if written or stage in stages else here] += 1
        faults.extend(f"after a kill, {line}" for line in damaged_files(run.results))
    last = Run(command("fig2"), folder)
    if last.process.wait() != 0:
        faults.append(f"the last run failed; {folder / 'output.txt'} says why")
    halves = [path for path in last.results.rglob(".part-*")]
    faults.extend(f"{path} was left half-written" for path in halves)
    return hit, faults


def damaged_files(results):
    """List the files that have their name and are not whole, which a kill must never leave."""
    found = []
    for path in results.rglob("*"):
        # Snakemake writes the benchmarks; a history is appended to, and cut back when a training goes on.
        if (
            path.is_file()
            and not UNCOMPARED.search(str(path.relative_to(results)))
            and "checkpoint/training/history" not in str(path)
        ):
            try:
                check_file(path)
            except InputError as error:
                found.append(str(error))
    return found


def main():
    """Run the rounds, print a line for each kill and a summary; exit code 1 if anything was lost."""
    parser = argparse.ArgumentParser(description="Kill the tiny Figure 2 again and again.")
    parser.add_argument("--rounds", type=int, default=3, help="each kills about eleven runs (3)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (1)")
    parser.add_argument("--folder", type=Path, help="empty folder to work in (a temporary one)")
    parsed = parser.parse_args()
    folder = parsed.folder or Path(tempfile.mkdtemp(prefix="deepr-faults-"))
    folder = folder.resolve()
    rng = np.random.default_rng(parsed.seed)

    def told(line):
        print(line, flush=True)

    (folder / "undisturbed").mkdir(parents=True)
    durations_s = undisturbed(folder / "undisturbed")
    told("undisturbed: " + ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in durations_s.items()))
    hits, faults = collections.Counter(), []
    for number in range(1, parsed.rounds + 1):
        killed = folder / f"round{number}"
        killed.mkdir()
        hit, found = one_round(killed, number, rng, durations_s, told)
        found.extend(differences(folder / "undisturbed/results", killed / "results"))
        told(f"round {number}: " + ("; ".join(found) or "as the undisturbed run"))
        hits += hit
        faults += found
    told(f"{sum(hits.values())} kills: " + ", ".join(f"{stage} {count}" for stage, count in hits.most_common()))
    told(f"{len(faults)} faults" if faults else "all equal to the undisturbed run, nothing half-written left")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
