"""A convolution as a product of thin ones, near the least squares solution over what it really sees."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tinyvmaf.train.thin.convolution import TAPS, Convolution, Ranks

_CERTAIN = 1e-4
"""Of the mean variance, added to all: directions in which next to nothing was seen are not trusted."""


@dataclass(frozen=True, slots=True)
class Affine:
    """What a convolution does to a patch.

    Attributes:
        kernel: float64 (outside, 9 * inside).
        bias: float64 (outside,).
    """

    kernel: Tensor
    bias: Tensor


@dataclass(frozen=True, slots=True)
class Factors:
    """A convolution as a product.

    Attributes:
        first: (ranks.inside, inside), or None.
        core: (thick, thin, 3, 3).
        last: (outside, ranks.outside), or None.
        bias: (outside,).
        error: Variance of what is wrong over the variance of what is right.
    """

    first: Tensor | None
    core: Tensor
    last: Tensor | None
    bias: Tensor
    error: float


def affine(whole: Convolution) -> Affine:
    """What a whole convolution does.

    Args:
        whole: Not a product.
    """
    bias = whole.core.bias
    assert bias is not None
    return Affine(whole.core.weight.detach().double().flatten(1), bias.detach().double())


@torch.no_grad()
def factors(wanted: Affine, moment: Tensor, ranks: Ranks) -> Factors:
    """A convolution as a product of given ranks.

    Args:
        wanted: What it is to do.
        moment: What it gets to see: float64 (9 * inside + 1, 9 * inside + 1), the mean of v v', v a patch and a 1.
        ranks: Of the product.
    """
    mean = moment[:-1, -1]
    spread = moment[:-1, :-1] - mean[:, None] * mean
    right = wanted.kernel @ spread @ wanted.kernel.T
    last = torch.linalg.eigh(right)[1][:, -ranks.outside :] if ranks.outside else None
    first, core = _thinned(wanted.kernel if last is None else last.T @ wanted.kernel, spread, ranks.inside)
    made = core if first is None else core @ _everywhere(first)
    made = made if last is None else last @ made
    wrong = wanted.kernel - made
    error = float((wrong @ spread * wrong).sum() / right.trace())
    return Factors(first, core.unflatten(1, (-1, 3, 3)), last, wanted.bias + wrong @ mean, error)


def _thinned(wanted: Tensor, spread: Tensor, rank: int) -> tuple[Tensor | None, Tensor]:
    """A first factor, and the kernel after it that comes nearest to the wanted one."""
    if not rank:
        return None, wanted
    taps = wanted.unflatten(1, (-1, TAPS))
    weights = _surely(torch.einsum("oik,ojk->ij", taps, taps))
    seen = spread.unflatten(0, (-1, TAPS)).unflatten(2, (-1, TAPS)).diagonal(dim1=1, dim2=3).mean(-1)
    seen = _surely(seen)
    _, sizes, right = torch.linalg.svd(_root(weights, 0.5) @ _root(seen, 0.5))
    # The root shares the size of what passes between this factor and the kernel.
    first = sizes[:rank, None].sqrt() * (right[:rank] @ _root(seen, -0.5))
    everywhere = _everywhere(first)
    normal = _surely(everywhere @ spread @ everywhere.T)
    return first, torch.linalg.solve(normal, everywhere @ spread @ wanted.T).T


def _everywhere(first: Tensor) -> Tensor:
    """The first factor at all nine places of a patch."""
    return torch.kron(first, torch.eye(TAPS, dtype=first.dtype))


def _surely(matrix: Tensor) -> Tensor:
    return matrix + torch.eye(len(matrix), dtype=matrix.dtype) * (matrix.diagonal().mean() * _CERTAIN + 1e-12)


def _root(matrix: Tensor, power: float) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp_min(values.max() * 1e-7) ** power) @ vectors.T


@torch.no_grad()
def fill(own: Convolution, made: Factors) -> None:
    """Give a convolution its weights.

    Args:
        own: Of the ranks of the product.
        made: The product.
    """
    own.core.weight.copy_(made.core)
    if own.first is not None and made.first is not None:
        own.first.weight.copy_(made.first[..., None, None])
    if own.last is not None and made.last is not None:
        own.last.weight.copy_(made.last[..., None, None])
    end: nn.Conv2d = own.core if own.last is None else own.last
    assert end.bias is not None
    end.bias.copy_(made.bias)
