"""Rules of operators: shapes against ONNX Runtime, numbers against NumPy, and what is refused."""

from __future__ import annotations

import functools
import math

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from hostile.build import INT64, Net
from tinyvmaf.dnn import guard
from tinyvmaf.dnn.allowlist import ALLOWED
from tinyvmaf.dnn.budget import CONTROL, RULES
from tinyvmaf.dnn.graph import Node, Refusal
from tinyvmaf.dnn.rules import base
from tinyvmaf.dnn.values import INTEGERS, Known
from tinyvmaf.errors import ContractError, TinyVmafError

FEW_EXAMPLES = settings(max_examples=100, deadline=None)
SIDES = st.integers(1, 9)


class Notes:
    """What a rule tells its context."""

    def __init__(self, opset=17):
        self.opset, self.operations, self.bytes, self.misfits = opset, 0, 0, []
        self.quantised = False

    def work(self, operations):
        self.operations += operations

    def scratch(self, size):
        self.bytes += size

    def misfit(self, text, where):
        self.misfits.append(text)


def rule(op, *inputs, outputs=1, opset=17, **attributes):
    """Results of an operator's rule, and the notes it took."""
    node = Node(op, (), tuple(f"y{i}" for i in range(outputs)), attributes, "here")
    notes = Notes(opset)
    return RULES[op](node, list(inputs), notes), notes


def one_node(op, arrays, constants, opset=17, outputs=1, **attributes):
    """A model of one node."""
    names = [f"x{i}" for i in range(len(arrays) + len(constants))]
    node = helper.make_node(op, names, [f"y{i}" for i in range(outputs)], **attributes)
    ports = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in zip(names, arrays, strict=False)
    ]
    held = [numpy_helper.from_array(a, name) for a, name in zip(constants, names[len(arrays) :], strict=True)]
    answers = [onnx.ValueInfoProto(name=name) for name in node.output]
    graph = helper.make_graph([node], "g", ports, answers, initializer=held)
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8
    ).SerializeToString()  # fmt: skip


@functools.cache
def _options(optimise=True):
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return options


def runtime_shapes(data, arrays):
    """Shapes that ONNX Runtime gives, None where it fails."""
    try:
        session = onnxruntime.InferenceSession(data, _options(), providers=["CPUExecutionProvider"])
        return tuple(array.shape for array in session.run(None, {f"x{i}": a for i, a in enumerate(arrays)}))
    except Exception:  # its errors have no base of their own
        return None


def guard_shapes(data, arrays):
    """Shapes that the guard gives, None where it refuses."""
    verdict = guard.check(data)
    sizes = {f"x{i}": array.shape for i, array in enumerate(arrays)}
    values = {f"x{i}": array.ravel().tolist() for i, array in enumerate(arrays) if array.size <= 64}
    try:
        return verdict.admit(sizes, values).output_shapes
    except TinyVmafError:
        return None


def hold_against_runtime(op, arrays, *constants, opset=17, outputs=1, **attributes):
    """What runs has the shape that the guard computes, if it names one."""
    data = one_node(op, arrays, constants, opset, outputs, **attributes)
    found = runtime_shapes(data, arrays)
    if found is not None:
        said = guard_shapes(data, arrays)
        assert said is not None
        assert all(dims in (None, shape) for dims, shape in zip(said, found, strict=True)), (said, found)


def picture(*dims):
    return np.zeros(dims, np.float32)


def numbers(*values):
    return np.array(values, np.int64)


