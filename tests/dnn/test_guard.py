"""The guard's answers: never an exception, one line, the same for the same bytes; nothing heavy is loaded for it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from cli_runs import environment
from hostile import legitimate
from hostile.build import INT64, Net, plain
from tinyvmaf.dnn import guard
from tinyvmaf.errors import RejectedModelError

HONEST = plain().SerializeToString()
SEEDS = [
    HONEST,
    *(legitimate.MODELS[name]() for name in ("loop_around_an_if", "if_with_weights_in_its_branches", "documented",
                                             "resize_of_opset_19", "loop_that_scans_rows", "slice_of_opset_13")),
]  # fmt: skip


def looped(loops):
    net = Net()
    value = net.x
    for _ in range(loops):
        value = net.loop(net.const(2), lambda body, _i, state: [body.op("Neg", state)], value)
    return net.done(value)


def answer(data):
    verdict = guard.check(data)
    assert verdict.line.isprintable()
    assert verdict.accepted is (verdict.report is not None) is (verdict.reason == "")
    return verdict


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_get_an_answer(data):
    answer(data)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0), st.integers(1, 255)), min_size=1, max_size=3))
def test_models_with_flipped_bits_get_an_answer(seed, flips):
    data = bytearray(seed)
    for place, mask in flips:
        data[place % len(data)] ^= mask
    answer(bytes(data))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SEEDS), st.integers(0), st.integers(0, 40), st.binary(max_size=40))
def test_models_with_replaced_pieces_get_an_answer(seed, place, length, piece):
    place %= len(seed)
    answer(seed[:place] + piece + seed[place + length :])


@pytest.mark.parametrize("seed", SEEDS)
def test_models_that_are_cut_get_an_answer(seed):
    for end in range(len(seed)):
        answer(seed[:end])


def test_the_same_bytes_get_the_same_answer():
    assert guard.check(SEEDS[1]).report == guard.check(bytes(SEEDS[1])).report


@pytest.mark.parametrize(
    ("data", "words"), [(b"", "this file is empty"), (b"\0", "not an ONNX model"), (b"\x08", "not an ONNX model")]
)
def test_what_is_no_model(data, words):
    assert words in guard.check(data).reason


def test_the_line_for_people():
    assert guard.check(HONEST).line == (
        "accepted: opset 17, 1 nodes of 1 operators, 0 parameters, up to 1.46e+04 operations and 0.0 MiB a run"
    )
    assert guard.check(looped(1)).line.endswith(" a run; Loop 'node_10' (node 0 of the graph) runs 2 times")
    assert guard.check(looped(5)).line.endswith("; 2 more loops")
    assert guard.check(b"").line.startswith("refused: A model file must hold a model")


def test_a_refused_model_admits_nothing():
    with pytest.raises(RejectedModelError, match="The guard refuses the model: A model file"):
        guard.check(b"").admit({})


def test_sizes_may_be_named():
    net = Net(shape=("N", 3, "H", "W"))
    data = net.done(net.op("Add", net.x, net.takes("z", 1, ["N", 3, 8, 8])), shape=None)
    assert guard.check(data).report.misfit  # pictures are usually larger
    assert guard.check(data, sizes={"x": (2, 3, 8, 8), "z": (2, 3, 8, 8)}).report.output_shapes == ((2, 3, 8, 8),)
    assert "stretch to one" in guard.check(data, sizes={"x": (2, 3, 9, 9), "z": (2, 3, 8, 8)}).reason


def test_sizes_that_follow_from_an_input_are_said_to():
    net = Net()
    wanted = net.takes("wanted", INT64, [2])
    report = guard.check(net.done(net.op("Expand", net.const(1.0), wanted), shape=None)).report
    assert report.sizes_from_values
    assert not guard.check(HONEST).report.sizes_from_values


def test_the_check_loads_nothing_heavy():
    code = "import sys; from tinyvmaf.dnn.guard import check; check(open(sys.argv[1], 'rb').read()); "
    code += "print([n for n in ('numpy', 'onnx', 'onnxruntime', 'dataclasses', 'inspect') if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code, __file__], capture_output=True, text=True, env=environment(), check=True
    )
    assert done.stdout == "[]\n"


def _one(op, inputs, opset=18, outputs=("y",), constants=(), shape=(1, 3, 8, 8), **attributes):
    node = helper.make_node(op, inputs, list(outputs), **attributes)
    made = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        list(constants),
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8).SerializeToString()


@pytest.mark.parametrize(
    "data",
    [
        lambda: _one("Split", ["x"], outputs=("y", "z"), num_outputs=1, axis=2),
        lambda: _one("ReduceMean", ["x"], keepdims=2),
        lambda: _one("MaxPool", ["x"], kernel_shape=[2, 2], ceil_mode=2),
        lambda: _one("MaxPool", ["x"], kernel_shape=[2, 2], auto_pad="SAME_UPPER", dilations=[2, 2]),
        lambda: _one("Expand", ["x", "s"], constants=[helper.make_tensor("s", TensorProto.INT64, [4], [1, 3, 8, 0])]),
        lambda: _one("Sum", ["x"] * 1025),
    ],
)
def test_what_the_runtime_reads_otherwise_is_refused(data):
    assert not guard.check(data()).accepted


def test_a_shape_that_the_file_states_must_be_the_true_one():
    nodes = [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("Neg", ["r"], ["y"])]
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 4])] for name in "xy"]
    for claim, accepted in (([None, 4], True), ([1 << 20, 4], False), ([4], False)):
        inside = [helper.make_tensor_value_info("r", TensorProto.FLOAT, claim)]
        made = helper.make_graph(nodes, "g", *ends, value_info=inside)
        model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        assert guard.check(model.SerializeToString()).accepted is accepted
