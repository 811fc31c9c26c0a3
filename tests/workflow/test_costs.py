"""The cost of a plan rests on the jobs that Snakemake itself plans."""

import re
from collections import Counter

import pytest
from deepr.costs import stage_of, work_of
from deepr.tables import InputError
from plan import list_jobs, main, make_plan

CONFIG = "tests/config/config.yaml"

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def tiny(repository):
    """The tiny scale, as planned for its costs."""
    return make_plan(repository / CONFIG, cores=2)


def test_jobs_are_those_of_a_run_from_nothing(snakemake, repository, tmp_path, tiny):
    """As many jobs of each rule as Snakemake's own table counts, whatever exists already."""
    code, output = snakemake(tmp_path, "--configfile", repository / CONFIG, "--dryrun", "--quiet", "rules")
    assert code == 0, output
    table = {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", output, re.M)}
    assert table.pop("total") == len(tiny.jobs)
    assert Counter(job["rule"] for job in tiny.jobs) == table


def test_slides_of_the_config_are_those_of_the_jobs(tiny):
    """The sizes are computed for the very slides that are acquired."""
    acquired = {
        tuple(job["wildcards"][key] for key in ("dataset", "slide"))
        for job in tiny.jobs
        if job["rule"] == "acquire_slide"
    }
    assert acquired == {(dataset, slide) for dataset, slides in tiny.slides.items() for slide in slides}


def test_every_job_has_work_threads_and_memory(tiny):
    """Nothing that runs is left out of the costs, and trainings ask for a GPU."""
    for job in tiny.jobs:
        if job["benchmark"] is None:
            continue
        assert work_of(tiny, job) > 0, job
        assert job["threads"] >= 1 and job["mem_mb"] > 0, job
        assert bool(job["gpu"]) == (stage_of(job["rule"]) == "training"), job


def test_without_a_run_nothing_is_estimated(repository, tmp_path, monkeypatch, capsys):
    """One sentence names the folder without benchmarks, and what to run; no table is written."""
    monkeypatch.chdir(tmp_path)
    config = str(repository / CONFIG)
    assert main(["--configfile", config, "--measured", config]) == 1
    assert re.fullmatch(r"plan: results/benchmarks: found no benchmark .* \(make\).*\n", capsys.readouterr().err)
    assert not (tmp_path / "results").exists()


def test_a_config_that_cannot_be_planned_is_refused_as_snakemake_refuses_it(repository, tmp_path):
    """The sentence is the workflow's own."""
    path = tmp_path / "wrong.yaml"
    path.write_text((repository / CONFIG).read_text().replace("seed:", "sed:"))
    with pytest.raises(InputError, match=r"wrong\.yaml cannot be planned: config: unknown key 'sed'"):
        list_jobs(path, cores=2)
