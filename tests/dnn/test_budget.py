"""What a graph asks for: memory and work counted by hand, for straight lines, branches and loops."""

from __future__ import annotations

import onnx.parser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostile.build import BOOL, FLOAT, INT64, Net
from tinyvmaf.dnn import guard
from tinyvmaf.dnn.assumed import stand_in_values, start_values
from tinyvmaf.dnn.budget import RULES, _look_up
from tinyvmaf.dnn.cost import ELEMENT_WORK, NODE_WORK, PACKING_WORK
from tinyvmaf.dnn.values import Known
from tinyvmaf.errors import ContractError, RunLimitError

PLANE = 3 * 8 * 8
BYTES = 4 * PLANE


def report(data):
    verdict = guard.check(data)
    assert verdict.accepted, verdict.reason
    return verdict.report


def reason(data, **limits):
    verdict = guard.check(data, guard.Limits(**limits))
    assert not verdict.accepted
    return verdict.reason


def chain(length):
    net = Net()
    value = net.x
    for _ in range(length):
        value = net.op("Add", value, value)
    return net.done(value)


@pytest.mark.parametrize("length", [1, 2, 3, 10])
def test_a_chain_needs_two_values_at_a_time(length):
    found = report(chain(length))
    assert found.peak_bytes == min(length, 2) * BYTES
    assert found.work == length * (NODE_WORK + 2 * PLANE + ELEMENT_WORK * PLANE)
    assert found.output_shapes == ((1, 3, 8, 8),)


def test_values_that_are_needed_later_stay_alive():
    net = Net()
    early = [net.op("Add", net.x, net.x) for _ in range(3)]
    assert report(net.done(net.op("Sum", *early))).peak_bytes == 5 * BYTES  # the runtime keeps a partial sum beside it


def test_constants_and_what_follows_from_them_stay_alive():
    net = Net()
    folded = net.op("Expand", net.const(1.0), net.const([1, 3, 8, 8]))
    value = net.op("Add", net.op("Add", net.x, folded), net.x)
    constants = 4 + 4 * 8
    assert report(net.done(value)).peak_bytes == constants + 3 * BYTES


def body(net, text="Add"):
    return lambda inner, _counter, state: [inner.op(text, state, net.x)]


@pytest.mark.parametrize("rounds", [0, 1, 7, 1024])
def test_a_loop_counts_as_often_as_it_runs(rounds):
    net = Net()
    found = report(net.done(net.loop(net.const(rounds), body(net), net.x)))
    own = NODE_WORK + ELEMENT_WORK * PLANE
    inside = NODE_WORK + 2 * PLANE + ELEMENT_WORK * PLANE + NODE_WORK + ELEMENT_WORK
    assert found.work == own + max(rounds, 1) * inside
    assert found.loops == (f"Loop 'node_10' (node 0 of the graph) runs {rounds} times",)
    assert found.output_shapes == ((1, 3, 8, 8),)


def test_loops_inside_each_other_multiply():
    net = Net()
    inner = lambda outer, _i, state: [outer.loop(outer.const(5), body(net), state)]  # noqa: E731
    found = report(net.done(net.loop(net.const(7), inner, net.x)))
    assert any(line.endswith("runs 5 times, 35 in all") for line in found.loops)
    assert "run at most 34 rounds in all, but these run 35" in reason(
        net.done(net.loop(net.const(7), inner, net.x)), iterations=34
    )


def test_a_state_that_grows_is_followed_round_by_round():
    net = Net()
    grow = lambda inner, _i, state: [inner.op("Concat", state, net.x, axis=2)]  # noqa: E731
    found = report(net.done(net.loop(net.const(5), grow, net.x, cond=net.const(True)), shape=None))
    assert found.output_shapes == ((1, 3, 48, 8),)
    assert (5 + 6) * BYTES < found.peak_bytes < (5 + 6) * BYTES + 64  # the last round and its start


def test_a_weight_that_is_packed_while_opening_counts_once_per_node():
    net = Net(shape=(1, 4))
    weight = net.const([[1.0] * 4] * 4)
    grow = lambda inner, _i, state: [inner.op("Concat", state, inner.op("MatMul", net.x, weight), axis=0)]  # noqa: E731
    data = net.done(net.loop(net.const(5), grow, net.x), shape=None)
    assert guard.check(data, guard.Limits(opening_work=16 * PACKING_WORK)).accepted
    assert "Constants are computed" in reason(data, opening_work=16 * PACKING_WORK - 1)


