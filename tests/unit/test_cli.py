"""The command deepr: files in, files out, and what it says of them."""

import functools
import json
import shlex
import shutil
import subprocess
import sys

import imagecodecs
import numpy as np
import pytest
import tifffile
import yaml
from deepr.cli import DONE, SOME_FAILED, STOPPED, WRONG_CALL, main
from deepr.images import read_image
from deepr.networks import precision
from deepr.networks.decoder import build_decoder, build_features, defocus_map
from deepr.networks.generator import build_generator
from deepr.networks.inference import refocus
from deepr.sheets import read_networks, read_stacks
from scipy.ndimage import gaussian_filter


def made_network(folder, channels=1):
    folder.mkdir()
    generator = build_generator(4, channels, seed=0)
    generator.save(folder / "generator.keras")
    data = {
        "source": "simulated",
        "objective": "20x/0.75",
        "channel": "DAPI",
        "pixel_um": 0.325,
        "channels": channels,
        "dtype": "uint16",
    }
    network = {"name": "mine_5", "kind": "deepr", "range_um": 5.0, "scale": "tiny", "data": {"mine": data}}
    settings = {"base_channels": 2, "iterations": 8, "crop_px": 64}
    config = {"network": network, "settings": settings, "seed": 1}
    (folder / "config.json").write_text(json.dumps(config))
    return folder, generator


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return made_network(tmp_path_factory.mktemp("networks") / "grey")


@pytest.fixture(scope="module")
def decoder(network, tmp_path_factory):
    """A decoder of the grey network."""
    folder = tmp_path_factory.mktemp("decoders") / "decoder"
    folder.mkdir()
    made = build_decoder(build_features(network[1]), seed=1)
    made.save(folder / "decoder.keras")
    about = {"name": "decoder", "kind": "decoder", "datasets": ["mine"], "range_um": 5.0, "scale": "tiny"}
    config = {
        "network": about,
        "settings": {"iterations": 8, "crop_px": 64},
        "seed": 1,
        "generator": "results/networks/mine_5/generator.keras",
        "best_iteration": 6,
        "best_validation_squared_error": 0.02,
        "zero_validation_squared_error": 0.09,
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder, made


def trained_in(network, name, folder):
    """Copy the network's folder; the copy says in which precision it was trained."""
    shutil.copytree(network[0], folder)
    about = json.loads((folder / "config.json").read_text())
    about["settings"]["precision"] = name
    (folder / "config.json").write_text(json.dumps(about))
    return folder


def texture(shape, dtype=np.uint16, seed=0):
    pixels = gaussian_filter(np.random.default_rng(seed).normal(size=shape), (*[0] * (len(shape) - 2), 2, 2))
    pixels = (pixels - pixels.min()) / np.ptp(pixels)
    return (pixels * 200).astype(dtype) if dtype == np.uint8 else (pixels * 4000).astype(dtype)


def call(network, output, *paths, options=()):
    options = ["--quiet", *map(str, options)]
    return main(["refocus", *map(str, paths), "--network", str(network[0]), "--output", str(output), *options])


def test_an_image_comes_back_refocused(network, tmp_path):
    """Odd sides, 16 bit: the result is the network's, rounded, with the same type and pixel size in um."""
    image = texture((75, 101))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, imagej=True, resolution=(1 / 0.325, 1 / 0.325), metadata={"unit": "um"})
    assert call(network, tmp_path / "out", path) == DONE
    result = read_image(tmp_path / "out" / "a.tif")
    wanted = np.clip(np.rint(refocus(image, network[1])), 0, 65535)
    np.testing.assert_allclose(result.pixels, wanted, atol=1)
    assert result.pixels.dtype == np.uint16
    assert result.pixel_um == pytest.approx(0.325)
    assert result.format == "imagej"


