"""Figures drawn from small made results: what they read, what they write, what they refuse."""

import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from deepr.figures import style
from deepr.figures.curves import draw_quality_curves
from deepr.figures.figure_2 import draw_figure_2
from deepr.figures.figure_s8 import draw_figure_s8, hanning_smooth
from deepr.figures.figure_s9 import draw_figure_s9, lay_out
from deepr.figures.images import busiest_region, typical_patch
from deepr.figures.table_s1 import draw_table_s1
from deepr.networks.description import count_samplings, describe_network
from deepr.slides import SlideWriter
from deepr.tables import InputError, read_table, write_table
from scipy.ndimage import gaussian_filter

Z_UM = np.arange(-10.0, 10.1, 2.0)
PATCH = 32


@pytest.fixture
def results(tmp_path):
    """Three fields of one test slide, their predictions, manifest and measurements."""
    rng = np.random.default_rng(5)
    manifest, measurements = [], []
    slide_path, prediction_path = tmp_path / "aligned" / "t1.ome.tif", tmp_path / "outputs" / "t1.ome.tif"
    optics = {"pixel_um": 0.5, "objective": "40x/0.95", "channel": "Cy5", "source": "simulated"}
    with SlideWriter(slide_path, **optics) as slide, SlideWriter(prediction_path, **optics) as predictions:
        for number in range(3):
            fov = f"f{number}"
            focus_plane = 4 + number
            z_um = Z_UM - Z_UM[focus_plane]
            truth = gaussian_filter((rng.random((40, 40)) > 0.9) * 1000.0, 1) + 50
            stack = np.stack([gaussian_filter(truth, 0.3 * abs(z)) for z in z_um]).astype(np.uint16)
            slide.write(fov, stack, Z_UM)
            outputs = stack[:, 4 : 4 + PATCH, 2 : 2 + PATCH].astype(np.float32)
            predictions.write(f"{fov}_y4_x2", outputs, z_um)
            where = {"dataset": "ovary", "slide": "t1", "fov": fov, "y": 4, "x": 2}
            manifest.append(
                where
                | {"size": PATCH, "split": "test", "kept": True, "reason": ""}
                | {"focus_plane": focus_plane, "focus_z_um": Z_UM[focus_plane]}
            )
            for plane, z in enumerate(z_um):
                for image, quality in (("input", 0.5), ("output", 0.7 + 0.1 * ((number + 1) % 3))):
                    measured = {"ssim": quality, "rmse": 1 - quality, "ssim_noise_free": quality}
                    measurements.append(
                        {"network": "ovary5", **where, "plane": plane, "z_um": z, "image": image}
                        | measured
                        | {"rmse_noise_free": 1 - quality}
                    )
    return {
        "measurements": pd.DataFrame(measurements),
        "manifest": pd.DataFrame(manifest),
        "slides": [slide_path],
        "predictions": [prediction_path],
    }


def draw(results, base, **changes):
    arguments = results | {"range_um": 5.0, "data_source": "simulated", "scale": "tiny"} | changes
    draw_figure_2(**arguments, output_base=base)


def test_figure_2_is_written_whole_and_twice_the_same(results, tmp_path):
    """PDF, SVG, PNG and numbers; a second drawing gives the same bytes."""
    for name in ("one", "two"):
        draw(results, tmp_path / name / "fig2")
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["fig2.pdf", "fig2.png", "fig2.svg", "fig2.tsv"]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_every_plotted_number_of_figure_2_is_in_its_table(results, tmp_path):
    """Means over the patches that have the plane, and the region's own curve."""
    draw(results, tmp_path / "fig2")
    table = read_table(tmp_path / "fig2.tsv")
    ssim = table[(table["curve"] == "patches") & (table["metric"] == "ssim")].set_index(["image", "z_um"])
    assert ssim.loc[("output", 2.0), "mean"] == pytest.approx(0.8)
    assert ssim.loc[("output", 2.0), "std"] == pytest.approx(0.1)
    assert ssim.loc[("output", 2.0), "n"] == 3
    assert ssim.loc[("input", -10.0), "n"] == 2  # the fields' focus planes differ
    region = table[table["curve"] == "region"]
    assert set(region["metric"]) == {"ssim", "rmse"}
    in_focus = region[(region["z_um"] == 0) & (region["metric"] == "ssim")]
    np.testing.assert_allclose(in_focus["mean"], 1, atol=1e-6)
    assert region["shown_in_b"].any()


