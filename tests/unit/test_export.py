"""A network for other programs: the same numbers in ONNX and in stock Keras, in a package that the zoo takes."""

import json
import socket
import zipfile

import imagecodecs
import keras
import numpy as np
import onnxruntime
import pandas as pd
import pytest
import tifffile
import yaml
from bioimageio.spec import load_model_description
from deepr.cli import DONE, WRONG_CALL, main
from deepr.networks.example_images import image_of_run
from deepr.networks.export import SMALLEST_PX, export_network
from deepr.networks.generator import build_generator
from deepr.networks.inference import load_generator, refocus
from deepr.networks.package_texts import AUTHORS, LICENCE, PAPER
from deepr.networks.portable import onnx_model, stock_model
from deepr.slides import SlideWriter
from deepr.tables import InputError, write_table
from scipy.ndimage import gaussian_filter

MEASUREMENTS = [
    {"slide": "s", "fov": "f", "y": 0, "x": 0, "z_um": 2.0, "image": image, "ssim": ssim, "rmse": 1 - ssim}
    for image, ssim in (("input", 0.512), ("output", 0.734))
]


def lively(generator):
    """Move every weight and bias, so that no mistake in one can hide behind a zero."""
    rng = np.random.default_rng(1)
    for weight in generator.weights:
        weight.assign(weight + 0.05 * rng.standard_normal(weight.shape))
    generator.jit_compile = False
    return generator


def normal(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def run_onnx(model, image):
    """Compute what an ONNX file, or a model, makes of an image."""
    content = model if isinstance(model, bytes) else model.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: image})[0]


@pytest.fixture(scope="module", params=[1, 3])
def generator(request):
    """Generators of grey and of colour images."""
    return lively(build_generator(4, request.param, seed=0))


@pytest.mark.parametrize("shape", [(1, 32, 32), (2, 64, 96), (1, 160, 32), (1, 352, 224)])
def test_onnx_gives_what_keras_gives(generator, shape):
    """Any batch, any height and width that are multiples of 32: equal within 1e-4 in normalised units."""
    image = normal((*shape, generator.input_shape[-1]))
    expected = generator.predict_on_batch(image)
    assert np.ptp(expected) > 1
    assert np.abs(run_onnx(onnx_model(generator), image) - expected).max() < 1e-4


def test_stock_layers_give_the_same_to_the_last_bit(generator, tmp_path):
    """The copy, saved and loaded, has layers of Keras alone, and the generator's output."""
    stock_model(generator).save(tmp_path / "weights.keras")
    copy = keras.saving.load_model(tmp_path / "weights.keras", safe_mode=True)
    copy.jit_compile = False
    assert {type(layer).__module__.split(".")[0] for layer in copy.layers} == {"keras"}
    image = normal((1, 64, 96, generator.input_shape[-1]))
    assert np.array_equal(copy.predict_on_batch(image), generator.predict_on_batch(image))


def test_another_network_has_no_onnx():
    """A layer or a setting that no generator has is named."""
    image = keras.Input((None, None, 1))
    for layer, sentence in (
        (keras.layers.BatchNormalization(name="norm"), "layer norm is a BatchNormalization"),
        (keras.layers.Conv2D(1, 5, padding="same", name="wide"), r"layer wide has kernel_size \(5, 5\)"),
        (keras.layers.Conv2D(1, 3, padding="same", activation="tanh", name="soft"), "activation tanh"),
    ):
        with pytest.raises(ValueError, match=sentence):
            onnx_model(keras.Model(image, layer(image)))


