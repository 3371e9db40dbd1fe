"""Convolutions that may be products of thinner ones."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

TAPS = 9
"""Places that a kernel looks at."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """Channels between the factors of a convolution; 0 where that factor is missing.

    Attributes:
        inside: After the first factor, 1x1.
        outside: Before the last factor, 1x1.
    """

    inside: int = 0
    outside: int = 0


class Convolution(nn.Module):
    """3x3, whole or a product, and what it says below zero is cut off.

    Args:
        inside: Channels of what comes in.
        outside: Of what goes out.
        ranks: Between the factors.
        dilation: Of the kernel.
    """

    def __init__(self, inside: int, outside: int, ranks: Ranks, dilation: int = 1) -> None:
        super().__init__()
        self.inside, self.outside, self.dilation = inside, outside, dilation
        thin, thick = ranks.inside or inside, ranks.outside or outside
        self.first = nn.Conv2d(inside, thin, 1, bias=False) if ranks.inside else None
        self.core = nn.Conv2d(thin, thick, 3, padding=dilation, dilation=dilation, bias=not ranks.outside)
        self.last = nn.Conv2d(thick, outside, 1) if ranks.outside else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, inside, H, W) to (N, outside, H, W)."""
        return self.linear(x).relu()

    def linear(self, x: Tensor) -> Tensor:
        """The same before it is cut off."""
        for part in (self.first, self.core, self.last):
            x = x if part is None else part(x)
        return x
