"""A run that was killed goes on by the same command, and two runs do not meet."""

import fcntl
import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.end_to_end


@pytest.fixture
def command(repository):
    """What `make` calls, on the tiny config."""
    return [
        *(sys.executable, str(repository / "workflow/run.py"), "--cores", "2", "--nocolor"),
        *("--configfile", str(repository / "tests/config/config.yaml"), "--"),
        "results/ovary/aligned/test1.ome.tif",
    ]


@pytest.mark.parametrize("folder", ["raw", "aligned"])
def test_a_killed_run_goes_on_by_the_same_command(command, tmp_path, folder):
    """SIGKILL to the whole process group while a slide is half-written leaves nothing that a second call minds."""
    first = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    half = tmp_path / "results/ovary" / folder / ".part-test1.ome.tif"
    until = time.monotonic() + 240
    while not half.exists():
        assert time.monotonic() < until
        assert first.poll() is None
        time.sleep(0.002)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert half.exists()
    assert not half.with_name("test1.ome.tif").exists()
    second = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert second.returncode == 0, second.stdout + second.stderr
    assert (tmp_path / "results/ovary/aligned/test1.ome.tif").is_file()
    assert not list(tmp_path.glob("results/**/.part-*"))


def test_a_second_run_says_that_there_is_one(command, tmp_path):
    """Whoever finds the lock held stops at once and names the process."""
    (tmp_path / "results").mkdir()
    with open(tmp_path / "results/.running", "w") as running:
        fcntl.flock(running, fcntl.LOCK_EX)
        running.write("4711")
        running.flush()
        second = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert "another run (process 4711)" in second.stderr
    assert not (tmp_path / ".snakemake").exists()