def made_network(folder, channels=1, source="simulated", kind="deepr"):
    folder.mkdir(parents=True)
    generator = lively(build_generator(4, channels, seed=0))
    generator.save(folder / "generator.keras")
    data = {
        "source": source,
        "objective": "20x/0.75",
        "channel": "DAPI",
        "pixel_um": 0.325,
        "channels": channels,
        "dtype": "uint16",
    }
    network = {"name": "mine_5", "kind": kind, "range_um": 5.0, "scale": "tiny", "datasets": ["mine"]}
    config = {
        "network": {**network, "data": {"mine": data}},
        "settings": {"base_channels": 4, "iterations": 8, "crop_px": 64, "batch_size": 2},
        "seed": 1,
        "training": {"patches": 3, "slides": 1, "pairs": 21},
        "generator_parameters": generator.count_params(),
        "best_iteration": 4,
        "best_validation_berhu": 0.31,
        "seconds": 36.0,
        "tensorflow": "2.21.0",
        "keras": "3.15.1",
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def texture(shape, seed=0):
    pixels = gaussian_filter(np.random.default_rng(seed).normal(size=shape), (2, 2, *[0] * (len(shape) - 2)))
    return (100 + 4000 * (pixels - pixels.min()) / np.ptp(pixels)).astype(np.uint16)


@pytest.fixture
def offline(monkeypatch):
    """Refuse every connection."""

    def refuse(*arguments):
        raise AssertionError(f"a connection to {arguments[1:]}")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A package of a network in the results of its run, made by the command, and its folder unpacked."""
    folder = tmp_path_factory.mktemp("run")
    network = made_network(folder / "results/networks/mine_5")
    write_table(pd.DataFrame(MEASUREMENTS), folder / "results/predictions/mine_5/mine/measurements.tsv")
    tifffile.imwrite(folder / "image.tif", texture((300, 420)))
    package = folder / "mine_5.zip"
    assert main(["export", str(network), "--output", str(package), "--image", str(folder / "image.tif")]) == DONE
    with zipfile.ZipFile(package) as archive:
        archive.extractall(folder / "unpacked")
    return package, folder / "unpacked"


def test_the_zoo_takes_the_package(exported, offline):
    """It is valid in the zoo's newest format, with all its files and their hashes, and without a network."""
    model = load_model_description(exported[0], perform_io_checks=True)
    assert model.validation_summary.status == "valid-format"
    assert not model.validation_summary.errors
    assert model.format_version.startswith("0.5.")
    assert model.weights.onnx.source.path.name == "weights.onnx"
    assert model.weights.keras_v3.source.path.name == "weights.keras"


@pytest.mark.parametrize("weights", ["weights.onnx", "weights.keras"])
def test_both_weights_make_the_test_output_of_the_test_image(exported, weights):
    """After the preprocessing that the description tells, within the zoo's tolerance of 1e-3; and at other sizes."""
    folder = exported[1]
    described = yaml.safe_load((folder / "rdf.yaml").read_text())
    (step,) = [one for one in described["inputs"][0]["preprocessing"] if one["id"] != "ensure_dtype"]
    assert step == {"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x", "channel"]}}
    image, expected = np.load(folder / "test_input.npy"), np.load(folder / "test_output.npy")
    normalised = (image - image.mean()) / (image.std() + 1e-6)
    if weights.endswith("onnx"):
        content = (folder / weights).read_bytes()
        compute = lambda image: run_onnx(content, image)  # noqa: E731
    else:
        compute = keras.saving.load_model(folder / weights).predict_on_batch
    np.testing.assert_allclose(compute(normalised), expected, rtol=1e-3, atol=1e-3)
    smallest, step = (described["inputs"][0]["axes"][1]["size"][key] for key in ("min", "step"))
    shape = (2, smallest + step, smallest + 3 * step, 1)
    assert compute(normal(shape)).shape == shape


def test_mean_and_deviation_bring_the_output_to_what_refocus_gives(exported):
    """As the README says: mean(input) + std(input) x output."""
    folder = exported[1]
    image, output = np.load(folder / "test_input.npy"), np.load(folder / "test_output.npy")
    refocused = refocus(image[0, :, :, 0], load_generator(folder))
    np.testing.assert_allclose(image.mean() + image.std() * output[0, :, :, 0], refocused, rtol=1e-4, atol=0.1)


