"""A disk without room: one sentence that names the file, nothing half-written, and what was there before stays."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from deepr.figures.style import new_figure, save_figure
from deepr.intermediates import check_file
from deepr.networks.checkpoints import Checkpoint
from deepr.runtime import write_atomically
from deepr.tables import InputError, write_json, write_table


def write_a_table(folder):
    write_table(pd.DataFrame({"a": np.arange(200_000), "b": 0.5}), folder / "measurements.tsv")


def write_a_record(folder):
    write_json({"text": "x" * 2_000_000}, folder / "config.json")


def draw_a_figure(folder):
    figure = new_figure(100)
    figure.add_axes([0, 0, 1, 1]).imshow(np.random.default_rng(0).random((900, 900)))
    save_figure(figure, folder / "fig2")


def save_a_generator(folder):
    from deepr.networks.generator import build_generator

    with write_atomically(folder / "generator.keras") as temporary:
        build_generator(8, seed=0).save(temporary)


def save_a_checkpoint(folder):
    former = (folder / "state.npz").read_bytes()
    (folder / "state.npz").unlink()
    checkpoint = Checkpoint(folder, {"seed": 1}, ["iteration"])
    checkpoint.load()
    (folder / "state.npz").write_bytes(former)
    try:
        checkpoint.append({"iteration": 2})
        checkpoint.save({"weights": [np.zeros((600, 600))]}, {"iteration": 2})
    finally:
        checkpoint.close()


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (write_a_table, "measurements.tsv"),
        (write_a_record, "config.json"),
        (draw_a_figure, "fig2.pdf"),
        (save_a_generator, "generator.keras"),
        (save_a_checkpoint, "state.npz"),
    ],
)
@pytest.mark.parametrize("kilobytes", [8, 600])
def test_a_full_disk_leaves_the_former_file(small_disk, write, name, kilobytes):
    """Full at once or in the middle: the sentence names the file, no part stays, and the former file is untouched."""
    disk = small_disk("disk", kilobytes)
    (disk / name).write_text("former")
    with pytest.raises(
        OSError, match=rf"{name} could not be written \(No space left on device\), wanted room"
    ) as fault:
        write(disk)
    assert "\n" not in str(fault.value)
    assert sorted(path.name for path in disk.iterdir() if path.name != "history.tsv") == [name]
    assert (disk / name).read_text() == "former"


def test_a_training_goes_on_when_there_is_room_again(small_disk):
    """The state before the disk was full is whole, and the history is cut back to it."""
    disk = small_disk("disk", 600)
    first = Checkpoint(disk, {"seed": 1}, ["iteration"])
    first.load()
    first.append({"iteration": 1})
    first.save({"weights": [np.ones(10)]}, {"iteration": 1})
    first.close()
    second = Checkpoint(disk, {"seed": 1}, ["iteration"])
    second.load()
    with pytest.raises(OSError, match=r"No space left"):
        for number in range(2, 1_000_000):
            second.append({"iteration": number})
    check_file(disk / "state.npz")
    third = Checkpoint(disk, {"seed": 1}, ["iteration"])
    arrays, progress = third.load()
    third.close()
    assert progress == {"iteration": 1}
    np.testing.assert_array_equal(arrays["weights"][0], np.ones(10))
    assert (disk / "history.tsv").read_text() == "iteration\n1\n"


@pytest.mark.parametrize(("kilobytes", "fills"), [(4, "log"), (64, "log"), (64, "results")])
def test_a_step_on_a_full_disk_says_one_sentence(small_disk, tmp_path, repository, kilobytes, fills):
    """Where the log has no room either, the sentence still comes to the terminal, and nothing else."""
    disk = small_disk("disk", kilobytes)
    log = (disk if fills == "log" else tmp_path) / "logs" / "step.log"
    work = {
        "log": "for _ in range(10_000): print('to the log', flush=True)",
        "results": "open('measurements.tsv', 'w').write('x' * 100_000)",
    }
    script = f"""
import types
from deepr.runtime import logged
step = types.SimpleNamespace(log=[{str(log)!r}], rule="test_network", input=[], output=["measurements.tsv"])
with logged(step):
    {work[fills]}
"""
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=disk,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(repository / "workflow")},
        check=False,
    )
    assert result.returncode != 0
    (sentence,) = result.stderr.splitlines()
    assert sentence.startswith("test_network: ")
    assert "could not be written (No space left on device), wanted room" in sentence
    assert result.stdout == ""


def test_another_fault_keeps_its_own_words(tmp_path):
    """A file that cannot be read while another is being written is not taken for a full disk."""
    with pytest.raises(FileNotFoundError, match=r"nothing\.txt"):
        with write_atomically(tmp_path / "table.tsv"):
            (tmp_path / "nothing.txt").read_text()
    with pytest.raises(InputError, match=r"^found none$"), write_atomically(tmp_path / "table.tsv"):
        raise InputError("found none")
    assert list(tmp_path.iterdir()) == []
