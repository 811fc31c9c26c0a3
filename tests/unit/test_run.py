"""The program that `make` calls, and the Makefile itself."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def program(repository):
    """workflow/run.py as a module."""
    specification = importlib.util.spec_from_file_location("run", repository / "workflow/run.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        (["-n", "--configfile", "my own.yaml", "--", "fig2"], ["--configfile", "my own.yaml"]),
        (["--configfile=my own.yaml", "fig2"], ["--configfile=my own.yaml"]),
        (["--configfiles", "a.yaml", "b.yaml", "-n"], ["--configfiles", "a.yaml", "b.yaml"]),
        (["--config", "seed=7", "scale=own", "-n"], ["--config", "seed=7", "scale=own"]),
        (["--workflow-profile", "profiles/x", "fig2"], ["--workflow-profile", "profiles/x"]),
        (["--workflow-profile=profiles/x", "-n", "--", "--configfile"], ["--workflow-profile=profiles/x"]),
        (["--cores", "2", "fig2"], ["--cores", "2"]),
        (["--nocolor", "fig2"], []),
    ],
)
def test_a_stale_lock_is_taken_away_with_the_same_config(program, arguments, kept):
    """All ways to name a config are kept, and targets are not."""
    assert program._config_of(arguments) == kept


@pytest.mark.parametrize(
    "arguments", [["--configfile", "{0}", "-n"], ["--configfile={0}"], ["--configfiles", __file__, "{0}", "--", "fig2"]]
)
def test_a_config_that_is_not_there_is_named(program, tmp_path, monkeypatch, capsys, arguments):
    """One sentence, and nothing is started or written."""
    monkeypatch.chdir(tmp_path)
    assert program.run([argument.format("no such.yaml") for argument in arguments]) == 1
    assert capsys.readouterr().err == (
        "--configfile no such.yaml: found no such file, wanted a config (config/README.md)\n"
    )
    assert not list(tmp_path.iterdir())


@pytest.fixture
def make(repository, tmp_path):
    """Call make with an environment whose Python only prints what it is given, one argument a line."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    python.chmod(0o755)
    # Newer than the lock file, so that nothing is installed.
    (tmp_path / "venv" / "complete").touch()

    def call(*arguments):
        command = ["make", "--silent", "-C", str(repository), f"VENV={tmp_path / 'venv'}", *arguments]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        return result.stdout.splitlines()

    return call


@pytest.mark.parametrize("name", ["my own.yaml", 'it\'s "mine".yaml', "`touch {0}`.yaml", "$$(touch {0}); touch {0}"])
def test_make_takes_a_config_of_any_name(make, tmp_path, name):
    """The name reaches the program as one word, and no command in it is executed."""
    touched = tmp_path / "touched"
    name = name.format(touched)
    arguments = make(f"CONFIG={name}", "CORES=3", "fig2")
    assert arguments == [
        *("workflow/run.py", "--cores", "3", "--configfile", name.replace("$$", "$"), "--", "fig2"),
    ]
    assert not touched.exists()


def test_make_without_a_config_takes_the_demonstrations(make):
    """No empty word is handed on."""
    assert make("fig2") == ["workflow/run.py", "--cores", "all", "--", "fig2"]


