"""Models whose sizes the runtime plans in one way and computes in another: a plain reader believes one of the two.

ONNX Runtime 1.32 infers shapes when it opens a model, plans its memory by them and gives them for `Shape`, even where
the operator then makes something else. Each attack multiplies the difference.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from hostile.at_run import RUNS, RunAttack
from hostile.build import BIG, BOOL, FLOAT, INT64, Net, Shelf

ATTACKS = Shelf("mistaken")


def _live(net: Net, *dims: int) -> str:
    """Numbers that only a run tells, of a shape that the file tells."""
    mean = net.op("ReduceMean", net.x, keepdims=0)
    return str(net.op("Add", net.const(np.ones(dims)), mean))


CROP = {"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize"}
POOL = {"kernel_shape": [1], "strides": [4], "ceil_mode": 1}
TWICE = {"kernel_shape": [3], "pads": [1, 1], "auto_pad": "VALID"}
TRANSPOSED = {"auto_pad": "SAME_UPPER", "output_padding": [1], "strides": [2]}

PLANNED: dict[str, tuple[int, str, Callable[[Net], str], int, int]] = {
    "slopes_larger_than_the_value": (17, "slopes", lambda n: n.op("PRelu", _live(n, 2, 1), _live(n, 2, 3)), 1, 3),
    "squeeze_from_the_end": (8, "axes", lambda n: n.op("Squeeze", _live(n, 2, 1, 3), axes=[-2]), 1, 3),
    "squeeze_out_of_order": (8, "axes", lambda n: n.op("Squeeze", _live(n, 1, 1, 3), axes=[1, 0]), 0, 3),
    "backwards_to_the_end": (
        17, "backwards", lambda n: n.op("Slice", _live(n, 5), *map(n.const, ([3], [2**63 - 1], [0], [-1]))), 0, 4,
    ),
    "window_behind_the_image": (17, "before a run", lambda n: n.op("MaxPool", _live(n, 1, 1, 6), **POOL), 2, 2),
    "window_padded_twice": (17, "padded", lambda n: n.op("MaxPool", _live(n, 1, 1, 6), **TWICE), 2, 4),
    "transposed_window_padded_and_more": (
        17, "before a run",
        lambda n: n.op("ConvTranspose", _live(n, 1, 1, 2), n.const(np.ones((1, 1, 3))), **TRANSPOSED), 2, 4,
    ),
    "transposed_window_that_shrinks": (
        17, "no smaller",
        lambda n: n.op("ConvTranspose", _live(n, 1, 1, 2, 9), n.const(np.ones((1, 1, 1, 5))), output_shape=[2, 5]),
        -1, 5,
    ),
}  # fmt: skip
"""Name: opset, words of the refusal, the value, an axis, and its length as it is computed."""


def _multiplied(net: Net, lack: str, *also: str) -> bytes:
    """A line if a number is 0, a plane of 64 GiB and more if it is not."""
    side = net.op("Add", net.op("Mul", net.op("Mul", lack, lack), net.const([BIG])), net.const([1]))
    sides = net.op("Concat", side, net.const([BIG]), axis=0)
    return net.sink(net.op("Expand", net.const(1.0), sides), *also)


def _planned(name: str) -> bytes:
    opset, _, make, axis, length = PLANNED[name]
    net = Net(opset)
    value = make(net)
    found = net.op("Gather", net.op("Shape", value), net.const([axis]), kind=INT64)
    return _multiplied(net, net.op("Sub", found, net.const([length])), value)


for _name, (_, _word, *_) in PLANNED.items():
    ATTACKS.put(f"planned_otherwise_{_name}", _word, functools.partial(_planned, _name))


def _not_equal(net: Net, value: str, said: str) -> bytes:
    return _multiplied(net, net.op("Cast", net.op("Not", net.op("Equal", value, said)), to=INT64))


@ATTACKS.add("known before a run")
def product_that_is_rounded() -> bytes:
    net = Net()
    product = net.op("ReduceProd", net.const([1 << 40, 1 << 40]), kind=INT64)
    return _not_equal(net, product, net.const([0]))


@ATTACKS.add("known before a run")
def largest_of_no_number() -> bytes:
    net = Net()
    return _not_equal(net, net.op("Max", net.const([5.0]), net.const([np.nan])), net.const([5.0]))


@ATTACKS.add("known before a run")
def region_that_shrinks_on_paper() -> bytes:
    net = Net()
    region, scales = [0, 0, 0, 0, 1, 1, 1e-6, 1e-6], [1.0, 1.0, 16384.0, 16384.0]
    return net.sink(net.op("Resize", net.x, net.const(np.array(region)), net.const(scales), **CROP))


def _region(*ends: float) -> bytes:
    net = Net(19)
    return net.sink(net.op("Resize", net.x, net.const(np.array(ends)), "", net.const([4, 4]), axes=[2, 3], **CROP))


ATTACKS.put("region_shorter_than_its_axes", "region", functools.partial(_region, 0.5))
ATTACKS.put("region_of_no_number", "region", functools.partial(_region, *[np.nan] * 4))
ATTACKS.put("region_beyond_all_numbers", "region", functools.partial(_region, *[3e38] * 4))


@ATTACKS.add("axes")
def resized_axes_from_the_end() -> bytes:
    net = Net(18)
    return net.sink(net.op("Resize", net.x, "", net.const([2.0, 2.0]), mode="linear", axes=[-2, -1]))


def _length(net: Net) -> str:
    """2^17, though only a run tells."""
    one = net.op("Cast", net.op("Greater", net.op("ReduceMax", net.x, keepdims=0), net.const(-1e30)), to=INT64)
    return str(net.op("Mul", net.op("Reshape", one, net.const([1])), net.const([BIG])))


@ATTACKS.add("known before a run")
def nothing_of_many_columns_summed_up() -> bytes:
    net = Net()
    shape = net.op("Concat", net.const([0]), _length(net), net.const([BIG]), axis=0)
    plane = net.op("Reshape", net.zeros(0), shape)
    return net.sink(net.op("ReduceSum", plane, net.const([0])))


@ATTACKS.add("known before a run")
def nothing_of_many_rows_multiplied() -> bytes:
    net = Net()
    column = net.op("Reshape", net.zeros(1, 0), net.op("Concat", _length(net), net.const([0]), axis=0))
    return net.sink(net.op("MatMul", column, net.op("Transpose", column)))


@ATTACKS.add("known before a run")
def scans_of_a_loop_of_no_round() -> bytes:
    net = Net()
    _, scan = net.loop(net.const(0), lambda b, _i, state: [b.op("Relu", state), b.op("Identity", state)], net.x)
    rank = net.op("Shape", net.op("Shape", scan, kind=INT64), kind=INT64)
    return _multiplied(net, net.op("Sub", rank, net.const([5])))


def _branch_of_another_shape() -> bytes:
    """Before opset 11 the runtime gives the length that one branch states, though the other runs."""
    net = Net(10, ("N",))
    cond = net.op("Cast", net.takes("cond", INT64, []), to=BOOL)
    short = lambda branch: branch.op("Cast", branch.op("Shape", net.x), to=FLOAT)  # noqa: E731
    value = net.branch(cond, lambda branch: branch.op("Identity", net.x), short)
    lack = net.op("Sub", net.op("Shape", value, kind=INT64), net.op("Shape", net.x, kind=INT64))
    side = net.op("Add", net.op("Mul", net.op("Mul", lack, lack), net.const([BIG])), net.const([1]))
    return net.done(net.op("Expand", net.const(1.0), side), value, shape=None)


RUNS["branch_of_another_shape_before_opset_11"] = RunAttack(
    _branch_of_another_shape, {"x": (1000,), "cond": ()}, None, {"cond": (1,)}
)
