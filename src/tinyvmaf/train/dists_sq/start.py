"""Where the student starts: every convolution of the teacher as a product of thin ones, one after the other.

Each is given what the student before it makes of pictures, and is to say what the teacher says there; of all products
of its ranks one near the least squares solution is taken. So each mends what it can of what was lost before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from tinyvmaf.models.convert.dists import STAGES
from tinyvmaf.train.dists_sq.network import Network, pool, standard
from tinyvmaf.train.thin.convolution import Ranks
from tinyvmaf.train.thin.factors import Affine, affine, factors, fill
from tinyvmaf.train.thin.patches import Places, patches, places

OUTPUTS = (32, 32, 96, 64, 256, 256, 256, 512, 512, 512, 512, 512, 512)
"""Of the student: fewer than the teacher's where maps are large, each of which costs much, and matter little."""

RANKS = tuple(
    Ranks(*pair)
    for pair in (
        *((0, 0), (16, 16), (16, 32), (32, 32), (32, 48), (48, 48), (48, 48)),
        *((64, 96), (96, 96), (96, 96), (144, 144), (144, 144), (144, 144)),
    )
)
"""Of the student. Multiples of 16, in which processors compute; more where maps are small and matter more."""

PLACES = 120
"""Of each picture, and each convolution, at which is looked."""

_TOGETHER = 16
"""Pictures that are looked at together, which bounds memory."""

_DOUBT = 1e-3
"""Of the mean variance: how far what was seen is trusted against the teacher's own kernel."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a convolution of the student sees, and what it is to say.

    Attributes:
        moment: float64 (9 * inside + 1, 9 * inside + 1): the mean of v v', v a patch and a 1.
        cross: float64 (9 * inside + 1, outside): the mean of v w', w what the teacher says before it cuts off.
    """

    moment: Tensor
    cross: Tensor


@torch.no_grad()
def start(teacher: Network, pictures: Tensor, say: Callable[[str], None]) -> tuple[Network, list[Tensor]]:
    """Make the teacher thinner.

    Args:
        teacher: Of whole convolutions.
        pictures: (N, 3, H, W) R'G'B' in 0..1 at which it is watched.
        say: Takes a line per convolution.

    Returns:
        The student before it is fitted, and what each of its convolutions sees.
    """
    student, moments = Network(OUTPUTS, RANKS), []
    x, theirs = standard(pictures), standard(pictures)
    kept: list[list[int]] = [[0, 1, 2]]
    for number, (own, whole) in enumerate(zip(student.convolutions, teacher.convolutions, strict=True)):
        if number in _POOLED:
            x, theirs = _by_parts(pool, x), _by_parts(pool, theirs)
        said = _by_parts(whole.linear, theirs)
        before, now = kept[-1], _most_telling(said, own.outside)
        seen = _look(x, said[:, now], torch.Generator().manual_seed(number))
        # Where some of what the teacher sees is not there, there is no kernel of its to go by.
        kernel = affine(whole).kernel[now] if len(before) == whole.inside else None
        made = factors(nearest(seen, kernel), seen.moment, RANKS[number])
        fill(own, made)
        say(f"layer {number + 1} of {len(RANKS)}: {made.error:.3f} of what it should say is lost to thinness")
        moments.append(seen.moment)
        kept.append(now)
        x, theirs = _by_parts(own, x), said.relu_()
    ends = [kept[0], *(kept[end] for end in accumulate(map(len, STAGES)))]
    student.weigh(*(_fewer(weights, teacher.widths, ends) for weights in teacher.weights()))
    return student, moments


_POOLED = set(accumulate(map(len, STAGES[:-1])))


def nearest(seen: Seen, kernel: Tensor | None) -> Affine:
    """What comes nearest to what is to be said.

    Args:
        seen: What is seen, and to be said.
        kernel: To stay near to where little was seen; zeros by default.
    """
    mean, said = seen.moment[:-1, -1], seen.cross[-1]
    spread = seen.moment[:-1, :-1] - mean[:, None] * mean
    both = seen.cross[:-1] - mean[:, None] * said
    doubt = _DOUBT * spread.diagonal().mean()
    both = both if kernel is None else both + doubt * kernel.T
    found = torch.linalg.solve(spread + doubt * torch.eye(len(spread), dtype=spread.dtype), both).T
    return Affine(found, said - found @ mean)


def _look(x: Tensor, said: Tensor, random: torch.Generator) -> Seen:
    """Watch at some places."""
    inside, outside = 9 * x.shape[1] + 1, said.shape[1]
    moment, cross = torch.zeros(inside, inside).double(), torch.zeros(inside, outside).double()
    parts = list(zip(x.split(_TOGETHER), said.split(_TOGETHER), strict=True))
    for some, wanted in parts:
        where = places(some.shape, PLACES, random)
        seen, found = patches(some, where), _at(wanted, where)
        moment += (seen.T @ seen).double()
        cross += (seen.T @ found).double()
    return Seen(moment / moment[-1, -1], cross / moment[-1, -1])


def _at(x: Tensor, where: Places) -> Tensor:
    batch, top, left = where
    return x[batch, :, top, left]


def _most_telling(said: Tensor, count: int) -> list[int]:
    """Channels from which the others follow best, one after the other; all, in their order, if so many are wanted."""
    if count == said.shape[1]:
        return list(range(count))
    some = said[:: max(1, len(said) // 64)].relu()
    rest = torch.cov(some.permute(1, 0, 2, 3).flatten(1)).double()
    kept: list[int] = []
    for _ in range(count):
        told = rest.square().sum(0) / (rest.diagonal() + 1e-9)
        told[kept] = -1
        best = int(told.argmax())
        kept.append(best)
        rest = rest - rest[:, best : best + 1] @ rest[best : best + 1] / (rest[best, best] + 1e-9)
    return kept


def _fewer(weights: Tensor, widths: Sequence[int], kept: Sequence[Sequence[int]]) -> Tensor:
    """Weights of the channels that are kept in each stage, which stand for all of it."""
    stages = zip(weights.split(list(widths)), kept, strict=True)
    return torch.cat([stage[list(own)] * stage.sum() / stage[list(own)].sum() for stage, own in stages])


def _by_parts(make: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return torch.cat([make(some) for some in x.split(_TOGETHER)])


def watched(scenes: Iterable[Tensor], count: int) -> Tensor:
    """Pictures to watch the teacher at: of every scene the reference and one version.

    Args:
        scenes: Each (G, 3, H, W).
        count: How many pictures.

    Returns:
        (count, 3, H, W), of the scenes that are as large as the first; fewer if there are not so many.
    """
    found: list[Tensor] = []
    for number, pictures in enumerate(scenes):
        if 2 * len(found) < count and pictures.shape[2:] == (found or [pictures])[0].shape[2:]:
            found.append(pictures[[0, 1 + number % (len(pictures) - 1)]])
    return torch.cat(found)[:count]
