"""Tiny models that fuse features: the fork's published graphs, and graphs that break the contract."""

import json
from pathlib import Path

import numpy as np
import onnx.parser
import pytest
from onnx import TensorProto, helper, numpy_helper

from tinyvmaf.errors import ContractError, ModelError
from tinyvmaf.models.runtime import open_bytes
from tinyvmaf.score.fusion import CANONICAL, TinyModel

FORK = Path(__file__).resolve().parents[3] / "shared" / "models" / "fork_reference"
needs_fork = pytest.mark.skipif(not FORK.exists(), reason="the shared reference models are not beside this checkout")

NODE = helper.make_node
IDENTICAL = [1, 1, 1, 1, 1, 0]
TYPICAL = [0.962, 0.5, 0.85, 0.92, 0.95, 4]


def graph(weights=(1.0, 0, 0, 0, 0, 10), nodes=None, inputs=(("x", ["N", 6]),), outputs=(("y", ["N"]),)):
    """By default the scalar product with `weights`."""
    tensor = numpy_helper.from_array(np.array(weights, np.float32), "w")
    nodes = nodes or [helper.make_node("MatMul", ["x", "w"], ["y"])]
    infos = [[helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in side] for side in (inputs, outputs)]
    opsets = [helper.make_opsetid("", 17)]
    made = helper.make_graph(nodes, "g", *infos, [tensor])
    return helper.make_model(made, opset_imports=opsets, ir_version=8)


def model(sidecar=None, **changes):
    return TinyModel(open_bytes(graph(**changes).SerializeToString(), sidecar, threads=1))


@needs_fork
@pytest.mark.parametrize(
    ("name", "identical", "typical"), [("v2", 96.14, 86.7), ("v3", 97.68, 86.9), ("v4", 96.87, 86.9)]
)
def test_the_forks_models_give_their_published_values(name, identical, typical):
    beside = FORK / f"vmaf_tiny_{name}.json"
    content = (FORK / f"vmaf_tiny_{name}.onnx").read_bytes()
    fork = TinyModel(open_bytes(content, beside.read_bytes() if beside.exists() else None))
    scores = fork.predict(np.array([IDENTICAL, TYPICAL], float))
    assert scores == pytest.approx([identical, typical], abs=0.06)
    assert scores.dtype == np.float64


@needs_fork
def test_weights_in_another_file_are_refused_even_where_that_file_is_at_hand(monkeypatch):
    monkeypatch.chdir(FORK)
    with pytest.raises(ModelError, match="external data"):
        open_bytes((FORK / "fr_regressor_v1.onnx").read_bytes())


@needs_fork
def test_a_model_of_frames_is_no_fusion_model():
    with pytest.raises(ModelError):
        TinyModel(open_bytes((FORK / "nr_metric_v1.onnx").read_bytes()))


def test_rows_become_scores_and_nothing_else():
    plain = model()
    table = np.random.default_rng(0).random((100, 6))
    assert plain.predict(table) == pytest.approx(table[:, 0] + 10 * table[:, 5], rel=1e-6)
    assert list(plain.columns(table, "tiny")) == ["tiny"]
    assert [(item.feature, item.key) for item in plain.inputs][::5] == [("adm", "adm2"), ("motion", "motion2")]
    table[3, 1] = np.nan
    assert np.flatnonzero(np.isnan(plain.predict(table))).tolist() == [3]
    assert plain.predict(np.empty((0, 6))).shape == (0,)


def test_an_output_of_one_column_will_do():
    assert model(weights=np.ones((6, 1)), outputs=[("y", ["N", 1])]).predict(np.ones((3, 6))).tolist() == [6, 6, 6]


def test_the_sidecar_orders_scales_and_clips():
    sidecar = {
        "name": "own",
        "features": list(CANONICAL[::-1]),
        "feature_mean": [1.0] * 6,
        "feature_std": [2.0] * 6,
        "expected_output_range": [0, 20],
        "input_mean": "for people",
    }
    scaled = model(json.dumps(sidecar).encode())
    assert [item.key for item in scaled.inputs] == list(CANONICAL[::-1])
    expected = np.clip((3 - 1) / 2 + 10 * (2 - 1) / 2, 0, 20)
    assert scaled.predict(np.array([[3.0, 1, 1, 1, 1, 2]])) == pytest.approx(expected)
    assert scaled.predict(np.array([[3.0, 1, 1, 1, 1, 90]])) == pytest.approx(20.0)


