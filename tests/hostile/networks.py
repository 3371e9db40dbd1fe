"""Small networks of the kinds that people export: encoders and decoders, attention, quantised, half precision."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from onnx import TensorProto

from hostile.build import FLOAT, Net

Shape = Sequence[str | int | None]
NETWORKS: dict[str, tuple[Callable[[Net], str], Shape, int]] = {}
PLANE: Shape = ("batch", 3, "height", "width")
RNG = np.random.default_rng(7)


def network(shape: Shape = PLANE, opset: int = 17) -> Callable[[Callable[[Net], str]], Callable[[Net], str]]:
    def keep(make: Callable[[Net], str]) -> Callable[[Net], str]:
        NETWORKS[make.__name__] = (make, shape, opset)
        return make

    return keep


def weights(net: Net, *dims: int, dtype: type = np.float32) -> str:
    return net.const(RNG.normal(0, 0.1, dims).astype(dtype), dtype)


def conv(net: Net, value: str, inside: int, outside: int, kernel: int = 3, stride: int = 1, group: int = 1) -> str:
    return str(
        net.op(
            "Conv", value, weights(net, outside, inside // group, kernel, kernel), weights(net, outside),
            pads=[kernel // 2] * 4, strides=[stride] * 2, group=group, kernel_shape=[kernel, kernel],
        )
    )  # fmt: skip


def _dim(net: Net, shape: str, axis: int) -> str:
    return str(net.op("Unsqueeze", net.op("Gather", shape, net.const(axis)), net.const([0])))


@network()
def u_net(net: Net) -> str:
    one = net.op("Relu", conv(net, net.x, 3, 8))
    two = net.op("Relu", conv(net, net.op("MaxPool", one, kernel_shape=[2, 2], strides=[2, 2]), 8, 16))
    deep = net.op("Relu", conv(net, net.op("MaxPool", two, kernel_shape=[2, 2], strides=[2, 2]), 16, 32))
    scales = net.const([1.0, 1.0, 2.0, 2.0])
    up = net.op("Resize", deep, "", scales, mode="nearest")
    three = net.op("Relu", conv(net, net.op("Concat", up, two, axis=1), 48, 16))
    up = net.op("ConvTranspose", three, weights(net, 16, 8, 2, 2), strides=[2, 2])
    return str(net.op("Sigmoid", conv(net, net.op("Concat", up, one, axis=1), 16, 1, 1)))


@network()
def resize_to_the_size_of_the_input(net: Net) -> str:
    """What F.interpolate(y, size=x.shape[2:]) becomes."""
    small = conv(net, net.x, 3, 8, stride=2)
    size = net.op("Slice", net.op("Shape", net.x), net.const([2]), net.const([4]), net.const([0]))
    head = net.op("Slice", net.op("Shape", small), net.const([0]), net.const([2]), net.const([0]))
    wanted = net.op("Concat", head, net.op("Cast", size, to=TensorProto.INT64), axis=0)
    more = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    return str(net.op("Resize", small, "", "", wanted, **more))


@network()
def pixel_shuffle(net: Net) -> str:
    """Reshape, transpose, reshape with sizes taken from the shape."""
    value = conv(net, net.x, 3, 12)
    shape = net.op("Shape", value)
    batch, high, wide = _dim(net, shape, 0), _dim(net, shape, 2), _dim(net, shape, 3)
    two, three = net.const([2]), net.const([3])
    value = net.op("Reshape", value, net.op("Concat", batch, three, two, two, high, wide, axis=0))
    value = net.op("Transpose", value, perm=[0, 1, 4, 2, 5, 3])
    high, wide = net.op("Mul", high, two), net.op("Mul", wide, two)
    return str(net.op("Reshape", value, net.op("Concat", batch, three, high, wide, axis=0)))


@network(shape=(1, 3, 64, 64))
def pixel_shuffle_of_a_fixed_picture(net: Net) -> str:
    value = net.op("Reshape", conv(net, net.x, 3, 12), net.const([1, 3, 2, 2, 64, 64]))
    return str(net.op("Reshape", net.op("Transpose", value, perm=[0, 1, 4, 2, 5, 3]), net.const([0, 0, 128, -1])))


@network()
def depthwise_separable(net: Net) -> str:
    value = net.op("HardSwish", conv(net, net.x, 3, 16, stride=2))
    value = net.op("Relu", conv(net, value, 16, 16, group=16))
    gate = net.op(
        "HardSigmoid", conv(net, net.op("Relu", conv(net, net.op("GlobalAveragePool", value), 16, 4, 1)), 4, 16, 1)
    )
    return str(conv(net, net.op("Mul", value, gate), 16, 24, 1))


@network()
def residual_classifier(net: Net) -> str:
    value = net.op("Clip", conv(net, net.x, 3, 16, 7, 2), net.const(0.0), net.const(6.0))
    value = net.op("BatchNormalization", value, *[net.const(np.ones(16)) for _ in range(4)])
    value = net.op("Add", value, conv(net, net.op("LeakyRelu", value, alpha=0.1), 16, 16))
    flat = net.op("Flatten", net.op("GlobalAveragePool", value))
    return str(net.op("Softmax", net.op("Gemm", flat, weights(net, 10, 16), weights(net, 10), transB=1), axis=-1))


@network()
def convnext_block(net: Net) -> str:
    value = conv(net, net.x, 3, 16, 4, 4)
    deep = net.op("Transpose", conv(net, value, 16, 16, 7, group=16), perm=[0, 2, 3, 1])
    deep = net.op("LayerNormalization", deep, net.const(np.ones(16)), net.const(np.zeros(16)), epsilon=1e-6)
    deep = net.op("Add", net.op("MatMul", deep, weights(net, 16, 64)), weights(net, 64))
    half, one, root = net.const(0.5), net.const(1.0), net.const(1.41421)
    deep = net.op("Mul", deep, net.op("Mul", half, net.op("Add", one, net.op("Erf", net.op("Div", deep, root)))))
    return str(
        net.op("Add", value, net.op("Transpose", net.op("MatMul", deep, weights(net, 64, 16)), perm=[0, 3, 1, 2]))
    )


@network()
def style_layers(net: Net) -> str:
    value = net.op("Pad", net.x, net.const([0, 0, 4, 4, 0, 0, 4, 4]), mode="reflect")
    value = net.op("InstanceNormalization", conv(net, value, 3, 8, 9), net.const(np.ones(8)), net.const(np.zeros(8)))
    return str(net.op("Tanh", net.op("Elu", value)))


@network(shape=("batch", "tokens", 32))
def attention(net: Net) -> str:
    """Heads split by Shape, Gather, Concat and Reshape, as torch writes them."""
    shape = net.op("Shape", net.x)
    batch, tokens = _dim(net, shape, 0), _dim(net, shape, 1)
    split = net.op("Concat", batch, tokens, net.const([4]), net.const([8]), axis=0)
    heads = [net.op("Reshape", net.op("MatMul", net.x, weights(net, 32, 32)), split) for _ in range(3)]
    query, value = (net.op("Transpose", head, perm=[0, 2, 1, 3]) for head in (heads[0], heads[2]))
    score = net.op("MatMul", query, net.op("Transpose", heads[1], perm=[0, 2, 3, 1]))
    score = net.op("Softmax", net.op("Div", score, net.op("Sqrt", net.const(8.0))), axis=-1)
    joined = net.op("Transpose", net.op("MatMul", score, value), perm=[0, 2, 1, 3])
    width = net.op("Mul", net.const([4]), net.const([8]))
    return str(net.op("Reshape", joined, net.op("Concat", batch, tokens, width, axis=0)))


@network(shape=("batch", "tokens", 32), opset=20)
def transformer_feed_forward(net: Net) -> str:
    value = net.op("LayerNormalization", net.x, net.const(np.ones(32)), net.const(np.zeros(32)))
    value = net.op("Gelu", net.op("MatMul", value, weights(net, 32, 64)), approximate="tanh")
    return str(net.op("Add", net.x, net.op("MatMul", value, weights(net, 64, 32))))


@network()
def patches_of_a_picture(net: Net) -> str:
    patches = conv(net, net.x, 3, 32, 4, 4)
    shape = net.op("Shape", patches)
    head = net.op("Slice", shape, net.const([0]), net.const([2]))
    tokens = net.op(
        "Transpose", net.op("Reshape", patches, net.op("Concat", head, net.const([-1]), axis=0)), perm=[0, 2, 1]
    )
    first = net.op("Expand", weights(net, 1, 1, 32), net.op("Concat", _dim(net, shape, 0), net.const([1, 1]), axis=0))
    return str(net.op("Gather", net.op("Concat", first, tokens, axis=1), net.const(0), axis=1))


@network()
def quantised(net: Net) -> str:
    scale, zero = net.const(0.02), net.const(128, np.uint8)
    value = net.op(
        "DequantizeLinear",
        net.op("QuantizeLinear", net.x, scale, zero, kind=TensorProto.UINT8),
        scale,
        zero,
        kind=FLOAT,
    )
    table = net.const(RNG.integers(-100, 100, (8, 3, 3, 3)), np.int8)
    factors = net.op(
        "DequantizeLinear", table, net.const(np.full(8, 0.01)), net.const(np.zeros(8), np.int8), axis=0, kind=FLOAT
    )
    return str(net.op("Relu", net.op("Conv", value, factors, pads=[1] * 4)))


@network()
def half_precision(net: Net) -> str:
    value = net.op("Cast", net.x, to=TensorProto.FLOAT16)
    value = net.op("Relu", net.op("Conv", value, weights(net, 8, 3, 3, 3, dtype=np.float16), pads=[1] * 4))
    return str(net.op("Cast", value, to=FLOAT))


@network()
def colour_and_range(net: Net) -> str:
    mean, spread = weights(net, 1, 3, 1, 1), net.const(np.full((1, 3, 1, 1), 0.2))
    value = net.op("Div", net.op("Sub", net.op("Mul", net.x, net.const(1 / 255)), mean), spread)
    luma = net.op("ReduceSum", net.op("Mul", value, weights(net, 1, 3, 1, 1)), net.const([1]), keepdims=1)
    return str(net.op("Exp", net.op("Neg", net.op("Pow", luma, net.const(2.0)))))


@network()
def crop_by_the_size(net: Net) -> str:
    """Half of each side, computed with integer division by a constant."""
    size = net.op("Slice", net.op("Shape", net.x), net.const([2]), net.const([4]))
    half = net.op("Div", size, net.const([2]))
    return str(net.op("Slice", net.x, net.const([0, 0]), half, net.const([2, 3])))


@network()
def pad_to_a_multiple_of_eight(net: Net) -> str:
    size = net.op("Slice", net.op("Shape", net.x), net.const([2]), net.const([4]))
    eight = net.const([8])
    up = net.op("Mul", net.op("Div", net.op("Add", size, net.const([7])), eight), eight)
    pads = net.op("Concat", net.const([0] * 6), net.op("Sub", up, size), axis=0)
    return str(net.op("Pad", net.x, pads, net.const(0.0)))


@network(shape=("rows", 6))
def feature_regressor(net: Net) -> str:
    value = net.op("Div", net.op("Sub", net.x, weights(net, 6)), net.const(np.full(6, 0.1)))
    for inside, outside in ((6, 16), (16, 8), (8, 1)):
        value = net.op("Gemm", net.op("Selu", value), weights(net, inside, outside), weights(net, outside))
    return str(net.op("Squeeze", value, net.const([1])))


@network(shape=(None, 3, None, None))
def unnamed_sizes(net: Net) -> str:
    return str(net.op("GlobalMaxPool", conv(net, net.x, 3, 4)))


@network(shape=(1, 3, 1080, 1920))
def full_high_definition(net: Net) -> str:
    return str(conv(net, net.op("Relu", conv(net, net.x, 3, 16)), 16, 3))


@network()
def optional_inputs_left_out(net: Net) -> str:
    value = net.op("Clip", net.x, "", net.const(1.0))
    value = net.op("Resize", value, "", net.const([1.0, 1.0, 0.5, 0.5]), "")
    return str(net.op("Clip", value, net.const(0.0)))


@network()
def scatter_of_constants(net: Net) -> str:
    table = net.op("ScatterND", net.const(np.zeros(3)), net.const([[1]]), net.const([2.0]))
    return str(net.op("Mul", net.x, net.op("Reshape", table, net.const([1, 3, 1, 1]))))


@network()
def every_activation(net: Net) -> str:
    value = net.x
    for name in [
        "Abs",
        "Relu",
        "Elu",
        "Sigmoid",
        "Tanh",
        "Softplus",
        "Softsign",
        "Selu",
        "HardSigmoid",
        "LeakyRelu",
        "Identity",
        "Neg",
        "Reciprocal",
    ]:
        value = net.op(name, value)
    return str(net.op("Min", net.op("Log", net.op("Max", value, net.const(0.1))), net.const(4.0)))