def test_figure_2_shows_the_typical_patch(results):
    """Neither the best nor the worst output, whatever is beyond the range or in focus."""
    measurements = results["measurements"]
    assert typical_patch(measurements, 5.0)["fov"] == "f0"  # 0.8, between f1's 0.9 and f2's 0.7
    ignored = (measurements["z_um"] == 0) | (measurements["z_um"].abs() > 5)
    measurements.loc[ignored & (measurements["fov"] == "f0"), "ssim"] = -1.0
    assert typical_patch(measurements, 5.0)["fov"] == "f0"
    with pytest.raises(ValueError, match="no output was measured within 1 um"):
        typical_patch(measurements, 1.0)


def test_figure_2_without_noise_free_truth(results, tmp_path):
    """Real data have none: the curves are left out and the figure says nothing of them."""
    measurements = results["measurements"].assign(ssim_noise_free="", rmse_noise_free="")
    draw(results, tmp_path / "fig2", measurements=measurements)
    assert set(read_table(tmp_path / "fig2.tsv")["metric"]) == {"ssim", "rmse"}


@pytest.mark.parametrize(("z_limit_um", "farthest_um"), [(10.0, 10.0), (4.0, 4.0), (None, 12.0)])
def test_figure_2_shows_defocus_up_to_its_limit(results, tmp_path, z_limit_um, farthest_um):
    """The region's curve and the means end there; without a limit everything that was measured is shown."""
    draw(results, tmp_path / "fig2", z_limit_um=z_limit_um)
    table = read_table(tmp_path / "fig2.tsv")
    assert table.loc[table["curve"] == "region", "z_um"].abs().max() == farthest_um
    draw_quality_curves([("a", 5.0, results["measurements"])], "own", "own", tmp_path / "curves", z_limit_um)
    assert read_table(tmp_path / "curves.tsv")["z_um"].abs().max() == farthest_um


def test_any_number_of_networks_is_drawn_each_in_its_own_colour(results, tmp_path):
    """The paper compares three; a person may train more."""
    networks = [(f"n{number}", 5.0, results["measurements"]) for number in range(7)]
    draw_quality_curves(networks, "own", "own", tmp_path / "curves")
    assert read_table(tmp_path / "curves.tsv")["network"].nunique() == 7 + 1
    with pytest.raises(ValueError, match="no networks to draw"):
        draw_quality_curves([], "own", "own", tmp_path / "none")


@pytest.mark.parametrize(("z_limit_um", "ticks_um"), [(10, [-10, -5, 0, 5, 10]), (4, [-4, -2, 0, 2, 4])])
def test_ticks_of_defocus_are_round_numbers(z_limit_um, ticks_um):
    """Every 5 um in the paper's figures, and zero is always among them."""
    axes = style.axes_mm(style.new_figure(40), 5, 5, 70, 30)
    style.label_defocus(axes, z_limit_um)
    shown = [tick for tick in axes.get_xticks() if abs(tick) <= z_limit_um]
    np.testing.assert_allclose(shown, ticks_um)


def test_figure_2_refuses_what_does_not_belong_together(results, tmp_path):
    """Two networks, a patch that the manifest lacks, a slide or prediction that is not there."""
    measurements, manifest = results["measurements"], results["manifest"]
    mixed = pd.concat([measurements, measurements.assign(network="other")])
    with pytest.raises(ValueError, match="one network"):
        draw(results, tmp_path / "fig2", measurements=mixed)
    with pytest.raises(InputError, match="the manifest has 0 rows"):
        draw(results, tmp_path / "fig2", manifest=manifest.assign(y=0))
    with pytest.raises(InputError, match=r"no file t1\.ome\.tif"):
        draw(results, tmp_path / "fig2", slides=[])
    with pytest.raises(InputError, match="no prediction named 'f0_y4_x2'"):
        draw(results, tmp_path / "fig2", predictions=results["slides"])
    assert not list(tmp_path.glob("fig2*"))


def test_the_busiest_region_is_where_values_vary():
    """The window lies over the only structure, wherever it is, borders included."""
    for y, x in [(0, 0), (20, 31), (48, 48)]:
        image = np.zeros((64, 64), np.float32)
        image[y : y + 16, x : x + 16] = np.indices((16, 16)).sum(axis=0) % 2 * 100
        rows, columns = busiest_region(image, 16)
        assert (rows.start, rows.stop, columns.start, columns.stop) == (y, y + 16, x, x + 16)


def test_smoothing_keeps_constants_and_narrow_windows_change_nothing():
    """Constants survive up to the ends; a window of one step is the identity; gaps stay gaps."""
    iterations = np.arange(1, 101)
    np.testing.assert_allclose(hanning_smooth(iterations, np.full(100, 0.3), 12), 0.3)
    values = np.random.default_rng(1).random(100)
    np.testing.assert_allclose(hanning_smooth(iterations, values, 1), values)
    assert hanning_smooth(iterations, values, 20)[20:80].std() < 0.5 * values[20:80].std()
    sparse = np.where(iterations % 10 == 0, values, np.nan)
    smoothed = hanning_smooth(iterations, sparse, 4)
    np.testing.assert_allclose(smoothed[9::10], values[9::10])
    assert np.isnan(smoothed[4])


