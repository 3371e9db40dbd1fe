"""The fitted model as an ONNX file, the same bytes for the same weights."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from tinyvmaf.dnn.guard import check
from tinyvmaf.score.fusion import CANONICAL
from tinyvmaf.train.fit import SCORES, Fusion

OPSET = 17
IR_VERSION = 8


def to_onnx(fusion: Fusion, name: str, description: str) -> bytes:
    """Write a model whose input is the six raw features and whose output lies in SCORES.

    Two branches meet at the end. The network sees the features clipped to their box and standardised; its output is
    clipped to SCORES. The lift measures how far the five similarities are from 1 in total and, within `lift` of
    identity, moves the score linearly towards 100.

    Args:
        fusion: The fitted model.
        name: Name of the graph.
        description: Goes into the file.

    Returns:
        The file: "features" float [N, 6] in the order of CANONICAL to "score" float [N].

    Raises:
        ModelError: Our own guard would refuse it.
    """
    score = helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N"])
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", len(CANONICAL)])
    graph = helper.make_graph(_nodes(), name, [features], [score], _constants(fusion))
    model = helper.make_model(
        graph,
        producer_name="tinyvmaf.train",
        producer_version="1",
        doc_string=description,
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString(deterministic=True)
    check(data).require()
    return data


def _constants(fusion: Fusion) -> list[TensorProto]:
    low, high = SCORES
    similarity = np.array([[key != "motion2"] for key in CANONICAL], np.float64)
    values = {
        "box_low": fusion.settings.lowest,
        "box_high": fusion.settings.highest,
        "mean": fusion.mean,
        "std": fusion.std,
        "w1": fusion.weights.w1,
        "b1": fusion.weights.b1,
        "w2": fusion.weights.w2,
        "b2": fusion.weights.b2,
        "w3": fusion.weights.w3,
        "b3": fusion.weights.b3,
        "lift_weights": similarity / fusion.settings.lift,
        "zero": 0.0,
        "one": 1.0,
        "lowest": low,
        "highest": high,
    }
    tensors = [numpy_helper.from_array(np.asarray(value, np.float32), key) for key, value in values.items()]
    return [*tensors, numpy_helper.from_array(np.array([1], np.int64), "score_axis")]


def _nodes() -> list[NodeProto]:
    def node(operator: str, inputs: str, output: str) -> NodeProto:
        return helper.make_node(operator, inputs.split(), [output], name=output)

    return [
        node("Max", "features box_low", "above"),
        node("Min", "above box_high", "boxed"),
        node("Sub", "boxed mean", "centred"),
        node("Div", "centred std", "standardised"),
        node("Gemm", "standardised w1 b1", "sum1"),
        node("Tanh", "sum1", "hidden1"),
        node("Gemm", "hidden1 w2 b2", "sum2"),
        node("Tanh", "sum2", "hidden2"),
        node("Gemm", "hidden2 w3 b3", "sum3"),
        node("Clip", "sum3 lowest highest", "fitted"),
        node("Sub", "features one", "difference"),
        node("Abs", "difference", "deficit"),
        node("MatMul", "deficit lift_weights", "distance"),
        node("Sub", "one distance", "nearness"),
        node("Clip", "nearness zero one", "share"),
        node("Sub", "highest fitted", "room"),
        node("Mul", "share room", "gain"),
        node("Add", "fitted gain", "lifted"),
        node("Clip", "lifted lowest highest", "bounded"),
        node("Squeeze", "bounded score_axis", "score"),
    ]
