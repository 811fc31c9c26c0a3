"""Logs, random numbers and whole files."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from deepr.randomness import random_generator
from deepr.runtime import write_atomically


def test_random_generators_belong_to_their_names():
    """Equal names give equal numbers; another field gives others; the order of calls does not matter."""
    first = random_generator(1, "ovary", "slide1", "f001").random(4)
    other = random_generator(1, "ovary", "slide1", "f002").random(4)
    again = random_generator(1, "ovary", "slide1", "f001").random(4)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, random_generator(2, "ovary", "slide1", "f001").random(4))


def test_names_cannot_be_confused():
    """('ab', 'c') and ('a', 'bc') are different names."""
    assert random_generator(0, "ab", "c").random() != random_generator(0, "a", "bc").random()


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    """A block that fails leaves neither the file nor a temporary one; the old file stays."""
    path = tmp_path / "table.tsv"
    path.write_text("old")
    with pytest.raises(RuntimeError), write_atomically(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with write_atomically(path) as temporary:
        assert temporary.suffixes[-1] == ".tsv"
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["table.tsv"]


SCRIPT = """
import sys, types, warnings
from deepr.runtime import logged
snakemake = types.SimpleNamespace(log=[sys.argv[1]], rule="align_slide", input=[], output=["a.tsv"])
with logged(snakemake):
    print("to the log")
    warnings.warn("a warning")
    {last}
"""


@pytest.mark.parametrize("last", ["pass", "raise ValueError('plane 3 is constant; wanted structure')"])
def test_a_failure_is_one_sentence_on_the_terminal_and_a_traceback_in_the_log(tmp_path, last, repository):
    """The terminal stays quiet but for the sentence; the log has everything."""
    log = tmp_path / "logs" / "align.log"
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(last=last), str(log)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(repository / "workflow")},
        check=False,
    )
    text = Path(log).read_text()
    assert "to the log" in text
    assert "a warning" in text
    assert result.stdout == ""
    if last == "pass":
        assert (result.returncode, result.stderr) == (0, "")
    else:
        assert result.returncode == 1
        assert result.stderr == f"align_slide: plane 3 is constant; wanted structure (log: {log})\n"
        assert "Traceback" in text


MANY_FILES = """
import resource, sys, types
import numpy as np
from deepr.runtime import logged
from deepr.slides import SlideWriter, open_slide
folder = sys.argv[1]
with SlideWriter(folder + "/slide.ome.tif", 0.325, "20x/0.75", "Cy5", "simulated") as writer:
    writer.write("f001", np.zeros((2, 8, 8), np.uint16), [0.0, 1.0])
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (40, hard))
job = {"log": [folder + "/job.log"], "rule": "train_network", "input": [], "output": [folder + "/generator.keras"]}
with logged(types.SimpleNamespace(**job)):
    slides = [open_slide(folder + "/slide.ome.tif") for _ in range(100)]
"""


def test_a_job_can_hold_more_slides_open_than_a_process_may_at_its_start(tmp_path, repository):
    """A training opens all slides of its data sets; where 40 open files are allowed, it asks for more."""
    result = subprocess.run(
        [sys.executable, "-c", MANY_FILES, str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(repository / "workflow")},
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
