"""Networks as features; `tests/models/test_convert.py` holds their weights against published numbers."""

from __future__ import annotations

import numpy as np
import pytest

from clips import degrade, natural, pairs
from oracles.networks import distance
from tinyvmaf.score.pipeline import make_feature


@pytest.mark.parametrize("name", ["lpips_alex", "dists"])
def test_equals_the_network_on_rgb(name, pulled):
    data = pulled(name).data
    reference = natural("mdn_flower", 75, 53, 2, 10)
    distorted = degrade(reference, 40, 10)
    feature = make_feature(name, {"matrix": "bt2020"})
    found = feature.compute([feature.update(pair) for pair in pairs(reference, distorted, 10)])[name]
    want = [distance(data, *frames, 10, matrix="bt2020nc") for frames in zip(reference, distorted, strict=True)]
    np.testing.assert_allclose(found, want, atol=1e-5)
