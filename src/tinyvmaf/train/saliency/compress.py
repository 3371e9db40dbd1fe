"""Where the student starts: every convolution of the teacher as a product of thin ones.

What a convolution is to say is looked up on pictures: of all products of given ranks, one near the least squares
solution over what the teacher's layers really see is taken, not over all that they could see. How thin each becomes
is decided by how much of its answers is lost for how many numbers saved, at one price for all; answers count by how
much the whole network suffers when they are wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, TypeAlias

import torch
from torch import Tensor, nn

from tinyvmaf.train.saliency.network import Network
from tinyvmaf.train.thin.convolution import TAPS, Convolution, Ranks
from tinyvmaf.train.thin.factors import affine, factors, fill
from tinyvmaf.train.thin.patches import patches, places

PLACES: Final = 1500
"""Of each picture, and each convolution, at which is looked."""

NOISE: Final = 0.003
"""Variance of what is added to find out what matters, in units of that of a convolution's answers."""

TEMPER: Final = 0.75
"""Power of the sensitivities: large errors spread less than small ones foretell."""

_Choice: TypeAlias = tuple[Ranks, float, int]


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of the teacher's convolutions, in the order in which they run.

    Attributes:
        seen: What each gets to see: float64 (9 * inside + 1, 9 * inside + 1), the mean of v v', v a patch and a 1.
        sensitivities: By how much the squared error of all features grows with that of its answers.
        choices: How thin it can become, what share of its answers is lost then, and how many numbers it has.
    """

    seen: list[Tensor]
    sensitivities: list[float]
    choices: list[list[_Choice]]


def survey(teacher: Network, pictures: Sequence[Tensor]) -> Survey:
    """Look at the teacher at work.

    Args:
        teacher: Of whole convolutions.
        pictures: Batches, float (N, 3, H, W), scaled as the teacher wants them.
    """
    few = torch.cat([batch[:1] for batch in pictures])[:: max(1, len(pictures) // 6)]
    seen = moments(teacher, pictures)
    choices = [_choices(one, moment) for one, moment in zip(teacher.convolutions(), seen, strict=True)]
    return Survey(seen, sensitivities(teacher, [few]), choices)


def compress(teacher: Network, known: Survey, size: int) -> Network:
    """The student before it is fitted.

    Args:
        teacher: Of whole convolutions.
        known: Of `survey`.
        size: Numbers that the student may have.

    Returns:
        A network of `size` numbers or a few less.

    Raises:
        ValueError: Not even the thinnest network is so small.
    """
    ranks = choose(teacher, known, size)
    student = Network(ranks)
    pairs = zip(teacher.convolutions(), student.convolutions(), known.seen, ranks, strict=True)
    for whole, own, moment, rank in pairs:
        fill(own, factors(affine(whole), moment, rank))
    student.sides.load_state_dict(teacher.sides.state_dict())
    student.fuse.load_state_dict(teacher.fuse.state_dict())
    return student.eval()


@torch.no_grad()
def moments(teacher: Network, pictures: Iterable[Tensor]) -> list[Tensor]:
    """What all convolutions get to see.

    Args:
        teacher: Of whole convolutions.
        pictures: As for `survey`.

    Returns:
        For every convolution, float64 (9 * inside + 1, 9 * inside + 1): the mean of v v', v a patch and a 1.
    """
    random = torch.Generator().manual_seed(0)
    convolutions = teacher.convolutions()
    sums: dict[nn.Module, Tensor] = {}
    counts = dict.fromkeys(convolutions, 0)

    def look(module: nn.Module, given: tuple[Tensor, ...], _: Tensor) -> None:
        assert isinstance(module, Convolution)
        seen = patches(given[0], places(given[0].shape, PLACES, random), module.dilation).double()
        counts[module] += len(seen)
        sums[module] = sums.get(module, torch.zeros(1)) + seen.T @ seen

    hooks = [one.register_forward_hook(look) for one in convolutions]
    for batch in pictures:
        teacher(batch)
    for hook in hooks:
        hook.remove()
    return [sums[one] / counts[one] for one in convolutions]


@torch.no_grad()
def sensitivities(teacher: Network, pictures: Sequence[Tensor]) -> list[float]:
    """What each convolution's answers matter.

    Args:
        teacher: Of whole convolutions.
        pictures: As for `survey`.

    Returns:
        For every convolution, the mean squared error of all features, in units of their variance, for noise in its
        answers, in units of theirs.
    """
    random = torch.Generator().manual_seed(0)
    right = [teacher.features(batch) for batch in pictures]

    def disturb(module: nn.Module, given: tuple[Tensor, ...], _: Tensor) -> Tensor:
        assert isinstance(module, Convolution)
        answer = module.linear(given[0])
        noise = torch.randn(answer.shape, generator=random) * (NOISE * answer.var((0, 2, 3)).mean()).sqrt()
        return (answer + noise).relu()

    found = []
    for convolution in teacher.convolutions():
        hook = convolution.register_forward_hook(disturb)
        wrong = [_distance(teacher.features(batch), wanted) for batch, wanted in zip(pictures, right, strict=True)]
        hook.remove()
        found.append(sum(wrong) / len(wrong) / NOISE)
    return found


def _distance(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> float:
    return float(torch.stack([(a - b).square().mean() / b.var() for a, b in zip(found, wanted, strict=True)]).mean())


def choose(teacher: Network, known: Survey, size: int) -> list[Ranks]:
    """How thin each convolution becomes.

    Args:
        teacher: Of whole convolutions.
        known: Of `survey`.
        size: Numbers that the network may have.

    Returns:
        Ranks of all convolutions, whose weighted errors have about the least sum.

    Raises:
        ValueError: Not even the thinnest network is so small.
    """
    tables = [
        [(ranks, lost * importance**TEMPER, numbers) for ranks, lost, numbers in rows]
        for rows, importance in zip(known.choices, known.sensitivities, strict=True)
    ]
    rest = sum(p.numel() for part in (teacher.sides, teacher.fuse) for p in part.parameters())
    low, high = 0.0, 1.0
    for _ in range(60):
        price = (low + high) / 2
        if sum(row[2] for row in _cheapest(tables, price)) + rest > size:
            low = price
        else:
            high = price
    chosen = _cheapest(tables, high)
    if sum(row[2] for row in chosen) + rest > size:
        raise ValueError(f"no network of this form has {size} numbers")
    return [row[0] for row in chosen]


def _cheapest(tables: Sequence[Sequence[_Choice]], price: float) -> list[_Choice]:
    return [min(rows, key=lambda row: row[1] + price * row[2]) for rows in tables]


def _choices(whole: Convolution, moment: Tensor) -> list[_Choice]:
    everything = _numbers(whole, Ranks())
    found = [(Ranks(), 0.0, everything)]
    if whole.inside < 8:
        return found
    wanted = affine(whole)
    for inside, outside in product(_ladder(whole.inside, 32), _ladder(whole.outside, 16)):
        ranks = Ranks(inside, outside)
        numbers = _numbers(whole, ranks)
        if numbers < everything:
            found.append((ranks, factors(wanted, moment, ranks).error, numbers))
    return found


def _ladder(channels: int, few: int) -> list[int]:
    return [0, *range(8, channels * 3 // 4 + 1, 4 if channels <= few else 8)]


def _numbers(whole: Convolution, ranks: Ranks) -> int:
    thin, thick = ranks.inside or whole.inside, ranks.outside or whole.outside
    return whole.inside * ranks.inside + TAPS * thin * thick + ranks.outside * whole.outside + whole.outside