PADDING = st.one_of(
    st.sampled_from(["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]).map(lambda word: {"auto_pad": word}),
    st.lists(st.integers(0, 3), min_size=4, max_size=4).map(lambda pads: {"pads": pads}),
)
PAIR = st.lists(st.integers(1, 3), min_size=2, max_size=2)


@FEW_EXAMPLES
@given(st.data())
def test_convolutions(data):
    op = data.draw(st.sampled_from(["Conv", "ConvTranspose"]))
    groups, kernel = data.draw(st.integers(1, 2)), data.draw(PAIR)
    channels = (4, 6 // groups) if op == "ConvTranspose" else (6, 4 // groups)
    more = data.draw(PADDING) | {"group": groups, "strides": data.draw(PAIR), "dilations": data.draw(PAIR)}
    if op == "ConvTranspose" and data.draw(st.booleans()):
        more["output_padding"] = data.draw(st.lists(st.integers(0, 2), min_size=2, max_size=2))
    if op == "ConvTranspose" and data.draw(st.booleans()):
        more["output_shape"] = data.draw(st.lists(st.integers(9, 20), min_size=2, max_size=2))
    arrays = [picture(2, 4, data.draw(SIDES), data.draw(SIDES)), picture(*channels, *kernel)]
    hold_against_runtime(op, arrays, opset=data.draw(st.sampled_from([7, 11, 17, 22])), **more)


@FEW_EXAMPLES
@given(st.data())
def test_pools(data):
    op, opset = data.draw(st.sampled_from(["MaxPool", "AveragePool"])), data.draw(st.sampled_from([10, 12, 19, 22]))
    more = data.draw(PADDING) | {"kernel_shape": data.draw(PAIR), "strides": data.draw(PAIR)}
    more["ceil_mode"] = data.draw(st.integers(0, 1)) if "pads" in more else 0
    if "pads" in more and (op == "MaxPool" or opset >= 19):
        more["dilations"] = data.draw(PAIR)  # together with automatic padding the runtime forgets them
    sides = data.draw(st.integers(7, 12)), data.draw(st.integers(7, 12))  # whatever the window, it fits
    hold_against_runtime(op, [picture(1, 2, *sides)], opset=opset, **more)


@FEW_EXAMPLES
@given(st.data())
def test_resize(data):
    value = picture(1, 2, data.draw(SIDES), data.draw(SIDES))
    empty = np.zeros(0, np.float32)
    more = {"mode": data.draw(st.sampled_from(["nearest", "linear", "cubic"]))}
    if data.draw(st.booleans()):
        scales = data.draw(st.lists(st.floats(0.25, 4, width=32), min_size=2, max_size=2))
        hold_against_runtime("Resize", [value], empty, np.array([1, 1, *scales], np.float32), **more)
        return
    sizes = data.draw(st.lists(st.integers(1, 20), min_size=2, max_size=2))
    policy = data.draw(st.sampled_from(["stretch", "not_larger", "not_smaller"]))
    more |= {
        "keep_aspect_ratio_policy": policy,
        "axes": data.draw(st.permutations([2, 3])),
        "antialias": data.draw(st.integers(0, 1)),
    }
    more["antialias"] = 0 if more["mode"] == "nearest" else more["antialias"]
    hold_against_runtime("Resize", [value], empty, empty, numbers(*sizes), opset=19, **more)


STANDS_FOR_THE_END = (2**31 - 1, 2**63 - 1)
EDGES = [edge + step for edge in (2**31 - 1, 2**63 - 2, -(2**31), -(2**63) + 1) for step in (-1, 0, 1)]


@FEW_EXAMPLES
@given(st.data())
def test_slices(data):
    value = picture(*data.draw(st.lists(SIDES, min_size=1, max_size=3)))
    axes = data.draw(st.lists(st.integers(-value.ndim, value.ndim - 1), min_size=1, max_size=value.ndim, unique=True))
    place = st.one_of(st.integers(-12, 12), st.sampled_from(EDGES))
    places = st.lists(place, min_size=len(axes), max_size=len(axes))
    steps = [step or 1 for step in data.draw(places)]
    ends = [
        -20 if step < 0 and end in STANDS_FOR_THE_END else end
        for end, step in zip(data.draw(places), steps, strict=True)
    ]
    hold_against_runtime("Slice", [value], *(numbers(*n) for n in (data.draw(places), ends, axes, steps)))


@FEW_EXAMPLES
@given(st.data())
def test_movements(data):
    dims = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=4))
    value, axis = picture(*dims), data.draw(st.integers(-len(dims), len(dims) - 1))
    order = data.draw(st.permutations(range(len(dims))))
    indices = data.draw(st.lists(st.integers(-4, 3), min_size=1, max_size=3))
    pads = data.draw(st.lists(st.integers(-1, 3), min_size=2 * len(dims), max_size=2 * len(dims)))
    ends = data.draw(st.lists(st.integers(-5, 5), min_size=2, max_size=2))
    shape = [0 if data.draw(st.booleans()) else d for d in dims]
    shape[axis] = data.draw(st.sampled_from([-1, shape[axis]]))
    hold_against_runtime("Transpose", [value], perm=list(order))
    hold_against_runtime("Flatten", [value], axis=axis)
    hold_against_runtime("DepthToSpace", [value], blocksize=1 + abs(indices[0]) % 3, mode="CRD")
    hold_against_runtime("Gather", [value], numbers(*indices), axis=axis)
    hold_against_runtime("Gather", [value], np.array(indices[0]), axis=axis)
    hold_against_runtime("Pad", [value], numbers(*pads))
    hold_against_runtime("Reshape", [value], numbers(*shape))
    hold_against_runtime("Concat", [value, value], axis=axis)
    hold_against_runtime("Tile", [value], numbers(*[1 + abs(p) for p in pads[: len(dims)]]))
    hold_against_runtime("Unsqueeze", [value], numbers(axis))
    hold_against_runtime("Squeeze", [value], numbers(axis))
    hold_against_runtime("Squeeze", [value])
    hold_against_runtime("Split", [value], outputs=2, opset=18, axis=axis, num_outputs=2)
    hold_against_runtime("Shape", [value], start=ends[0], end=ends[1])
    hold_against_runtime("Expand", [value], numbers(*[2, *[d if d > 1 else 3 for d in dims]]))
    hold_against_runtime("GatherND", [value], np.array([[0], [-1]], np.int64))


@FEW_EXAMPLES
@given(st.data())
def test_reductions_and_products(data):
    dims = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=4))
    value = picture(*dims)
    axes = data.draw(st.lists(st.integers(-len(dims), -1), max_size=2, unique=True))
    more = {"keepdims": data.draw(st.integers(0, 1)), "noop_with_empty_axes": data.draw(st.integers(0, 1))}
    hold_against_runtime("ReduceSum", [value], numbers(*axes), **more)
    hold_against_runtime("ReduceMax", [value], numbers(*axes), opset=18, **more)
    hold_against_runtime("ArgMax", [value], axis=(axes or [0])[0], keepdims=more["keepdims"])
    hold_against_runtime("LayerNormalization", [value], picture(*dims[-1:]), axis=-1, outputs=2)
    other = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    if len(other) > 1:
        other[-2] = dims[-1]
    else:
        other[-1] = dims[-1]
    hold_against_runtime("MatMul", [value, picture(*other)])
    hold_against_runtime("Add", [value, picture(*[1 if data.draw(st.booleans()) else d for d in dims])])
    flip, turn = data.draw(st.integers(0, 1)), data.draw(st.integers(0, 1))
    left, right = (3, 2) if flip else (2, 3), (4, 3) if turn else (3, 4)
    hold_against_runtime("Gemm", [picture(*left), picture(*right), picture(4)], transA=flip, transB=turn)


