"""A training gives the same result to the last bit, however often it is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import deepr
import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from deepr.networks import checkpoints, precision, training
from deepr.networks.checkpoints import Checkpoint
from deepr.networks.inference import load_generator, refocus_normalised
from deepr.networks.pairs import PairSampler
from deepr.networks.reproducibility import fix_threads
from deepr.networks.training import pilot_weights, train_network
from deepr.tables import InputError, read_table
from scipy.ndimage import gaussian_filter

# Must happen before TensorFlow's first operation, so when the tests are collected
fix_threads(1)

SETTINGS = {
    "base_channels": 2,
    "discriminator_channels": 1,
    "crop_px": 32,
    "batch_size": 2,
    "iterations": 6,
    "batches_per_iteration": 2,
    "generator_updates_per_batch": 2,
    "discriminator_updates_per_batch": 1,
    "generator_learning_rate": 5e-4,
    "discriminator_learning_rate": 1e-3,
    "learning_rate_schedule": "cosine",
    "warmup_fraction": 0.1,
    "gradient_norm": 1.0,
    "loss_weights": {"adversarial": 0.1, "ms_ssim": 1.0, "berhu": 1.0},
    "pilot_iterations": 0,
    "berhu_threshold": 0.1,
    "validation_interval": 2,
    "validation_pairs": 4,
    "checkpoint_interval": 2,
    "threads": 1,
    "precision": "float32",
}


class FakeSlide:
    """One field of blobs, blurred more from plane to plane; plane 0 is in focus."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        blobs = gaussian_filter(rng.standard_normal((64, 64)), 1.0)
        blobs *= 300 / blobs.std()
        self.planes = np.stack([1000 + gaussian_filter(blobs, 0.8 * plane) for plane in range(3)])

    def z_um(self, field):
        return np.arange(3.0)

    def stack(self, field):
        return self.planes


def samplers(settings):
    """Training pairs of four slides and validation pairs of two more."""
    slides = {("d", str(number)): FakeSlide(number) for number in range(6)}
    rows = pd.DataFrame({"dataset": "d", "slide": [str(number) for number in range(6)], "fov": "f"})
    rows = rows.assign(y=0, x=0, size=64, focus_plane=0, focus_z_um=0.0, kept=True)
    arguments = (1.0, settings["crop_px"], settings["batch_size"], 3)
    return (
        PairSampler(rows[:4], slides, *arguments, augment=True),
        PairSampler(rows[4:], slides, *arguments, augment=False),
    )


def train(folder, start_from=None, seed=1, code=None, **changes):
    """Train with the settings above and a few changes."""
    settings = {**SETTINGS, **changes}
    return train_network(*samplers(settings), folder, settings, seed, start_from, {"name": "blobs"}, code)


def result(folder):
    """Everything that must be equal between two runs: weights, history without seconds."""
    history = read_table(folder / "history.tsv").drop(columns="seconds")
    return [*load_generator(folder).get_weights(), history.to_numpy(dtype=float)]


def assert_equal_results(one, other):
    """Equal to the last bit, undefined entries in the same places."""
    for a, b in zip(result(one), result(other), strict=True):
        assert np.array_equal(a, b, equal_nan=True)


