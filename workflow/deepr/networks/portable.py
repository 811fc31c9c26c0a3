"""A trained generator for other programs: as an ONNX graph, and as a Keras model of stock layers only."""

import keras
import numpy as np
import onnx
from keras import layers
from onnx import TensorProto, helper, numpy_helper

from deepr.networks.generator import ZeroPaddedSkip

# Both are some years old, so that programs which bring their own ONNX runtime can read the file.
OPSET = 17
IR_VERSION = 8
_IMAGE, _OUTPUT = "image", "focused"


def stock_model(generator):
    """Copy a generator into stock Keras layers, which any Keras 3 loads without this package.

    Parameters
    ----------
    generator : keras.Model
        From `deepr.networks.generator.load_generator`.

    Returns
    -------
    keras.Model
        With the same weights and the same output to the last bit. In place of each `ZeroPaddedSkip` it has
        the channels padded as if they were the columns of an image, between two permutations of the axes.
    """

    def call(layer, *inputs, **options):
        if not isinstance(layer, ZeroPaddedSkip):
            return layer(*inputs, **options)
        block, skip = inputs[0]
        missing = block.shape[-1] - skip.shape[-1]
        name = layer.name
        skip = layers.Permute((1, 3, 2), name=f"{name}_swap")(skip)
        skip = layers.ZeroPadding2D(((0, 0), (0, missing)), name=f"{name}_pad")(skip)
        skip = layers.Permute((1, 3, 2), name=f"{name}_swap_back")(skip)
        return layers.Add(name=f"{name}_sum")([block, skip])

    copy = keras.models.clone_model(generator, call_function=call, clone_function=_again)
    copy.set_weights(generator.get_weights())
    return copy


def _again(layer):
    return type(layer).from_config(layer.get_config())


def onnx_model(generator):
    """Write a generator as an ONNX graph, layer by layer.

    Parameters
    ----------
    generator : keras.Model
        From `deepr.networks.generator.load_generator`: convolutions, transposed convolutions, poolings,
        concatenations, sums and `ZeroPaddedSkip`.

    Returns
    -------
    onnx.ModelProto
        From ``image`` to ``focused``, both (B, Y, X, C) float32 in normalised units, as Keras has them; B
        is free, Y and X are any multiples of 32. Checked by `onnx.checker`.

    Raises
    ------
    ValueError
        If a layer is of another kind or has other settings than the generator's.

    Notes
    -----
    The general converters are not needed for five kinds of layers. Inside, the channels come first, as ONNX
    wants. A transposed convolution of stride 2 whose padding is "same" leaves out the last row and column
    of what it would give without padding, and none at the top and the left.
    """
    graph = _Graph()
    names = {}
    for layer in generator.layers:
        if isinstance(layer, layers.InputLayer):
            name = graph.add("Transpose", [_IMAGE], "image_channels_first", perm=[0, 3, 1, 2])
        else:
            sources = layer.input if isinstance(layer.input, list) else [layer.input]
            name = _convert(layer, [names[id(source)] for source in sources], graph)
        names[id(layer.output)] = name
    graph.add("Transpose", [names[id(generator.output)]], _OUTPUT, perm=[0, 2, 3, 1])
    tensors = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "y", "x", channels])
        for name, channels in ((_IMAGE, generator.input_shape[-1]), (_OUTPUT, generator.output_shape[-1]))
    ]
    model = helper.make_model(
        helper.make_graph(graph.nodes, generator.name, tensors[:1], tensors[1:], graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="deepr",
    )
    onnx.checker.check_model(model)
    return model


class _Graph:
    """Nodes and constants of an ONNX graph, in the order in which they are computed."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def add(self, kind, inputs, output, **attributes):
        """Add a node and give the name of its output."""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, array, name):
        """Add a constant and give its name."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name


def _convert(layer, inputs, graph):
    """Add what a layer computes, and give the name of its output."""
    name = layer.name
    if isinstance(layer, layers.Conv2DTranspose):
        _check(layer, kernel_size=(3, 3), strides=(2, 2), padding="same")
        return _convolution(layer, "ConvTranspose", (3, 2, 0, 1), [0, 0, 1, 1], inputs, graph)
    if isinstance(layer, layers.Conv2D):
        _check(layer, kernel_size=(3, 3), strides=(1, 1), padding="same")
        return _convolution(layer, "Conv", (3, 2, 0, 1), [1, 1, 1, 1], inputs, graph)
    if isinstance(layer, layers.MaxPooling2D):
        _check(layer, pool_size=(2, 2), strides=(2, 2), padding="valid")
        return graph.add("MaxPool", inputs, name, kernel_shape=[2, 2], strides=[2, 2])
    if isinstance(layer, layers.Concatenate):
        _check(layer, axis=-1)
        return graph.add("Concat", inputs, name, axis=1)
    if isinstance(layer, layers.Add):
        return graph.add("Add", inputs, name)
    if isinstance(layer, ZeroPaddedSkip):
        block, skip = (tensor.shape[-1] for tensor in layer.input)
        widths = graph.constant(np.array([0, 0, 0, 0, 0, block - skip, 0, 0], np.int64), f"{name}_widths")
        padded = graph.add("Pad", [inputs[1], widths], f"{name}_padded")
        return graph.add("Add", [inputs[0], padded], name)
    raise ValueError(f"layer {name} is a {type(layer).__name__}, wanted one of those that a generator is made of")


def _convolution(layer, kind, order, pads, inputs, graph):
    name = layer.name
    kernel, bias = (weight.numpy() for weight in layer.weights)
    weights = [graph.constant(kernel.transpose(order), f"{name}_kernel"), graph.constant(bias, f"{name}_bias")]
    activation = layer.get_config()["activation"]
    if activation not in ("linear", "relu"):
        raise ValueError(f"layer {name} has the activation {activation}, wanted relu or none")
    linear = name if activation == "linear" else f"{name}_linear"
    output = graph.add(kind, inputs + weights, linear, kernel_shape=[3, 3], strides=list(layer.strides), pads=pads)
    return output if activation == "linear" else graph.add("Relu", [output], name)


def _check(layer, **wanted):
    for key, value in wanted.items():
        found = getattr(layer, key)
        if found != value:
            raise ValueError(f"layer {layer.name} has {key} {found}, wanted {value}")