def test_a_halo_is_left_between_tiles(exported):
    """What is left of the smallest tile between its halos is a multiple of 32, and the axes say um."""
    described = yaml.safe_load((exported[1] / "rdf.yaml").read_text())
    before, after = described["inputs"][0]["axes"][1], described["outputs"][0]["axes"][1]
    assert before["size"]["min"] == SMALLEST_PX == 2 * after["halo"] + 32
    assert before["concatenable"]
    for axis in (before, after):
        assert (axis["unit"], axis["scale"]) == ("micrometer", 0.325)


def test_the_unpacked_package_is_a_network_again(exported, capsys):
    """deepr info reads it as the folder that it came from."""
    assert main(["info", str(exported[1])]) == DONE
    assert "20x/0.75, 0.325 um pixels, DAPI, uint16" in capsys.readouterr().out


def test_the_package_says_what_the_network_is(exported):
    """Data, range, tests, citation, licence and units, from the network's own folder; a cover twice as wide as high."""
    folder = exported[1]
    said = (folder / "README.md").read_text()
    for text in (
        "5 um to each side",
        "simulated microscope (no real images)",
        "20x/0.75",
        "0.325",
        "focused image: 21",
    ):
        assert text in said
    for text in ("| mine | 1 | 0.512 | 0.734 | 0.488 | 0.266 |", "## Validation", "mean(input) + std(input) * output"):
        assert text in said
    assert "the middle of image.tif" in said
    described = yaml.safe_load((folder / "rdf.yaml").read_text())
    assert [entry["doi"] for entry in described["cite"]] == [PAPER[1]]
    assert described["license"] == LICENCE
    assert described["config"]["deepr"]["network"]["name"] == "mine_5"
    assert "fluorescence-light-microscopy" in described["tags"]
    cover = imagecodecs.png_decode((folder / "cover.png").read_bytes())
    assert cover.shape == (SMALLEST_PX, 2 * SMALLEST_PX)
    assert (folder / "cover.png").stat().st_size < 500_000


def test_the_paper_is_cited_as_everywhere(repository):
    """Authors, title and DOI are those of CITATION.cff, and so are the project's own authors and licence."""
    cited = yaml.safe_load((repository / "CITATION.cff").read_text())
    paper = cited["preferred-citation"]
    assert paper["doi"] == PAPER[1]
    for text in (
        paper["title"],
        paper["journal"],
        str(paper["year"]),
        *(one["family-names"] for one in paper["authors"]),
    ):
        assert text in PAPER[0]
    assert [one["name"] for one in cited["authors"]] == list(AUTHORS)
    assert cited["license"] == LICENCE


def test_a_colour_network_is_packaged_in_colour(tmp_path, offline):
    """Three named channels that are normalised together, and a cover in colour; no connection is made."""
    network = made_network(tmp_path / "colour", channels=3)
    tifffile.imwrite(tmp_path / "c.tif", texture((300, 300, 3)), photometric="rgb")
    export_network(network, tmp_path / "c.zip", tmp_path / "c.tif")
    with zipfile.ZipFile(tmp_path / "c.zip") as archive:
        described = yaml.safe_load(archive.read("rdf.yaml"))
        assert imagecodecs.png_decode(archive.read("cover.png")).ndim == 3
    assert described["inputs"][0]["axes"][3]["channel_names"] == ["red", "green", "blue"]
    assert "transmission-light-microscopy" in described["tags"]