@pytest.fixture
def eager():
    """Compute without building graphs: for tests of a few steps, whose graphs take longer to build."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """An easy problem, trained for a few seconds as a graph: folder and config."""
    folder = tmp_path_factory.mktemp("trained")
    return folder, train(folder, iterations=20, base_channels=4, generator_learning_rate=2e-3)


def test_losses_fall_on_an_easy_problem(trained):
    """Sharpening blobs is learnt in seconds: BerHu and 1 - MS-SSIM end far below where they began."""
    history = read_table(trained[0] / "history.tsv")
    assert history["berhu"].tail(5).mean() < 0.5 * history["berhu"].head(2).mean()
    assert history["ms_ssim_loss"].tail(5).mean() < 0.5 * history["ms_ssim_loss"].head(2).mean()


def test_every_iteration_has_a_row_and_no_loss_is_undefined(trained):
    """Validation losses are there at each interval and at the end, everything else always."""
    history = read_table(trained[0] / "history.tsv")
    assert history["iteration"].tolist() == list(range(1, 21))
    validated = (history["iteration"] % 2 == 0).to_numpy()
    assert history["validation_berhu"].notna().to_numpy().tolist() == validated.tolist()
    assert history["validation_ms_ssim_loss"].notna().to_numpy().tolist() == validated.tolist()
    assert np.isfinite(history.filter(regex="^(?!validation)").to_numpy(dtype=float)).all()
    assert history["seconds"].is_monotonic_increasing


def test_a_network_trained_in_bfloat16_is_saved_to_compute_in_float32(tmp_path, monkeypatch, eager):
    """Its weights are others, and nothing that reads the network has to know."""
    monkeypatch.setattr(precision, "has_bfloat16", lambda: True)
    monkeypatch.setattr(precision.keras.distribution, "list_devices", lambda device_type: [])
    networks = {}
    for name in ("float32", "bfloat16"):
        config = train(tmp_path / name, precision=name, iterations=2)
        assert config["settings"]["precision"] == name
        networks[name] = load_generator(tmp_path / name)
    monkeypatch.setattr(precision, "has_bfloat16", lambda: False)
    config = train(tmp_path / "slow", precision="bfloat16", iterations=2)
    assert config["settings"]["precision"] == "float32"
    assert_equal_results(tmp_path / "slow", tmp_path / "float32")
    assert {layer.compute_dtype for layer in networks["bfloat16"].layers} == {"float32"}
    weights = [network.get_weights() for network in networks.values()]
    assert not all(np.array_equal(*pair) for pair in zip(*weights, strict=True))
    for pair in zip(*weights, strict=True):
        np.testing.assert_allclose(*pair, atol=0.01)


def test_the_best_weights_are_kept(trained):
    """The saved generator has, on the validation pairs, the smallest BerHu loss of the history."""
    folder, config = trained
    history = read_table(folder / "history.tsv")
    assert config["best_validation_berhu"] == history["validation_berhu"].min()
    assert config["best_iteration"] == history["iteration"][history["validation_berhu"].idxmin()]
    assert history["iteration"][history["best"]].max() == config["best_iteration"]
    inputs, truths = samplers(SETTINGS)[1].validation_set(4)
    difference = np.abs(refocus_normalised(inputs, load_generator(folder)) - truths)
    berhu = np.where(difference < 0.1, difference, (difference**2 + 0.01) / 0.2).mean()
    assert berhu == pytest.approx(config["best_validation_berhu"], rel=1e-4)


def test_the_folder_holds_results_and_no_checkpoint(trained):
    """Four files, each whole."""
    names = sorted(path.name for path in trained[0].iterdir())
    assert names == ["config.json", "discriminator.keras", "generator.keras", "history.tsv"]
    assert trained[1]["generator_parameters"] == load_generator(trained[0]).count_params()
    assert trained[1]["generator_updates"] == 80


def test_transfer_starts_from_another_network(trained, tmp_path, eager):
    """With a learning rate of almost nothing the weights stay those it started from."""
    train(tmp_path, trained[0], base_channels=4, iterations=1, generator_learning_rate=1e-12, checkpoint_interval=1)
    for start, end in zip(
        load_generator(trained[0]).get_weights(), load_generator(tmp_path).get_weights(), strict=True
    ):
        assert np.allclose(start, end, atol=1e-9)


def test_transfer_from_another_width_is_refused(trained, tmp_path):
    """Weights do not fit into a network of another shape."""
    with pytest.raises(InputError, match="start_from"):
        train(tmp_path, trained[0], base_channels=2)


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_a_killed_training_goes_on_to_the_same_result(tmp_path, kind):
    """Killed three times at random moments, pilot included, it ends with the weights and history of one
    that never stopped."""
    environment = {**os.environ, "PYTHONPATH": str(Path(deepr.__file__).parents[1])}
    subprocess.run([sys.executable, __file__, str(tmp_path), kind], check=True, timeout=300, env=environment)
    assert_equal_results(tmp_path / "killed", tmp_path / "whole")
    assert not (tmp_path / "killed" / "checkpoint").exists()


def test_a_training_killed_at_the_worst_moments_goes_on_to_the_same_result(tmp_path):
    """Within a checkpoint, between two of them, within the weights and before the record: the end is the same."""
    environment = {**os.environ, "PYTHONPATH": str(Path(deepr.__file__).parents[1])}
    subprocess.run([sys.executable, __file__, str(tmp_path), "moments"], check=True, timeout=300, env=environment)
    assert_equal_results(tmp_path / "killed", tmp_path / "whole")
    assert sorted(path.name for path in (tmp_path / "killed").iterdir()) == [
        *("config.json", "discriminator.keras", "generator.keras", "history.tsv")
    ]


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"berhu_threshold": 0.2}, "settings.berhu_threshold"),
        ({"code": "of yesterday"}, "(code)"),
        ({"keras": "0.1"}, "(keras)"),
    ],
    ids=["settings", "code", "version"],
)
def test_a_checkpoint_of_another_training_is_not_continued(tmp_path, eager, caplog, monkeypatch, other, named):
    """It says what differs, starts afresh and ends as if there had been no checkpoint."""
    short = {"iterations": 1, "batches_per_iteration": 1, "generator_updates_per_batch": 1}
    with monkeypatch.context() as patched:
        patched.setattr("deepr.networks.training.shutil.rmtree", lambda folder: None)
        if "keras" in other:
            patched.setattr("deepr.networks.training.keras.__version__", other["keras"])
            other = {}
        train(tmp_path / "one", **short, **other)
    train(tmp_path / "fresh", **short)
    assert (tmp_path / "one" / "checkpoint" / "training" / "state.npz").is_file()
    train(tmp_path / "one", **short)
    assert named in caplog.text
    assert_equal_results(tmp_path / "one", tmp_path / "fresh")


def test_a_loss_that_is_not_finite_ends_the_training(tmp_path, eager):
    """No weights are written, and the sentence names the learning rate."""
    with pytest.raises(FloatingPointError, match="generator_learning_rate"), np.errstate(all="ignore"):
        train(tmp_path, generator_learning_rate=1e9)
    assert not (tmp_path / "generator.keras").exists()


def test_another_number_of_threads_is_refused(tmp_path):
    """TensorFlow runs with one thread here; two would give other numbers."""
    tf.constant(0) + 1
    with pytest.raises(RuntimeError, match="3 threads are wanted"):
        train(tmp_path, threads=3)


def test_pilot_weights_make_the_terms_equal():
    """Weight times converged loss is one for each, 1/4 being the adversarial loss at equilibrium."""
    history = pd.DataFrame({"ms_ssim_loss": np.linspace(1, 0.1, 20), "berhu": np.linspace(2, 0.4, 20)})
    weights = pilot_weights(history)
    assert weights["adversarial"] * 0.25 == 1
    assert weights["ms_ssim"] * history["ms_ssim_loss"][-2:].mean() == pytest.approx(1)
    assert weights["berhu"] * history["berhu"][-2:].mean() == pytest.approx(1)


def _train_and_be_killed(folder, kind):
    """Train once undisturbed and once killed again and again, each in a process of its own."""
    changes = {"pilot_iterations": 2, "iterations": 4, "checkpoint_interval": 1, "validation_pairs": 2}
    changes |= {"precision": kind}
    changes |= {"batches_per_iteration": 1, "generator_updates_per_batch": 1}
    seed = time.time_ns() % 2**32
    print("kills drawn from seed", seed, flush=True)
    rng = np.random.default_rng(seed)
    tf.config.run_functions_eagerly(True)
    for name, kills in (("whole", 0), ("killed", 3)):
        histories = [folder / name / "checkpoint" / phase / "history.tsv" for phase in ("pilot", "training")]
        for kill in range(kills + 1):
            # Forked before TensorFlow starts its threads: a fresh process without a second import
            child = os.fork()
            if child == 0:
                try:
                    train(folder / name, **changes)
                    os._exit(0)
                finally:
                    os._exit(1)
            if kill < kills:
                wanted = (2, 3, 5)[kill]  # lines: within the pilot, at its end, within the training
                while sum(path.read_text().count("\n") for path in histories if path.is_file()) < wanted:
                    time.sleep(0.005)
                time.sleep(rng.uniform(0, 0.2))
                os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            print(name, kill, "status", status, flush=True)
            assert status == (signal.SIGKILL if kill < kills else 0)


def _die(*arguments, **keywords):
    os.kill(os.getpid(), signal.SIGKILL)


def _die_within(path, *arguments, **keywords):
    """Leave half a file behind."""
    Path(path).write_bytes(b"half")
    _die()


def _train_and_be_killed_at_moments(folder):
    """Train once undisturbed and once killed at each of the moments at which something is being written."""
    changes = {"iterations": 5, "checkpoint_interval": 2, "validation_pairs": 2}
    changes |= {"batches_per_iteration": 1, "generator_updates_per_batch": 1}
    tf.config.run_functions_eagerly(True)
    append = Checkpoint.append

    def append_and_die(checkpoint, row):
        append(checkpoint, row)
        if row["iteration"] == 3:
            _die()

    moments = [
        (checkpoints.np, "savez", _die_within),  # the first checkpoint
        (Checkpoint, "append", append_and_die),  # between the first and the second
        (checkpoints.np, "savez", _die_within),  # the second
        (keras.Model, "save", lambda model, path: _die_within(path)),  # the weights
        (training, "write_table", _die),  # weights written, history not
        (training, "write_json", _die),  # all but the record
        (training.shutil, "rmtree", _die),  # all, with the checkpoint still there
    ]
    for name, kills in (("whole", []), ("killed", moments)):
        for kill in (*kills, None):
            child = os.fork()
            if child == 0:
                try:
                    if kill:
                        setattr(*kill)
                    train(folder / name, **changes)
                    os._exit(0)
                finally:
                    os._exit(1)
            _, status = os.waitpid(child, 0)
            print(name, kill, "status", status, flush=True)
            assert status == (signal.SIGKILL if kill else 0)


if __name__ == "__main__":
    place, what = Path(sys.argv[1]), sys.argv[2]
    # A machine that is slow in bfloat16 takes float32 otherwise.
    precision.has_bfloat16 = lambda: True
    if what == "moments":
        _train_and_be_killed_at_moments(place)
    else:
        _train_and_be_killed(place, what)