def made_history(iterations=60):
    iteration = np.arange(1, iterations + 1)
    validated = iteration % 10 == 0
    losses = {name: 1 / np.sqrt(iteration) for name in ("generator_loss", "adversarial", "ms_ssim_loss", "berhu")}
    return pd.DataFrame(
        {"iteration": iteration, **losses, "discriminator_loss": 0.25, "discriminator_real": 0.5}
        | {"discriminator_fake": 0.5, "best": iteration == 40}
        | {name: np.where(validated, 0.3, np.nan) for name in ("validation_berhu", "validation_ms_ssim_loss")}
    )


@pytest.mark.parametrize("history", [made_history(), made_history(1), made_history().assign(best=False)])
def test_figure_s8_is_drawn_at_any_length(history, tmp_path):
    """Also from one iteration, and before anything was kept."""
    draw_figure_s8(history, "own", "tiny", tmp_path / "figS8")
    table = read_table(tmp_path / "figS8.tsv")
    validated = table[table["curve"] == "validation_berhu"]
    assert len(validated) == history["validation_berhu"].notna().sum()
    assert set(table.loc[table["kept"], "iteration"]) == set(history.loc[history["best"], "iteration"])
    assert (tmp_path / "figS8.png").stat().st_size > 10_000


def test_figure_s8_refuses_an_empty_history(tmp_path):
    """A training that never began has no curves."""
    with pytest.raises(ValueError, match="no iterations"):
        draw_figure_s8(made_history().iloc[:0], "own", "tiny", tmp_path / "figS8")


class MadeNetwork:
    """Answers as a built Keras network does, for a chain of layers and joins given as
    (name, kind, channels, stride, inputs)."""

    def __init__(self, layers):
        self._layers = layers
        self._channels = {name: channels for name, _, channels, _, _ in layers}
        self.output_shape = (None, None, None, layers[-1][2])

    def get_config(self):
        return {"layers": [self._config(*layer) for layer in self._layers]}

    def _config(self, name, kind, channels, stride, inputs):
        tensors = [
            {
                "class_name": "__keras_tensor__",
                "config": {
                    "shape": [None, None, None, self._channels[source]],
                    "keras_history": [source, 0, 0],
                },
            }
            for source in inputs
        ]
        config = {"strides": [stride, stride]} if stride > 1 else {}
        if kind.startswith("Conv"):
            config["kernel_size"] = [3, 3]
        nodes = [{"args": [tensors if len(inputs) > 1 else tensors[0]], "kwargs": {}}] if inputs else []
        return {"name": name, "class_name": kind, "config": config, "inbound_nodes": nodes}

    def get_layer(self, name):
        self.count_params = lambda: 10 * self._channels[name]
        return self


def made_generator():
    return MadeNetwork(
        [
            ("image", "InputLayer", 1, 1, []),
            ("c0", "Conv2D", 6, 1, ["image"]),
            ("a0", "Pad", 6, 1, ["c0", "image"]),
            ("pool", "MaxPooling2D", 6, 2, ["a0"]),
            ("c1", "Conv2D", 12, 1, ["pool"]),
            ("up", "Conv2DTranspose", 6, 2, ["c1"]),
            ("join", "Concatenate", 12, 1, ["up", "a0"]),
            ("c2", "Conv2D", 6, 1, ["join"]),
            ("a2", "Add", 6, 1, ["c2", "up"]),
            ("output", "Conv2D", 1, 1, ["a2"]),
        ]
    )


def made_discriminator():
    return MadeNetwork(
        [
            ("image", "InputLayer", 1, 1, []),
            ("c0", "Conv2D", 4, 1, ["image"]),
            ("c1", "Conv2D", 8, 2, ["c0"]),
            ("relu", "LeakyReLU", 8, 1, ["c1"]),
            ("mean", "GlobalAveragePooling2D", 8, 1, ["relu"]),
            ("fc", "Dense", 1, 1, ["mean"]),
        ]
    )


