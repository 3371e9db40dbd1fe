"""Every limit: what lies at it passes, what lies beyond is refused and told so."""

from __future__ import annotations

import pytest

from hostile.build import Net, plain
from tinyvmaf.dnn import guard
from tinyvmaf.errors import RunLimitError

HONEST = plain().SerializeToString()


def chain(length):
    net = Net()
    value = net.x
    for _ in range(length):
        value = net.op("Neg", value)
    return net.done(value)


def nested(depth):
    """Branches inside each other."""
    net = Net()

    def deeper(here, left):
        if not left:
            return here.op("Relu", net.x)
        return here.branch(flag, lambda b: deeper(b, left - 1), lambda b: b.op("Neg", net.x))

    flag = net.const(True)
    return net.done(deeper(net, depth))


def looped(rounds, loops=1, depth=1):
    net = Net()

    def step(here, left):
        if not left:
            return lambda b, _i, s: [b.op("Neg", s)]
        return lambda b, _i, s: [b.loop(b.const(rounds), step(b, left - 1), s)]

    value = net.x
    for _ in range(loops):
        value = net.loop(net.const(rounds), step(net, depth - 1), value)
    return net.done(value)


def spread(elements):
    net = Net()
    return net.done(net.op("Expand", net.op("ReduceMean", net.x, keepdims=0), net.const([elements])), shape=None)


AT_AND_BEYOND = [
    ("file_bytes", len(HONEST), HONEST, len(HONEST) - 1, "bytes, but this one has"),
    ("nodes", 5, chain(5), 4, "at most 4 nodes"),
    ("depth", 3, nested(3), 2, "at most 2 deep"),
    ("loops", 3, looped(2, loops=3), 2, "at most 2 loops"),
    ("trip_count", 9, looped(9), 8, "runs 0 to 8 rounds, but this one 9"),
    ("iterations", 27, looped(3, depth=3), 26, "at most 26 rounds in all"),
    ("tensor_elements", 1000, spread(1000), 999, "at most 999 elements"),
    ("peak_bytes", 8 << 20, spread(2 << 20), (8 << 20) - 1, "MiB at a time"),
    ("steps", 6, chain(6), 5, "at most 5 steps"),
    ("opsets", (17, 17), HONEST, (18, 21), "opset of a model is 18 to 21, but here it is 17"),
    ("opsets", (17, 17), HONEST, (7, 16), "opset of a model is 7 to 16, but here it is 17"),
]


@pytest.mark.parametrize(("field", "at", "data", "beyond", "words"), AT_AND_BEYOND)
def test_at_a_limit_and_beyond(field, at, data, beyond, words):
    most = {"file_bytes": len(data)} | {field: at}
    if field == "peak_bytes":
        most[field] += 4 + 8  # the mean, and the constant shape
        beyond += 4 + 8
    assert guard.check(data, guard.Limits(**most)).accepted
    refused = guard.check(data, guard.Limits(**{field: beyond}))
    assert words in refused.reason


def test_fields_are_limited():
    assert "more than 10 fields" in guard.check(HONEST, guard.Limits(fields=10)).reason


def test_work_is_limited():
    work = guard.check(HONEST).report.work
    assert guard.check(HONEST, guard.Limits(work=work)).accepted
    assert "operations, but this one takes more" in guard.check(HONEST, guard.Limits(work=work - 1)).reason


LARGE, SIDE = (1, 3, 1000, 1000), 3 * 1000 * 1000
SMALL_LIMITS = {"tensor_elements": 1 << 20, "peak_bytes": 4 << 20, "work": 1 << 26}


def large(**limits):
    net = Net(shape=("N", 3, "H", "W"))
    doubled = net.op("Concat", net.x, net.x, axis=1)
    return guard.check(net.done(doubled, shape=None), guard.Limits(**{**SMALL_LIMITS, **limits}))


def test_large_inputs_may_ask_for_more_in_proportion():
    report = large().admit({"x": LARGE})
    assert report.peak_bytes == 4 * 2 * SIDE > SMALL_LIMITS["peak_bytes"]


@pytest.mark.parametrize(
    ("field", "least", "words"),
    [("growth_elements", 2, "elements"), ("growth_bytes", 8, "MiB"), ("growth_work", 33, "operations")],
)
def test_how_much_more(field, least, words):
    assert large(**{field: least}).admit({"x": LARGE})
    with pytest.raises(RunLimitError, match=words):
        large(**{field: least - 1}).admit({"x": LARGE})


def test_there_is_an_end_to_it():
    assert large(most_bytes=8 * SIDE).admit({"x": LARGE})
    with pytest.raises(RunLimitError, match="MiB"):
        large(most_bytes=8 * SIDE - 1).admit({"x": LARGE})
