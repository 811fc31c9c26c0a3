"""What a run measured of itself, read back from files as Snakemake and the rules write them."""

import os
from datetime import datetime

import pytest
from deepr.benchmarks import read_benchmarks, read_run, share_time
from deepr.tables import InputError

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"

LOG = """
SNAKEMAKE
=========
  Date: 2026-11-25 10:00:00
  Workflow ID: none

Provided cores: 2
[Wed Nov 25 10:00:10 2026]
Job 3: Align the planes.
Reason: Missing output files: results/a.ome.tif
[Wed Nov 25 10:01:10 2026]
Finished jobid: 3 (Rule: align_slide)
1 of 3 steps (33%) done
[Wed Nov 25 10:01:10 2026]
Job 1: Fuse the planes.
[Wed Nov 25 10:01:40 2026]
Finished jobid: 1 (Rule: fuse)
[Wed Nov 25 10:01:40 2026]
localrule all:
[Wed Nov 25 10:01:40 2026]
Finished jobid: 0 (Rule: all)
"""


def job(name, rule, threads=1, **wildcards):
    return {
        "rule": rule,
        "wildcards": wildcards,
        "output": [f"results/{name}.ome.tif"],
        "log": [f"results/logs/{name}.log"],
        "benchmark": f"results/benchmarks/{name}.tsv",
        "threads": threads,
        "mem_mb": 800,
    }


def ran(folder, name, seconds, max_rss, took=None, finished=None):
    """Write what a job leaves behind."""
    for kind, suffix, text in (
        ("benchmarks/", "tsv", HEADER + f"{seconds}\t0:00:00\t{max_rss}\t1\t1\t1\t1\t1\t1\t1\n"),
        ("logs/", "log", "2026-11-25 10:00:00 reading\n" + (f"2026 rule took {took} s\n" if took is not None else "")),
        ("", "ome.tif", "12345"),
    ):
        path = folder / f"results/{kind}{name}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if finished:
            os.utime(path, (finished.timestamp(), finished.timestamp()))


def test_a_job_that_ran_gives_its_time_memory_and_output(tmp_path):
    """Seconds and memory come from the benchmark, the work from the log, the bytes from the output."""
    ran(tmp_path, "a", 10.5, 312.5, took=8.0)
    table = read_benchmarks([job("b", "align_slide"), job("a", "align_slide", 2, dataset="ovary", slide="s")], tmp_path)
    assert len(table) == 1
    row = table.iloc[0]
    assert (row["job"], row["rule"], row["dataset"], row["threads"]) == (1, "align_slide", "ovary", 2)
    assert (row["seconds"], row["working_s"], row["measured_mb"], row["asked_mb"]) == (10.5, 8.0, 312.5, 800)
    assert row["output_bytes"] == 5


def test_a_job_too_short_to_be_sampled_has_no_memory(tmp_path):
    """Snakemake writes NA, which is no number of megabytes; without a line in the log the work is unknown."""
    ran(tmp_path, "a", 0.2, "NA")
    row = read_benchmarks([job("a", "align_slide")], tmp_path).iloc[0]
    assert row[["measured_mb", "working_s"]].isna().all()


def test_without_a_run_the_folder_and_what_to_do_are_named(tmp_path):
    """No benchmark is no plan: the sentence says where one was looked for and what makes one."""
    with pytest.raises(InputError, match=r"results/benchmarks: found no benchmark .* run it first \(make\)"):
        read_benchmarks([job("a", "align_slide")], tmp_path)


def test_a_file_that_is_no_benchmark_is_refused(tmp_path):
    """A file cut short, or of another kind, is named."""
    path = tmp_path / "results/benchmarks/a.tsv"
    path.parent.mkdir(parents=True)
    path.write_text(HEADER)
    with pytest.raises(InputError, match=r"a\.tsv: found no benchmark"):
        read_benchmarks([job("a", "align_slide")], tmp_path)


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "run.log"
    path.write_text(LOG)
    return read_run(path)


def test_a_log_gives_the_run_and_its_jobs(run):
    """From the note of the start to the last line's time; a target that does nothing is no job."""
    assert run["started"] == datetime(2026, 11, 25, 10, 0, 0)
    assert run["ended"] == datetime(2026, 11, 25, 10, 1, 40)
    assert run["cores"] == 2
    assert run["jobs"].to_dict("list") == {"rule": ["align_slide", "fuse"], "seconds": [60.0, 30.0]}


def test_a_log_without_a_finished_job_is_no_run(tmp_path):
    """A dry run, or one in which all was up to date, has nothing to divide."""
    path = tmp_path / "run.log"
    path.write_text(LOG.split("[Wed")[0])
    with pytest.raises(InputError, match=r"run\.log: found no finished job"):
        read_run(path)


def test_core_time_is_divided_without_rest(tmp_path, run):
    """Two cores for 100 s: 2 x 50 s and 20 s of work, 2 x 5 s and 5 s of start, as much around the processes."""
    ran(tmp_path, "a", 55, 300, took=50, finished=datetime(2026, 11, 25, 10, 1, 9))
    ran(tmp_path, "b", 25, 300, took=20, finished=datetime(2026, 11, 25, 10, 1, 39))
    ran(tmp_path, "old", 500, 300, took=400, finished=datetime(2026, 11, 24, 10, 1, 39))
    jobs = [job("a", "align_slide", threads=8), job("b", "fuse"), job("old", "fuse")]
    shares = share_time(run, read_benchmarks(jobs, tmp_path))
    assert shares["wall_s"] == 100 and shares["jobs"] == 2
    assert [shares[key] for key in ("working", "starting", "snakemake")] == pytest.approx([0.6, 0.075, 0.075])
    kinds = ("working", "starting", "snakemake", "unknown", "idle")
    assert sum(shares[key] for key in kinds) == pytest.approx(1)


def test_jobs_that_ran_again_later_are_unknown_and_not_idle(tmp_path, run):
    """Of the 2 x 60 and 30 core seconds that jobs held, a later run has replaced the benchmark of the 30."""
    ran(tmp_path, "a", 60, 300, took=60, finished=datetime(2026, 11, 25, 10, 1, 9))
    ran(tmp_path, "b", 25, 300, took=20, finished=datetime(2026, 11, 26, 10, 1, 39))
    jobs = [job("a", "align_slide", threads=2), job("b", "fuse")]
    shares = share_time(run, read_benchmarks(jobs, tmp_path))
    assert shares["jobs"] == 1
    assert [shares[key] for key in ("working", "unknown", "idle")] == pytest.approx([0.6, 0.15, 0.25])