def test_nobody_is_made_the_author_of_a_network_of_own_images(tmp_path, capfd):
    """Without --author and --license the package names none and says so; with them it does."""
    network = made_network(tmp_path / "own", source="own")
    tifffile.imwrite(tmp_path / "i.tif", texture((64, 64)))  # smaller than the smallest tile
    call = ["export", str(network), "--image", str(tmp_path / "i.tif"), "--output"]
    assert main([*call, str(tmp_path / "none.zip")]) == DONE
    said = capfd.readouterr().err
    assert "names no author" in said and "--license" in said
    named = ["--author", "A. Nother", "--license", "CC-BY-4.0"]
    assert main([*call, str(tmp_path / "named.zip"), *named]) == DONE
    assert "names no" not in capfd.readouterr().err
    for name, authors, licence in (("none", [], None), ("named", [{"name": "A. Nother"}], "CC-BY-4.0")):
        with zipfile.ZipFile(tmp_path / f"{name}.zip") as archive:
            described = yaml.safe_load(archive.read("rdf.yaml"))
        assert (described.get("authors"), described.get("license")) == (authors, licence)


def test_the_test_image_comes_from_the_runs_own_test_slides(tmp_path):
    """The kept test patch of largest contrast, half the range above focus, whole even at the frame's border."""
    results = tmp_path / "results"
    network = {"name": "mine_5", "range_um": 5.0, "datasets": ["mine"]}
    z_um = np.arange(-5, 6.0)
    stack = np.stack([texture((96, 120), seed) for seed in range(11)])
    with SlideWriter(results / "mine/aligned/test1.ome.tif", 0.325, "20x/0.75", "DAPI", "own") as writer:
        writer.write("f1", stack, z_um)
    patch = {"slide": "test1", "fov": "f1", "y": 0, "x": 0, "size": 32, "split": "test", "focus_plane": 4}
    rows = [
        {**patch, "x": 64, "contrast": 1.0, "kept": True},
        {**patch, "contrast": 2.0, "kept": True},
        {**patch, "contrast": 3.0, "kept": False},
        {**patch, "slide": "training1", "split": "train", "contrast": 4.0, "kept": True},
    ]
    write_table(pd.DataFrame(rows), results / "mine/manifest.tsv")
    pixels, said = image_of_run(results / "networks/mine_5", network, 64)
    np.testing.assert_array_equal(pixels, stack[6][:64, :64])  # planes 6 and 7 are equally near to 2.5 um
    assert said == "own test data, data set mine, slide test1, field f1, +2.00 um from focus"


def test_what_cannot_be_packaged_is_refused(tmp_path, capfd):
    """One sentence each, exit code 2, and no file is left."""
    network = made_network(tmp_path / "network")
    decoder = made_network(tmp_path / "decoder", kind="decoder")
    images = {"flat": np.full((64, 64), 7, np.uint16), "rgb": texture((64, 64, 3)), "good": texture((64, 64))}
    for name, pixels in images.items():
        tifffile.imwrite(tmp_path / f"{name}.tif", pixels, photometric="rgb" if pixels.ndim == 3 else None)
    (tmp_path / "there.zip").write_text("mine")
    for folder, output, options, sentence in (
        (network, "a.tar", [], "wanted one for a package"),
        (network, "there.zip", [], "exists already"),
        (network, "a.zip", [], "manifest.tsv: no such file"),
        (decoder, "a.zip", [], "a network of kind 'decoder', wanted the folder of a trained network of kind deepr"),
        (tmp_path, "a.zip", [], "no config.json"),
        (network, "a.zip", ["--image", "flat"], "must vary"),
        (network, "a.zip", ["--image", "rgb"], "wanted 1 channels"),
        (network, "a.zip", ["--image", "good", "--license", "mine"], "the zoo refuses license"),
    ):
        options = [str(tmp_path / f"{option}.tif") if option in images else option for option in options]
        assert main(["export", str(folder), "--output", str(tmp_path / output), *options]) == WRONG_CALL
        said = capfd.readouterr().err.splitlines()[-1]
        assert sentence in said and len(said) < 500
    assert (tmp_path / "there.zip").read_text() == "mine"
    assert not (tmp_path / "a.zip").exists()


def test_a_folder_outside_a_run_needs_an_image(tmp_path):
    """Where no results are around the network, the sentence says what to give."""
    network = made_network(tmp_path / "somewhere/network")
    with pytest.raises(InputError, match="or an --image"):
        export_network(network, tmp_path / "a.zip")