def test_a_network_is_described_as_built():
    """Levels follow the strides, stages the changes of level, channels the tensors."""
    frame = describe_network(made_generator()).set_index("layer")
    assert list(frame["level"]) == [0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
    assert list(frame["stage"]) == [0, 0, 0, 1, 1, 2, 2, 2, 2, 2]
    assert frame.loc["c1", "channels"] == 12
    assert frame.loc["join", "inputs"] == "up,a0"
    assert frame.loc["c1", "parameters"] == 120
    assert count_samplings(frame.reset_index()) == (1, 1)
    other = describe_network(made_discriminator())
    assert list(other["level"].fillna(-1)) == [0, 0, 1, 1, -1, -1]
    assert count_samplings(other) == (1, 0)
    odd = MadeNetwork([("image", "InputLayer", 1, 1, []), ("c", "Conv2D", 1, 3, ["image"])])
    with pytest.raises(ValueError, match="scales the image by 3"):
        describe_network(odd)


def test_skips_and_residuals_are_told_apart():
    """A join with an earlier stage is a skip, a sum within a stage a residual."""
    frame = describe_network(made_generator())
    boxes, links = lay_out(frame, 0, 5, lambda level: 10 * level, lambda level: 20 / 2**level)
    kinds = [kind for kind, _, _ in links]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "forward": 4,
        "down": 1,
        "up": 1,
        "skip": 1,
        "residual": 2,
    }
    (skip,) = [link for link in links if link[0] == "skip"]
    assert skip[1] is boxes["c0"] and skip[2] is boxes["join"]
    assert boxes["join"].channels == 6  # what is copied, not the sum
    assert boxes["c0"].width < boxes["c1"].width
    assert math.isclose(boxes["c1"].height, 10)


def test_figure_s9_is_drawn_from_the_layers(tmp_path):
    """The table of layers, written and read again, is all that the figure needs."""
    described = {
        "generator": describe_network(made_generator()),
        "discriminator": describe_network(made_discriminator()),
    }
    write_table(pd.concat([frame.assign(network=name) for name, frame in described.items()]), tmp_path / "layers.tsv")
    draw_figure_s9(read_table(tmp_path / "layers.tsv"), "tiny", tmp_path / "figS9")
    assert len(read_table(tmp_path / "figS9.tsv")) == 16
    assert (tmp_path / "figS9.pdf").exists()


def test_table_s1_counts_the_manifests(results, tmp_path):
    """Fields, area in mm2, planes and images by set, in all three files."""
    manifest = results["manifest"]
    manifest.loc[1, "split"] = "train"
    manifest.loc[2, "kept"] = False
    table = draw_table_s1({"ovary": (manifest, results["slides"])}, "tiny", tmp_path / "tableS1")
    assert list(table["set"]) == ["training", "testing"]
    assert list(table["fovs"]) == [1, 2]
    assert list(table["kept_patches"]) == [1, 1]
    assert list(table["images"]) == [11, 11]
    np.testing.assert_allclose(table["area_mm2"], [4e-4, 8e-4])  # 40 px of 0.5 um are 20 um
    assert len(read_table(tmp_path / "tableS1.tsv")) == 2
    html = (tmp_path / "tableS1.html").read_text(encoding="utf-8")
    assert "<td>0.0008</td>" in html and "simulated microscope. Scale: tiny" in html
    assert (tmp_path / "tableS1.png").stat().st_size > 5_000
    with pytest.raises(InputError, match="field 'f1' of slide 'other'"):
        draw_table_s1({"ovary": (manifest.assign(slide="other"), results["slides"])}, "tiny", tmp_path / "x")


def test_scale_bar_has_its_length_in_pixels():
    """A round length that fits the image, or the one asked for."""
    axes = style.new_figure(50).add_subplot()
    axes.imshow(np.zeros((100, 200)))
    assert style.scale_bar(axes, pixel_um=0.5) == 20.0
    start, end = axes.lines[-1].get_xdata()
    assert end - start == pytest.approx(40)
    assert style.scale_bar(axes, pixel_um=0.5, length_um=10) == 10
    assert np.ptp(axes.lines[-1].get_xdata()) == pytest.approx(20)


def test_unknown_data_sources_are_refused():
    """A figure never goes without saying which data it is from."""
    assert style.describe_provenance({"own", "BBBC006"}, "paper") == "Data: BBBC006, own stacks. Scale: paper."
    for source in ("mine", [], ""):
        with pytest.raises(ValueError, match="wanted one of simulated, BBBC006, own"):
            style.describe_provenance(source, "tiny")


def test_figures_need_no_network_library():
    """Importing every figure and the scorecard loads neither Keras nor TensorFlow nor pyplot."""
    code = (
        "import sys, deepr.scorecard, deepr.figures.figure_2, deepr.figures.figure_s8;"
        "import deepr.figures.figure_s9, deepr.figures.table_s1;"
        "assert not {'keras', 'tensorflow', 'matplotlib.pyplot'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})
