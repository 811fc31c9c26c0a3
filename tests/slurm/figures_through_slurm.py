"""Figures 1 and 2 of the tiny data set through a real Slurm, with jobs that are cancelled and killed on the way.

`make test-slurm` runs these tests; `make test` does not find them, because they install and start a Slurm.
"""

import csv
import functools
import logging
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.slurm import cluster

log = logging.getLogger(__name__)

TARGETS = ["--", "fig1", "fig2"]
# For one step of the story, on a machine that does much else.
PATIENCE_S = 3600


@dataclass
class Call:
    """One call of Snakemake: its process, what it printed, and what was seen and done meanwhile."""

    process: subprocess.Popen
    path: Path
    started: float = field(default_factory=time.monotonic)
    code: int | None = None
    # Numbers of Slurm jobs, and what the last one looked at had asked for.
    cancelled: str = ""
    trainings: list[str] = field(default_factory=list)
    request: str = ""

    @property
    def output(self):
        """All that it printed so far."""
        return self.path.read_text(encoding="utf-8")

    def finish(self):
        """Wait for the end, and keep the exit code."""
        self.code = self.process.wait(timeout=PATIENCE_S)
        log.info("%s ended with %d after %.0f s", self.path.stem, self.code, time.monotonic() - self.started)


@pytest.fixture(scope="module")
def slurm():
    """A running Slurm of one node."""
    try:
        cluster.install()
        with cluster.running_slurm():
            log.info("%s runs", cluster.slurm("sinfo", "--version")[0])
            yield
    except cluster.ClusterError as error:
        pytest.exit(str(error), returncode=1)


@pytest.fixture(scope="module")
def start(slurm, repository, tmp_path_factory):
    """A function that starts Snakemake on the tiny config in a folder of this module; its calls end before Slurm."""
    folder = tmp_path_factory.mktemp("runs")
    processes = []

    def start(name, *arguments, run="slurm"):
        (folder / run).mkdir(exist_ok=True)
        command = [
            *(sys.executable, "-m", "snakemake", "--nocolor", "--snakefile", repository / "Snakefile"),
            *("--configfile", repository / "tests/config/config.yaml", *arguments),
        ]
        log.info("%s: snakemake %s", name, " ".join(map(str, arguments)))
        with open(folder / f"{name}.txt", "w", encoding="utf-8") as output:
            process = subprocess.Popen(
                command,
                cwd=folder / run,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A shell that runs the tests in the background has Ctrl-C ignored in all that it starts.
                preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
            )
        processes.append(process)
        return Call(process, folder / f"{name}.txt")

    start.folder = folder
    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def through_slurm(repository):
    """What makes a call go through this Slurm: the profile, and what it cannot know of a cluster for tests."""
    return [
        *("--workflow-profile", repository / "profiles/slurm"),
        *("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "2"),
    ]


def running_job(call, of, known=()):
    """Wait until Slurm runs a job of a rule or group, other than those known, and give its number."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        for number, comment in cluster.jobs("RUNNING").items():
            if re.match(rf"(rule|group)_{of}\b|(rule|group)_{of}_", comment) and number not in known:
                return number
        assert call.process.poll() is None, call.output
        time.sleep(0.3)
    pytest.fail(f"no job of {of} within {PATIENCE_S} s:\n{call.output}")


def kill(number, program):
    """Send SIGKILL to every process of a running job, once one of them runs a program."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        processes = processes_of(number)
        if any(program in command for command in processes.values()):
            for pid in processes:
                os.kill(pid, signal.SIGKILL)
            log.info("killed %d processes of job %s", len(processes), number)
            return
        time.sleep(0.1)
    pytest.fail(f"job {number} ran no {program} within {PATIENCE_S} s, but {processes}")


def processes_of(number):
    """Give the commands of a job's processes on this node, without Slurm's own, by their numbers."""
    commands = {}
    for line in cluster.slurm("scontrol", "listpids", number)[1:]:
        pid = int(line.split()[0])
        try:
            with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
                commands[pid] = file.read().replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError):
            continue
    return commands


def request_of(number):
    """Say what a job asked Slurm for."""
    return "\n".join(cluster.slurm("scontrol", "show", "job", number))