ARITHMETIC = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Max": np.maximum, "Min": np.minimum, "Equal": np.equal,
    "Greater": np.greater, "GreaterOrEqual": np.greater_equal, "Less": np.less, "LessOrEqual": np.less_equal,
}  # fmt: skip
TYPES = {
    2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32, 7: np.int64, 12: np.uint32, 13: np.uint64,
    1: np.float32, 11: np.float64,
}  # fmt: skip


def _array(dtype):
    kind = np.dtype(TYPES[dtype])
    if kind.kind == "f":
        values = st.floats(-1e6, 1e6, width=8 * kind.itemsize)
    else:
        values = st.integers(np.iinfo(kind).min, np.iinfo(kind).max)
    return st.lists(values, min_size=3, max_size=3).map(lambda v: np.array(v, kind))


def _known(array):
    return Known(helper.np_dtype_to_tensor_dtype(array.dtype), array.shape, array.ravel().tolist())


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(TYPES)).flatmap(lambda t: st.tuples(_array(t), _array(t))), st.sampled_from([*ARITHMETIC])
)
def test_arithmetic_is_that_of_the_type(pair, op):
    (result,), _ = rule(op, *map(_known, pair))
    with np.errstate(over="ignore"):
        expected = ARITHMETIC[op](*pair)
    assert list(result.data) == expected.tolist()


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(INTEGERS)).flatmap(lambda t: st.tuples(_array(t), _array(t))))
def test_division_truncates_and_remainders_follow_the_divisor(pair):
    dividend, divisor = pair
    if (divisor == 0).any() or (divisor.astype(object) == -1).any():
        for op in ("Div", "Mod"):
            with pytest.raises(Refusal, match="divides by others than 0 and -1"):
                rule(op, *map(_known, pair))
        return
    (quotient,), _ = rule("Div", *map(_known, pair))
    (remainder,), _ = rule("Mod", *map(_known, pair))
    exact = [abs(int(a)) // abs(int(b)) * (1 if (a < 0) == (b < 0) else -1) for a, b in zip(*pair, strict=True)]
    assert list(quotient.data) == exact
    assert list(remainder.data) == np.mod(dividend, divisor).tolist()


@pytest.mark.parametrize(
    ("op", "data", "expected"),
    [
        ("Abs", [-2.5], [2.5]),
        ("Neg", [3.0], [-3.0]),
        ("Floor", [-1.5], [-2.0]),
        ("Ceil", [-1.5], [-1.0]),
        ("Round", [2.5], [2.0]),
        ("Sqrt", [9.0], [3.0]),
        ("Sqrt", [-1.0], None),
        ("Reciprocal", [4.0], [0.25]),
        ("Reciprocal", [0.0], None),
        ("Sign", [-7.0], [-1.0]),
        ("Not", [0.0], [1]),
        ("Relu", [-1.0], [0.0]),
        ("Sin", [1.0], None),
    ],
)
def test_functions_of_one_number(op, data, expected):
    (result,), _ = rule(op, Known(1, (1,), data))
    assert result.data == (None if expected is None else tuple(expected))


def test_a_number_times_an_unknown_one_is_unknown():
    (result,), _ = rule("Mul", Known(7, (2,), [1, 2]), Known(7, (2,)))
    assert result.data is None
    assert result.dims == (2,)


UNPLANNED = [
    ("PRelu", [picture(2, 1)], [picture(2, 3)], 17, {}),
    ("Max", [picture(3, 1)], [picture(3, 4)], 7, {}),
    ("Squeeze", [picture(1, 3)], [numbers()], 17, {}),
    ("Squeeze", [picture(2, 1, 3)], [], 8, {"axes": [-2]}),
    ("Squeeze", [picture(1, 1, 3, 5)], [], 8, {"axes": [1, 0]}),
    ("Unsqueeze", [picture(6, 7)], [], 8, {"axes": [-2, 1]}),
    ("Split", [picture(5)], [], 18, {"num_outputs": 4, "outputs": 4}),
    ("Slice", [picture(5)], [numbers(3), numbers(2**63 - 1), numbers(0), numbers(-1)], 17, {}),
    ("MaxPool", [picture(1, 1, 6)], [], 17, {"kernel_shape": [1], "strides": [4], "ceil_mode": 1}),
    ("AveragePool", [picture(1, 1, 3)], [], 17,
     {"kernel_shape": [2], "strides": [7], "ceil_mode": 1, "auto_pad": "SAME_UPPER"}),
    ("MaxPool", [picture(1, 1, 6)], [], 17, {"kernel_shape": [3], "pads": [1, 1], "auto_pad": "VALID"}),
    ("ConvTranspose", [picture(1, 1, 2), picture(1, 1, 3)], [], 17, {"auto_pad": "SAME_UPPER", "output_padding": [2]}),
    ("ConvTranspose", [picture(1, 1, 2, 9), picture(1, 1, 1, 5)], [], 17, {"output_shape": [3, 5]}),
    ("Range", [], [np.array(v, np.float32) for v in (0.3, 2, 0.1)], 17, {}),
    ("Range", [], [np.array(v, np.int64) for v in (1 << 62, -(3 << 61), 1 << 60)], 17, {}),
]  # fmt: skip


@pytest.mark.parametrize(("op", "arrays", "constants", "opset", "more"), UNPLANNED)
def test_where_the_runtime_plans_for_another_size_than_it_computes_the_guard_names_none(
    op, arrays, constants, opset, more
):
    data = one_node(op, arrays, constants, opset, **more)
    session = onnxruntime.InferenceSession(data, _options(optimise=False), providers=["CPUExecutionProvider"])
    planned = [tuple(output.shape) for output in session.get_outputs()]
    try:
        found = [array.shape for array in session.run(None, {f"x{i}": array for i, array in enumerate(arrays)})]
    except Exception:  # it finds out by itself, but has taken the memory
        found = []
    assert planned != found
    said = guard_shapes(data, arrays)
    assert said is None or said[0] is None


def test_the_mask_of_a_dropout_was_of_numbers_before_opset_10():
    for opset in (7, 9, 10, 13):
        data = one_node("Dropout", [picture(3)], [], opset, outputs=2)
        session = onnxruntime.InferenceSession(data, _options(), providers=["CPUExecutionProvider"])
        mask = session.run(None, {"x0": picture(3)})[1]
        _, said = rule("Dropout", Known(1, (3,)), outputs=2, opset=opset)[0]
        assert helper.tensor_dtype_to_np_dtype(said.dtype) == mask.dtype


SUMS = [
    ("Range", [np.array(v, np.float32) for v in (-4, 0, 0.3)], {}, True),
    ("Range", [np.array(v, np.float64) for v in (0.1, 3, 1 / 3)], {}, True),
    ("Range", [np.array(v, np.int16) for v in (30000, 32767, 1000)], {}, True),
    ("Range", [np.array(v, np.int64) for v in (5, -5, 3)], {}, True),
    ("ReduceProd", [numbers(1 << 40, 1 << 40)], {}, False),
    ("ReduceProd", [np.array([16777217, 16777217], np.int32)], {}, False),
    ("ReduceProd", [numbers(3, -7, 0, 5)], {}, True),
    ("Max", [np.array([math.nan], np.float32), np.array([5], np.float32)], {}, False),
    ("Min", [np.array([5], np.float32), np.array([math.nan], np.float32)], {}, False),
    ("Floor", [np.array([math.inf], np.float32)], {}, False),
]


@pytest.mark.parametrize(("op", "arrays", "more", "is_followed"), SUMS)
def test_numbers_are_followed_exactly_or_not_at_all(op, arrays, more, is_followed):
    data = one_node(op, arrays, [], **more)
    session = onnxruntime.InferenceSession(data, _options(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {f"x{i}": array for i, array in enumerate(arrays)})
    (said,), _ = rule(op, *map(_known, arrays), **more)
    assert said.dims == found.shape
    assert said.data == (tuple(found.ravel().tolist()) if is_followed else None)


def test_every_allowed_operator_has_a_rule():
    assert RULES.keys() | CONTROL == ALLOWED.keys()


X = Known(1, (1, 3, 8, 8))
LOOSE = Known(1, (192,), loose=True)
COUNTS = Known(7, (2,), [1, 1])
UNKNOWN = Known(7, (2,))
LONG = Known(7, (17,), [1] * 17)

CROP = {"coordinate_transformation_mode": "tf_crop_and_resize"}

REFUSALS = [
    ("Relu", [None], {}, "at least 1 inputs"),
    ("Relu", [X, X], {}, "has one input"),
    ("Add", [X], {}, "has two inputs"),
    ("Add", [Known(1, (1,) * 17), X], {}, "at most 16 axes"),
    ("Div", [Known(7, (2,)), UNKNOWN], {}, "divisor of Div is computed"),
    ("Mod", [Known(7, (2,)), Known(0, (2,))], {}, "divisor of Mod is computed"),
    ("Clip", [X, Known(1, (2,))], {}, "single numbers as bounds"),
    ("Cast", [X], {"to": 99}, "type 99"),
    ("Flatten", [X], {"axis": 1.5}, "whole number"),
    ("Flatten", [X], {"axis": 5}, "names axis 5"),
    ("DepthToSpace", [X], {}, "4 axes and blocks from 1, not 4 and 0"),
    ("DepthToSpace", [COUNTS], {"blocksize": 2}, "4 axes and blocks from 1, not 1 and 2"),
    ("DepthToSpace", [LOOSE], {"blocksize": 2}, "shape of an input"),
    ("Transpose", [X], {"perm": 3}, "list of whole numbers"),
    ("Transpose", [X], {"perm": (0.5,)}, "list of whole numbers"),
    ("Transpose", [X], {"perm": (0, 1)}, "each of 4 axes once"),
    ("Resize", [X, None, Known(1, (4,), [1, 1, 2, 2])], {"mode": 3}, "is a text"),
    ("Resize", [X, None, Known(1, (4,), [1, 1, 2, 2])], {"mode": "teleport"}, "nearest, linear or cubic"),
    ("Resize", [X], {}, "the scale of Resize"),
    ("Resize", [X, None, Known(1, (4,), [1, 1, 2, -2])], {}, "one length for each"),
    ("Resize", [X, None, Known(1, (4,), [1, 1, 2, 2])], CROP, "The region of Resize"),
    ("Resize", [X, Known(1, (8,)), None, Known(7, (4,), [1, 3, 4, 4])], CROP, "the region of Resize"),
    ("Resize", [X, Known(1, (8,), [0.0] * 7 + [1e9]), None, Known(7, (4,), [1, 3, 4, 4])], CROP, "none beyond"),
    ("Resize", [X, Known(1, (8,), [0.0] * 7 + [math.nan]), None, Known(7, (4,), [1, 3, 4, 4])], CROP, "none beyond"),
    ("Resize", [X, Known(1, (6,), [0.0] * 6), None, Known(7, (4,), [1, 3, 4, 4])], CROP, "none beyond"),
    ("Resize", [X, Known(1, (8,), [0.5] * 8), Known(1, (4,), [1, 1, 2, 2])], CROP, "the size of Resize"),
    ("Resize", [X, None, Known(1, (2,), [2, 2])], {"axes": (-2, -1)}, "axes 0 to 3, each once"),
    ("Resize", [X, None, Known(1, (2,), [2, 2])], {"axes": (2, 2)}, "axes 0 to 3, each once"),
    ("Resize", [X, None, Known(1, (5,), [1, 1, 2, 2, 2])], {}, "one length for each"),
    ("Resize", [X, None, Known(1, (4,), [1, 1, 2, math.inf])], {}, "one length for each"),
    ("Range", [Known(1, (), [v]) for v in (0.0, math.inf, 1.0)], {}, "the same length"),
    ("ConstantOfShape", [COUNTS], {"value": 1}, "is a tensor"),
    ("ConstantOfShape", [UNKNOWN], {}, "the shape of ConstantOfShape"),
    ("ConstantOfShape", [LONG], {}, "at most 16 axes"),
    ("Constant", [], {}, "one value, not 0"),
    ("Constant", [], {"value_strings": "x"}, "a tensor, a number or a list"),
    ("Tile", [X, COUNTS], {}, "one number of repeats per axis"),
    ("Tile", [LOOSE, COUNTS], {}, "shape of an input of Tile"),
    ("Reshape", [LOOSE, UNKNOWN], {}, "shape of Reshape"),
    ("Reshape", [Known(1, (0, 5)), UNKNOWN], {}, "shape of Reshape"),
    ("Range", [Known(7, (), [v]) for v in (0, 9, 0)], {}, "step other than 0"),
    ("Range", [Known(7, (), [0]), Known(7, ()), Known(7, (), [1])], {}, "limits of Range"),
    ("Reshape", [X, LONG], {}, "at most 16 axes"),
    ("Reshape", [X, Known(7, (2,), [-1, -1])], {}, "cannot make the shape"),
    ("Reshape", [X, Known(7, (2,), [-1, 0])], {"allowzero": 1}, "cannot make the shape"),
    ("Squeeze", [X, LONG], {}, "at most 16 axes"),
    ("Unsqueeze", [X], {}, "names the axes to insert"),
    ("Unsqueeze", [X, Known(7, (14,))], {}, "at most 16 axes"),
    ("Unsqueeze", [X, Known(7, (2,), [0, 0])], {}, "every axis once"),
    ("Concat", [X, Known(1, (3,))], {"axis": 0}, "as many axes"),
    ("Slice", [X], {}, "where it starts and ends"),
    ("Slice", [X, Known(7, (1,), [0]), Known(7, (2,), [1, 1])], {}, "one start, end and step"),
    ("GatherND", [X, COUNTS], {"batch_dims": 9}, "cannot take"),
    ("Gemm", [X, X], {}, "two matrices"),
    ("MatMul", [Known(1, ()), X], {}, "tensors with axes"),
    ("MatMulInteger", [Known(2, (0, 3)), Known(2, (3, 4))], {}, "not empty"),
    ("Conv", [Known(1, (1, 3)), X], {}, "images of 3 to 5 axes"),
    ("Conv", [Known(1, (1, 3, 0, 8)), X], {}, "not empty"),
    ("Conv", [X, Known(1, (3, 3))], {}, "weights of 4 axes"),
    ("Conv", [X, Known(1, (3, 3, 3, 3))], {"kernel_shape": (5, 5)}, "states the kernel"),
    ("Conv", [X, Known(1, (3, 3, 3, 3))], {"group": 0}, "1 group and more"),
    ("Conv", [X, Known(1, (3, 3, 3, 3))], {"strides": (0, 1)}, "strides of Conv"),
    ("Conv", [X, Known(1, (3, 3, 0, 3))], {}, "lengths of 1 and more"),
    ("ConvTranspose", [X, Known(1, (3, 3, 3, 3))], {"output_padding": (-1, 0)}, "output_padding"),
    ("ConvTranspose", [X, Known(1, (3, 3, 3, 3))], {"output_shape": (4,)}, "cannot make an image"),
    ("MaxPool", [X], {}, "one kernel length per spatial axis"),
    ("Pad", [X, Known(7, (3,), [0] * 3)], {}, "two numbers for each"),
    ("Pad", [X, Known(7, (8,), [0] * 8)], {"mode": "teleport"}, "edge or reflect or wrap"),
    ("GridSample", [X, Known(1, (1, 8, 2))], {}, "grid of 4 axes"),
    ("Softmax", [X], {"axis": 4}, "names axis 4"),
]  # fmt: skip


@pytest.mark.parametrize(("op", "inputs", "attributes", "words"), REFUSALS)
def test_what_a_rule_refuses(op, inputs, attributes, words):
    with pytest.raises(Refusal, match=words) as caught:
        rule(op, *inputs, **attributes)
    assert caught.value.where == "here"


MISFITS = [
    ("DepthToSpace", [Known(1, (1, 5, 2, 3))], {"blocksize": 2}, "lay out 5 channels in blocks of 2 x 2"),
    ("DepthToSpace", [Known(1, (1, 8, 2, 3))], {"blocksize": 2}, None),
    ("Add", [X, Known(1, (7,))], {}, "shapes that stretch to one"),
    ("Expand", [X, Known(7, (2,), [5, 5])], {}, "stretches axes of length 1"),
    ("Reshape", [X, Known(7, (1,), [191])], {}, "keeps all elements"),
    ("Squeeze", [X, Known(7, (1,), [1])], {}, "removes axes of length 1"),
    ("Concat", [X, Known(1, (1, 3, 8, 9))], {"axis": 0}, "differ along axis 0 only"),
    ("Split", [X, Known(7, (2,), [1, 1])], {"axis": 1, "outputs": 2}, "cuts 3 into parts"),
    ("Gather", [X, Known(7, (1,), [3])], {"axis": 1}, "takes elements 0 to 2"),
    ("MatMul", [X, X], {}, None),
    ("MatMul", [X, Known(1, (9, 2))], {}, "cannot multiply"),
    ("Gemm", [Known(1, (2, 3)), Known(1, (4, 5))], {}, "cannot multiply"),
    ("Gemm", [Known(1, (1, 3)), Known(1, (3, 5)), Known(1, (4, 5))], {}, "cannot add"),
    ("Conv", [X, Known(1, (4, 2, 1, 1))], {}, "takes 2 channels"),
    ("Conv", [X, Known(1, (5, 1, 1, 1))], {"group": 3}, "takes 3 channels"),
    ("Conv", [X, Known(1, (3, 3, 9, 9))], {}, "fits into the image"),
    ("ConvTranspose", [X, Known(1, (4, 2, 1, 1))], {}, "takes 4 channels"),
    ("PRelu", [X, Known(1, (2, 3, 8, 8))], {}, "slopes that stretch to"),
    ("ConvTranspose", [X, Known(1, (3, 3, 3, 3))], {"output_shape": (4, 9)}, "no smaller than"),
    ("Pad", [X, Known(7, (8,), [0, 0, -9, 0, 0, 0, 0, 0])], {}, "cannot take"),
    ("Pad", [Known(1, (1, 0)), Known(7, (4,), [0, 1, 0, 1])], {"mode": "edge"}, "what is not there"),
    ("GridSample", [X, Known(1, (2, 4, 4, 2))], {}, "one grid per image"),
    ("BatchNormalization", [X, *[Known(1, (4,))] * 4], {}, "one number per channel"),
    ("DequantizeLinear", [Known(3, (4, 2)), Known(1, (3,))], {"axis": 0}, "one scale per place"),
]  # fmt: skip


@pytest.mark.parametrize(("op", "inputs", "attributes", "words"), MISFITS)
def test_shapes_that_do_not_fit_are_noted(op, inputs, attributes, words):
    _, notes = rule(op, *inputs, **attributes)
    assert len(notes.misfits) == (words is not None)
    assert words is None or words in notes.misfits[0]


BOUNDS = [
    ("Add", [LOOSE, X], {}, 192 * 192),
    ("Transpose", [LOOSE], {}, 192),
    ("Flatten", [LOOSE], {}, 192),
    ("Concat", [LOOSE, X], {"axis": 0}, 192 + 192),
    ("Slice", [LOOSE, Known(7, (1,), [0]), Known(7, (1,), [1])], {}, 192),
    ("Slice", [X, UNKNOWN, UNKNOWN], {}, 192),
    ("Squeeze", [X, Known(7, (1,))], {}, 192),
    ("Unsqueeze", [X, Known(7, (1,))], {}, 192),
    ("Split", [X, UNKNOWN], {"outputs": 2}, 192),
    ("Slice", [X, Known(7, (1,), [1]), Known(7, (1,), [2]), Known(7, (1,), [1])], {}, 192),
    ("Reshape", [X, UNKNOWN], {}, 192),
    ("Reshape", [LOOSE, Known(7, (2,), [-1, 7])], {}, 192),
    ("Reshape", [LOOSE, Known(7, (2,), [-1, 500])], {}, 500),
    ("Reshape", [LOOSE, Known(7, (2,), [0, 7])], {}, 192 * 7),
    ("ReduceSum", [Known(1, (0, 5)), Known(7, (1,))], {}, 5),
    ("ReduceSum", [X, UNKNOWN], {}, 192),
    ("ReduceSum", [LOOSE], {}, 192),
    ("ArgMax", [LOOSE], {}, 192),
    ("MatMul", [LOOSE, X], {}, 192 * 192),
    ("Gather", [LOOSE, COUNTS], {}, 192 * 2),
    ("NonZero", [X], {}, 4 * 192),
]


@pytest.mark.parametrize(("op", "inputs", "attributes", "elements"), BOUNDS)
def test_where_a_shape_is_unknown_its_size_is_bounded(op, inputs, attributes, elements):
    results, notes = rule(op, *inputs, **attributes)
    assert all(result.loose and result.elements == elements for result in results)
    assert not notes.misfits


VALUES = [
    ("Shape", [X], {}, (1, 3, 8, 8)),
    ("Shape", [X], {"start": -9, "end": -1}, (1, 3, 8)),
    ("Shape", [LOOSE], {}, None),
    ("Size", [X], {}, (192,)),
    ("Size", [LOOSE], {}, None),
    ("Expand", [Known(7, (1,), [5]), Known(7, (1,), [3])], {}, (5, 5, 5)),
    ("ConstantOfShape", [COUNTS], {}, (0.0,)),
    ("Range", [Known(1, (), [v]) for v in (1.0, 2.0, 0.25)], {}, (1.0, 1.25, 1.5, 1.75)),
    ("Range", [Known(7, (), [v]) for v in (0, 65, 1)], {}, None),
    ("Clip", [Known(7, (3,), [1, 5, 9]), Known(7, (), [2]), Known(7, (), [7])], {}, (2, 5, 7)),
    ("Clip", [Known(1, (1,), [9.0])], {"max": 6.0}, None),
    ("Where", [Known(9, (2,), [1, 0]), Known(7, (2,), [1, 2]), Known(7, (2,), [3, 4])], {}, (1, 4)),
    ("Where", [Known(9, (2,)), Known(7, (2,), [1, 2]), Known(7, (2,), [3, 4])], {}, None),
    ("Mod", [Known(7, (1,), [7]), Known(7, (1,), [-4])], {"fmod": 1}, None),
    ("Mod", [Known(1, (1,), [7.0]), Known(1, (1,), [4.0])], {}, None),
    ("Pow", [Known(7, (1,), [7]), Known(7, (1,), [2])], {}, None),
    ("Div", [Known(1, (1,), [1.0]), Known(1, (1,), [0.0])], {}, None),
    ("Cast", [Known(1, (2,), [1.9, -1.9])], {"to": 7}, (1, -1)),
    ("ReduceProd", [Known(7, (3,), [2, 3, 4])], {}, (24,)),
    ("ReduceMax", [Known(7, (3,), [2, 3, 4])], {}, (4,)),
    ("ReduceMax", [Known(1, (2,), [2.0, 3.0])], {}, None),
    ("Transpose", [Known(7, (2, 3), [0, 1, 2, 3, 4, 5])], {}, (0, 3, 1, 4, 2, 5)),
    ("Gather", [Known(7, (3,), [5, 6, 7]), Known(7, (2,), [-1, 0])], {}, (7, 5)),
    (
        "Slice",
        [Known(7, (4,), [5, 6, 7, 8]), *(Known(7, (1,), [v], constant=True) for v in (-1, -9, 0, -2))],
        {},
        (8, 6),
    ),
    ("Slice", [Known(7, (4,), [5, 6, 7, 8])], {"starts": (1,), "ends": (3,)}, (6, 7)),
    ("Concat", [Known(7, (1,), [1]), Known(7, (2,), [2, 3])], {"axis": 0}, (1, 2, 3)),
    ("Concat", [Known(7, (1,), [1]), Known(7, (64,), [2] * 64)], {"axis": 0}, None),
]


@pytest.mark.parametrize(("op", "inputs", "attributes", "data"), VALUES)
def test_numbers_that_sizes_follow_from(op, inputs, attributes, data):
    (result,), _ = rule(op, *inputs, **attributes)
    assert result.data == data


@pytest.mark.parametrize(
    ("op", "inputs"),
    [
        ("Transpose", []),
        ("Gather", [Known(7, (1,), [0])]),
        ("Slice", [Known(7, (1,), [1]), Known(7, (1,), [1 << 40])]),
    ],
)
def test_nobody_counts_along_an_axis_beside_nothing(op, inputs):
    (result,), _ = rule(op, Known(7, (1 << 40, 1 << 40, 0), []), *inputs)
    assert result.data == ()


def test_a_split_keeps_its_numbers():
    results, _ = rule("Split", Known(7, (5,), [1, 2, 3, 4, 5]), outputs=2)
    assert [result.data for result in results] == [(1, 2, 3), (4, 5)]


@pytest.mark.parametrize(
    ("op", "inputs", "attributes"),
    [
        ("Sub", [X, Known(1, (3,))], {"broadcast": 1, "axis": 1}),
        ("PRelu", [X, Known(1, (3,))], {}),
    ],
)
def test_before_opset_7_the_second_operand_is_fitted_into_the_first(op, inputs, attributes):
    (result,), notes = rule(op, *inputs, opset=6, **attributes)
    assert result.dims == X.dims
    assert not notes.misfits


def test_statistics_have_one_number_per_channel():
    results, _ = rule("BatchNormalization", X, *[Known(1, (3,))] * 4, outputs=3)
    assert [result.dims for result in results] == [X.dims, (3,), (3,)]


def test_a_product_of_doubles_takes_longer():
    sides = Known(1, (8, 8)), Known(11, (8, 8))
    assert [rule("MatMul", side, side)[1].operations for side in sides] == [512, 8 * 512]


def test_a_subgraph_that_is_missing_is_named():
    with pytest.raises(Refusal, match="needs the graph body"):
        base.subgraph(Node("Loop", (), (), {}, "here"), "body")


def test_the_text_of_a_cast_counts():
    assert rule("Cast", X, to=TensorProto.STRING)[1].operations == 192 * 64


def test_a_misfit_stops_a_run_and_not_the_check():
    net = Net(shape=("N", 3))
    data = net.done(net.op("MatMul", net.x, net.takes("z", 1, [None, 4])), shape=None)
    verdict = guard.check(data)
    assert verdict.accepted
    assert "cannot multiply" in verdict.report.misfit
    assert verdict.admit({"x": (5, 3), "z": (3, 4)}).output_shapes == ((5, 4),)
    with pytest.raises(ContractError, match="cannot multiply"):
        verdict.admit({"x": (5, 3), "z": (2, 4)})


def test_gather_nd_of_a_number_is_refused():
    net = Net()
    data = net.done(net.op("GatherND", net.x, net.const(1)), shape=None)
    assert "cannot take" in guard.check(data).reason


def test_a_count_of_the_caller_is_looked_at():
    net = Net()
    count = net.takes("count", INT64, [])
    data = net.done(net.op("Range", net.const(0), count, net.const(1)), shape=None)
    verdict = guard.check(data)
    assert verdict.report.sizes_from_values
    assert verdict.admit({"x": (1, 3, 8, 8), "count": ()}, {"count": [9]}).output_shapes == ((9,),)
