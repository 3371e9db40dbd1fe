"""The teacher and the student in one form: DISTS, whose convolutions may be products of thinner ones.

Ding et al., "Image Quality Assessment: Unifying Structure and Texture Similarity" (TPAMI 2020): the convolutions of
VGG16, pools that keep the energy, and for every channel of every stage how unlike its means (texture) and its
covariance (structure) are. Where all convolutions are whole it is DISTS; in the student most are a product of up to
three: fewer channels in, 3x3, more channels out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.nn import functional

from tinyvmaf.models.convert.dists import HANNING, MEAN, STABILITY, STAGES, STD
from tinyvmaf.train.thin.convolution import Convolution, Ranks

OUTPUTS = tuple(width for stage in STAGES for width in stage)
"""Of the convolutions of the teacher, in the order in which they run."""

FAINT = 1e-12
"""Added to the energy under the window of a pool."""

_LEAST = 1e-12
"""Of a weight whose logarithm is taken."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How unlike every two of G pictures are, before weights.

    Attributes:
        texture: Of each stage, (G, G, C) in 0..1.
        structure: Of each stage, (G, G, C) in 0..2.
    """

    texture: tuple[Tensor, ...]
    structure: tuple[Tensor, ...]


class Network(nn.Module):
    """Pictures in, features of all stages out; and how to weigh what they differ in.

    Args:
        outputs: Of all convolutions, in the order in which they run.
        ranks: Of all; whole ones if it is empty.

    Attributes:
        widths: Channels of the picture and of each stage, C in all.
    """

    def __init__(self, outputs: Sequence[int] = OUTPUTS, ranks: Sequence[Ranks] = ()) -> None:
        super().__init__()
        self.outputs, self.ranks = tuple(outputs), tuple(ranks) or (Ranks(),) * len(OUTPUTS)
        self.convolutions = nn.ModuleList(map(Convolution, (3, *self.outputs[:-1]), self.outputs, self.ranks))
        self.widths = (3, *(self.outputs[end - 1] for end in accumulate(map(len, STAGES))))
        self.log_alpha = nn.Parameter(torch.zeros(sum(self.widths)))
        self.log_beta = nn.Parameter(torch.zeros(sum(self.widths)))

    def weigh(self, alpha: Tensor, beta: Tensor) -> None:
        """Set the weights of texture and structure terms, (C,) each."""
        with torch.no_grad():
            self.log_alpha.copy_(alpha.clamp_min(_LEAST).log())
            self.log_beta.copy_(beta.clamp_min(_LEAST).log())

    def weights(self) -> tuple[Tensor, Tensor]:
        """Weights of texture and of structure terms, (C,) each."""
        return self.log_alpha.exp(), self.log_beta.exp()

    def features(self, pictures: Tensor) -> list[Tensor]:
        """The pictures and the features at the end of every stage.

        Args:
            pictures: float (G, 3, H, W) R'G'B' in 0..1.

        Returns:
            (G, C, h, w) each, with h, w = 1, 1, 1/2, ... 1/16 of the size.
        """
        found, x, left = [pictures], standard(pictures), iter(self.convolutions)
        for depth, stage in enumerate(STAGES):
            x = pool(x) if depth else x
            for _ in stage:
                x = next(left)(x)
            found.append(x)
        return found

    def parts(self, terms: Terms) -> tuple[Tensor, Tensor]:
        """Weighed texture and structure terms, summed in each stage, (G, G, 6) each; together they are the distance."""
        pairs = zip(self.weights(), (terms.texture, terms.structure), strict=True)
        texture, structure = (
            torch.stack([t @ w for t, w in zip(some, weights.split(self.widths), strict=True)], -1)
            for weights, some in pairs
        )
        return texture, structure

    def distances(self, pictures: Tensor) -> Tensor:
        """The distance of every two of G pictures.

        Args:
            pictures: As for `features`.

        Returns:
            (G, G).
        """
        texture, structure = self.parts(compare(self.features(pictures)))
        return (texture + structure).sum(-1)


def standard(pictures: Tensor) -> Tensor:
    """Pictures as the first convolution sees them."""
    mean, deviation = (torch.tensor(three).reshape(1, 3, 1, 1) for three in (MEAN, STD))
    return ((pictures - mean) / deviation).contiguous(memory_format=torch.channels_last)


def pool(x: Tensor) -> Tensor:
    """Root of the squares' mean under a window, at every other place: (N, C, H, W) to half the size, rounded up."""
    channels = x.shape[1]
    window = torch.from_numpy(HANNING).to(x.dtype).expand(channels, 1, 3, 3)
    return (functional.conv2d(x * x, window, stride=2, padding=1, groups=channels) + FAINT).sqrt()


def compare(features: Sequence[Tensor]) -> Terms:
    """Compare every two of G pictures, in float32.

    Args:
        features: Of `Network.features`.
    """
    with torch.autocast("cpu", enabled=False):
        found = [_compare(value) for value in features]
    return Terms(tuple(texture for texture, _ in found), tuple(structure for _, structure in found))


def _compare(value: Tensor) -> tuple[Tensor, Tensor]:
    flat: Tensor = _Flat.apply(value)
    means = flat.mean(2)
    a, b = means[:, None], means[None]
    centred = (flat - means[..., None]).transpose(0, 1)
    covariances = (centred @ centred.transpose(1, 2)).permute(1, 2, 0) / flat.shape[2]
    variances = covariances.diagonal(dim1=0, dim2=1).T
    size = variances[:, None] + variances[None]
    # 1 - (2 ab + c) / (aa + bb + c), without its loss of digits where a and b are nearly equal.
    texture = (a - b) ** 2 / (a * a + b * b + STABILITY)
    return texture, ((size - 2 * covariances) / (size + STABILITY)).clamp_min(0)


class _Flat(torch.autograd.Function):
    """(G, C, H, W) to float32 (G, C, H * W), there and back by way of channels last, which is many times faster."""

    @staticmethod
    def forward(context: torch.autograd.function.FunctionCtx, value: Tensor) -> Tensor:
        context.kind, context.shape = value.dtype, value.shape
        rows = value.permute(0, 2, 3, 1).reshape(value.shape[0], -1, value.shape[1])
        return rows.transpose(1, 2).float().contiguous()

    @staticmethod
    def backward(context: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:
        count, channels, height, width = context.shape
        rows = gradient.to(context.kind).transpose(1, 2).contiguous()
        return rows.view(count, height, width, channels).permute(0, 3, 1, 2)
