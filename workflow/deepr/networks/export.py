"""A trained network as a package of the BioImage Model Zoo, for other programs."""

import tempfile
import textwrap
from pathlib import Path

import imagecodecs
import keras
import numpy as np
import onnx
import tensorflow as tf
from bioimageio.spec import save_bioimageio_package
from bioimageio.spec.model import v0_5 as zoo
from pydantic import ValidationError

from deepr.metrics import normalise
from deepr.network_folders import read_config, read_tests
from deepr.networks.blind_refocusing import refocus_normalised
from deepr.networks.example_images import image_of_file, image_of_run
from deepr.networks.generator import SIZE_MULTIPLE, load_generator
from deepr.networks.package_texts import AUTHORS, LICENCE, citations, describe, read_me, tags
from deepr.networks.portable import OPSET, onnx_model, stock_model
from deepr.runtime import write_atomically
from deepr.tables import InputError

# What a pixel depends on hardly reaches farther (`deepr.networks.blind_refocusing`); programs that work in tiles cut it
# off.
HALO_PX = 128
# Side of the smallest tile that leaves something between two halos, and of the test image.
SMALLEST_PX = 2 * HALO_PX + SIZE_MULTIPLE


def export_network(folder, path, image_path=None, authors=None, licence=None):
    """Write a Deep-R network as a package of the BioImage Model Zoo.

    Parameters
    ----------
    folder : str or Path
        The network's, as its training wrote it.
    path : str or Path
        The package, ``*.zip``, written whole or not at all.
    image_path : str or Path, optional
        A defocused image like those of the training, for test and cover; by default one of the test slides of the
        network's own run, in whose results the folder then must lie.
    authors : list of str, optional
        Who trained the network. By default, where no data of a person's own went in, those of this project.
    licence : str, optional
        SPDX identifier. By default, where no data of a person's own went in, that of this project.

    Returns
    -------
    list of str
        What is missing from the package for the zoo, one sentence each.

    Raises
    ------
    InputError
        If the folder is not that of a Deep-R network, there is no image or one that does not fit, or an argument
        is not what the zoo takes.

    Notes
    -----
    The package holds, beside its description ``rdf.yaml``: the weights as a Keras model of stock layers and as
    ONNX, both with the channels last; a test image, in counts, and what the network makes of it; a README, a cover;
    and the folder's ``generator.keras`` and ``config.json``, so that the unpacked package is again a network for
    ``deepr refocus``. Its input is put to zero mean and unit variance over all channels and pixels. Its output
    is left in these units: the zoo's ``scale_mean_variance`` would give it the input's deviation, which is not what
    `deepr.networks.blind_refocusing.refocus` does (mean + deviation x output).
    """
    config = read_config(folder)
    kind = config.get("network", {}).get("kind")
    if kind != "deepr":
        found = f"a network of kind '{kind}'" if kind else "no config.json of a network"
        raise InputError(f"{folder}: found {found}, wanted the folder of a trained network of kind deepr")
    network = config["network"]
    generator = load_generator(folder)
    if image_path is None:
        pixels, source = image_of_run(folder, network, SMALLEST_PX)
    else:
        pixels, source = image_of_file(image_path, SMALLEST_PX)
    channels = generator.input_shape[-1]
    if (pixels.shape[2] if pixels.ndim == 3 else 1) != channels:
        raise InputError(f"{image_path}: found an image of shape {pixels.shape}, wanted {channels} channels")
    try:
        normalised = normalise(pixels)
    except ValueError as error:
        raise InputError(f"{image_path or folder}: no image to test the network on: {error}") from error

    own = any(entry["source"] == "own" for entry in network["data"].values())
    authors = authors or ([] if own else list(AUTHORS))
    licence = licence or (None if own else LICENCE)
    tests = {name: test for name, test in read_tests(folder).items() if name in network["datasets"]}
    with tempfile.TemporaryDirectory() as work, write_atomically(path) as temporary:
        work = Path(work)
        output = refocus_normalised(normalised.reshape(1, SMALLEST_PX, SMALLEST_PX, channels), generator)
        np.save(work / "test_input.npy", pixels.reshape(output.shape).astype(np.float32))
        np.save(work / "test_output.npy", output)
        (work / "cover.png").write_bytes(_cover(normalised, output.reshape(normalised.shape)))
        (work / "README.md").write_text(read_me(config, tests, source, authors, licence), encoding="utf-8")
        stock_model(generator).save(work / "weights.keras")
        onnx.save(onnx_model(generator), work / "weights.onnx")
        for name in ("generator.keras", "config.json"):
            (work / name).write_bytes((Path(folder) / name).read_bytes())
        try:
            package = _description(work, config, channels, authors, licence)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            # For a licence the message lists every one that there is
            sentence = textwrap.shorten(f"{first['input']!r}: {first['msg']}", 200)
            raise InputError(f"{folder}: the zoo refuses {where}, {sentence}") from error
        save_bioimageio_package(package, output_path=temporary)
    return [
        f"the package names no {name}, which the zoo wants: say it with --{option}"
        for name, option, value in (("author", "author", authors), ("licence", "license", licence))
        if not value
    ]