def test_an_image_is_refocused_in_bfloat16(network, tmp_path, monkeypatch, capsys):
    """As it was trained, unless told otherwise, and nearly as in float32.

    Where the machine is slow in it, the same as in float32; a sentence says so if it was asked for.
    """
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, texture((64, 96), np.float32))
    monkeypatch.setattr(precision.keras.distribution, "list_devices", lambda device_type: [])
    # The fixture's network does not say what it was trained in; these do.
    trained = {name: trained_in(network, name, tmp_path / f"trained in {name}") for name in precision.PRECISIONS}
    full, half = ["--precision", "float32"], ["--precision", "bfloat16"]
    calls = {
        "plain": (network, True, [], "float32"),
        "half": (network, True, half, "bfloat16"),
        "slow": (network, False, half, "float32"),
        "as trained": ([trained["bfloat16"]], True, [], "bfloat16"),
        "as trained in full": ([trained["float32"]], True, [], "float32"),
        "as trained, slow": ([trained["bfloat16"]], False, [], "float32"),
        "in full": ([trained["bfloat16"]], True, full, "float32"),
    }
    results = {}
    for name, (folder, fast, options, used) in calls.items():
        monkeypatch.setattr(precision, "has_bfloat16", functools.partial(bool, fast))
        assert call(folder, tmp_path / name, path, options=options) == DONE
        results[name] = read_image(tmp_path / name / "a.tif").pixels
        said = capsys.readouterr().err
        assert f"1 of 1 images refocused in {used} into" in said
        assert ("slow in bfloat16; the network computes in float32" in said) is (name == "slow")
        np.testing.assert_array_equal(results[name], results["plain" if used == "float32" else "half"])
    error = np.sqrt(np.mean((results["half"] - results["plain"]) ** 2)) / results["plain"].std()
    assert 1e-5 < error < 0.02


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            '{"settings": {"precision": "float16"}}',
            "settings.precision in config.json is 'float16', wanted float32 or bf",
        ),
        ("[1]", "found a list in JSON, wanted a network's config.json"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(config, sentence, network, tmp_path, capsys):
    """One sentence, before an image is read."""
    folder = trained_in(network, "float32", tmp_path / "network")
    (folder / "config.json").write_text(config)
    assert call([folder], tmp_path / "out", tmp_path / "a.tif") == WRONG_CALL
    assert sentence in capsys.readouterr().err


def test_every_plane_of_an_ome_stack_is_refocused_by_itself(network, tmp_path):
    """Channels, planes, names and sizes of an OME-TIFF stay; each plane is what it would be alone."""
    stack = texture((2, 5, 64, 80), np.float32)
    path = tmp_path / "stack.ome.tif"
    metadata = {
        "axes": "CZYX",
        "PhysicalSizeX": 325.0,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeZ": 0.5,
        "PhysicalSizeZUnit": "µm",
        "Channel": {"Name": ["DAPI", "Cy5"]},
    }
    tifffile.imwrite(path, stack, metadata=metadata)
    assert call(network, tmp_path / "out", path) == DONE
    result = read_image(tmp_path / "out" / "stack.ome.tif")
    assert (result.axes, result.pixels.shape, result.pixels.dtype) == ("CZYX", stack.shape, np.float32)
    assert (result.pixel_um, result.step_um) == (pytest.approx(0.325), 0.5)
    assert result.metadata["Channel"]["Name"] == ["DAPI", "Cy5"]
    np.testing.assert_allclose(result.pixels[1, 3], refocus(stack[1, 3], network[1]), rtol=1e-4, atol=0.5)


def test_types_and_colours_stay(network, tmp_path):
    """8-bit PNG and colour TIFF come back as they went in."""
    grey = texture((64, 70), np.uint8)
    (tmp_path / "g.png").write_bytes(imagecodecs.png_encode(grey))
    assert call(network, tmp_path / "out", tmp_path / "g.png") == DONE
    result = imagecodecs.png_decode((tmp_path / "out" / "g.png").read_bytes())
    assert (result.shape, result.dtype) == (grey.shape, np.uint8)
    colour = made_network(tmp_path / "colour", channels=3)
    rgb = np.moveaxis(texture((3, 64, 96), np.uint8), 0, 2)
    tifffile.imwrite(tmp_path / "c.tif", rgb, photometric="rgb")
    assert call(colour, tmp_path / "out", tmp_path / "c.tif") == DONE
    result = read_image(tmp_path / "out" / "c.tif")
    assert (result.axes, result.pixels.shape, result.pixels.dtype) == ("YXS", rgb.shape, np.uint8)
    np.testing.assert_allclose(result.pixels, np.clip(refocus(rgb, colour[1]), 0, 255), atol=1)


def test_a_bad_file_among_good_ones_is_named(network, tmp_path, capfd):
    """The good ones are done, the bad ones named with what is wrong, and the exit code says so."""
    good = tmp_path / "good.tif"
    tifffile.imwrite(good, texture((64, 64)))
    cut = tmp_path / "cut.tif"
    cut.write_bytes(good.read_bytes()[:300])
    flat = tmp_path / "flat.tif"
    tifffile.imwrite(flat, np.full((64, 64), 7, np.uint16))
    broken = tmp_path / "broken.tif"
    tifffile.imwrite(broken, np.where(np.eye(64) > 0, np.nan, texture((64, 64), np.float32)))
    rgb = tmp_path / "rgb.tif"
    tifffile.imwrite(rgb, np.zeros((64, 64, 3), np.uint8), photometric="rgb")
    missing, text = tmp_path / "missing.tif", tmp_path / "notes.txt"
    text.write_text("no image")
    paths = [good, cut, flat, broken, rgb, missing, text]
    assert call(network, tmp_path / "out", *paths) == SOME_FAILED
    said = capfd.readouterr().err
    assert "1 of 7 images refocused" in said
    for path, sentence in (
        (cut, "found no readable image"),
        (flat, "found a constant image"),
        (broken, "found NaN or infinity"),
        (rgb, "found a colour image, wanted a grey one"),
        (missing, "no such file"),
        (text, "file of type '.txt'"),
    ):
        assert any(str(path) in line and sentence in line for line in said.splitlines()), (path, said)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.tif"]


def test_nothing_is_written_over(network, tmp_path, capfd):
    """A result that exists, and the image itself, stay; with --overwrite the result is replaced, never the image."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, texture((64, 64)))
    before = path.read_bytes()
    assert call(network, tmp_path / "out", path) == DONE
    (tmp_path / "out" / "a.tif").write_text("mine")
    assert call(network, tmp_path / "out", path) == SOME_FAILED
    assert (tmp_path / "out" / "a.tif").read_text() == "mine"
    assert "exists already" in capfd.readouterr().err
    again = ["refocus", str(path), "--network", str(network[0]), "--quiet", "--overwrite", "--output"]
    assert main([*again, str(tmp_path / "out")]) == DONE
    assert read_image(tmp_path / "out" / "a.tif").pixels.shape == (64, 64)
    assert main([*again, str(tmp_path)]) == SOME_FAILED
    assert path.read_bytes() == before


def test_no_image_of_the_call_is_written_over(network, tmp_path, capfd):
    """The result of one image, or its map, would be another one: that stays, and is refocused all the same."""
    one, other = tmp_path / "one/a.tif", tmp_path / "other/a.tif"
    for number, path in enumerate((one, other)):
        path.parent.mkdir()
        tifffile.imwrite(path, texture((64, 64)) + number)
    before = other.read_bytes()
    assert call(network, tmp_path / "other", one, other, options=["--overwrite"]) == SOME_FAILED
    assert other.read_bytes() == before
    assert f"the result {other} is another image of this call" in capfd.readouterr().err


def test_what_does_not_fit_the_training_is_said(network, tmp_path, capfd):
    """Another pixel size and another bit depth are warned of, an image like the training's is not."""
    for name, pixel_um, dtype in (("fits", 0.325, np.uint16), ("wide", 0.65, np.uint8)):
        path = tmp_path / f"{name}.tif"
        resolution = (1 / pixel_um, 1 / pixel_um)
        tifffile.imwrite(path, texture((64, 64), dtype), imagej=True, resolution=resolution, metadata={"unit": "um"})
    assert call(network, tmp_path / "out", tmp_path / "fits.tif") == DONE
    assert "warning" not in capfd.readouterr().err
    assert call(network, tmp_path / "out", tmp_path / "wide.tif") == DONE
    said = capfd.readouterr().err
    assert "its pixel is 0.65 um; the network was trained on 0.325 um" in said
    assert "its pixels are uint8; the network was trained on uint16" in said


def test_a_constant_plane_of_a_stack_stays(network, tmp_path, capfd):
    """The other planes are refocused, and the plane is named."""
    stack = texture((3, 64, 64))
    stack[1] = 100
    tifffile.imwrite(tmp_path / "s.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    assert call(network, tmp_path / "out", tmp_path / "s.tif") == DONE
    result = read_image(tmp_path / "out" / "s.tif").pixels
    np.testing.assert_array_equal(result[1], stack[1])
    assert not np.array_equal(result[2], stack[2])
    assert "plane 1 is constant" in capfd.readouterr().err


def test_a_map_of_defocus_lies_beside_each_result(network, decoder, tmp_path):
    """Float32 in um, of the image's size, planes and pixel size, as the decoder gives it; the result stays the same."""
    stack = texture((2, 75, 101))
    stack = np.concatenate([stack, np.full((1, 75, 101), 7, np.uint16)])
    path = tmp_path / "s.ome.tif"
    metadata = {"axes": "TYX", "PhysicalSizeX": 0.325, "PhysicalSizeY": 0.325}
    tifffile.imwrite(path, stack, metadata=metadata)
    assert call(network, tmp_path / "plain", path) == DONE
    assert call(network, tmp_path / "out", path, options=["--defocus-map", decoder[0]]) == DONE
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["s.ome.tif", "s_defocus.tif"]
    refocused = read_image(tmp_path / "out/s.ome.tif").pixels
    np.testing.assert_array_equal(refocused, read_image(tmp_path / "plain/s.ome.tif").pixels)
    result = read_image(tmp_path / "out/s_defocus.tif")
    assert (result.axes, result.pixels.shape, result.pixels.dtype) == ("TYX", stack.shape, np.float32)
    assert result.pixel_um == pytest.approx(0.325)
    assert result.metadata["Info"].startswith("Defocus in um")
    expected = defocus_map(stack[1], network[1], decoder[1])
    np.testing.assert_allclose(result.pixels[1], expected, atol=1e-3 * np.ptp(expected))
    assert np.isnan(result.pixels[2]).all()  # nothing is known of a plane without structure


def test_a_map_is_neither_of_another_network_nor_over_another_file(network, decoder, tmp_path, capfd):
    """A decoder of another network is a wrong call; a map that exists stays, and so does the result beside it."""
    other = made_network(tmp_path / "other")
    config = json.loads((other[0] / "config.json").read_text())
    config["network"]["name"] = "other_5"
    (other[0] / "config.json").write_text(json.dumps(config))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, texture((64, 64)))
    assert call(other, tmp_path / "out", path, options=["--defocus-map", decoder[0]]) == WRONG_CALL
    assert "found a decoder of the network 'mine_5', wanted one of 'other" in capfd.readouterr().err
    assert call(network, tmp_path / "out", path, options=["--defocus-map", other[0]]) == WRONG_CALL
    assert "wanted a trained decoder" in capfd.readouterr().err
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a_defocus.tif").write_text("mine")
    assert call(network, tmp_path / "out", path, options=["--defocus-map", decoder[0]]) == SOME_FAILED
    assert [path.read_text() for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_two_images_never_share_a_result(network, tmp_path, capfd):
    """Of two files of one name the second is named and left, even where results may be replaced."""
    (tmp_path / "b").mkdir()
    for number, path in enumerate((tmp_path / "a.tif", tmp_path / "b/a.tif")):
        tifffile.imwrite(path, texture((64, 64), seed=number))
    paths = tmp_path / "a.tif", tmp_path / "b/a.tif"
    assert call(network, tmp_path / "out", *paths, options=["--overwrite"]) == SOME_FAILED
    assert f"is that of {paths[0]}" in capfd.readouterr().err
    assert call(network, tmp_path / "alone", paths[0]) == DONE
    both = [read_image(tmp_path / name / "a.tif").pixels for name in ("out", "alone")]
    np.testing.assert_array_equal(*both)


def test_a_network_that_does_not_refocus_is_a_wrong_call(tmp_path, capfd):
    """Deep-Z takes a second channel, which no image has: said once, before any image."""
    folder = tmp_path / "deepz"
    folder.mkdir()
    build_generator(2, 2, output_channels=1).save(folder / "generator.keras")
    assert call((folder,), tmp_path / "out", "a.tif", "b.tif") == WRONG_CALL
    assert "found a network from 2 to 1 channels" in capfd.readouterr().err


def test_images_that_are_left_out_are_told(network, tmp_path, capfd):
    """Of a file with two images the first is refocused, with a warning."""
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as writer:
        for seed in range(2):
            writer.write(texture((64, 64), seed=seed), metadata={"axes": "YX"})
    assert call(network, tmp_path / "out", tmp_path / "a.ome.tif") == DONE
    assert "it holds 2 images; the first is refocused" in capfd.readouterr().err


def test_a_stop_from_the_keyboard_ends_with_one_sentence(network, tmp_path, capfd, monkeypatch):
    """Exit code 130, as of any program, no half result, and no traceback."""

    def interrupt(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("deepr.refocusing.read_image", interrupt)
    assert call(network, tmp_path / "out", tmp_path / "a.tif") == STOPPED
    assert "deepr: stopped" in capfd.readouterr().err


def test_a_wrong_call_says_what_is_wrong(tmp_path, capfd):
    """No network, or no folder for the results: exit code 2 and one sentence."""
    assert main(["refocus", "a.tif", "--network", str(tmp_path), "--output", str(tmp_path / "o")]) == WRONG_CALL
    assert "no such file, wanted a trained generator" in capfd.readouterr().err
    assert main(["info", str(tmp_path)]) == WRONG_CALL
    assert "found no generator.keras" in capfd.readouterr().err


def test_info_says_what_a_network_was_trained_on(network, tmp_path, capsys):
    """Name, range, optics and pixel type stand there, and the precision where it is known."""
    assert main(["info", str(network[0])]) == DONE
    said = capsys.readouterr().out
    for text in ("mine_5 (deepr)", "5 um to each side", "20x/0.75, 0.325 um pixels, DAPI, uint16", "simulated"):
        assert text in said
    assert "crops of 64 px, seed 1\n" in said
    assert main(["info", str(trained_in(network, "bfloat16", tmp_path / "half"))]) == DONE
    assert "crops of 64 px, seed 1, in bfloat16\n" in capsys.readouterr().out


def test_info_says_what_a_decoder_reads(decoder, capsys):
    """Its network, its error, and what a map of zeros would have."""
    assert main(["info", str(decoder[0])]) == DONE
    said = capsys.readouterr().out
    for text in ("decoder (decoder)", "mine_5", "squared error 0.02 at iteration 6 (0.09 of a map of zeros)"):
        assert text in said


def test_the_command_starts_without_tensorflow():
    """Help, info and init need none, and come at once."""
    code = (
        "import sys, deepr.cli, deepr.network_folders; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}, check=False).returncode
        == 0
    )


def test_init_writes_sheets_that_can_be_read(tmp_path, capsys):
    """The sheets are whole once the examples are filled in, and nothing is written over."""
    folder = tmp_path / "own"
    assert main(["init", str(folder)]) == DONE
    assert str(folder / "stacks.tsv") in (folder / "own.yaml").read_text()
    assert list(read_networks(folder / "networks.tsv", ["mine"])["name"]) == ["mine_5"]
    sheet = folder / "stacks.tsv"
    sheet.write_text(sheet.read_text().replace("# mine", "mine"))
    (folder / "stacks").mkdir()
    for name in ("slide1_f1.tif", "slide1_f2_z1.tif", "slide2_f1.tif"):
        (folder / "stacks" / name).touch()
    assert list(read_stacks(sheet)["split"]) == ["train", "train", "test"]
    assert main(["init", str(folder)]) == WRONG_CALL


def test_init_takes_a_folder_of_any_name(tmp_path, capsys):
    """Blanks, quotes, colons and signs of the shell come back out of the config and out of the command as they are."""
    folder = tmp_path / """own: "it's"; $(touch x) #1"""
    assert main(["init", str(folder)]) == DONE
    config = yaml.safe_load((folder / "own.yaml").read_text(encoding="utf-8"))
    assert config["networks"] == str(folder / "networks.tsv")
    assert config["stacks"] == str(folder / "stacks.tsv")
    command = capsys.readouterr().out.splitlines()[-1].split(", then ")[1]
    assert shlex.split(command)[4] == str(folder / "own.yaml")


def test_a_damaged_network_is_named(network, tmp_path, capsys):
    """A byte that was turned, and a file that was cut: exit code 2, one sentence, no result."""
    image = tmp_path / "a.tif"
    tifffile.imwrite(image, texture((64, 64)))
    whole = (network[0] / "generator.keras").read_bytes()
    turned = bytearray(whole)
    turned[len(whole) // 2] ^= 0xFF
    for content in (bytes(turned), whole[: len(whole) // 2], b""):
        (tmp_path / "damaged").mkdir(exist_ok=True)
        (tmp_path / "damaged" / "generator.keras").write_bytes(content)
        assert call((tmp_path / "damaged", None), tmp_path / "out", image) == WRONG_CALL
        (sentence,) = capsys.readouterr().err.splitlines()
        assert sentence.startswith(f"deepr: {tmp_path / 'damaged' / 'generator.keras'}: ")
        assert "wanted a Keras model" in sentence
    assert not (tmp_path / "out").exists()
