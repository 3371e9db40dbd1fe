"""Models that hold nothing to run; those that hold too much are in tests/score/test_fusion.py."""

import pytest
from onnx import helper

from tinyvmaf.errors import ModelError
from tinyvmaf.models.guard import check_onnx


def test_an_empty_file_is_said_to_be_empty():
    with pytest.raises(ModelError, match=r"is empty \(0 bytes\)") as caught:
        check_onnx(b"")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("model", [helper.make_model(helper.make_graph([], "none", [], [])), helper.ModelProto()])
def test_a_model_without_nodes_is_said_to_have_none(model):
    model.ir_version = 8
    with pytest.raises(ModelError, match="at least one node, but this file has no nodes"):
        check_onnx(model.SerializeToString())


def test_the_limit_of_nodes_is_named_where_it_is_passed():
    nodes = [helper.make_node("Relu", ["x"], ["y"])] * 1001
    with pytest.raises(ModelError, match="at most 1000 nodes, but this file has 1001"):
        check_onnx(helper.make_model(helper.make_graph(nodes, "many", [], [])).SerializeToString())
