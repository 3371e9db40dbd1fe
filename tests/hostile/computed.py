"""Sizes that are computed: arithmetic, rounding, wrap-around, casts and pixels decide what one node takes."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from onnx import TensorProto

from hostile.build import BIG, INT64, Net, Shelf

ATTACKS = Shelf("computed")
N = 1 << 35
"""Elements of one line: 128 GiB of float32."""

Size = Callable[[Net], str]


def _sized(make: Size, opset: int = 17) -> bytes:
    """Expand one number to the size that `make` computes: a vector of one element, or of several."""
    net = Net(opset)
    return net.sink(net.op("Expand", net.const(1.0), make(net)))


def put(name: str, make: Size, rule: str = "size|unknown", opset: int = 17) -> None:
    ATTACKS.put(f"size_from_{name}", rule, functools.partial(_sized, make, opset))


def _real(net: Net, value: str) -> str:
    return net.op("Cast", value, to=INT64)


def _i(net: Net, *values: int) -> str:
    return net.const(list(values))


def _f(net: Net, *values: float, dtype: type = np.float32) -> str:
    return net.const(np.array(values, dtype))


def _half(net: Net) -> str:
    """(2048 + 1) - 2048: nothing in half precision, one where the runtime computes it in single precision."""
    two, one = _f(net, 2048.0, dtype=np.float16), _f(net, 1.0, dtype=np.float16)
    return str(net.op("Sub", net.op("Add", two, one), two))


put("product", lambda n: n.op("Mul", _i(n, 1 << 18), _i(n, 1 << 17)))
put("sum", lambda n: n.op("Add", _i(n, N // 2), _i(n, N // 2)))
put("difference", lambda n: n.op("Sub", _i(n, 1), _i(n, -N)))
put("power", lambda n: n.op("Pow", _i(n, 2), _i(n, 35)))
put("quotient", lambda n: n.op("Div", _i(n, 2**62), _i(n, 2**27)))
put("minus", lambda n: n.op("Neg", _i(n, -N)))
put("absolute", lambda n: n.op("Abs", _i(n, -N)))
put("maximum", lambda n: n.op("Max", _i(n, 1), _i(n, N), _i(n, 2)))
put("clip", lambda n: n.op("Clip", _i(n, 1), n.const(N), n.const(2 * N)))
put("clip_without_upper", lambda n: n.op("Clip", _i(n, 1), n.const(N)))
put("reduce_prod", lambda n: n.op("ReduceProd", _i(n, 1 << 12, 1 << 12, 1 << 11), keepdims=1))
put("reduce_sum", lambda n: n.op("ReduceSum", _i(n, *[1 << 30] * 40), keepdims=1))
put("reduce_sum_of_old_opset", lambda n: n.op("ReduceSum", _i(n, *[1 << 30] * 40), axes=[0], keepdims=1), opset=11)
put("reduce_max", lambda n: n.op("ReduceMax", _i(n, 1, N, 3), keepdims=1))
put(
    "reduce_with_no_axes_left_alone",
    lambda n: n.op("ReduceProd", n.op("ReduceSum", _i(n, BIG, BIG), noop_with_empty_axes=1)),
)
put("last_of_a_slice", lambda n: n.op("Slice", _i(n, 1, 1, N), _i(n, -1), _i(n, 2**63 - 1)))
put("slice_backwards", lambda n: n.op("Slice", _i(n, 1, 1, N), _i(n, -1), _i(n, -2), _i(n, 0), _i(n, -1)))
put("slice_of_old_opset", lambda n: n.op("Slice", _i(n, 1, 1, N), starts=[-1], ends=[2**31]), opset=9)
put("gather_minus_one", lambda n: n.op("Gather", _i(n, 1, 1, N), _i(n, -1)))
put(
    "gather_second_axis",
    lambda n: n.op("Reshape", n.op("Gather", n.const([[1, N], [1, 1]]), _i(n, 1), axis=1), _i(n, 2)),
)
put("gather_nd", lambda n: n.op("GatherND", _i(n, 1, 1, N), n.const([[2]])))
put("scatter_nd", lambda n: n.op("ScatterND", _i(n, 1, 1), n.const([[0]]), _i(n, N)))
put(
    "scatter_nd_added",
    lambda n: n.op("ScatterND", _i(n, 1), n.const([[0], [0]]), _i(n, N, N), reduction="add"),
    opset=16,
)
put("padding_value", lambda n: n.op("Pad", _i(n, 1), _i(n, 0, 2), n.const(BIG)))
put("fill_value", lambda n: n.op("ConstantOfShape", _i(n, 4), value=np.array([1 << 10], np.int64)))
put(
    "fill_of_a_fill",
    lambda n: n.op(
        "ConstantOfShape", n.op("ConstantOfShape", _i(n, 1), value=np.array([2])), value=np.array([BIG * 2])
    ),
)
put(
    "concat_of_scalars",
    lambda n: n.op("Concat", *[n.op("Unsqueeze", n.const(4096), _i(n, 0)) for _ in range(3)], axis=0),
)
put("transposed_table", lambda n: n.op("Reshape", n.op("Transpose", n.const([[1, BIG], [1, BIG]])), _i(n, -1)))
put("expanded_vector", lambda n: n.op("Expand", _i(n, BIG), _i(n, 3)))
put("matmul", lambda n: n.op("Cast", n.op("MatMul", _f(n, 2.0**18), n.const([[2.0**17]])), to=INT64))
put("matmul_of_integers", lambda n: n.op("MatMul", _i(n, 1 << 18), n.const([[1 << 17]])))
put("gemm", lambda n: _real(n, n.op("Reshape", n.op("Gemm", n.const([[2.0**18]]), n.const([[2.0**17]])), _i(n, 1))))
put("conv", lambda n: n.op("Reshape", _real(n, n.op("Conv", n.const([[[2.0**18]]]), n.const([[[2.0**17]]]))), _i(n, 1)))
put("exponential", lambda n: _real(n, n.op("Exp", _f(n, 25.0))))
put("power_of_reals", lambda n: _real(n, n.op("Pow", _f(n, 10.0), _f(n, 11.0))))
put("reciprocal", lambda n: _real(n, n.op("Reciprocal", _f(n, 1e-11))))
put("square_root", lambda n: _real(n, n.op("Sqrt", _f(n, 1e22))))
put("quantised", lambda n: _real(n, n.op("DequantizeLinear", n.const([200], np.uint8), n.const(1e9))))
put("half_to_whole", lambda n: n.op("Mul", _real(n, _f(n, 60000.0, dtype=np.float16)), _i(n, 1 << 20)))
put("float_1e30", lambda n: _real(n, _f(n, 1e30)))
put("negative_float", lambda n: n.op("Abs", _real(n, _f(n, -1e11))))
put("not_a_number", lambda n: n.op("Abs", n.op("Add", _real(n, _f(n, float("nan"))), _i(n, 2**63 - N))))
put(
    "minus_one_unsigned",
    lambda n: _real(n, n.op("Cast", n.op("Mul", _i(n, -1), _i(n, 1)), to=TensorProto.UINT32)),
    rule="size|unknown|type",
)
put(
    "minus_one_as_sixteen_bits",
    lambda n: n.op("Expand", _real(n, n.op("Cast", _i(n, -1), to=TensorProto.UINT16)), _i(n, 3)),
)
put(
    "int32_wraps_to_large",
    lambda n: n.op("Expand", _real(n, n.op("Cast", _i(n, (1 << 32) * 5 + BIG), to=TensorProto.INT32)), _i(n, 2)),
)
put("negative_sum_that_wraps", lambda n: n.op("Max", n.op("Add", _i(n, -(2**63)), _i(n, -(2**63) + N)), _i(n, 1)))
put(
    "difference_that_wraps",
    lambda n: n.op("Max", n.op("Sub", _i(n, -(2**63) + N // 2), _i(n, 2**63 - N // 2)), _i(n, 1)),
)
put("product_that_wraps", lambda n: n.op("Max", n.op("Mul", _i(n, -(2**62) + N), _i(n, 4)), _i(n, 1)))
put(
    "thirty_two_bits_that_wrap",
    lambda n: n.op(
        "Expand",
        _real(
            n,
            n.op(
                "Max",
                n.op("Mul", n.const([-(1 << 31) + (1 << 18)], np.int32), n.const([2], np.int32)),
                n.const([1], np.int32),
            ),
        ),
        _i(n, 2),
    ),
)
put("division_of_negatives", lambda n: n.op("Mul", n.op("Add", n.op("Div", _i(n, -1), _i(n, 2)), _i(n, 1)), _i(n, N)))
put("shift", lambda n: _real(n, n.op("BitShift", n.const([1], np.uint64), n.const([35], np.uint64), direction="LEFT")))
put(
    "real_that_rounds",
    lambda n: n.op(
        "Mul",
        _i(n, N),
        n.op("Sub", _i(n, 1), _real(n, n.op("Sub", n.op("Add", _f(n, 16777216.0), _f(n, 1.0)), _f(n, 16777216.0)))),
    ),
)
put("half_that_does_not_round", lambda n: n.op("Mul", _i(n, N), _real(n, _half(n))))
put(
    "overflow_to_infinity",
    lambda n: n.op(
        "Mul",
        _i(n, N),
        n.op(
            "Sub",
            _i(n, 1),
            _real(
                n,
                n.op(
                    "Mul",
                    n.op("Reciprocal", n.op("Mul", _f(n, 1e30), _f(n, 1e30))),
                    n.op("Mul", _f(n, 1e30), _f(n, 1e30)),
                ),
            ),
        ),
    ),
    rule="size|unknown",
)
put("square_of_a_shape", lambda n: n.op("Mul", n.op("Shape", n.zeros(1 << 19)), n.op("Shape", n.zeros(1 << 19))))
put(
    "tail_of_a_shape",
    lambda n: n.op("Expand", n.op("Gather", n.op("Shape", n.zeros(1, BIG), start=1), _i(n, 0)), _i(n, 2)),
)
put(
    "head_of_a_shape",
    lambda n: n.op("Expand", n.op("Gather", n.op("Shape", n.zeros(BIG, 1), end=-1), _i(n, -1)), _i(n, 2)),
)
put("negative_start_of_a_shape", lambda n: n.op("Expand", n.op("Shape", n.zeros(1, BIG), start=-1), _i(n, 2)))
put("dropout", lambda n: _real(n, n.op("Dropout", _f(n, 1e11))))
put("identity_chain", lambda n: n.op("Identity", n.op("Identity", n.op("Identity", _i(n, N)))))
put("squeeze_and_flatten", lambda n: n.op("Squeeze", n.op("Flatten", n.const([[[BIG, BIG]]]), axis=0), _i(n, 0)))
put("value_ints", lambda n: n.op("Constant", value_ints=[BIG, BIG]))
put("value_int_reshaped", lambda n: n.op("Reshape", n.op("Constant", value_int=N), _i(n, 1)))
put("value_floats", lambda n: _real(n, n.op("Constant", value_floats=[3e5, 3e5])))
put("int32_payload", lambda n: _real(n, n.const([BIG, BIG], np.int32)))
put("uint64_payload", lambda n: _real(n, n.const([N], np.uint64)))
put("doubles", lambda n: _real(n, n.const([1e11], np.float64)))
put(
    "batch_normalisation",
    lambda n: n.op(
        "Reshape",
        _real(n, n.op("BatchNormalization", n.const([[1.0]]), *[n.const([value]) for value in (3e11, 0.0, 0.0, 1.0)])),
        _i(n, 1),
    ),
)
put("sigmoid", lambda n: n.op("Mul", _i(n, N), _real(n, n.op("HardSigmoid", _f(n, 1e9)))))
put("mean", lambda n: _real(n, n.op("Mean", _f(n, 1e11), _f(n, 1e11))))
put("softmax", lambda n: n.op("Mul", _i(n, N), _real(n, n.op("Softmax", _f(n, 7.0), axis=0))))

PIXELS: dict[str, Size] = {
    "sum": lambda n: n.op("Reshape", n.op("ReduceSum", n.x, keepdims=0), _i(n, 1)),
    "max": lambda n: n.op("Reshape", n.op("ReduceMax", n.x, keepdims=0), _i(n, 1)),
    "mean_pool": lambda n: n.op("Reshape", n.op("Flatten", n.op("GlobalAveragePool", n.x)), _i(n, 3)),
    "first_pixels": lambda n: n.op("Slice", n.op("Reshape", n.x, _i(n, -1)), _i(n, 0), _i(n, 3)),
    "exponential": lambda n: n.op("Exp", n.op("Reshape", n.op("ReduceSum", n.x, keepdims=0), _i(n, 1))),
}
for _name, _pixels in PIXELS.items():
    put(f"pixels_{_name}", lambda n, make=_pixels: _real(n, make(n)), rule="unknown|size")


def _used_by(op_type: str) -> bytes:
    """A size that the pixels decide, in every operator that takes one."""
    net = Net(13)
    pixels = net.op("Reshape", net.op("ReduceMax", net.x, keepdims=0), net.const([1]))
    size = net.op("Cast", pixels, to=INT64)
    zero = net.const([0])
    line = net.zeros(4)
    if op_type == "ConstantOfShape":
        return net.sink(net.op(op_type, size))
    if op_type == "Pad":
        return net.sink(net.op(op_type, line, net.op("Concat", zero, size, axis=0)))
    if op_type == "Resize":
        return net.sink(net.op(op_type, net.zeros(1, 1, 4), "", "", net.op("Concat", net.const([1, 1]), size, axis=0)))
    return net.sink(net.op("Expand", net.op(op_type, size, zero, size) if op_type == "Slice" else net.const(0.0), size))


for _op in ("ConstantOfShape", "Pad", "Resize", "Slice"):
    ATTACKS.put(f"pixels_decide_{_op.lower()}", "unknown|size", functools.partial(_used_by, _op))


@ATTACKS.add("size|unknown")
def two_sizes_that_pass_for_one() -> bytes:
    net = Net()
    cond = net.op("Cast", net.op("ReduceMin", net.x, keepdims=0), to=TensorProto.BOOL)
    pick = net.branch(cond, lambda b: b.op("Identity", b.const([0])), lambda b: b.op("Identity", b.const([1])))
    net.kinds[pick] = INT64
    return net.sink(net.op("ConstantOfShape", net.op("Gather", net.const([1, N]), pick)))
