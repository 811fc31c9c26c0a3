"""What a built Keras network is made of, read from the network itself and not from constants."""

import math

import pandas as pd


def describe_network(model):
    """Walk a built network layer by layer.

    Parameters
    ----------
    model : keras.Model
        Functional, with one input and one output. Only `get_config`, `get_layer` and `output_shape` are
        used, so that this module needs no Keras.

    Returns
    -------
    DataFrame
        One row per layer in the network's order: layer, kind (class name), inputs (names of the layers
        before, separated by commas), level (times that the image was halved; missing once it is averaged
        away), stage (counts the changes of level from the input on), channels, kernel, stride, activation
        and parameters.

    Raises
    ------
    ValueError
        If a layer changes the size of the image by another factor than a power of two.
    """
    layers = model.get_config()["layers"]
    shapes = {}
    for layer in layers:
        shapes.update(_inputs_of(layer))
    rows, known = [], {}
    for layer in layers:
        name, config = layer["name"], layer["config"]
        inputs = list(_inputs_of(layer))
        stride = _stride(layer)
        before = [known[source] for source in inputs]
        level = before[0]["level"] if before else 0
        if level is not None:
            step = math.log2(stride)
            if step != int(step):
                raise ValueError(f"layer {name} scales the image by {stride:g}, wanted a power of two")
            level = None if _ends_the_image(layer["class_name"]) else level + int(step)
        changed = bool(before) and level != before[0]["level"]
        shape = shapes.get(name, model.output_shape)
        known[name] = {
            "layer": name,
            "kind": layer["class_name"],
            "inputs": ",".join(inputs),
            "level": level,
            "stage": max((source["stage"] for source in before), default=0) + changed,
            "channels": int(shape[-1]),
            "kernel": "x".join(str(side) for side in config.get("kernel_size", ())),
            "stride": stride,
            "activation": _activation(layer),
            "parameters": int(model.get_layer(name).count_params()),
        }
        rows.append(known[name])
    frame = pd.DataFrame(rows)
    frame["level"] = frame["level"].astype("Int64")
    return frame


def count_samplings(description):
    """Count how often a described network halves and doubles the image, as (down, up)."""
    stages = description.dropna(subset="level").groupby("stage")["level"].first().astype(int)
    changes = stages.diff().dropna()
    return int(changes.clip(lower=0).sum()), int(-changes.clip(upper=0).sum())


def _inputs_of(layer):
    """Names of the layers that feed a layer, each with the shape of its output."""
    found = {}

    def walk(value):
        if isinstance(value, dict):
            if value.get("class_name") == "__keras_tensor__":
                found[value["config"]["keras_history"][0]] = value["config"]["shape"]
            else:
                walk(list(value.values()))
        elif isinstance(value, list | tuple):
            for item in value:
                walk(item)

    walk(layer["inbound_nodes"])
    return found


def _stride(layer):
    """Factor by which a layer shrinks the image; below one if it grows."""
    config = layer["config"]
    stride = config.get("strides") or config.get("pool_size") or 1
    if layer["class_name"].startswith("UpSampling"):
        stride = config["size"]
        return 1 / (stride[0] if isinstance(stride, list | tuple) else stride)
    stride = stride[0] if isinstance(stride, list | tuple) else stride
    return 1 / stride if layer["class_name"].endswith("Transpose") else stride


def _activation(layer):
    activation = layer["config"].get("activation", "")
    return activation if isinstance(activation, str) and activation != "linear" else ""


def _ends_the_image(kind):
    return kind.startswith("Global") or kind in ("Flatten", "Dense")
