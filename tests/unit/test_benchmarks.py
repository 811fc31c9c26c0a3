"""The benchmarks against peers: who is timed when, what both networks are given, and what is drawn."""

import importlib
import inspect

import care
import comparison
import edof
import gpu_refocusing
import numpy as np
import pandas as pd
import peers
import peers_figure
import pytest
from deepr.slides import SlideWriter
from deepr.tables import InputError, write_table


def test_programs_are_run_in_turns():
    """Each round has every program once; a round to warm up is run and not counted."""
    calls = []
    programs = {name: lambda name=name: calls.append(name) or len(calls) for name in ("a", "b")}
    seconds, results = comparison.take_turns(programs, 2, warm_up=True)
    assert calls == ["a", "b"] * 3
    assert {name: len(times) for name, times in seconds.items()} == {"a": 2, "b": 2}
    assert results == {"a": 5, "b": 6}


def test_a_row_refuses_a_column_that_the_table_lacks():
    """A misspelt column is named instead of being lost in the table."""
    with pytest.raises(TypeError, match="columns thread, wanted"):
        comparison.row("subject", "task", "program", comparison.OURS, 1.0, thread=2)


def test_fusion_is_measured_with_one_and_with_several_threads():
    """A small stack gives a time and a peak of memory for each number of threads."""
    table = comparison.as_table(edof.measure(repeats=2, threads=2, sides_px=(64,)))
    assert list(zip(table["threads"], table["quantity"], strict=True)) == [
        (threads, quantity) for threads in (1, 2) for quantity in ("time", "peak memory")
    ]
    assert (table["value"] > 0).all()
    assert (table.loc[table["quantity"] == "time", "runs"] == 2).all()


def test_every_subject_is_called_with_what_it_takes():
    """Each script that a run of all names has a function with the arguments that it is told to take."""
    for subject, (script, has_rounds, has_threads) in peers.SUBJECTS.items():
        taken = inspect.signature(importlib.import_module(script).measure).parameters
        assert ("repeats" in taken, "threads" in taken) == (has_rounds, has_threads), subject
    assert {"results", "seconds", "config_path"} <= set(inspect.signature(care.measure).parameters)


@pytest.mark.parametrize("iteration_s", [0.1, 1.0])
def test_iterations_fill_the_time(iteration_s):
    """Iterations planned by a trial take the time wanted, graphs and a validation every ten iterations included."""
    start_s, first_validation_s, validation_s, interval = 4.0, 3.0, 0.5, 10
    lengths = np.full(interval + 1, iteration_s)
    lengths[0] += start_s
    lengths[interval - 1] += first_validation_s
    lengths[interval] += validation_s
    iterations = care.plan_iterations(np.cumsum(lengths), 150.0)
    validations = iterations / interval
    taken_s = start_s + iterations * iteration_s + first_validation_s + (validations - 1) * validation_s
    assert taken_s == pytest.approx(150.0, abs=iteration_s + validation_s)


def test_a_time_too_short_for_one_iteration_gives_one():
    """Nothing is planned with no iteration at all."""
    assert care.plan_iterations(np.cumsum([5.0] + [1.0] * 10), 2.0) == 1


def test_gain_is_of_planes_out_of_focus_alone():
    """The plane in focus, whose input is the ground truth, does not enter the mean."""
    measured = pd.DataFrame(
        {
            "patch": np.repeat([0, 1], 6),
            "z_um": np.tile(np.repeat([-1.0, 0.0, 1.0], 2), 2),
            "image": ["input", "output"] * 6,
            "ssim": [0.5, 0.7, 1.0, 0.2, 0.5, 0.6, 0.4, 0.5, 1.0, 0.3, 0.3, 0.7],
        }
    )
    gains = care.ssim_gains(measured)
    assert set(gains["z_um"]) == {-1.0, 1.0}
    mean = care.mean_gain(gains)
    assert mean["value"] == pytest.approx((0.2 + 0.1 + 0.1 + 0.4) / 4)
    assert mean["runs"] == 4


def test_care_is_given_the_pixels_that_ours_draws(data):
    """The first pairs of CARE are, image by image, the first batches of Deep-R's training, whatever their number."""
    pairs = care.draw_from(data, "train")
    inputs, truths = care.first_pairs(pairs, 5)
    assert inputs.shape == truths.shape == (5, 32, 32, 1)
    for number in range(3):
        expected = pairs.batch(number)
        kept = slice(2 * number, min(2 * number + 2, 5))
        np.testing.assert_array_equal(inputs[kept], expected[0][: kept.stop - kept.start])
        np.testing.assert_array_equal(truths[kept], expected[1][: kept.stop - kept.start])