def run_in(folder, repository, *arguments):
    command = [sys.executable, str(repository / "workflow/run.py"), "--cores", "1", "--nocolor", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("fault", ["read-only", "full"])
def test_results_that_cannot_be_written_stop_the_run(small_disk, tmp_path, repository, fault):
    """One sentence names the folder, before Snakemake plans anything."""
    disk = small_disk("results", 64)
    if fault == "full":
        with pytest.raises(OSError, match="No space left"), open(disk / "big", "wb") as big:
            big.write(bytes(100_000))
    else:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    result = run_in(tmp_path, repository, "--", "fig2")
    assert result.returncode == 1
    reason = {"read-only": "Read-only file system", "full": "No space left on device"}[fault]
    assert result.stderr == f"{disk} cannot be written ({reason}), wanted room and the right to write\n"
    assert not (tmp_path / ".snakemake").exists()


def test_a_stale_lock_and_a_wrong_config_give_one_sentence(tmp_path, repository):
    """What cannot be planned cannot be unlocked; Snakemake says why, and a run of the right config unlocks."""
    lock = tmp_path / ".snakemake" / "locks" / "0.output.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text("results/fig2.svg\n")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / ".running").write_text("4711")
    (tmp_path / "own.yaml").write_text("datasets: {mine: {source: nowhere, patch_px: 64}}\n")
    result = run_in(tmp_path, repository, "--configfile", "own.yaml", "--", "fig2")
    assert result.returncode == 1
    assert "config: datasets.mine.source is 'nowhere'" in result.stderr
    assert "Traceback" not in result.stderr
    assert lock.exists() and (tmp_path / "results" / ".running").read_text()
    result = run_in(tmp_path, repository, "--cores", "1", "--dry-run", "--", "fig2")
    assert result.returncode == 0, result.stderr
    assert not lock.exists() and (tmp_path / "results" / ".running").read_text() == ""


@pytest.fixture
def small_workflow(repository, tmp_path):
    """Start this program on a workflow of one rule, which sleeps unless there is a file `quick`."""
    (tmp_path / "Snakefile").write_text(
        'rule one:\n    output: "results/one"\n    shell: "touch started; test -e quick || sleep 60; touch {output}"\n'
    )
    program = (
        f"import sys, pathlib; sys.path.insert(0, {str(repository / 'workflow')!r}); import run\n"
        f"run.REPOSITORY = pathlib.Path({str(tmp_path)!r}); sys.exit(run.run(['--cores', '1', '--nocolor']))"
    )

    def start():
        command = [sys.executable, "-c", program]
        return subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )

    return start


def wait_for(path):
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.1)
    raise AssertionError(f"{path} never came")


def test_a_run_lasts_as_long_as_its_snakemake(small_workflow, tmp_path):
    """With this program killed alone, Snakemake goes on and is named; killed too, its lock is taken away."""
    first = small_workflow()
    wait_for(tmp_path / "started")
    first.kill()
    first.wait()
    second = small_workflow()
    output, _ = second.communicate(timeout=60)
    assert second.returncode == 1
    snakemake = int(re.search(r"another run \(process (\d+)\)", output)[1])
    assert snakemake not in (first.pid, second.pid)
    os.killpg(first.pid, signal.SIGKILL)
    while Path(f"/proc/{snakemake}").exists():
        time.sleep(0.1)
    assert list((tmp_path / ".snakemake/locks").iterdir())
    (tmp_path / "quick").touch()
    third = small_workflow()
    output, _ = third.communicate(timeout=60)
    assert third.returncode == 0, output
    assert (tmp_path / "results/one").exists()
    assert (tmp_path / "results/.running").read_text() == ""


def test_a_killed_snakemake_is_gone_on_with(small_workflow, tmp_path):
    """Killed alone, with this program left to see it end, it leaves a lock that the next run takes away."""
    first = small_workflow()
    wait_for(tmp_path / "started")
    os.kill(int((tmp_path / "results/.running").read_text()), signal.SIGKILL)
    assert first.wait(timeout=60) != 0
    os.killpg(first.pid, signal.SIGKILL)
    assert list((tmp_path / ".snakemake/locks").iterdir())
    (tmp_path / "quick").touch()
    second = small_workflow()
    output, _ = second.communicate(timeout=60)
    assert second.returncode == 0, output
    assert (tmp_path / "results/.running").read_text() == ""


def test_the_lock_of_another_snakemake_stays(small_workflow, tmp_path):
    """Without a killed run of this program the lock is somebody's, and Snakemake itself says so."""
    (tmp_path / "quick").touch()
    (tmp_path / ".snakemake/locks").mkdir(parents=True)
    lock = tmp_path / ".snakemake/locks/0.output.lock"
    lock.write_text("results/one\n")
    run = small_workflow()
    output, _ = run.communicate(timeout=60)
    assert run.returncode != 0
    assert "lock" in output
    assert lock.exists() and not (tmp_path / "results/one").exists()
