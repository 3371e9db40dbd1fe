"""Memory bombs, one operator each: a few bytes in the file, gigabytes when it runs."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from onnx import TensorProto, helper

from hostile.build import BIG, FLOAT, INT64, Net, Shelf

ATTACKS = Shelf("memory")
HUGE = [1, 1, BIG, BIG]
KINDS = ("FLOAT", "FLOAT16", "DOUBLE", "INT8", "UINT8", "INT32", "INT64", "BOOL")


def _column(net: Net, count: int = BIG, turned: bool = False) -> str:
    return net.zeros(*((1, count) if turned else (count, 1)))


def _of_shape(kind: str) -> bytes:
    net = Net()
    value = helper.make_tensor("v", getattr(TensorProto, kind), [1], [1])
    size = net.const([8 * BIG, BIG])
    return net.sink(net.op("ConstantOfShape", size, value=value, kind=getattr(TensorProto, kind)))


for _kind in KINDS:
    ATTACKS.put(f"constant_of_shape_{_kind.lower()}", "size", functools.partial(_of_shape, _kind))


def _wide_cast(kind: int, name: str) -> None:
    def build() -> bytes:
        net = Net()
        tiny = net.op("ConstantOfShape", net.const([1 << 33]), value=np.zeros(1, np.int8))
        return net.sink(net.op("Cast", tiny, to=kind))

    ATTACKS.put(f"cast_eight_gibibytes_to_{name}", "size", build)


_wide_cast(TensorProto.DOUBLE, "double")
_wide_cast(TensorProto.INT64, "int64")


@ATTACKS.add("size|string|operator")
def cast_plane_to_text() -> bytes:
    net = Net()
    text = net.op("Cast", net.zeros(1 << 27), to=TensorProto.STRING)
    return net.sink(net.op("Cast", text, to=FLOAT))


def _expand(start: tuple[int, ...], shape: list[int]) -> bytes:
    net = Net()
    return net.sink(net.op("Expand", net.const(np.ones(start)), net.const(shape)))


for _name, _start, _shape in (
    ("scalar", (), HUGE),
    ("both_ways", (BIG >> 4, 1), [1, BIG << 4]),
    ("many_axes", (1,), [2] * 36),
    ("rank_grows", (256,), [1 << 28, 1]),
):
    ATTACKS.put(f"expand_{_name}", "size", functools.partial(_expand, _start, _shape))


@ATTACKS.add("size")
def expand_the_input() -> bytes:
    net = Net()
    return net.sink(net.op("Expand", net.x, net.const([1 << 28, 3, 8, 8])))


def _outer(op_type: str, integer: bool) -> bytes:
    net = Net(14)
    one, two = _column(net), _column(net, turned=True)
    if integer:
        one, two = (net.op("Cast", name, to=TensorProto.UINT32, kind=TensorProto.UINT32) for name in (one, two))
    more = {"direction": "LEFT"} if op_type == "BitShift" else {}
    return net.sink(net.op(op_type, one, two, **more))


for _op in ("Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Mean", "Sum", "PRelu", "BitShift", "MatMul", "Gemm"):
    ATTACKS.put(f"outer_product_{_op.lower()}", "size", functools.partial(_outer, _op, _op == "BitShift"))


def _variadic(op_type: str) -> bytes:
    net = Net()
    return net.sink(net.op(op_type, net.zeros(4096, 1, 1), net.zeros(1, 4096, 1), net.zeros(1, 1, 4096)))


for _op in ("Sum", "Max", "Min", "Mean"):
    ATTACKS.put(f"three_way_broadcast_{_op.lower()}", "size", functools.partial(_variadic, _op))


@ATTACKS.add("size")
def matmul_batches_broadcast() -> bytes:
    net = Net()
    return net.sink(net.op("MatMul", net.zeros(BIG, 1, 2, 2), net.zeros(BIG, 2, 2)))


@ATTACKS.add("size")
def matmul_of_empty_inner_axis() -> bytes:
    net = Net()
    return net.sink(net.op("MatMul", net.zeros(BIG, 0), net.zeros(0, BIG)))


@ATTACKS.add("size")
def gemm_of_empty_inner_axis() -> bytes:
    net = Net()
    return net.sink(net.op("Gemm", net.zeros(0, BIG), net.zeros(0, BIG), transA=1))


@ATTACKS.add("size")
def reduce_of_empty_axis() -> bytes:
    net = Net(13)
    return net.sink(net.op("ReduceSum", net.zeros(0, BIG, BIG), net.const([0])))


@ATTACKS.add("size")
def pad_of_empty_plane() -> bytes:
    net = Net()
    return net.sink(net.op("Pad", net.zeros(0, BIG, BIG), net.const([1, 0, 0, 0, 0, 0])))


@ATTACKS.add("size")
def concat_with_empty_then_reduce() -> bytes:
    net = Net(13)
    joined = net.op("Concat", net.zeros(BIG, 0, BIG), net.zeros(BIG, 0, BIG), axis=1)
    return net.sink(net.op("ReduceProd", joined, axes=[1]))


def _gather(axis: int, wide: bool) -> bytes:
    net = Net()
    rows = net.op("ConstantOfShape", net.const([BIG, 8]), value=np.zeros(1, np.int64))
    data = net.zeros(*((1, BIG) if wide else (BIG, 1)))
    return net.sink(net.op("Gather", data, rows, axis=axis))


ATTACKS.put("gather_rows", "size", functools.partial(_gather, 0, True))
ATTACKS.put("gather_negative_axis", "size", functools.partial(_gather, -1, False))


@ATTACKS.add("size")
def gather_nd_rows() -> bytes:
    net = Net()
    rows = net.op("ConstantOfShape", net.const([BIG, 1]), value=np.zeros(1, np.int64))
    return net.sink(net.op("GatherND", net.zeros(1, BIG), rows))


def _pad(pads: list[int], mode: str = "constant", opset: int = 17) -> bytes:
    net = Net(opset)
    if opset < 11:
        return net.sink(net.op("Pad", net.x, pads=pads, mode=mode))
    return net.sink(net.op("Pad", net.x, net.const(pads), mode=mode))


for _name, _pads, _mode, _opset in (
    ("after", [0, 0, 0, 0, 0, 0, BIG, BIG], "constant", 17),
    ("before", [0, 0, BIG, BIG, 0, 0, 0, 0], "constant", 13),
    ("edge", [0, 0, BIG, BIG, 0, 0, BIG, BIG], "edge", 17),
    ("reflect", [0, 0, BIG, BIG, 0, 0, BIG, BIG], "reflect", 17),
    ("attribute_of_old_opset", [0, 0, BIG, BIG, 0, 0, 0, 0], "constant", 7),
    ("attribute_edge_old_opset", [0, 0, BIG, BIG, 0, 0, 0, 0], "edge", 10),
    ("batch", [1 << 28, 0, 0, 0, 0, 0, 0, 0], "constant", 17),
    ("grows_one_way_crops_the_other", [0, 0, 1 << 40, 0, 0, 0, -(1 << 39), 0], "constant", 17),
    ("sum_wraps", [0, 0, 2**63 - 1, 0, 0, 0, 2**63 - 1, 0], "constant", 17),
):
    ATTACKS.put(f"pad_{_name}", "size", functools.partial(_pad, _pads, _mode, _opset))


@ATTACKS.add("size")
def pad_with_axes() -> bytes:
    net = Net(18)
    return net.sink(net.op("Pad", net.x, net.const([BIG, BIG, 0, 0]), "", net.const([2, -1])))


@ATTACKS.add("size|axes")
def pad_one_axis_named_twice() -> bytes:
    net = Net(18)
    return net.sink(net.op("Pad", net.x, net.const([1, 1 << 33, 0, 0]), "", net.const([2, 2])))


def _conv(**attributes: object) -> bytes:
    net = Net()
    weights = net.const(np.ones((1, 3, 1, 1)))
    return net.sink(net.op("Conv", net.x, weights, **attributes))


ATTACKS.put("conv_pads", "size", functools.partial(_conv, pads=[BIG, BIG, BIG, BIG]))
ATTACKS.put("conv_pads_one_side", "size", functools.partial(_conv, pads=[0, 0, BIG, BIG]))
ATTACKS.put("conv_pads_overflow", "size|pads", functools.partial(_conv, pads=[2**62, 2**62, 2**62, 2**62]))


@ATTACKS.add("size")
def conv_makes_many_channels() -> bytes:
    net = Net()
    plane = net.op("Conv", net.zeros(1, 1, 2048, 2048), net.const(np.ones((4096, 1, 1, 1))))
    return net.sink(plane)


def _transposed(size: int, kernel: int, channels: int = 1, **attributes: object) -> bytes:
    net = Net()
    weights = net.zeros(1, channels, kernel, kernel)
    return net.sink(net.op("ConvTranspose", net.zeros(1, 1, size, size), weights, **attributes))


for _name, _args, _more in (
    ("strides", (8, 1), {"strides": [BIG, BIG]}),
    ("output_shape", (8, 3), {"output_shape": [BIG, BIG], "strides": [2, 2]}),
    ("output_shape_one_stride", (8, 3), {"output_shape": [BIG, BIG]}),
    ("output_padding", (8, 3), {"output_padding": [BIG, BIG], "strides": [BIG + 1, BIG + 1]}),
    ("kernel", (8, BIG), {}),
    ("dilations", (8, 2), {"dilations": [BIG, BIG]}),
    ("negative_pads", (8, 3), {"pads": [-BIG, -BIG, -BIG, -BIG]}),
    ("auto_pad", (8, 1), {"strides": [BIG, BIG], "auto_pad": "SAME_UPPER"}),
    ("column_buffer", (1024, 64, 16), {"pads": [32, 32, 31, 31]}),
    ("column_buffer_cropped_to_nothing", (1024, 128), {"pads": [575, 575, 575, 575]}),
):
    ATTACKS.put(f"conv_transpose_{_name}", "size|pads|work", functools.partial(_transposed, *_args, **_more))


@ATTACKS.add("size|rank|operator|work")
def conv_four_axes_column_buffer() -> bytes:
    net = Net()
    weights = net.zeros(1, 1, 16, 16, 16, 16)
    pads = {"pads": [8, 8, 8, 8, 7, 7, 7, 7]}
    return net.sink(net.op("Conv", net.zeros(1, 1, 40, 40, 40, 40), weights, **pads))


@ATTACKS.add("size")
def average_pool_pads() -> bytes:
    net = Net()
    half = BIG // 2
    kernel, pads = [BIG, BIG], [half, half, half, half]
    return net.sink(net.op("AveragePool", net.zeros(1, 1, BIG, BIG), kernel_shape=kernel, pads=pads))


@ATTACKS.add("size")
def max_pool_indices_as_wide_as_the_picture() -> bytes:
    net = Net()
    pooled, places = net.op("MaxPool", net.zeros(1, 1, 1 << 16, 1 << 16), outs=2, kernel_shape=[1, 1])
    net.kinds[places] = INT64
    return net.sink(pooled, places)


@ATTACKS.add("size")
def dropout_mask_in_training() -> bytes:
    net = Net()
    kept, mask = net.op("Dropout", net.zeros(1 << 17, 1 << 17), net.const(0.5), net.const(True), outs=2)
    net.kinds[mask] = TensorProto.BOOL
    return net.sink(kept, mask)


@ATTACKS.add("size")
def ten_tebibytes_then_one_number() -> bytes:
    net = Net()
    return net.sink(net.op("GlobalAveragePool", net.zeros(1, 20, 1 << 18, 1 << 19)))


@ATTACKS.add("size")
def input_of_seventeen_gibibytes() -> bytes:
    net = Net(shape=[1, 1, 1 << 16, 1 << 16])
    return net.done(net.op("Relu", net.x))


@ATTACKS.add("size")
def input_dims_whose_product_wraps() -> bytes:
    net = Net(shape=[1 << 32, 1 << 32])
    return net.done(net.op("Relu", net.x))


@ATTACKS.add("size")
def answer_of_a_tebibyte() -> bytes:
    net = Net()
    return net.done(net.op("Add", net.op("ReduceMean", net.x, keepdims=0), net.zeros(1 << 19, 1 << 19)))


@ATTACKS.add("size|rank")
def axes_by_the_hundred_thousand() -> bytes:
    net = Net()
    return net.sink(net.op("Reshape", net.const([1.0]), net.const([1] * 100_000)))


@ATTACKS.add("size")
def unsqueeze_then_broadcast() -> bytes:
    net = Net(11)
    line = net.zeros(BIG)
    return net.sink(net.op("Mul", net.op("Unsqueeze", line, axes=[0]), net.op("Unsqueeze", line, axes=[1])))


@ATTACKS.add("size")
def transpose_then_broadcast() -> bytes:
    net = Net()
    line = net.op("Expand", net.const([[0.0]]), net.const([1, BIG]))
    return net.sink(net.op("Sub", line, net.op("Transpose", line)))


@ATTACKS.add("size")
def flatten_then_broadcast() -> bytes:
    net = Net()
    line = net.zeros(BIG)
    return net.sink(net.op("Sub", net.op("Flatten", line, axis=0), net.op("Flatten", line, axis=1)))


@ATTACKS.add("size")
def quantised_bytes_become_floats() -> bytes:
    net = Net()
    raw = net.op("ConstantOfShape", net.const([1 << 34]), value=np.zeros(1, np.uint8))
    zero = net.const(0, np.uint8)
    return net.sink(net.op("DequantizeLinear", raw, net.const(0.1), zero, kind=FLOAT))


for _name, _start, _end in (("before_the_start", -2, -2), ("to_the_end", 0, 2**63 - 1)):

    def _backwards(start: int = _start, end: int = _end) -> bytes:
        """Python would take no rows of these; the runtime moves the start inside, and takes one."""
        net = Net()
        bounds = [net.const([number]) for number in (start, end, 0, -1)]
        rows = net.op("Slice", net.zeros(2 if end > 0 else 1, 1), *bounds)
        return net.sink(net.op("Tile", rows, net.const([1, 1 << 36])))

    ATTACKS.put(f"tile_of_rows_taken_backwards_{_name}", "size|backwards", _backwards)


for _name, _take in (
    ("gather", lambda net, value: net.op("Gather", value, net.const([0]), axis=1, kind=INT64)),
    ("transpose", lambda net, value: net.op("Transpose", value)),
    ("slice", lambda net, value: net.op("Slice", value, net.const([1]), net.const([1 << 40]), net.const([0]))),
):

    def _nothing(take: Callable[[Net, str], str] = _take) -> bytes:
        """No element, and an axis that nobody could count to: a check must not go along it."""
        net = Net()
        empty = net.op("ConstantOfShape", net.const([1 << 40, 1, 0]), value=np.zeros(1, np.int64))
        return net.sink(take(net, empty))

    ATTACKS.put(f"{_name}_of_nothing_along_a_giant_axis", "size", _nothing)
