"""The page on denoising exports FastDVDnet as PyTorch has it; the file computes what PyTorch computes."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

from clips import natural
from reference import denoise as reference
from tinyvmaf.models.runtime import open_session
from tinyvmaf.vision.denoise import TemporalDenoiser

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "denoise.md"
nn = torch.nn


def layer(inside, outside, stride=1, groups=1):
    conv = nn.Conv2d(inside, outside, 3, stride, 1, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outside), nn.ReLU())


def rise(inside, outside):
    conv = nn.Conv2d(inside, 4 * outside, 3, padding=1, bias=False)
    return nn.Sequential(layer(inside, inside), layer(inside, inside), conv, nn.PixelShuffle(2))


class Block(nn.Module):
    """The U-Net of three frames, normalisation as in training."""

    def __init__(self):
        super().__init__()
        self.start = nn.Sequential(layer(12, 90, groups=3), layer(90, 32))
        self.down = nn.ModuleList(
            nn.Sequential(layer(a, b, stride=2), layer(b, b), layer(b, b)) for a, b in ((32, 64), (64, 128))
        )
        self.up = nn.ModuleList([rise(64, 32), rise(128, 64)])
        self.end = nn.Sequential(layer(32, 32), nn.Conv2d(32, 3, 3, padding=1, bias=False))

    def forward(self, before, middle, after, noise):
        x0 = self.start(torch.cat([before, noise, middle, noise, after, noise], 1))
        x1 = self.down[0](x0)
        x2 = self.up[1](self.down[1](x1))
        return middle - self.end(x0 + self.up[0](x1 + x2))


class FastDvdNet(nn.Module):
    """15 channels and a map of the noise level to 3 channels."""

    def __init__(self):
        super().__init__()
        self.first, self.second = Block(), Block()

    def forward(self, x, noise):
        frames = x.split(3, 1)
        return self.second(*(self.first(*frames[i : i + 3], noise) for i in range(3)), noise)


@pytest.fixture(scope="module")
def network():
    """Random weights, and running statistics that an export cannot leave out."""
    torch.manual_seed(3)
    found = FastDvdNet().eval()
    for module in found.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values, low in ((module.running_mean, -0.1), (module.running_var, 0.5), (module.weight, 0.8)):
                nn.init.uniform_(values, low, low + 0.4)
    return found


def luma_of(network, frames):
    grey = torch.from_numpy(np.repeat(frames, 3, 1))
    noise = torch.full_like(grey[:, :1], 25 / 255)
    with torch.no_grad():
        return np.tensordot((0.299, 0.587, 0.114), network(grey, noise).numpy(), (0, 1))[None]


def test_the_export_of_the_page_equals_pytorch(network, tmp_path):
    clip = [planes[0].astype(np.float32) / 255 for planes in natural("mdn_flower", 61, 43, 6)]
    wanted = reference.denoised(clip, lambda frames: luma_of(network, frames))
    names = {}
    exec(re.search(r"```python\n(import torch\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1], names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names["export"](network, str(tmp_path / "exported.onnx"))
    with open_session(tmp_path / "exported.onnx", device="cpu") as session:
        assert session.report.parameters == pytest.approx(2_477_642, rel=1e-3)
        stream = TemporalDenoiser(session).stream()
        found = [done.clean for picture in clip for done in stream.push(picture)]
        found += [done.clean for done in stream.finish()]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)
    assert np.mean(np.abs(np.subtract(found, clip))) > 0.01
