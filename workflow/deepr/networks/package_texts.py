"""What a package for the BioImage Model Zoo says in words, all of it from the network's own config."""

from pathlib import Path

from deepr import __version__

AUTHORS = ("The authors of the open Deep-R workflow",)
LICENCE = "MIT"
PAPER = (
    "Luo, Y., Huang, L., Rivenson, Y., Ozcan, A.: Single-shot autofocusing of microscopy images using deep learning. "
    "ACS Photonics (2021)",
    "10.1021/acsphotonics.0c01774",
)
BBBC006 = (
    "Image set BBBC006v1 of the Broad Bioimage Benchmark Collection; Ljosa, V., Sokolnicki, K. L., Carpenter, A. E.: "
    "Annotated high-throughput microscopy image sets for validation. Nature Methods 9, 637 (2012)",
    "10.1038/nmeth.2083",
)
_SOURCES = {
    "simulated": "simulated microscope (no real images)",
    "BBBC006": "public image set BBBC006v1",
    "own": "images of the person who trained it",
}


def citations(network):
    """Give what is to be cited, (text, DOI) each: the paper, and the public images if they were used."""
    sources = {entry["source"] for entry in network["data"].values()}
    return [PAPER, *([BBBC006] if "BBBC006" in sources else [])]


def tags(network):
    """Give the zoo's tags; the modality only where the data's origin tells it."""
    known = {
        "transmission-light-microscopy" if entry["channels"] == 3 else "fluorescence-light-microscopy"
        for entry in network["data"].values()
        if entry["source"] != "own"
    }
    general = ("deep-r", "autofocus", "refocusing", "image-restoration", "2d", "unet", "tensorflow", "onnx")
    return [*general, *sorted(known)]


def describe(config):
    """Describe a network in at most 512 characters."""
    network = config["network"]
    text = (
        f"Refocuses a single defocused microscopy image, up to {network['range_um']:g} um to each side of focus, "
        f"without knowing the defocus. Trained on {_data_in_words(network)}."
    )
    return text if len(text) <= 512 else text[:509] + "..."


def _data_in_words(network):
    return "; ".join(f"{name}: {_facts(entry)}" for name, entry in network["data"].items())


def _facts(entry):
    channel = "colour" if entry["channels"] == 3 else entry["channel"]
    pixels = f"{entry['pixel_um']:g} um pixels, {entry['dtype']}"
    return f"{_SOURCES[entry['source']]}, {entry['objective']}, {channel}, {pixels}"


def read_me(config, tests, image, authors, licence):
    """Write the package's README.

    Parameters
    ----------
    config : dict
        The network's ``config.json``.
    tests : dict
        From `deepr.network_folders.read_tests`.
    image : str
        What the test image is.
    authors : list of str
    licence : str or None

    Returns
    -------
    str
        In Markdown.
    """
    network, settings, training = config["network"], config["settings"], config["training"]
    rows = [
        f"| {name} | {_SOURCES[entry['source']]} | {entry['objective']} | "
        f"{'colour' if entry['channels'] == 3 else entry['channel']} | {entry['pixel_um']:g} | {entry['dtype']} |"
        for name, entry in network["data"].items()
    ]
    start = f", from the weights of {Path(config['start_from']).parent.name}" if config.get("start_from") else ""
    return _TEXT.format(
        name=network["name"],
        range_um=f"{network['range_um']:g}",
        rows="\n".join(rows),
        patches=training["patches"],
        slides=training["slides"],
        pairs=training["pairs"],
        iterations=settings["iterations"],
        crop_px=settings["crop_px"],
        batch_size=settings["batch_size"],
        channels=settings["base_channels"],
        parameters=config["generator_parameters"],
        start=start,
        scale=network.get("scale", "not said"),
        seed=config["seed"],
        versions=f"TensorFlow {config['tensorflow']}, Keras {config['keras']}, deepr {__version__} wrote the package",
        validation=f"{config['best_validation_berhu']:.4g}",
        best=config["best_iteration"],
        image=image,
        tests=_tests_in_words(tests),
        citations="\n".join(f"- {text}. doi:{doi}" for text, doi in citations(network)),
        authors=", ".join(authors) or "not stated",
        licence=licence or "not stated",
    )


def _tests_in_words(tests):
    if not tests:
        return "No blind test lay beside the network when the package was written."
    lines = [
        "On slides that the network has never seen, all planes within the range but for the focused ones, against the "
        "image in focus (mean over planes):\n",
        "| data set | patches | SSIM of the input | SSIM of the output | RMSE of the input | RMSE of the output |",
        "|---|---|---|---|---|---|",
    ]
    for name, test in tests.items():
        numbers = (test[key][image] for key in ("ssim", "rmse") for image in ("input", "output"))
        lines.append(f"| {name} | {test['patches']} | " + " | ".join(f"{number:.3f}" for number in numbers) + " |")
    return "\n".join(lines)


_TEXT = """# Deep-R {name}

A network that turns one defocused microscopy image into the focused one, by the method of Deep-R: no search along z,
and no knowledge of how far or in which direction the image is out of focus. It was trained for images up to
{range_um} um to each side of focus.

## Input and output

The input is one image in counts, any bit depth, brought to zero mean and unit variance (over all its pixels and
channels) by the package's preprocessing. Sides are multiples of 32 px, at least 288.

The output is in these normalised units: 0 is the input's mean and 1 its standard deviation, so that
`mean(input) + std(input) * output` puts it on the input's scale. It is not radiometric: one image does not tell the
brightness and contrast that the focused image would have. Intensities must not be compared between images.

A program that works in tiles should cut 128 px off each side of a tile's output (the halo of the description).

## Training data

| data set | source | objective | channel | pixel in um | pixel type |
|---|---|---|---|---|---|
{rows}

Slides: {slides}, patches: {patches}, pairs of a defocused and a focused image: {pairs}. The network has seen nothing
else: on another microscope, another pixel size or another kind of specimen it has to be tested first, and is likely
to need transfer learning.

## Training

{iterations} iterations with batches of {batch_size} crops of {crop_px} px{start}; {channels} channels at full
resolution, {parameters} parameters; adversarial, MS-SSIM and BerHu losses; Adam; seed {seed}; scale: {scale}. The
weights are those of iteration {best}, with the smallest BerHu loss on the validation pairs, {validation}. Trained with
{versions}.

## Validation

{tests}

To validate it on your own microscope: take z-stacks, refocus each plane, and compare with the plane in focus (SSIM,
RMSE after bringing both to zero mean and unit variance). An output that is sharp need not be right: look for structures
that the focused plane does not have.

The test image is {image}.

## Use

With `bioimageio.core`, or any program that reads the BioImage Model Zoo; the weights are there as ONNX and as Keras.
With deepr: unpack the archive and call `deepr refocus IMAGE --network FOLDER --output RESULTS`, which also handles
stacks, any size and the scale of the output.

## Citation

{citations}

Authors of this network: {authors}. Licence: {licence}.
"""
