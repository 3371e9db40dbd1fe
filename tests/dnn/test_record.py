"""Records behave as the frozen dataclasses that type checkers take them for."""

from __future__ import annotations

import dataclasses

import pytest

from tinyvmaf.dnn.record import changed, record


class Plain:
    a: int
    b: int = 2


class Twin(Plain):
    a: int
    b: int = 2


R, D = record(frozen=True)(Plain), dataclasses.dataclass(frozen=True)(Twin)


@pytest.mark.parametrize("make", [R, D])
def test_filling_comparing_changing(make):
    one = make(1)
    assert (one.a, one.b) == (1, 2)
    assert one == make(a=1, b=2) == make(1, b=2)
    assert one != make(2)
    assert one != (1, 2)
    assert hash(one) == hash(make(b=2, a=1))
    assert repr(one) == f"{make.__name__}(a=1, b=2)"
    with pytest.raises(AttributeError):
        one.a = 3


@pytest.mark.parametrize("make", [R, D])
@pytest.mark.parametrize(("args", "named"), [((), {}), ((1, 2, 3), {}), ((1,), {"a": 1}), ((1,), {"c": 1})])
def test_wrong_fields(make, args, named):
    with pytest.raises(TypeError):
        make(*args, **named)


def test_changed_copies():
    one = R(1)
    assert changed(one, b=5) == R(1, 5)
    assert one == R(1, 2)
    with pytest.raises(TypeError):
        changed(one, c=1)


def test_a_record_may_change_where_it_is_not_frozen():
    @record()
    class Loose:
        a: int

    loose = Loose(1)
    loose.a = 2
    assert loose == Loose(2)
