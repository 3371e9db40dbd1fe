"""What convolutions get to see, at some places of their maps."""

from __future__ import annotations

from itertools import product
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

Places: TypeAlias = tuple[Tensor, Tensor, Tensor]
"""Picture, row and column of each place."""


def places(shape: torch.Size, each: int, random: torch.Generator) -> Places:
    """Draw places.

    Args:
        shape: Of the maps, (N, channels, H, W).
        each: How many per picture, on average.
        random: Random numbers.
    """
    count, _, height, width = shape
    batch, top, left = (torch.randint(n, (count * each,), generator=random) for n in (count, height, width))
    return batch, top, left


def patches(x: Tensor, where: Places, dilation: int = 1) -> Tensor:
    """What a 3x3 kernel sees at places of maps.

    Args:
        x: Maps, (N, channels, H, W).
        where: K places.
        dilation: Of the kernel.

    Returns:
        (K, 9 * channels + 1) of the maps' type: each channel's nine samples, and a 1 at the end.
    """
    batch, top, left = where
    around = functional.pad(x, (dilation,) * 4)
    taps = [around[batch, :, top + i * dilation, left + j * dilation] for i, j in product(range(3), range(3))]
    whole = torch.stack(taps, 2).flatten(1)
    return torch.cat([whole, whole.new_ones(len(whole), 1)], 1)
