"""Invalid models: attributes and inputs that make no sense. The runtime says so itself; a guard may say it earlier."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from hostile.build import BOOL, FLOAT, INT64, Net, Shelf
from hostile.structure import changed
from hostile.tensors import payload

INVALID = Shelf("invalid")
WHY = "the runtime refuses it with an error of its own: a mistake, not a danger"


def _made(make: Callable[[Net], str], opset: int) -> bytes:
    net = Net(opset)
    return net.sink(make(net))


def odd(name: str, make: Callable[[Net], str], rule: str = "fit", opset: int = 17) -> None:
    INVALID.put(name, rule, functools.partial(_made, make, opset))


def _pool(op_type: str, **attributes: Any) -> Callable[[Net], str]:
    attributes.setdefault("kernel_shape", [2, 2])
    return lambda net: str(net.op(op_type, net.x, **attributes))


for _op in ("MaxPool", "AveragePool"):
    _stem = _op.lower()
    odd(f"{_stem}_zero_strides", _pool(_op, strides=[0, 0]))
    odd(f"{_stem}_negative_strides", _pool(_op, strides=[-1, -1]))
    odd(f"{_stem}_zero_kernel", _pool(_op, kernel_shape=[0, 0]))
    odd(f"{_stem}_negative_kernel", _pool(_op, kernel_shape=[-3, -3]))
    odd(f"{_stem}_negative_pads", _pool(_op, pads=[-5, -5, -5, -5]))
    odd(f"{_stem}_pads_beyond_the_kernel", _pool(_op, pads=[1 << 40] * 4))
    odd(f"{_stem}_kernel_beyond_the_picture", _pool(_op, kernel_shape=[1 << 40, 1 << 40]))
    odd(f"{_stem}_kernel_of_five_axes", _pool(_op, kernel_shape=[2] * 5))
    odd(f"{_stem}_strides_of_one_axis", _pool(_op, strides=[2]))
    odd(f"{_stem}_without_a_kernel", lambda net, op=_op: net.op(op, net.x))
odd("maxpool_zero_dilations", _pool("MaxPool", dilations=[0, 0]))
odd("maxpool_giant_dilations", _pool("MaxPool", dilations=[2**62, 2**62]))


def _conv(op_type: str = "Conv", kernel: Sequence[int] = (3, 3, 3, 3), **attributes: Any) -> Callable[[Net], str]:
    return lambda net: str(net.op(op_type, net.x, net.const(np.ones(kernel)), **attributes))


for _op in ("Conv", "ConvTranspose"):
    _stem = _op.lower()
    odd(f"{_stem}_zero_strides", _conv(_op, strides=[0, 0]))
    odd(f"{_stem}_negative_strides", _conv(_op, strides=[-1, -1]))
    odd(f"{_stem}_zero_dilations", _conv(_op, dilations=[0, 0]))
    odd(f"{_stem}_negative_dilations", _conv(_op, dilations=[-(2**40), -(2**40)]))
    odd(f"{_stem}_zero_groups", _conv(_op, group=0))
    odd(f"{_stem}_negative_groups", _conv(_op, group=-3))
    odd(f"{_stem}_groups_that_do_not_divide", _conv(_op, group=2))
    odd(f"{_stem}_kernel_that_disagrees", _conv(_op, kernel_shape=[1 << 30, 1 << 30]))
    odd(f"{_stem}_channels_that_disagree", _conv(_op, kernel=(4, 7, 3, 3)))
    odd(f"{_stem}_weights_of_two_axes", _conv(_op, kernel=(3, 3)))
odd("convtranspose_negative_output_padding", _conv("ConvTranspose", output_padding=[-50, -50]))
odd("convtranspose_negative_output_shape", _conv("ConvTranspose", output_shape=[-5, -5]))
odd("convtranspose_zero_kernel", _conv("ConvTranspose", kernel=(3, 3, 0, 0)))
odd("conv_zero_kernel", _conv(kernel=(3, 3, 0, 0)))

odd("slice_zero_steps", lambda n: n.op("Slice", n.x, n.const([0]), n.const([4]), n.const([0]), n.const([0])))
odd("reshape_two_unknowns", lambda n: n.op("Reshape", n.x, n.const([-1, -1])))
odd("reshape_minus_two", lambda n: n.op("Reshape", n.x, n.const([-2, 96])))
odd("reshape_to_another_count", lambda n: n.op("Reshape", n.x, n.const([7, 7])))
odd("reshape_unknown_beside_zero", lambda n: n.op("Reshape", n.zeros(0, 4), n.const([-1, 0]), allowzero=1))
odd("division_by_zero", lambda n: n.op("ConstantOfShape", n.op("Div", n.const([4]), n.const([0]))))
odd("gather_beyond_the_end", lambda n: n.op("Gather", n.x, n.const([1 << 40]), axis=2))
odd("gather_axis_out_of_range", lambda n: n.op("Gather", n.x, n.const([0]), axis=99))
odd("gather_nd_batch_dims", lambda n: n.op("GatherND", n.x, n.const([[0]]), batch_dims=99))
odd("gather_nd_beyond_the_end", lambda n: n.op("GatherND", n.x, n.const([[1 << 40, 0]])))
odd("scatter_nd_beyond_the_end", lambda n: n.op("ScatterND", n.x, n.const([[0, 1 << 40, 0, 0]]), n.const([1.0])))
odd("concat_axis_out_of_range", lambda n: n.op("Concat", n.x, n.x, axis=99))
odd("softmax_axis_out_of_range", lambda n: n.op("Softmax", n.x, axis=-99))
odd("flatten_axis_out_of_range", lambda n: n.op("Flatten", n.x, axis=99))
odd("transpose_of_repeated_axes", lambda n: n.op("Transpose", n.x, perm=[0, 0, 0, 0]))
odd("transpose_of_too_few_axes", lambda n: n.op("Transpose", n.x, perm=[0]))
odd("transpose_of_negative_axes", lambda n: n.op("Transpose", n.x, perm=[-1, 0, 1, 2]))
odd("squeeze_of_a_wide_axis", lambda n: n.op("Squeeze", n.x, n.const([1])))
odd("unsqueeze_of_repeated_axes", lambda n: n.op("Unsqueeze", n.x, n.const([0, 0])))
odd("pad_of_too_few_numbers", lambda n: n.op("Pad", n.x, n.const([1, 1])))
odd("pad_to_less_than_nothing", lambda n: n.op("Pad", n.x, n.const([0, 0, -99, 0, 0, 0, -99, 0])))
odd("pad_edge_of_an_empty_axis", lambda n: n.op("Pad", n.zeros(1, 0), n.const([0, 4, 0, 4]), mode="edge"))
odd("pad_reflect_of_an_empty_axis", lambda n: n.op("Pad", n.zeros(1, 0), n.const([0, 4, 0, 4]), mode="reflect"))
odd("pad_of_an_unknown_mode", lambda n: n.op("Pad", n.x, n.const([0] * 8), mode="teleport"))
odd("expand_that_does_not_fit", lambda n: n.op("Expand", n.x, n.const([1, 7, 8, 8])))
odd("expand_to_negative", lambda n: n.op("Expand", n.const(1.0), n.const([-4, -4])))
odd("constant_of_shape_negative", lambda n: n.op("ConstantOfShape", n.const([-1])))
odd("matmul_that_does_not_fit", lambda n: n.op("MatMul", n.zeros(3, 4), n.zeros(5, 6)))
odd("gemm_that_does_not_fit", lambda n: n.op("Gemm", n.zeros(3, 4), n.zeros(5, 6)))
odd("add_that_does_not_fit", lambda n: n.op("Add", n.zeros(3), n.zeros(4)))
odd("batch_normalisation_of_wrong_sizes", lambda n: n.op("BatchNormalization", n.x, *[n.zeros(99) for _ in range(4)]))
odd("instance_normalisation_of_wrong_sizes", lambda n: n.op("InstanceNormalization", n.x, n.zeros(99), n.zeros(99)))
odd("layer_normalisation_axis_out_of_range", lambda n: n.op("LayerNormalization", n.x, n.zeros(8), axis=99))
odd(
    "dequantise_axis_out_of_range",
    lambda n: n.op(
        "DequantizeLinear",
        n.const(np.ones((2, 2), np.uint8), np.uint8),
        n.const([1.0, 2.0]),
        n.const([0, 0], np.uint8),
        axis=99,
        kind=FLOAT,
    ),
)
odd(
    "dequantise_scales_of_wrong_length",
    lambda n: n.op(
        "DequantizeLinear",
        n.const(np.ones((2, 2), np.uint8), np.uint8),
        n.const([1.0] * 9),
        n.const([0] * 9, np.uint8),
        kind=FLOAT,
    ),
)
odd("reduce_axis_out_of_range", lambda n: n.op("ReduceMean", n.x, axes=[99]))
odd("reduce_repeated_axes", lambda n: n.op("ReduceMax", n.x, axes=[1, 1, 1]))
odd("cast_to_an_unknown_type", lambda n: n.op("Cast", n.x, to=99))
odd("cast_to_nothing", lambda n: n.op("Cast", n.x, to=0))
odd("resize_of_wrong_rank", lambda n: n.op("Resize", n.x, "", n.const([2.0])))
odd("resize_of_an_unknown_mode", lambda n: n.op("Resize", n.x, "", n.const([1.0, 1.0, 2.0, 2.0]), mode="teleport"))
odd("resize_with_nothing_to_go_by", lambda n: n.op("Resize", n.x))
odd(
    "if_of_two_conditions",
    lambda n: n.branch(n.const([True, False]), lambda b: b.op("Identity", n.x), lambda b: b.op("Identity", n.x)),
)
odd(
    "if_of_a_number", lambda n: n.branch(n.const(1.0), lambda b: b.op("Identity", n.x), lambda b: b.op("Identity", n.x))
)
odd("relu_of_three", lambda n: n.op("Relu", n.x, n.x, n.x))
odd("add_of_one", lambda n: n.op("Add", n.x))
odd("add_of_nothing", lambda n: n.op("Add", "", ""))
odd("concat_of_nothing", lambda n: n.op("Concat", axis=0))
odd("unknown_attribute", lambda n: n.op("Relu", n.x, surprise=1))
odd("bit_shift_of_reals", lambda n: n.op("BitShift", n.x, n.x, direction="LEFT"))
odd(
    "shift_beyond_the_width",
    lambda n: n.op(
        "Cast", n.op("BitShift", n.const([1], np.uint64), n.const([2**63], np.uint64), direction="LEFT"), to=FLOAT
    ),
)
odd("relu_of_truths", lambda n: n.op("Cast", n.op("Relu", n.const([True])), to=FLOAT))
odd("mixed_types", lambda n: n.op("Add", n.x, n.const([1.0], np.float64)))
odd("identity_of_a_condition_as_float", lambda n: n.op("Add", n.const(True), n.const(True), kind=BOOL))
odd("shape_of_a_scalar_gathered", lambda n: n.op("Gather", n.op("Shape", n.const(1.0)), n.const(0), kind=INT64))
odd("dropout_ratio_out_of_range", lambda n: n.op("Dropout", n.x, n.const(-5.0), n.const(True)))
odd("clip_of_vectors", lambda n: n.op("Clip", n.x, n.const([0.0, 1.0]), n.const([2.0, 3.0])))
odd("max_pool_of_a_line", lambda n: n.op("MaxPool", n.zeros(4, 4), kernel_shape=[2, 2]))
odd("text_cast", lambda n: n.op("Cast", n.x, to=TensorProto.STRING, kind=FLOAT), rule="text|string|type|operator")

for _name, _port in (
    ("sequence", helper.make_tensor_sequence_value_info("s", FLOAT, None)),
    (
        "optional",
        helper.make_value_info("s", helper.make_optional_type_proto(helper.make_tensor_type_proto(FLOAT, [1]))),
    ),
    ("text", helper.make_tensor_value_info("s", TensorProto.STRING, [1])),
):
    INVALID.put(
        f"input_of_{_name}", "input", functools.partial(changed, lambda m, port=_port: m.graph.input.append(port))
    )
for _name, _kind, _number in (
    ("half_beyond_sixteen_bits", TensorProto.FLOAT16, 1 << 20),
    ("byte_beyond_eight_bits", TensorProto.UINT8, 70_000),
):
    INVALID.put(f"payload_{_name}", "payload", functools.partial(payload, [1], _kind, int32_data=[_number]))