@pytest.mark.parametrize(
    "sidecar",
    [
        b'{"features": ["adm2"]}',
        b'{"features": ["adm2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "psnr_y"]}',
        b'{"input_name": "frames"}',
    ],
)
def test_sidecars_of_other_models_are_refused(sidecar):
    with pytest.raises(ContractError, match="sidecar"):
        model(sidecar=sidecar)


def test_a_mean_for_other_columns_is_refused():
    sidecar = b'{"feature_mean": [0, 0, 0, 0, 0], "feature_std": [1, 1, 1, 1, 1]}'
    with pytest.raises(ContractError, match="5 columns or channels, but the input has 6"):
        model(sidecar=sidecar).predict(np.ones((2, 6)))


@pytest.mark.parametrize("shape", [[1], [1, 1], ["N"], ["N", 1]])
def test_a_batch_that_is_fixed_at_one_gets_rows_one_by_one(shape):
    table = np.random.default_rng(0).random((5, 6))
    weights = np.arange(6.0).reshape([6, 1][: len(shape)])
    one = model(weights=weights, inputs=[("x", [1, 6])], outputs=[("y", shape)])
    assert one.predict(table) == pytest.approx(table @ np.arange(6.0), rel=1e-6)
    assert one.batch == 1


def half(taken, given, batch, **settings):
    """The mean of a row, in and out of the types that are named."""
    text = f"""<ir_version: 8, opset_import: ["" : 17]> g ({taken}[{batch}, 6] x) => ({given}[{batch}, 1] y) {{
        z = ReduceMean <axes = [1]> (x) y = Cast <to = {10 if given == "float16" else 1}> (z) }}"""
    return TinyModel(open_bytes(onnx.parser.parse_model(text).SerializeToString(), threads=1, **settings))


@pytest.mark.parametrize("batch", ["N", 1])
@pytest.mark.parametrize("kinds", [("float16", "float16"), ("float16", "float"), ("float", "float16")])
def test_float16_slots_are_converted_where_that_is_asked_for(kinds, batch):
    table = np.arange(12.0).reshape(2, 6) / 8
    assert half(*kinds, batch, fp16_io=True).predict(table).tolist() == table.mean(axis=1).tolist()
    with pytest.raises(ContractError, match="float16") as refusal:
        half(*kinds, batch)
    assert "--tiny-fp16" in refusal.value.hint


def test_infinite_scores_stay_infinite_though_a_range_is_promised():
    nodes = [NODE("MatMul", ["x", "w"], ["m"]), NODE("Reciprocal", ["m"], ["y"])]
    clipped = model(b'{"expected_output_range": [0, 2]}', nodes=nodes)
    assert clipped.predict(np.array([[0.0] * 6, [1.0] * 6, [0.25] + [0] * 5])).tolist() == [
        np.inf,
        pytest.approx(1 / 11),
        2,
    ]
    assert clipped.outside == 1


def test_an_answer_of_another_length_is_refused():
    shape = numpy_helper.from_array(np.array([-1], np.int64), "s")
    nodes = [NODE("Constant", [], ["s"], value=shape), NODE("Reshape", ["x", "s"], ["y"])]
    with pytest.raises(ContractError, match="4 rows gave 24"):
        model(nodes=nodes).predict(np.ones((4, 6)))


def test_a_graph_that_fails_on_its_rows_is_named():
    shape = numpy_helper.from_array(np.array([-1, 7], np.int64), "s")
    nodes = [NODE("Constant", [], ["s"], value=shape), NODE("Reshape", ["x", "s"], ["m"])]
    nodes.append(NODE("ReduceMean", ["m"], ["y"], axes=[1], keepdims=0))
    with pytest.raises(ModelError, match="Reshape keeps all elements"):
        model(nodes=nodes).predict(np.ones((4, 6)))


@pytest.mark.parametrize(
    "changes",
    [
        {"inputs": [("x", ["N", 7])], "weights": np.ones(7)},
        {"inputs": [("x", [2, 6])], "outputs": [("y", [2])]},
        {"outputs": [("y", [1])]},
        {"inputs": [("x", ["N", 6]), ("z", ["N", 6])]},
        {"weights": np.ones((6, 2)), "outputs": [("y", ["N", 2])]},
    ],
)
def test_other_shapes_break_the_contract(changes):
    with pytest.raises(ContractError, match="float"):
        model(**changes)
