"""LPIPS against the arithmetic of its authors' package, on the same features: RGB in, the same distance out.

The package takes its feature networks from torchvision, with weights that it downloads. Here their layers stand in,
written out, with the features of the very files that the features run.
"""

from __future__ import annotations

import sys
import types

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from clips import degrade, natural, pairs
from oracles.pictures import rgb
from tinyvmaf.score.pipeline import make_feature

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
nn = torch.nn

FIRES = {3: (64, 16, 64), 4: (128, 16, 64), 6: (128, 32, 128), 7: (256, 32, 128), 9: (256, 48, 192), 10: (384, 48, 192),
         11: (384, 64, 256), 12: (512, 64, 256)}  # fmt: skip
"""Place in SqueezeNet 1.1 -> channels in, squeezed, and expanded by each of both branches."""


class Fire(nn.Module):
    def __init__(self, channels, squeezed, expanded):
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x):
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x).relu(), self.expand3x3(x).relu()], 1)


def squeezenet(pretrained):
    pool = {
        2: nn.MaxPool2d(3, 2, ceil_mode=True),
        5: nn.MaxPool2d(3, 2, ceil_mode=True),
        8: nn.MaxPool2d(3, 2, ceil_mode=True),
    }
    layers = [nn.Conv2d(3, 64, 3, 2), nn.ReLU(), *(pool.get(i) or Fire(*FIRES[i]) for i in range(2, 13))]
    return types.SimpleNamespace(features=nn.Sequential(*layers))


def alexnet(pretrained):
    layers = [
        nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(),
        nn.MaxPool2d(3, 2), nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(), nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
    ]  # fmt: skip
    return types.SimpleNamespace(features=nn.Sequential(*layers))


@pytest.fixture
def package(monkeypatch):
    models = types.SimpleNamespace(squeezenet1_1=squeezenet, alexnet=alexnet)
    vision = types.ModuleType("torchvision")
    vision.models = models
    monkeypatch.setitem(sys.modules, "torchvision", vision)
    yield pytest.importorskip("lpips", reason="the package lpips is not installed")
    for name in [name for name in sys.modules if name.split(".")[0] == "lpips"]:
        del sys.modules[name]


def _features(name, data):
    """State of the package's feature network, from a file of ours."""
    held = {
        w.name: torch.from_numpy(numpy_helper.to_array(w).copy()) for w in onnx.load_from_string(data).graph.initializer
    }
    if name == "lpips_sq":
        prefix = "core.net."
        return {key.removeprefix(prefix): value for key, value in held.items() if key.startswith(prefix)}
    places = ("slice1.0", "slice2.3", "slice3.6", "slice4.8", "slice5.10")
    kinds = ("weight", "bias")
    return {f"{place}.{kind}": held[f"conv{i}.{kind}"] for i, place in enumerate(places) for kind in kinds}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "net"), [("lpips_sq", "squeeze"), ("lpips_alex", "alex")])
@pytest.mark.parametrize(("width", "height"), [(128, 96), (67, 61)])
def test_equals_the_package(name, net, width, height, package, pulled):
    data = pulled(name).data
    judge = package.LPIPS(net=net, pnet_rand=True, verbose=False)
    judge.net.load_state_dict(_features(name, data))
    reference = natural("mdn_flower", width, height, 2, 8, "444")
    distorted = degrade(reference, 40, 8, "444")
    feature = make_feature(name, {"matrix": "bt709", "range": "limited"})
    for pair in pairs(reference, distorted):
        pictures = [
            torch.from_numpy(rgb(frame.planes, 8, "444", "bt709", "limited").astype(np.float32))[None]
            for frame in (pair.reference, pair.distorted)
        ]
        with torch.no_grad():
            expected = float(judge(*pictures, normalize=True))
        assert expected > 0.01
        assert feature.update(pair)[0] == pytest.approx(expected, abs=1e-4)