def test_a_network_that_changes_nothing_gains_nothing(data):
    """Every plane within the range of the unseen patch is tested, beyond it none, and the identity gains 0."""
    import keras

    image = keras.Input((None, None, 1))
    identity = keras.Model(image, keras.layers.Activation("linear")(image))
    measured = care.test(data, identity)
    assert sorted(measured["z_um"].unique()) == [-2.0, -1.0, 0.0, 1.0, 2.0]
    assert care.ssim_gains(measured)["gain"].to_numpy() == pytest.approx(np.zeros(4), abs=1e-6)


def test_missing_data_are_named(data, tmp_path):
    """Without a manifest its path is named before anything is trained."""
    with pytest.raises(InputError, match=r"nowhere/tissue/manifest\.tsv: no such file"):
        care.draw_from(data._replace(results=tmp_path / "nowhere"), "train")


def test_plot_is_drawn_of_tasks_that_have_a_peer(tmp_path):
    """Times of a task with two sides and gains by distance from focus become a figure in three formats."""
    rows = [
        comparison.time_row("alignment", "planes", "deepr", comparison.OURS, [2.0, 1.0], threads=2),
        comparison.time_row("alignment", "planes", "pystackreg", comparison.PEER, [3.0, 4.0]),
        comparison.time_row("EDOF", "without a peer", "deepr", comparison.OURS, [0.5]),
    ]
    for program, side in (("deepr", comparison.OURS), ("CARE", comparison.PEER)):
        rows.append(comparison.row("care", "task", program, side, 0.1, quantity="mean SSIM gain", unit=""))
        rows += [
            comparison.row("care", "task", program, side, 0.1 * z, quantity="SSIM gain", unit="", z_um=z)
            for z in (-1.0, 1.0)
        ]
    peers_figure.draw(comparison.as_table(rows), tmp_path / "peers")
    drawn = (tmp_path / "peers.svg").read_text(encoding="utf-8")
    assert "<!-- pystackreg, 1 thread -->" in drawn
    assert "without a peer" not in drawn
    assert {path.suffix for path in tmp_path.iterdir()} == {".pdf", ".svg", ".png"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data set of two slides of noise, 7 planes of 64 px 1 um apart: one patch to train on and one to test on."""
    results = tmp_path_factory.mktemp("results")
    rng = np.random.default_rng(3)
    for slide in ("training1", "test1"):
        path = results / "tissue" / "aligned" / f"{slide}.ome.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        with SlideWriter(path, 0.1625, "40x/0.95", "Cy5", "simulated") as writer:
            writer.write("f1", rng.integers(100, 4000, (7, 64, 64), dtype=np.uint16), np.arange(7.0))
    manifest = pd.DataFrame({"slide": ["training1", "test1"], "split": ["train", "test"]})
    manifest = manifest.assign(dataset="tissue", fov="f1", y=0, x=0, size=64, focus_plane=3, focus_z_um=3.0, kept=True)
    write_table(manifest, results / "tissue" / "manifest.tsv")
    return care.Data(results, "tissue", range_um=2.0, crop_px=32, batch_size=2, seed=1)


def test_times_on_a_gpu_are_of_one(monkeypatch):
    """Where the backend finds processors alone, they are not timed in its place."""
    monkeypatch.setattr(gpu_refocusing.keras.distribution, "list_devices", lambda: ["cpu:0", "cpu:1"])
    with pytest.raises(SystemExit, match="finds no GPU on this machine, wanted one"):
        gpu_refocusing.measure([2], repeats=1)


def test_times_on_a_gpu_are_by_way_and_width(monkeypatch):
    """A patch counts its own area, and a frame its own: the table's seconds per square millimetre agree."""
    monkeypatch.setattr(gpu_refocusing.keras.distribution, "list_devices", lambda: ["gpu:0"])
    monkeypatch.setattr(gpu_refocusing, "name_of_gpu", lambda: "a GPU")
    monkeypatch.setattr(gpu_refocusing, "CAMERA_PX", 64)
    monkeypatch.setattr(gpu_refocusing, "PATCH_PX", 32)
    rows = gpu_refocusing.measure([2, 4], repeats=3)
    assert rows.groupby(["base_channels", "way"]).size().tolist() == [3] * 6
    areas = rows["seconds"] / rows["seconds_per_mm2"] / gpu_refocusing.FRAME_AREA_MM2
    assert areas[rows["way"] == "one patch"].to_numpy() == pytest.approx(0.25)
    assert areas[rows["way"] != "one patch"].to_numpy() == pytest.approx(1.0)
    table = gpu_refocusing.summarise(rows)
    narrow = rows[(rows["base_channels"] == 2) & (rows["way"] == "one patch")]
    assert table.loc[("a GPU", "tensorflow", 2), ("one patch", "ms, min")] == pytest.approx(
        1000 * narrow["seconds"].min()
    )