def test_a_loop_whose_condition_is_a_constant_has_a_known_end():
    net = Net()
    inner = net.child()
    inner.takes("i", INT64, [])
    inner.takes("go", BOOL, [])
    state = inner.takes("s", FLOAT)
    graph = inner.graph(inner.const(True), inner.op("Concat", state, net.x, axis=2), inner.op("Relu", net.x))
    names = net.op("Loop", net.const(5), "", net.x, outs=2, body=graph)
    found = report(net.done(*names, shape=None))
    assert found.output_shapes == ((1, 3, 48, 8), None)


def test_scans_of_a_steady_loop_have_one_place_per_round():
    net = Net()
    inner = net.child()
    inner.takes("i", INT64, [])
    inner.takes("go", BOOL, [])
    state = inner.takes("s", FLOAT)
    graph = inner.graph(inner.const(True), inner.op("Relu", state), inner.op("Neg", net.x))
    names = net.op("Loop", net.const(5), net.const(True), net.x, outs=2, body=graph)
    assert report(net.done(*names, shape=None)).output_shapes == ((1, 3, 8, 8), (5, 1, 3, 8, 8))


def test_a_growing_loop_of_no_rounds_gives_its_start():
    net = Net()
    grow = lambda inner, i, state: [  # noqa: E731
        inner.op("Concat", state, net.x, axis=2), inner.op("Expand", net.x, inner.op("Add", i, net.const([1])))
    ]  # fmt: skip
    names = net.loop(net.const(0), grow, net.x)
    assert report(net.done(*names, shape=None)).output_shapes == ((1, 3, 8, 8), None)


@pytest.mark.parametrize(("then", "other", "shape"), [("Relu", "Neg", (1, 3, 8, 8)), ("Relu", "GlobalMaxPool", None)])
def test_both_branches_count(then, other, shape):
    net = Net()
    flag = net.takes("flag", BOOL, [])
    found = report(net.done(net.branch(flag, lambda b: b.op(then, net.x), lambda b: b.op(other, net.x)), shape=None))
    assert found.output_shapes == (shape,)
    assert found.work > 3 * NODE_WORK


@pytest.mark.parametrize(
    "bad",
    [
        lambda b, x: b.op("Squeeze", b.op("Flatten", x, axis=9), b.const([1])),
        lambda b, x: b.op("Squeeze", x, b.const([1])),
    ],
)
def test_a_branch_that_is_never_taken_may_be_ill_formed(bad):
    for taken in (True, False):
        net = Net()
        value = net.branch(net.const(taken), lambda b, x=net.x: b.op("Relu", x), lambda b, x=net.x: bad(b, x))
        assert guard.check(net.done(value)).accepted is taken


@pytest.mark.parametrize("condition", [1.0, [True, False]])
def test_the_condition_is_one_truth_value(condition):
    net = Net()
    same = lambda b: b.op("Relu", net.x)  # noqa: E731
    assert "one truth value" in reason(net.done(net.branch(net.const(condition), same, same)))


def test_branches_give_as_much_as_each_other():
    net = Net()
    left, right = net.child(), net.child()
    one, two = left.op("Relu", net.x), right.op("Relu", net.x)
    graphs = {"then_branch": left.graph(one), "else_branch": right.graph(two, right.op("Neg", net.x))}
    assert "as many outputs" in reason(net.done(net.op("If", net.const(True), **graphs)))


def test_a_body_takes_and_gives_its_state():
    net = Net()
    inner = net.child()
    inner.takes("i", INT64, [])
    inner.takes("go", BOOL, [])
    graph = inner.graph(inner.const(True))
    assert "takes and gives its state" in reason(net.done(net.op("Loop", net.const(3), "", net.x, body=graph)))


def test_more_outputs_than_an_operator_has():
    net = Net()
    assert "Relu has at most 1 outputs" in reason(net.done(*net.op("Relu", net.x, outs=2)))


def test_the_first_misfit_explains_a_limit_that_is_passed_later():
    net = Net(shape=("N", 4))
    product = net.op("MatMul", net.x, net.takes("z", FLOAT, ["M", 4]))
    data = net.done(net.op("Expand", net.op("ReduceMean", product, keepdims=0), net.op("Shape", net.x)), shape=None)
    verdict = guard.check(data)
    with pytest.raises(ContractError, match="cannot multiply"):
        verdict.admit({"x": (1 << 30, 4), "z": (3, 4)})


def test_the_steps_of_a_check_are_counted():
    assert "at most 9 steps" in reason(chain(10), steps=9)
    net = Net()
    grow = lambda inner, _i, state: [inner.op("Concat", state, net.x, axis=2)]  # noqa: E731
    assert "at most 20 steps" in reason(net.done(net.loop(net.const(20), grow, net.x)), steps=20)


