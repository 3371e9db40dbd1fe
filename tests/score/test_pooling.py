"""Pooling against plain Python."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyvmaf.errors import UnknownNameError
from tinyvmaf.score.pooling import harmonic_mean, mean, percentile, pool, pool_by

scores = st.lists(st.floats(0, 100), min_size=1, max_size=60)
anything = st.lists(st.floats(), max_size=30)


@given(scores)
def test_pooling_is_what_plain_python_computes(values):
    pooled = pool(np.array(values))
    assert pooled.min == min(values)
    assert pooled.max == max(values)
    assert pooled.mean == pytest.approx(statistics.fmean(values))
    assert pooled.harmonic_mean == pytest.approx(len(values) / sum(1 / (v + 1) for v in values) - 1, abs=1e-9)
    assert pooled.median == pytest.approx(statistics.median(values))


@given(scores, st.floats(0, 100))
def test_percentiles_interpolate_between_neighbours(values, rank):
    ordered = sorted(values)
    place = rank / 100 * (len(values) - 1)
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    assert percentile(np.array(values), rank) == pytest.approx(low + (high - low) * (place - math.floor(place)))


@given(anything)
def test_every_number_is_finite_or_none(values):
    pooled = pool(np.array(values, dtype=float))
    numbers = [getattr(pooled, name) for name in pooled.__slots__]
    assert all(number is None or math.isfinite(number) for number in numbers)
    if not values or any(math.isnan(v) for v in values):
        assert numbers == [None] * len(numbers)


@pytest.mark.parametrize("values", [[-1.0, 5.0], [-2.0, 5.0], [math.inf, 5.0]])
def test_the_harmonic_mean_needs_finite_values_above_minus_one(values):
    assert harmonic_mean(np.array(values)) is None
    assert harmonic_mean(np.array([-0.5, 1.0])) == pytest.approx(2 / (2 + 0.5) - 1)


def test_an_infinite_value_leaves_what_it_does_not_touch():
    pooled = pool(np.array([3.0, math.inf]))
    assert (pooled.min, pooled.max, pooled.mean, pooled.p5) == (3.0, None, None, None)
    assert mean(np.array([1e308, 1e308])) is None


def test_methods_by_name():
    values = np.arange(101.0)
    assert [pool_by(values, m) for m in ("min", "max", "mean", "median", "p1", "p5", "p99.5")] == [
        0,
        100,
        50,
        50,
        1,
        5,
        99.5,
    ]
    assert pool_by(values, "harmonic_mean") == harmonic_mean(values)
    for wrong in ("p101", "p-1", "average", "p", "mode"):
        with pytest.raises(UnknownNameError, match="no pooling method"):
            pool_by(values, wrong)
