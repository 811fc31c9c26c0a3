"""One training per folder, whoever started it."""

import subprocess
import sys

import pytest
from deepr.networks import checkpoints
from deepr.networks.checkpoints import Checkpoint
from deepr.tables import InputError

TRAINING = """
import sys, time
from deepr.networks.checkpoints import Checkpoint
checkpoint = Checkpoint(sys.argv[1], {"seed": 1}, ["iteration"])
checkpoint.load()
checkpoint.append({"iteration": 1})
checkpoint.save({}, {"iteration": 1})
checkpoint.append({"iteration": 2})
print("trains", flush=True)
time.sleep(60)
"""


def test_a_second_training_waits_and_gives_up(tmp_path, repository, monkeypatch):
    """While another process trains nothing of its history is touched; when it is killed the next one goes on."""
    monkeypatch.setattr(checkpoints, "_DYING_S", 0.3)
    environment = {"PYTHONPATH": str(repository / "workflow")}
    command = [sys.executable, "-c", TRAINING, str(tmp_path)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout.readline() == "trains\n"
            second = Checkpoint(tmp_path, {"seed": 1}, ["iteration"])
            with pytest.raises(InputError, match="another process trains here, wait for it or stop it first"):
                second.load()
            second.close()
            assert second.history_path.read_text() == "iteration\n1\n2\n"
        finally:
            other.kill()
    third = Checkpoint(tmp_path, {"seed": 1}, ["iteration"])
    assert third.load()[1] == {"iteration": 1}
    third.close()
    assert third.history_path.read_text() == "iteration\n1\n"