@pytest.fixture(scope="module")
def disturbed(start, through_slurm):
    """The first call: a slide's job is cancelled once, the training is killed as often as it is tried."""
    call = start("first call", *through_slurm, *TARGETS)
    call.cancelled = running_job(call, "slide")
    cluster.slurm("scancel", call.cancelled)
    log.info("cancelled job %s", call.cancelled)
    for _ in range(2):
        number = running_job(call, "train_network", known=call.trainings)
        call.trainings.append(number)
        call.request = request_of(number)
        kill(number, "train_network.py")
    call.finish()
    return call


@pytest.fixture(scope="module")
def finished(disturbed, start, through_slurm):
    """The second call, which nothing disturbs."""
    call = start("second call", *through_slurm, *TARGETS)
    call.request = request_of(running_job(call, "figures"))
    call.finish()
    return call


@pytest.fixture(scope="module")
def local(start):
    """The same targets, made by a call without Slurm."""
    call = start("local call", "--cores", "2", "--workflow-profile", "none", *TARGETS, run="local")
    call.finish()
    assert call.code == 0, call.output
    return start.folder / "local"


def test_a_cancelled_job_is_submitted_again(disturbed):
    """The profile's second try makes the slide whose job was cancelled, without another call."""
    assert "JobState=CANCELLED" in request_of(disturbed.cancelled)
    report, _, rest = disturbed.output.partition("Error in group slide")[2].partition("Trying to restart job")
    assert f"/{disturbed.cancelled}.log" in report
    assert rest.count("Finished jobid") >= 8


def test_a_killed_job_is_reported_with_its_rule_and_log(disturbed):
    """When the second try is killed too the call ends with code 1 and names the rule and the job."""
    assert disturbed.code == 1
    for number in disturbed.trainings:
        assert re.search(rf"SLURM-job '{number}' failed, SLURM status is: '(FAILED|NODE_FAIL)'", disturbed.output)
    assert "Error in rule train_network" in disturbed.output


def test_the_training_asks_slurm_for_a_gpu(disturbed):
    """gpu=1 of the rule reaches Slurm."""
    assert re.search(r"TresPerJob=gres:gpu:1\b", disturbed.request), disturbed.request


def test_the_same_call_goes_on_and_finishes(disturbed, finished):
    """The second call trains the network and draws the figures, and makes no slide again."""
    assert finished.code == 0, finished.output
    assert "Group job slide" not in finished.output
    assert finished.output.count("Train the network ovary_5") == 1


def test_the_figures_are_drawn_in_one_job_one_after_the_other(finished):
    """Two figures that do not depend on each other are one Slurm job, of one CPU and the sum of both times."""
    assert finished.output.count("Group job figures") == 1
    assert re.search(r"TRES=cpu=1,mem=2000M,", finished.request), finished.request
    assert "TimeLimit=00:40:00" in finished.request


def test_the_tables_equal_those_of_a_local_run(finished, start, local):
    """Every number of every table is the same to its last digit, but for those of seconds."""
    tables = tables_of(local)
    assert {"figures/fig1.tsv", "scorecard/fig2.tsv", "predictions/ovary_5/ovary/measurements.tsv"} <= set(tables)
    assert tables_of(start.folder / "slurm") == tables


def tables_of(folder):
    """Read every table of results by its path, without those of times and the column of a training's seconds."""
    tables = {}
    for path in (folder / "results").rglob("*.tsv"):
        name = path.relative_to(folder / "results")
        if name.parts[0] != "benchmarks":
            with open(path, newline="", encoding="utf-8") as file:
                rows = csv.DictReader(file, delimiter="\t")
                tables[str(name)] = [{key: row[key] for key in row if key != "seconds"} for row in rows]
    return tables


def test_a_site_without_gpus_asks_for_none_and_an_interrupted_call_cancels_its_jobs(finished, start, through_slurm):
    """With gpu=0 the training's job asks for no GPU; Ctrl-C leaves no job in the queue."""
    call = start(
        *("without GPU", *through_slurm, "--set-resources", "train_network:gpu=0"),
        *("--forcerun", "train_network", "--", "results/networks/ovary_5/generator.keras"),
    )
    request = request_of(running_job(call, "train_network"))
    call.process.send_signal(signal.SIGINT)
    call.finish()
    assert call.code != 0
    assert "gpu" not in request
    until = time.monotonic() + 30
    while cluster.jobs("PENDING", "RUNNING", "COMPLETING"):
        assert time.monotonic() < until
        time.sleep(0.3)
