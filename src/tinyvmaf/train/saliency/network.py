"""The teacher and the student in one form: a U of small Us, whose convolutions may be products of thinner ones.

Qin et al., "U2-Net: Going Deeper with Nested U-Structure for Salient Object Detection" (2020), in its small version,
with batch normalisation folded into the convolutions. Where all convolutions are whole it is U2-NetP; in the student
most are a product of up to three: fewer channels in, 3x3, more channels out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from tinyvmaf.train.thin.convolution import Convolution, Ranks
from tinyvmaf.vision.pictures import IMAGENET_MEAN, IMAGENET_STD

STRIDE = 32
"""Height and width of a picture must be multiples of it."""

HEIGHTS = (7, 6, 5, 4, 0, 0)
"""Levels of the small Us on the way down; those of 0 have four dilated levels of one size."""

NARROW, WIDE = 16, 64
"""Channels inside and between the small Us."""

CONVOLUTIONS = 112
"""That may be products."""


class Block(nn.Module):
    """A small U whose answer is added to what its first convolution says."""

    def __init__(self, height: int, inside: int, ranks: Iterator[Ranks]) -> None:
        super().__init__()
        self.halves = height > 0
        levels = height or 4
        dilations = [1] * (levels - 1) + [2] if height else [2**level for level in range(levels)]

        def make(before: int, after: int, level: int) -> Convolution:
            return Convolution(before, after, next(ranks), dilations[level])

        self.entrance = Convolution(inside, WIDE, next(ranks))
        self.down = nn.ModuleList(make(NARROW if k else WIDE, NARROW, k) for k in range(levels - 1))
        self.bottom = make(NARROW, NARROW, levels - 1)
        self.up = nn.ModuleList(make(2 * NARROW, NARROW if k else WIDE, k) for k in reversed(range(levels - 1)))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inside, H, W) to (N, WIDE, H, W)."""
        whole = self.entrance(x)
        y, kept = whole, []
        for level, convolution in enumerate(self.down):
            y = convolution(_half(y) if level and self.halves else y)
            kept.append(y)
        y = self.bottom(y)
        for level, convolution in enumerate(self.up):
            y = convolution(torch.cat([double(y) if level and self.halves else y, kept.pop()], 1))
        return whole + y


class Network(nn.Module):
    """Picture in, logits of saliency out.

    Args:
        ranks: Of all convolutions that may be products, in the order in which they run; whole ones if it is empty.
    """

    def __init__(self, ranks: Sequence[Ranks] = ()) -> None:
        super().__init__()
        self.ranks = tuple(ranks) or (Ranks(),) * CONVOLUTIONS
        left = iter(self.ranks)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).reshape(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(IMAGENET_STD).reshape(1, 3, 1, 1))
        self.down = nn.ModuleList(Block(height, WIDE if k else 3, left) for k, height in enumerate(HEIGHTS))
        self.up = nn.ModuleList(Block(height, 2 * WIDE, left) for height in reversed(HEIGHTS[:-1]))
        self.sides = nn.ModuleList(nn.Conv2d(WIDE, 1, 3, padding=1) for _ in HEIGHTS)
        self.fuse = nn.Conv2d(len(HEIGHTS), 1, 1)

    def forward(self, picture: Tensor) -> Tensor:
        """Logits of saliency.

        Args:
            picture: float (N, 3, H, W), RGB in 0..1 with a largest value near 1; H and W multiples of STRIDE.

        Returns:
            float (N, 1, H, W).
        """
        return self.answers(self.features(picture))[0]

    def features(self, picture: Tensor) -> list[Tensor]:
        """What all blocks say, in the order in which they run.

        Args:
            picture: As for `forward`.

        Returns:
            Each float (N, WIDE, h, w).
        """
        x = (picture - self.mean) / self.deviation
        found: list[Tensor] = []
        for block in self.down:
            found.append(block(_half(found[-1]) if found else x))
        skipped = found[:-1]
        for block in self.up:
            found.append(block(torch.cat([double(found[-1]), skipped.pop()], 1)))
        return found

    def answers(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Logits of the answer, then those of every level, from fine to coarse.

        Args:
            features: What `features` returned.

        Returns:
            First (N, 1, H, W), then (N, 1, h, w) with h, w = 1, 1/2, ... 1/32 of the size.
        """
        decoded = reversed(features[len(self.down) - 1 :])
        sides = [side(x) for side, x in zip(self.sides, decoded, strict=True)]
        large = [sides[0], *(double(x, 2.0**k) for k, x in enumerate(sides[1:], 1))]
        return [self.fuse(torch.cat(large, 1)), *sides]

    def convolutions(self) -> list[Convolution]:
        """Those that may be products, in the order in which they run."""
        return [module for module in self.modules() if isinstance(module, Convolution)]


def as_pictures(samples: npt.NDArray[np.uint8], side: int) -> Tensor:
    """What networks get to see of samples.

    Args:
        samples: uint8 (N, h, w, 3 or more): red, green, blue.
        side: Of the squares that are wanted.

    Returns:
        float (N, 3, side, side), divided by each picture's largest value.
    """
    seen = torch.from_numpy(samples[..., :3].copy()).permute(0, 3, 1, 2).float() / 255
    if seen.shape[-2:] != (side, side):
        seen = functional.interpolate(seen, (side, side), mode="bilinear", align_corners=False, antialias=True)
    return seen / seen.amax((1, 2, 3), keepdim=True).clamp_min(1 / 255)


def double(x: Tensor, scale: float = 2.0) -> Tensor:
    """Enlarge maps, (N, C, H, W)."""
    return functional.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)


def _half(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, 2, 2)
