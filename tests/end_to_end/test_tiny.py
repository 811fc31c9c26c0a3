"""The tiny data set through the whole workflow, from acquisition to every figure."""

import csv
import importlib.util
import re
import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.end_to_end

FIGURES = {
    **{f"fig{number}": "figures" for number in range(1, 9)},
    **{f"figS{number}": "figures" for number in range(1, 10)},
    "figTransfer": "figures",
    "tableS1": "tables",
    "tableS2": "tables",
}


def call(clone, *arguments):
    """Call Snakemake in the clone as `make` does, with the tiny config."""
    result = subprocess.run(
        [
            *(sys.executable, "workflow/run.py", "--cores", "2", "--nocolor"),
            *("--configfile", "tests/config/config.yaml", *arguments),
        ],
        cwd=clone,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout + result.stderr


def planned(clone, *arguments):
    """Say which rules a dry run would execute, and how often."""
    code, output = call(clone, "--dry-run", *arguments)
    assert code == 0, output
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", output, re.M)}


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.fixture(scope="module")
def faults(repository):
    """tests/faults/run.py as a module."""
    specification = importlib.util.spec_from_file_location("faults", repository / "tests/faults/run.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def clone(repository, tmp_path_factory):
    """A copy of what the repository holds, in which the tiny workflow has run once."""
    clone = tmp_path_factory.mktemp("clone")
    ignored = shutil.ignore_patterns("__pycache__", "results", ".snakemake")
    for name in ("Snakefile", "workflow", "config", "envs", "profiles", "tests", "docs"):
        source = repository / name
        if source.is_dir():
            shutil.copytree(source, clone / name, ignore=ignored)
        else:
            shutil.copy(source, clone / name)
    code, output = call(clone)
    assert code == 0, output
    (clone / "output.txt").write_text(output)
    return clone


def test_every_figure_and_table_is_made(clone):
    """Each target has its files, none of them empty, with rows in its TSV."""
    for target, folder in FIGURES.items():
        suffixes = ["pdf", "svg", "png", "tsv"] if folder == "figures" else ["tsv", "html", "png"]
        for suffix in suffixes:
            assert (clone / "results" / folder / f"{target}.{suffix}").stat().st_size > 0
        assert rows_of(clone / "results" / folder / f"{target}.tsv")


def test_the_run_ends_with_a_table_of_what_was_made(clone):
    """Each target is named with its file."""
    output = (clone / "output.txt").read_text()
    for target, folder in FIGURES.items():
        assert re.search(rf"{target}\b.*results/{folder}/{target}", output), output


def test_the_scorecard_judges_every_target(clone):
    """Every target has rows; at this scale no claim about image quality is judged."""
    rows = rows_of(clone / "results/scorecard.tsv")
    assert set(FIGURES) <= {row["target"] for row in rows}
    assert {row["verdict"] for row in rows if row["target"] == "fig2"} == {"not testable at this scale"}


def test_the_measurements_cover_every_plane_of_the_test_patches(clone):
    """Every kept test patch has an input and an output row for each of its planes."""
    patches = [
        row for row in rows_of(clone / "results/ovary/manifest.tsv") if row["split"] == "test" and row["kept"] == "true"
    ]
    rows = rows_of(clone / "results/predictions/ovary_5/ovary/measurements.tsv")
    assert patches
    assert len(rows) == 2 * 11 * len(patches)


@pytest.fixture(scope="module")
def report(clone):
    """The page that `make report` writes."""
    code, output = call(clone, "--", "results/report.html")
    assert code == 0, output
    return clone / "results/report.html"


def test_the_report_shows_every_figure_and_table(report):
    """Each has a section, in which a figure has its image."""
    text = report.read_text()
    for target, folder in FIGURES.items():
        section = re.search(rf'<section id="{target}">(.*?)</section>', text, re.S)
        assert section, target
        assert ("data:image/webp;base64," in section[1]) == (folder == "figures")


def test_a_browser_draws_every_figure_of_the_report(report, browse):
    """Headless Chromium shows one drawn image per figure, its console is silent, and nothing is fetched."""
    seen = browse(report)
    figures = [name for name, folder in FIGURES.items() if folder == "figures"]
    assert len(seen["images"]) == len(figures)
    for image in seen["images"]:
        assert min(image["width"], image["height"]) > 300, image["alt"]
        assert image["ink"] > 0.03, image["alt"]
    assert seen["console"] == []
    assert seen["fetched"] == []
    assert seen["page_width"] <= seen["window_width"]


def test_every_rule_left_its_log_and_benchmark(clone):
    """Each job has both, at matching places."""
    logs = {path.relative_to(clone / "results/logs").with_suffix("") for path in clone.glob("results/logs/**/*.log")}
    benchmarks = {
        path.relative_to(clone / "results/benchmarks").with_suffix("")
        for path in clone.glob("results/benchmarks/**/*.tsv")
    }
    assert logs == benchmarks
    assert len(logs) > 20


def test_a_second_run_does_nothing(clone):
    """Everything is up to date."""
    code, output = call(clone)
    assert code == 0, output
    assert "Nothing to be done" in output


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("module", ["runtime.py", "edof/fusion.py", "networks/losses.py", "slides.py", "optics/psf.py"])
def test_comments_and_docstrings_rerun_nothing(clone, module):
    """A comment at the end of a module and another first docstring line change no result."""
    path = clone / "workflow/deepr" / module
    text = path.read_text()
    try:
        path.write_text(text.replace('"""', '"""Now: ', 1) + "\n# A remark.\n")
        assert planned(clone) == {}
    finally:
        path.write_text(text)


def test_logging_reruns_nothing(clone):
    """Code of the runtime room changes no result."""
    path = clone / "workflow/deepr/runtime.py"
    text = path.read_text()
    try:
        edit(path, "PROGRESS_INTERVAL_S = 10.0", "PROGRESS_INTERVAL_S = 20.0")
        assert planned(clone) == {}
    finally:
        path.write_text(text)


@pytest.mark.parametrize(
    ("module", "first", "untouched"),
    [
        ("figures/figure_2.py", "draw_figure_2", {"train_network", "acquire_slide", "draw_figure_s8"}),
        ("networks/losses.py", "train_network", {"acquire_slide", "align_slide", "build_manifest"}),
        ("edof/fusion.py", "fuse_extended_depth_of_field", {"acquire_slide", "align_slide"}),
    ],
)
def test_an_edited_module_reruns_what_depends_on_it(clone, module, first, untouched):
    """Code added to a module reruns the rules that use it and those after them, and no other."""
    path = clone / "workflow/deepr" / module
    text = path.read_text()
    try:
        path.write_text(text + "\nADDED = 1\n")
        jobs = planned(clone)
        assert first in jobs
        assert not untouched & set(jobs)
    finally:
        path.write_text(text)


def test_a_run_killed_in_training_and_testing_gives_the_same(clone, faults, tmp_path):
    """Ovary made again from the first exposure, with two kills on the way: tables, weights, figure are equal."""
    before = tmp_path / "results"
    shutil.copytree(clone / "results", before)
    folders = ("ovary", "networks/ovary_5", "predictions/ovary_5/ovary")
    for folder in folders:
        shutil.rmtree(clone / "results" / folder)
    target = "results/predictions/ovary_5/ovary/measurements.tsv"
    command = faults.command(target, repository=clone)

    state = clone / "results/networks/ovary_5/checkpoint/training/state.npz"
    run = faults.Run(command, clone)
    assert run.wait_for(state.is_file)
    assert run.kill() == ["training"]
    run = faults.Run(command, clone)
    assert run.wait_for(lambda: run.new_files("testing", half=True))
    assert run.kill() == ["testing"]
    assert "going on after iteration 4 of 8" in (clone / "results/logs/networks/ovary_5/train.log").read_text()
    code, output = call(clone, "--", target, "results/ovary/checks.tsv")
    assert code == 0, output
    for folder in folders:
        assert faults.differences(before / folder, clone / "results" / folder) == []
    assert not list((clone / "results").rglob(".part-*"))
