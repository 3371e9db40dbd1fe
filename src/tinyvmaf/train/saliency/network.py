"""The student: a small U-shaped network of inverted residuals that says how much every pixel stands out.

Inverted residuals after Sandler et al., "MobileNetV2" (2018); the U shape and the supervision of every level of the
decoder after Qin et al., "U2-Net" (2020). All weights start from random numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDE = 32
"""Height and width of a picture must be multiples of it."""

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of red, green and blue in photographs, on a scale of 0..1."""


@dataclass(frozen=True, slots=True)
class Widths:
    """Sizes of the network.

    Attributes:
        stem: Channels at half size.
        levels: Channels at 1/4, 1/8, 1/16 and 1/32 of the size.
        depths: Blocks at each of these.
        decoder: Channels of the decoder at 1/4, 1/8, 1/16 and 1/32.
        expansion: Growth inside an inverted residual.
    """

    stem: int = 16
    levels: Sequence[int] = (24, 40, 80, 96)
    depths: Sequence[int] = (2, 3, 4, 2)
    decoder: Sequence[int] = (32, 48, 64, 80)
    expansion: int = 3


class Network(nn.Module):
    """Picture in, logits of saliency out."""

    def __init__(self, widths: Widths | None = None) -> None:
        super().__init__()
        w = widths or Widths()
        self.register_buffer("mean", torch.tensor(MEAN).reshape(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(DEVIATION).reshape(1, 3, 1, 1))
        self.stem = _convolution(3, w.stem, 3, stride=2)
        before = (w.stem, *w.levels[:-1])
        self.levels = nn.ModuleList(
            _level(a, b, depth, w.expansion) for a, b, depth in zip(before, w.levels, w.depths, strict=True)
        )
        self.context = _Context(w.levels[-1], w.decoder[-1])
        self.laterals = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(w.levels[:-1], w.decoder[:-1], strict=True))
        self.narrows = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(w.decoder[1:], w.decoder[:-1], strict=True))
        self.merges = nn.ModuleList(_Residual(c, 2) for c in w.decoder[:-1])
        self.fine = nn.Conv2d(w.decoder[0], w.stem, 1)
        self.last = nn.Sequential(_convolution(w.stem, w.stem, 3), nn.Conv2d(w.stem, 1, 1))
        self.sides = nn.ModuleList(nn.Conv2d(c, 1, 1) for c in w.decoder)

    def forward(self, picture: Tensor) -> Tensor:
        """Logits of saliency.

        Args:
            picture: float (N, 3, H, W), RGB in 0..1, H and W multiples of STRIDE.

        Returns:
            float (N, 1, H, W).
        """
        return self.all_maps(picture)[0]

    def all_maps(self, picture: Tensor) -> list[Tensor]:
        """Logits of the answer, then those of every level of the decoder, from fine to coarse.

        Args:
            picture: float (N, 3, H, W), RGB in 0..1.

        Returns:
            First (N, 1, H, W), then (N, 1, h, w) with h, w = 1/4, 1/8, 1/16, 1/32 of the size.
        """
        stem = self.stem((picture - self.mean) / self.deviation)
        features = list(_steps(self.levels, stem))
        decoded = [self.context(features[-1])]
        for i in reversed(range(len(self.merges))):
            above = _double(self.narrows[i](decoded[0]))
            decoded.insert(0, self.merges[i](functional.relu(above + self.laterals[i](features[i]))))
        fine = functional.relu(_double(self.fine(decoded[0])) + stem)
        return [_double(self.last(fine)), *(side(x) for side, x in zip(self.sides, decoded, strict=True))]


class _Residual(nn.Module):
    """Widen, look around in every channel, narrow, and add what came in."""

    def __init__(self, channels: int, expansion: int) -> None:
        super().__init__()
        wide = channels * expansion
        self.body = nn.Sequential(
            _convolution(channels, wide, 1),
            _convolution(wide, wide, 3, groups=wide),
            nn.Conv2d(wide, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y


class _Context(nn.Module):
    """What the whole picture shows, given to every place."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.local = _convolution(inside, outside, 1)
        self.whole = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(inside, outside, 1))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.local(x) + self.whole(x))


def _convolution(inside: int, outside: int, size: int, stride: int = 1, groups: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inside, outside, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(),
    )


def _level(inside: int, outside: int, depth: int, expansion: int) -> nn.Module:
    halve = nn.Sequential(nn.Conv2d(inside, outside, 2, 2, bias=False), nn.BatchNorm2d(outside))
    return nn.Sequential(halve, *(_Residual(outside, expansion) for _ in range(depth)))


def _steps(modules: Iterable[nn.Module], x: Tensor) -> Iterable[Tensor]:
    for module in modules:
        x = module(x)
        yield x


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
