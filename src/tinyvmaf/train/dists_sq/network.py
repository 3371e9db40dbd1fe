"""The network: five stages of convolutions, compared by their means (texture) and covariances (structure).

The form is that of DISTS, the network 13 times smaller. Three things are added. Texture features are products of powers
of the channels' means, by a matrix that is learnt. Terms saturate, each at its own pace. And weights are learnt for
several targets, parts of DISTS, whose sum is the distance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch.nn import functional

Tensors: TypeAlias = Mapping[str, torch.Tensor]

WIDTHS = (16, 48, 96, 128, 128)
"""Channels of the stages, at strides 1, 2, 4, 8 and 16."""

CHANNELS = sum(WIDTHS)
"""Number of texture terms, and of structure terms, beside those of R, G and B themselves."""

GAIN = 3.0
"""Power of the means that the texture features start as: means change less than those of a deep network."""

FAINT = 0.01
"""Added to means before the logarithm, so that channels that hardly fire do not count."""

STABILITY = 1e-6

COLOUR_SHARE = 0.02
"""Where the weights of the six terms of R, G and B start."""


def random_weights(seed: int, parts: torch.Tensor) -> dict[str, torch.Tensor]:
    """Start values.

    Args:
        seed: Same seed, same weights.
        parts: (P,) largest values of the parts of the distance, 1 in total with `COLOUR_SHARE` for each colour term.

    Returns:
        Name to float32 tensor. Kernels are matrices (outputs, 9 * inputs).
    """
    rng = torch.Generator().manual_seed(seed)
    weights, inputs = {}, 3
    for stage, width in enumerate(WIDTHS):
        for layer in range(2):
            fan = 9 * inputs
            weights[f"kernel{stage}{layer}"] = torch.randn(width, fan, generator=rng) * (2 / fan) ** 0.5
            weights[f"bias{stage}{layer}"] = torch.zeros(width)
            inputs = width
    # The first layer starts blind to flat areas: then brightness does not drown what damage changes.
    flat = weights["kernel00"].unflatten(1, (3, 9))
    weights["kernel00"] = (flat - flat.mean(2, keepdim=True)).flatten(1)
    # Each texture feature starts as a power of one channel's mean; the last three inputs are the means of R, G and B.
    weights["mixing"] = GAIN * torch.cat([torch.eye(CHANNELS), torch.zeros(3, CHANNELS)])
    weights["offset"] = torch.zeros(CHANNELS)
    weights["knees"] = torch.zeros(2 * CHANNELS)
    weights["shares"] = (parts / CHANNELS).log().repeat(2 * CHANNELS, 1)
    weights["colour_shares"] = torch.full((6,), COLOUR_SHARE).log()
    return weights


@dataclass(frozen=True, slots=True)
class Seen:
    """What the network sees in G pictures.

    Attributes:
        stages: The pictures (G, 3, H, W) and the features of all stages.
        rgb_means: (G, 3).
        textures: (G, C) texture features.
    """

    stages: tuple[torch.Tensor, ...]
    rgb_means: torch.Tensor
    textures: torch.Tensor


def look(weights: Tensors, pictures: torch.Tensor) -> Seen:
    """Run the stages.

    Args:
        weights: Of the network.
        pictures: (G, 3, H, W) R'G'B' in 0..1.
    """
    value = (pictures - 0.5) * 4
    stages = []
    for stage in range(len(WIDTHS)):
        if stage:
            value = functional.avg_pool2d(value, 3, 2, 1, count_include_pad=False)
        for layer in range(2):
            kernel = weights[f"kernel{stage}{layer}"].unflatten(1, (-1, 3, 3))
            value = functional.conv2d(value, kernel, weights[f"bias{stage}{layer}"], padding=1).relu()
        stages.append(value)
    with torch.autocast("cpu", enabled=False):
        rgb_means = pictures.mean((2, 3))
        means = torch.cat([*(one.mean((2, 3), dtype=torch.float32) for one in stages), rgb_means], dim=1)
        logs = (means + FAINT).log() @ weights["mixing"] + weights["offset"]
        return Seen((pictures, *stages), rgb_means, logs.clamp(-10, 10).exp())


@dataclass(frozen=True, slots=True)
class Terms:
    """The distance in parts.

    Attributes:
        colour: Of R, G and B: their means and their structure.
        parts: (..., P) of everything else.
    """

    colour: torch.Tensor
    parts: torch.Tensor

    @property
    def distance(self) -> torch.Tensor:
        """The sum."""
        return self.colour + self.parts.sum(-1)


def compare_all(weights: Tensors, seen: Seen) -> Terms:
    """Compare every two of G pictures.

    Args:
        weights: Of the network.
        seen: What `look` returned for them.

    Returns:
        Terms of (G, G) pairs.
    """
    texture, colour = (_unlike_products(v[:, None] * v[None]) for v in (seen.textures, seen.rgb_means))
    detail, *structure = (_unlike_products(_covariances(value)) for value in seen.stages)
    return _weighed(weights, torch.cat([colour, detail], -1), torch.cat([texture, *structure], -1))


def compare(weights: Tensors, ref: torch.Tensor, dist: torch.Tensor) -> torch.Tensor:
    """The distance of pairs of pictures, as the exported model computes it.

    Args:
        weights: Of the network.
        ref: (N, 3, H, W) R'G'B' in 0..1.
        dist: The same shape.

    Returns:
        (N,): 0 for equal pictures, about DISTS for others.
    """
    a, b = look(weights, ref), look(weights, dist)
    detail, *structure = (_unlike_structure(*pair) for pair in zip(a.stages, b.stages, strict=True))
    colour = torch.cat([_unlike(a.rgb_means, b.rgb_means), detail], -1)
    return _weighed(weights, colour, torch.cat([_unlike(a.textures, b.textures), *structure], -1)).distance


def _weighed(weights: Tensors, colour: torch.Tensor, terms: torch.Tensor) -> Terms:
    knees = weights["knees"].exp()
    bent = terms * (1 + knees) / (terms + knees)
    return Terms(colour @ weights["colour_shares"].exp(), bent @ weights["shares"].exp())


def _unlike(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """1 - (2 ab + c) / (aa + bb + c), without its loss of digits where a and b are nearly equal."""
    apart = one - other
    return apart * apart / (one * one + other * other + STABILITY)


def _unlike_structure(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """The same from covariances, (N, C)."""
    one, other = (value - value.mean((2, 3), keepdim=True) for value in (one, other))
    apart, size = one - other, (one * one + other * other).mean((2, 3))
    return (apart * apart).mean((2, 3)) / (size + STABILITY)


def _unlike_products(products: torch.Tensor) -> torch.Tensor:
    """The same from the products of every two pictures, (G, G, C)."""
    squares = products.diagonal(dim1=0, dim2=1).transpose(0, 1)
    size = squares[:, None] + squares[None]
    return ((size - 2 * products) / (size + STABILITY)).clamp_min(0)


def _covariances(value: torch.Tensor) -> torch.Tensor:
    """(G, G, C) covariances of every channel between every two pictures."""
    with torch.autocast("cpu", enabled=False):
        flat = value.float().contiguous().flatten(2)
        centred = (flat - flat.mean(2, keepdim=True)).transpose(0, 1)
        return (centred @ centred.transpose(1, 2)).permute(1, 2, 0) / flat.shape[2]
