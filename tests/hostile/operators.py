"""Operators outside the list, in plain sight and where a shallow walk does not look."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import helper

from hostile.build import BIG, Net, Shelf

ATTACKS = Shelf("operators")

ONE_INPUT = [
    "Hardmax",
    "LpNormalization",
    "MeanVarianceNormalization",
    "Det",
    "EyeLike",
    "Multinomial",
    "RandomNormalLike",
    "RandomUniformLike",
    "Bernoulli",
    "StringNormalizer",
    "SequenceConstruct",
    "Optional",
    "OptionalHasElement",
    "TfIdfVectorizer",
    "ImageDecoder",
    "Unique",
]
TRAINING = ("Adagrad", "Adam", "Momentum", "Gradient")
FOREIGN = [
    "FusedConv",
    "Attention",
    "QuickGelu",
    "ConvTransposeWithDynamicPads",
    "CDist",
    "Inverse",
    "Tokenizer",
    "ATen",
    "Range",
    "Trilu",
    "BiasGelu",
]


def _one(op_type: str, opset: int = 17, domain: str = "", **attributes: Any) -> bytes:
    net = Net(opset)
    model = net.model(net.op(op_type, net.x, domain=domain, **attributes), shape=None)
    if domain:
        model.opset_import.append(helper.make_opsetid(domain, 1))
    return model.SerializeToString()


def put(name: str, rule: str, make: Callable[[Net], str], opset: int = 17) -> None:
    def build() -> bytes:
        net = Net(opset)
        return net.sink(make(net))

    ATTACKS.put(name, rule, build)


for _op in ONE_INPUT:
    ATTACKS.put(f"refused_{_op.lower()}", "operator", functools.partial(_one, _op))
for _op in (
    "Scan",
    "ScanOld",
    "ATen",
    "Affine",
    "Crop",
    "ScaledTanh",
    "ThresholdedReluX",
    "GivenTensorFill",
    "NoSuchOperator",
    "linear",
    "nearest",
):
    ATTACKS.put(f"refused_{_op.lower()}", "operator", functools.partial(_one, _op))
for _op in TRAINING:
    ATTACKS.put(
        f"training_{_op.lower()}", "domain|operator", functools.partial(_one, _op, domain="ai.onnx.preview.training")
    )
for _op in FOREIGN:
    ATTACKS.put(f"microsoft_{_op.lower()}", "domain|operator", functools.partial(_one, _op, domain="com.microsoft"))
for _op in ("TreeEnsembleClassifier", "CategoryMapper", "SVMClassifier", "LabelEncoder"):
    ATTACKS.put(f"ml_{_op.lower()}", "domain|operator", functools.partial(_one, _op, domain="ai.onnx.ml"))

put("refused_random_normal", "operator", lambda n: n.op("RandomNormal", shape=[BIG, BIG]))
put("refused_random_uniform", "operator", lambda n: n.op("RandomUniform", shape=[BIG, BIG]))
put("refused_sequence_insert", "operator", lambda n: n.op("SequenceInsert", n.op("SequenceEmpty"), n.x))
put("refused_regex", "operator", lambda n: n.op("RegexFullMatch", n.x, pattern="(a+)+$"), opset=20)
put("refused_string_split", "operator", lambda n: n.op("StringSplit", n.x), opset=20)
put("refused_non_max_suppression", "operator", lambda n: n.op("NonMaxSuppression", n.zeros(1, 9, 4), n.zeros(1, 1, 9)))
put(
    "refused_roi_align",
    "operator",
    lambda n: n.op("RoiAlign", n.x, n.zeros(1, 4), n.const([0]), output_height=BIG, output_width=BIG),
)
put("tile_to_gibibytes", "operator|size", lambda n: n.op("Tile", n.x, n.const([1, 1, 1 << 15, 1 << 15])))
put("range_to_gibibytes", "operator|size", lambda n: n.op("Range", n.const(0.0), n.const(1e11), n.const(1.0)))
put(
    "one_hot_depth",
    "operator|size",
    lambda n: n.op("OneHot", n.const([0] * 1024), n.const(1 << 30), n.const([0.0, 1.0])),
)
put("einsum_outer_product", "operator|size", lambda n: n.op("Einsum", n.zeros(BIG), n.zeros(BIG), equation="i,j->ij"))
put("einsum_malformed", "operator", lambda n: n.op("Einsum", n.x, equation="ijkl->->zz"))
put("eye_like_plane", "operator|size", lambda n: n.op("EyeLike", n.zeros(BIG, BIG)))
put(
    "depth_to_space_plane",
    "operator|size",
    lambda n: n.op("DepthToSpace", n.zeros(1, 1 << 20, 256, 256), blocksize=1024),
)
put(
    "where_outer_product",
    "operator|size",
    lambda n: n.op(
        "Where", n.op("ConstantOfShape", n.const([BIG, 1, 1]), value=np.array([True])), n.zeros(BIG, 1), n.zeros(1, BIG)
    ),
)
put("compare_outer_product", "operator|size", lambda n: n.op("Less", n.zeros(1 << 18, 1), n.zeros(1, 1 << 18)))
put(
    "recurrent_of_a_million_steps",
    "operator|size|work",
    lambda n: n.op(
        "LSTM", n.zeros(1 << 20, 1, 1), n.zeros(1, 16384, 1), n.zeros(1, 16384, 4096), outs=1, hidden_size=4096
    ),
)
put("fourier_of_a_gibibyte", "operator|size", lambda n: n.op("DFT", n.zeros(1, 1 << 32, 1)))
put("window_of_a_gibibyte", "operator|size", lambda n: n.op("HannWindow", n.const(1 << 36)))
put("top_k_of_all", "operator|size", lambda n: n.op("TopK", n.zeros(1 << 34), n.const([1 << 34]), outs=2)[0])
put("cum_sum", "operator|size", lambda n: n.op("CumSum", n.zeros(1 << 34), n.const(0)))


def _scan(net: Net) -> str:
    body = net.child()
    kept, row = body.takes("kept"), body.takes("row")
    graph = body.graph(body.op("Add", kept, row), body.op("Identity", row))
    return str(
        net.op(
            "Scan",
            net.op("ReduceMean", net.x, keepdims=0),
            net.zeros(1 << 30, 1),
            outs=2,
            body=graph,
            num_scan_inputs=1,
        )[0]
    )


put("refused_scan_with_a_body", "operator", _scan)


def _inside(op_type: str, where: str) -> bytes:
    """A refused operator where a shallow walk does not look."""
    net = Net()
    bad = lambda body: body.op(op_type, net.x)  # noqa: E731
    good = lambda body: body.op("Identity", net.x)  # noqa: E731
    if where == "loop":
        return net.sink(net.loop(net.const(2), lambda body, _i: [bad(body)]))
    if where == "deep":
        return net.sink(
            net.branch(net.const(True), good, lambda way: way.loop(way.const(2), lambda body, _i: [bad(body)]))
        )
    ways = (bad, good) if where == "then" else (good, bad)
    return net.sink(net.branch(net.const(True), *ways))


for _where in ("then", "else", "loop", "deep"):
    ATTACKS.put(f"refused_operator_in_{_where}", "operator", functools.partial(_inside, "Hardmax", _where))
