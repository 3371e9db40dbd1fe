"""The small network of the package says nearly what DISTS says."""

from __future__ import annotations

import numpy as np
import pytest

from clips import degrade, natural, pairs
from oracles.networks import distance
from tinyvmaf.models.load import load
from tinyvmaf.score.pipeline import make_feature

QUALITIES = (20, 28, 36, 44)


def _distances(name, reference, distorted, bits=8, **options):
    feature = make_feature(name, options)
    return feature.compute([feature.update(pair) for pair in pairs(reference, distorted, bits)])[name]


def test_comes_with_the_package_and_equals_its_network_on_rgb():
    reference = natural("mdn_flower", 75, 53, 2, 10)
    distorted = degrade(reference, 40, 10)
    found = _distances("dists_sq", reference, distorted, 10, matrix="bt2020")
    data = load("dists_sq").data
    want = [distance(data, *frames, 10, matrix="bt2020nc") for frames in zip(reference, distorted, strict=True)]
    np.testing.assert_allclose(found, want, atol=1e-5)
    assert _distances("dists_sq", reference, reference, 10) == pytest.approx(0, abs=0)


def test_says_nearly_what_dists_says(pulled):
    pulled("dists")
    reference = natural("mdn_flower", 320, 256, 1)
    encodes = [degrade(reference, quality) for quality in QUALITIES]
    small, large = (
        np.array([_distances(name, reference, one)[0] for one in encodes]) for name in ("dists_sq", "dists")
    )
    assert np.all(np.diff(small) > 0)
    np.testing.assert_allclose(small, large, atol=0.04, rtol=0.2)
