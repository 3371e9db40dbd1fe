"""Tiny models: the fork's published graphs, and graphs built to break a rule each."""

import contextlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from tinyvmaf.errors import ContractError, ModelError
from tinyvmaf.models.guard import check_onnx
from tinyvmaf.score.fusion import CANONICAL, TinyModel, parse_sidecar

FORK = Path(__file__).resolve().parents[3] / "shared" / "models" / "fork_reference"
needs_fork = pytest.mark.skipif(not FORK.exists(), reason="the shared reference models are not beside this checkout")

IDENTICAL = [1, 1, 1, 1, 1, 0]
TYPICAL = [0.962, 0.5, 0.85, 0.92, 0.95, 4]


def graph(weights=(1.0, 0, 0, 0, 0, 10), nodes=None, inputs=(("x", ["N", 6]),), outputs=(("y", ["N"]),), functions=()):
    """By default the scalar product with `weights`."""
    tensor = numpy_helper.from_array(np.array(weights, np.float32), "w")
    nodes = nodes or [helper.make_node("MatMul", ["x", "w"], ["y"])]
    infos = [[helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in side] for side in (inputs, outputs)]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    made = helper.make_graph(nodes, "g", *infos, [tensor])
    return helper.make_model(made, opset_imports=opsets, functions=functions, ir_version=8)


def data(**changes):
    return graph(**changes).SerializeToString()


@needs_fork
@pytest.mark.parametrize(
    ("name", "identical", "typical"), [("v2", 96.14, 86.7), ("v3", 97.68, 86.9), ("v4", 96.87, 86.9)]
)
def test_the_forks_models_give_their_published_values(name, identical, typical):
    beside = FORK / f"vmaf_tiny_{name}.json"
    model = TinyModel((FORK / f"vmaf_tiny_{name}.onnx").read_bytes(), beside.read_bytes() if beside.exists() else None)
    scores = model.predict(np.array([IDENTICAL, TYPICAL], float))
    assert scores == pytest.approx([identical, typical], abs=0.06)
    assert scores.dtype == np.float64


@needs_fork
def test_weights_in_another_file_are_refused_even_where_that_file_is_at_hand(monkeypatch):
    monkeypatch.chdir(FORK)
    with pytest.raises(ModelError, match="external data"):
        TinyModel((FORK / "fr_regressor_v1.onnx").read_bytes())


@needs_fork
def test_a_model_of_frames_is_no_fusion_model():
    with pytest.raises(ModelError):
        TinyModel((FORK / "nr_metric_v1.onnx").read_bytes())


def test_rows_become_scores_and_nothing_else():
    model = TinyModel(data())
    table = np.random.default_rng(0).random((100, 6))
    assert model.predict(table) == pytest.approx(table[:, 0] + 10 * table[:, 5], rel=1e-6)
    assert list(model.columns(table, "tiny")) == ["tiny"]
    assert [(item.feature, item.key) for item in model.inputs][::5] == [("adm", "adm2"), ("motion", "motion2")]
    table[3, 1] = np.nan
    assert np.flatnonzero(np.isnan(model.predict(table))).tolist() == [3]
    assert model.predict(np.empty((0, 6))).shape == (0,)


def test_an_output_of_one_column_will_do():
    model = TinyModel(data(weights=np.ones((6, 1)), outputs=[("y", ["N", 1])]))
    assert model.predict(np.ones((3, 6))).tolist() == [6, 6, 6]


def test_the_sidecar_orders_scales_and_clips():
    sidecar = {
        "name": "own",
        "features": list(CANONICAL[::-1]),
        "feature_mean": [1.0] * 6,
        "feature_std": [2.0] * 6,
        "expected_output_range": [0, 20],
        "input_mean": "for people",
    }
    model = TinyModel(data(), json.dumps(sidecar).encode())
    assert [item.key for item in model.inputs] == list(CANONICAL[::-1])
    expected = np.clip((3 - 1) / 2 + 10 * (2 - 1) / 2, 0, 20)
    assert model.predict(np.array([[3.0, 1, 1, 1, 1, 2]])) == pytest.approx(expected)
    assert model.predict(np.array([[3.0, 1, 1, 1, 1, 90]])) == pytest.approx(20.0)


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b'{"features": ["adm2"]}',
        b'{"features": 7}',
        b'{"feature_mean": [0, 0, 0, 0, 0, 0]}',
        b'{"feature_mean": [0,0,0,0,0,0], "feature_std": [0,1,1,1,1,1]}',
        b'{"feature_mean": [NaN,0,0,0,0,0], "feature_std": [1,1,1,1,1,1]}',
        b'{"expected_output_range": [100, 0]}',
        b'{"expected_output_range": "0..100"}',
        b"[" * 100_000,
    ],
)
def test_bad_sidecars_are_refused(content):
    with pytest.raises(ModelError):
        parse_sidecar(content)