def _description(work, config, channels, authors, licence):
    """Describe the files of a folder in the terms of the zoo."""
    network, settings = config["network"], config["settings"]
    names = ["red", "green", "blue"] if channels == 3 else ["intensity"]
    pixels_um = {entry["pixel_um"] for entry in network["data"].values()}
    # Networks of several microscopes have no one scale
    scale = {"unit": "micrometer", "scale": pixels_um.pop()} if len(pixels_um) == 1 else {}
    people = [zoo.Author(name=name) for name in authors]

    def axes(space):
        channel = zoo.ChannelAxis(channel_names=names)
        return [zoo.BatchAxis(), *(space(id=zoo.AxisId(name), **scale) for name in "yx"), channel]

    def input_axis(**options):
        return zoo.SpaceInputAxis(
            size=zoo.ParameterizedSize(min=SMALLEST_PX, step=SIZE_MULTIPLE), concatenable=True, **options
        )

    def output_axis(**options):
        size = zoo.SizeReference(tensor_id=zoo.TensorId("image"), axis_id=options["id"])
        return zoo.SpaceOutputAxisWithHalo(size=size, halo=HALO_PX, **options)

    normalisation = zoo.ZeroMeanUnitVarianceDescr(
        kwargs=zoo.ZeroMeanUnitVarianceKwargs(axes=[zoo.AxisId(name) for name in ("y", "x", "channel")])
    )
    return zoo.ModelDescr(
        name=f"Deep-R {network['name']}",
        description=describe(config),
        authors=people,
        cite=[zoo.CiteEntry(text=text, doi=zoo.Doi(doi)) for text, doi in citations(network)],
        license=licence,
        tags=tags(network),
        documentation=zoo.FileDescr(source=work / "README.md"),
        covers=[zoo.FileDescr(source=work / "cover.png")],
        attachments=[zoo.FileDescr(source=work / name) for name in ("generator.keras", "config.json")],
        inputs=[
            zoo.InputTensorDescr(
                id=zoo.TensorId("image"),
                description="A defocused image, in counts of the camera.",
                axes=axes(input_axis),
                data=zoo.IntervalOrRatioDataDescr(type="float32"),
                preprocessing=[normalisation],
                test_tensor=zoo.FileDescr(source=work / "test_input.npy"),
            )
        ],
        outputs=[
            zoo.OutputTensorDescr(
                id=zoo.TensorId("focused"),
                description="The image in focus, in units of the input's standard deviation around its mean.",
                axes=axes(output_axis),
                data=zoo.IntervalOrRatioDataDescr(type="float32"),
                test_tensor=zoo.FileDescr(source=work / "test_output.npy"),
            )
        ],
        weights=zoo.WeightsDescr(
            keras_v3=zoo.KerasV3WeightsDescr(
                source=work / "weights.keras",
                authors=people or None,
                keras_version=zoo.Version(keras.__version__),
                backend=("tensorflow", zoo.Version(tf.__version__)),
                comment="The trained generator in stock layers of Keras; generator.keras has it as it was trained.",
            ),
            onnx=zoo.OnnxWeightsDescr(
                source=work / "weights.onnx",
                opset_version=OPSET,
                parent="keras_v3",
                comment="Written layer by layer; channels last, as for Keras.",
            ),
        ),
        config=zoo.Config(
            bioimageio=zoo.BioimageioConfig(
                architecture_type="U-Net with residual blocks",
                task="image restoration",
                model_parameter_count=config.get("generator_parameters"),
                training=zoo.TrainingDetails(
                    training_preprocessing="Input and ground truth are each put to zero mean and unit variance.",
                    training_batch_size=settings.get("batch_size"),
                    initial_learning_rate=settings.get("generator_learning_rate"),
                    learning_rate_schedule=settings.get("learning_rate_schedule"),
                    loss_function="adversarial (least squares), MS-SSIM and BerHu",
                    loss_function_kwargs={"weights": config.get("loss_weights", {})},
                    optimizer="Adam",
                    training_duration=config["seconds"] / 3600 if "seconds" in config else None,
                ),
            ),
            deepr=config,
        ),
    )


def _cover(image, output):
    """Draw the test image beside what the network makes of it, twice as wide as high, as a PNG."""
    return imagecodecs.png_encode(np.concatenate([_stretch(image), _stretch(output)], axis=1))


def _stretch(image):
    """Stretch an image over 8 bit; a thousandth of its pixels is cut off at either end."""
    low, high = np.percentile(image, (0.1, 99.9))
    return np.clip(255 * (image - low) / max(high - low, 1e-12), 0, 255).astype(np.uint8)
