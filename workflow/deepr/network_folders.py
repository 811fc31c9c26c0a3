"""What the folder of a trained network says of it: data, optics, range, training, blind tests."""

import json
from pathlib import Path

from deepr.tables import InputError, read_table

# The best of a validation, by kind: key, what it is, and the key of what it is compared with.
_VALIDATIONS = (
    ("best_validation_berhu", "BerHu loss", None),
    ("best_validation_mae", "mean absolute error", ("input_validation_mae", "of the unchanged input")),
    ("best_validation_squared_error", "squared error", ("zero_validation_squared_error", "of a map of zeros")),
)


def read_config(folder):
    """Read a network's ``config.json``.

    Parameters
    ----------
    folder : str or Path
        Folder of a trained network, or a file in it.

    Returns
    -------
    dict
        Empty if there is no such file.

    Raises
    ------
    InputError
        If the file holds no JSON object.
    """
    folder = Path(folder)
    path = folder / "config.json" if folder.is_dir() else folder.with_name("config.json")
    if not path.is_file():
        return {}
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: found no JSON ({error}), wanted a network's config.json") from error
    if not isinstance(config, dict):
        raise InputError(f"{path}: found a {type(config).__name__} in JSON, wanted a network's config.json")
    return config


def name_of_generator(decoder):
    """Name the network that a decoder reads, from the decoder's folder.

    Raises
    ------
    InputError
        If the folder does not say it.
    """
    config = read_config(decoder)
    if "generator" not in config:
        raise InputError(f"{decoder}: found no config.json of a decoder, wanted the folder as the training wrote it")
    return Path(config["generator"]).parent.name


def name_of_network(folder):
    """Give the name of a network: what its config says, or else its folder's own."""
    folder = Path(folder)
    folder = folder if folder.is_dir() else folder.parent
    return read_config(folder).get("network", {}).get("name") or folder.resolve().name


def describe_folder(folder):
    """Say what a network was trained on, and how well it did.

    Parameters
    ----------
    folder : str or Path
        Of a network of any kind, as its training wrote it.

    Returns
    -------
    list of (str, str)
        Lines: what is said, and what there is to say.

    Raises
    ------
    InputError
        If the folder is not that of a trained network.
    """
    folder = Path(folder)
    if not any((folder / name).is_file() for name in ("generator.keras", "decoder.keras")):
        raise InputError(f"{folder}: found no generator.keras or decoder.keras, wanted the folder of a trained network")
    about = read_config(folder)
    if not about:
        raise InputError(f"{folder}: found no config.json, wanted the folder as the training wrote it")
    network, settings = about["network"], about["settings"]
    lines = [
        ("network", f"{network['name']} ({network['kind']})"),
        ("range", f"{network['range_um']:g} um to each side of focus"),
        ("scale", network.get("scale", "not said")),
    ]
    if "generator" in about:
        lines.append(("reads", name_of_generator(folder)))
    else:
        lines.append(("width", f"{settings['base_channels']} base channels"))
    if about.get("start_from"):
        lines.append(("started from", Path(about["start_from"]).parent.name))
    trained = [f"{settings['iterations']} iterations", f"crops of {settings['crop_px']} px", f"seed {about['seed']}"]
    if "precision" in settings:
        trained.append(f"in {settings['precision']}")
    lines.append(("training", ", ".join(trained)))
    for key, name, compared in _VALIDATIONS:
        if key in about:
            text = f"{name} {about[key]:.4g} at iteration {about['best_iteration']}"
            if compared:
                text += f" ({about[compared[0]]:.4g} {compared[1]})"
            lines.append(("validation", text))
    data = network.get("data", {})
    for name, facts in data.items():
        colour = "colour" if facts["channels"] == 3 else facts["channel"]
        optics = f"{facts['objective']}, {facts['pixel_um']:g} um pixels, {colour}, {facts['dtype']}"
        lines.append((f"data {name}", f"{facts['source']}; {optics}"))
    if not data:
        lines.append(("data", ", ".join(network.get("datasets", [])) or "not said"))
    for name, test in read_tests(folder).items():
        ssim, rmse = ("{input:.2f} to {output:.2f}".format(**test[key]) for key in ("ssim", "rmse"))
        lines.append((f"test {name}", f"{test['patches']} patches within the range: SSIM {ssim}, RMSE {rmse}"))
    return lines


def read_tests(folder):
    """Summarise the blind tests of a Deep-R network, where it still lies in the results of its run.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    dict
        By data set: patches and planes (numbers), ssim and rmse, each of ``input`` and ``output`` against the
        focused image: means over all planes of the patches within the training range, but for the focused ones.
    """
    network = read_config(folder).get("network", {})
    if not network:
        return {}
    tests = {}
    for path in sorted((results_of(folder) / "predictions" / network["name"]).glob("*/measurements.tsv")):
        frame = read_table(path)
        z_um = frame["z_um"].abs()
        within = frame[(z_um > 1e-3) & (z_um <= network["range_um"] + 1e-3)]
        if within.empty:
            continue
        mean = within.groupby("image")[["ssim", "rmse"]].mean()
        tests[path.parent.name] = {
            "patches": frame[["slide", "fov", "y", "x"]].drop_duplicates().shape[0],
            "planes": int((within["image"] == "input").sum()),
            **{key: {image: float(mean.loc[image, key]) for image in ("input", "output")} for key in ("ssim", "rmse")},
        }
    return tests


def results_of(folder):
    """Give the folder of results that holds ``networks/NAME``."""
    parents = Path(folder).resolve().parents
    # A folder directly below the root has no results above it.
    return parents[min(1, len(parents) - 1)]
