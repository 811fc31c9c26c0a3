"""One training per folder, whoever started it."""

import subprocess
import sys

import pytest
from deepr.networks import checkpoints
from deepr.networks.checkpoints import alone_in
from deepr.tables import InputError

TRAINING = """
import sys, time
from deepr.networks.checkpoints import alone_in
with alone_in(sys.argv[1]):
    print("trains", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def training(tmp_path, repository):
    """Another process that trains in the folder until it reads a line."""
    command = [sys.executable, "-c", TRAINING, str(tmp_path)]
    environment = {"PYTHONPATH": str(repository / "workflow")}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "trains\n"
        yield process
        process.kill()


def test_a_second_training_waits_and_gives_up(training, tmp_path, monkeypatch):
    """It says so in a sentence; after a kill the folder is free, whatever file the killed one has left."""
    monkeypatch.setattr(checkpoints, "_DYING_S", 0.3)
    with (
        pytest.raises(InputError, match="another process trains here, wait for it or stop it first"),
        alone_in(tmp_path),
    ):
        raise AssertionError("it trains")
    training.kill()
    training.wait()
    assert [path.name for path in tmp_path.iterdir()] == [".training"]
    with alone_in(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [".training"]
    assert list(tmp_path.iterdir()) == []


def test_a_second_training_begins_when_the_first_has_ended(training, tmp_path):
    """The file of the first is gone by then; the second holds one of its own."""
    training.stdin.write("\n")
    training.stdin.flush()
    with alone_in(tmp_path):
        assert training.wait(timeout=60) == 0
        assert [path.name for path in tmp_path.iterdir()] == [".training"]
    assert list(tmp_path.iterdir()) == []