NODE = helper.make_node
LOOP_BODY = helper.make_graph([NODE("Identity", ["c"], ["o"])], "b", [], [])
HIDDEN = helper.make_graph([NODE("Scan", ["c"], ["o"])], "h", [], [])
BROKEN = {
    "loop": [NODE("Loop", ["n", "c", "x"], ["y"], body=LOOP_BODY)],
    "if": [NODE("If", ["c"], ["y"], then_branch=LOOP_BODY, else_branch=LOOP_BODY)],
    "allowed_name_in_foreign_domain": [NODE("Add", ["x", "w"], ["y"], domain="own")],
    "unknown_operator": [NODE("ReadFile", ["x"], ["y"])],
    "sparse_constant": [
        NODE(
            "Constant",
            [],
            ["y"],
            sparse_value=helper.make_sparse_tensor(
                helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0]),
                helper.make_tensor("i", TensorProto.INT64, [1], [1]),
                [1 << 40],
            ),
        )
    ],
    "foreign_operator_in_a_subgraph": [NODE("Relu", ["x"], ["y"], hidden=HIDDEN)],
    "too_many_nodes": [NODE("Relu", ["x"], ["y"])] * 1001,
}


@pytest.mark.parametrize("name", BROKEN)
def test_graphs_that_break_a_rule_are_refused(name):
    with pytest.raises(ModelError, match=r"standard operators|sparse tensors|1001"):
        check_onnx(data(nodes=BROKEN[name]))


def test_nesting_is_bounded():
    inner = HIDDEN
    for _ in range(20):
        inner = helper.make_graph([NODE("Relu", ["c"], ["o"], hidden=inner)], "h", [], [])
    with pytest.raises(ModelError, match="levels deep"):
        check_onnx(data(nodes=[NODE("Relu", ["x"], ["y"], hidden=inner)]))


def test_an_answer_of_another_length_is_refused():
    shape = numpy_helper.from_array(np.array([-1], np.int64), "s")
    nodes = [NODE("Constant", [], ["s"], value=shape), NODE("Reshape", ["x", "s"], ["y"])]
    with pytest.raises(ContractError, match="4 rows gave 24"):
        TinyModel(data(nodes=nodes)).predict(np.ones((4, 6)))


def test_a_graph_that_fails_on_its_rows_is_named():
    shape = numpy_helper.from_array(np.array([-1, 7], np.int64), "s")
    nodes = [NODE("Constant", [], ["s"], value=shape), NODE("Reshape", ["x", "s"], ["m"])]
    nodes.append(NODE("ReduceMean", ["m"], ["y"], axes=[1], keepdims=0))
    with pytest.raises(ModelError, match="failed"):
        TinyModel(data(nodes=nodes)).predict(np.ones((4, 6)))


def test_functions_are_refused():
    function = helper.make_function(
        "own", "F", ["a"], ["b"], [NODE("Relu", ["a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    with pytest.raises(ModelError, match="functions"):
        TinyModel(data(functions=[function]))


def test_external_data_is_refused_wherever_it_hides():
    model = graph()
    hidden = numpy_helper.from_array(np.ones(6, np.float32), "v")
    hidden.ClearField("raw_data")
    hidden.data_location = TensorProto.EXTERNAL
    hidden.external_data.add(key="location", value="/etc/passwd")
    model.graph.node.append(NODE("Constant", [], ["c"], value=hidden))
    with pytest.raises(ModelError, match="external data"):
        check_onnx(model.SerializeToString())


@pytest.mark.parametrize(
    "changes",
    [
        {"inputs": [("x", ["N", 7])], "weights": np.ones(7)},
        {"inputs": [("x", [1, 6])], "outputs": [("y", [1])]},
        {"inputs": [("x", ["N", 6]), ("z", ["N", 6])]},
        {"weights": np.ones((6, 2)), "outputs": [("y", ["N", 2])]},
    ],
)
def test_other_shapes_break_the_contract(changes):
    with pytest.raises(ContractError, match="float"):
        TinyModel(data(**changes))


def test_a_type_error_inside_the_graph_is_named():
    with pytest.raises(ModelError, match="cannot open"):
        TinyModel(data(nodes=[NODE("MatMul", ["x", "absent"], ["y"])]))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(content):
    with pytest.raises(ModelError):
        check_onnx(content)


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte_never_crashes_the_guard(position, value):
    changed = bytearray(data())
    changed[position % len(changed)] = value
    with contextlib.suppress(ModelError):
        check_onnx(bytes(changed))


def test_the_guard_accepts_what_onnx_accepts():
    onnx.checker.check_model(graph())
    check_onnx(data())