def test_what_a_rule_stumbles_over_is_a_refusal(monkeypatch):
    def stumble(node, inputs, context):
        raise ValueError

    monkeypatch.setitem(RULES, "Relu", stumble)
    net = Net()
    assert reason(net.done(net.op("Relu", net.x))) == (
        "Relu is malformed (ValueError) (in Relu 'node_2' (node 0 of the graph)). Export it again."
    )


MODELS = {
    "conv": lambda n: n.op("Conv", n.x, n.const([[[[1.0] * 3] * 3] * 3] * 3), pads=[1] * 4),
    "resize": lambda n: n.op("Resize", n.x, "", n.const([1.0, 1.0, 1.5, 2.0])),
    "pool": lambda n: n.op("MaxPool", n.x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4),
    "attention": lambda n: n.op("Softmax", n.op("MatMul", n.x, n.op("Transpose", n.x, perm=[0, 1, 3, 2]))),
    "loop": lambda n: n.loop(n.const(9), body(n), n.x),
    "grow": lambda n: n.loop(n.const(3), lambda b, _i, s: [b.op("Concat", s, n.x, axis=3)], n.x),
}
SIDES = st.tuples(st.integers(1, 3), st.just(3), st.integers(8, 600), st.integers(8, 600))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(MODELS)), SIDES, st.tuples(*[st.integers(0, 100)] * 4))
def test_larger_inputs_never_cost_less(name, small, more):
    net = Net(shape=("N", 3, "H", "W"))
    verdict = guard.check(net.done(MODELS[name](net), shape=None))
    large = (small[0] + more[0] % 3, 3, small[2] + more[2], small[3] + more[3])
    try:
        dear = verdict.admit({"x": large})
    except RunLimitError:
        return
    cheap = verdict.admit({"x": small})
    assert cheap.work <= dear.work
    assert cheap.peak_bytes <= dear.peak_bytes


def test_free_axes_get_usual_lengths():
    model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 17]>
      g (float[N, 3, H, W] x, float[N, T] s, float[T] t, float[?, 2] u, int64[3] k, float[] n, bool[2] b) => (float y)
      { y = Identity(n) }""")
    parsed = guard.check(model.SerializeToString()).model
    known = start_values(parsed.graph.inputs, {"u": (5, 2)}, {"k": [1, 2, 3]})
    assert known["x"].dims == (1, 3, 256, 256)
    assert (known["s"].dims, known["t"].dims, known["u"].dims) == ((1, 64), (64,), (5, 2))
    assert known["k"].data == (1, 2, 3)
    assert known["n"].loose
    assert all(value.given is not value.loose for value in known.values())
    assert stand_in_values(parsed) == {"k": [2, 3, 4]}


def test_scales_of_the_caller_are_stood_in_for():
    net = Net()
    scales = net.takes("scales", FLOAT, [4])
    verdict = guard.check(net.done(net.op("Resize", net.x, "", scales), shape=None))
    assert verdict.report.sizes_from_values
    sizes = {"x": (1, 3, 8, 8), "scales": (4,)}
    assert verdict.admit(sizes, {"scales": [1, 1, 2, 3]}).output_shapes == ((1, 3, 16, 24),)
    with pytest.raises(RunLimitError, match="scale of Resize"):
        verdict.admit(sizes)


def test_a_state_that_changes_its_type_is_followed_round_by_round():
    net = Net()
    turn = lambda inner, _i, state: [inner.op("Cast", state, to=INT64)]  # noqa: E731
    assert report(net.done(net.loop(net.const(2), turn, net.x), shape=None)).output_shapes == ((1, 3, 8, 8),)


def test_values_are_known_by_the_scopes_around():
    inner, outer = Known(1, (1,)), Known(1, (2,))
    assert _look_up("a", [{"a": outer, "b": outer}, {"a": inner}]) is inner
    assert _look_up("b", [{"a": outer, "b": outer}, {"a": inner}]) is outer
    with pytest.raises(KeyError):
        _look_up("c", [{}])


@pytest.mark.parametrize("answer", [[True, True], 1.0])
def test_a_body_says_with_one_truth_value_whether_it_goes_on(answer):
    net = Net()
    inner = net.child()
    inner.takes("i", INT64, [])
    inner.takes("go", BOOL, [])
    state = inner.takes("s", FLOAT)
    graph = inner.graph(inner.const(answer), inner.op("Relu", state))
    assert "one truth value" in reason(net.done(net.op("Loop", net.const(3), "", net.x, body=graph)))
