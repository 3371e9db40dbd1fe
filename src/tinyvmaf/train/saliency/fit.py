"""The fit: the student learns to say, layer for layer, what the teacher says of the same pictures."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tinyvmaf.train.saliency.composites import Pixels
from tinyvmaf.train.saliency.compress import Survey
from tinyvmaf.train.saliency.network import Network, as_pictures
from tinyvmaf.train.saliency.samples import Samples
from tinyvmaf.train.thin.condition import condition, copy_plain
from tinyvmaf.train.thin.convolution import Convolution
from tinyvmaf.train.thin.progress import Progress, features_error

EXACT = ("up.3.up.2", "up.3.up.3", "up.3.up.4")
"""Convolutions of the teacher whose large numbers cancel out in the next one: bfloat16 would leave noise."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to fit.

    Attributes:
        steps: Batches in all.
        decline: Share of them, at the end, in which the rate falls to zero.
        batch: Samples in a batch.
        rate: Learning rate of a convolution of middle importance after the first `warm_up` batches.
        warm_up: Batches in which it rises.
        memory: Of the average of the weights, per batch.
        answers: Weight of the answers against the features.
        seed: Of the order of the samples.
        rest: Batches between two validations, each of which saves the state.
    """

    steps: int = 600
    decline: float = 0.75
    batch: int = 4
    rate: float = 1e-4
    warm_up: int = 30
    memory: float = 0.99
    answers: float = 0.3
    seed: int = 1
    rest: int = 50

    def rate_at(self, step: int) -> float:
        """The learning rate of a batch."""
        left = (self.steps - step) / max(self.steps * self.decline, 1)
        return self.rate * min(1.0, (step + 1) / self.warm_up, left)


class Fit:
    """A student on its way.

    Args:
        teacher: Of whole convolutions.
        student: What `compress` made of it; not changed.
        known: Of the teacher: convolutions that matter more move more slowly.
        plan: How to fit.
    """

    def __init__(self, teacher: Network, student: Network, known: Survey, plan: Plan) -> None:
        self.plan = plan
        self._teacher = copy.deepcopy(teacher).to(memory_format=torch.channels_last)
        network = copy.deepcopy(student).to(memory_format=torch.channels_last)
        condition(network.convolutions(), known.seen)
        self.progress = Progress(network, list(_groups(network, known.sensitivities)), plan.memory, longest=5.0)
        for one in (self._teacher, network):
            for name in EXACT:
                _in_float32(one.get_submodule(name))

    @property
    def student(self) -> Network:
        """The average so far, of plain convolutions."""
        made = Network(self.progress.average.ranks)
        copy_plain(made, self.progress.average)
        return made.eval()

    def advance(self, pictures: Tensor) -> tuple[float, float]:
        """Fit one batch.

        Args:
            pictures: As the teacher wants them, float (N, 3, H, W).

        Returns:
            How wrong features and answers were before.
        """
        network = self.progress.network
        given = pictures.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                wanted = self._teacher.features(given)
                answers = self._teacher.answers(wanted)
            found = network.features(given)
            said = network.answers(found)
        features, maps = features_error(found, wanted), answers_error(said, answers)
        (features + self.plan.answers * maps).backward()
        self.progress.advance(self.plan.rate_at(self.progress.step))
        return features.item(), maps.item()


def _groups(network: Network, importance: Sequence[float]) -> Iterator[dict[str, Any]]:
    middle = float(np.median(importance))
    for convolution, own in zip(network.convolutions(), importance, strict=True):
        yield {"params": list(convolution.parameters()), "share": float(np.clip((own / middle) ** -0.5, 0.1, 3))}
    yield {"params": [*network.sides.parameters(), *network.fuse.parameters()], "share": 0.3}


def answers_error(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Cross entropy beyond the least possible, of the answer and, at a tenth of the weight, of all levels.

    Args:
        found: Logits of the student, the answer first.
        wanted: Those of the teacher, of the same shapes.
    """
    losses = [_entropy(a.float(), b.float()) for a, b in zip(found, wanted, strict=True)]
    return losses[0] + 0.1 * torch.stack(losses[1:]).sum()


def _entropy(found: Tensor, wanted: Tensor) -> Tensor:
    target = torch.sigmoid(wanted)
    cross = functional.binary_cross_entropy_with_logits
    return cross(found, target) - cross(wanted, target)


def _in_float32(module: nn.Module) -> None:
    """Keep a convolution out of autocast."""
    assert isinstance(module, Convolution)
    usual = module.forward

    def forward(x: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            return usual(x.float())

    module.forward = forward  # type: ignore[method-assign]


def figures(network: Network, samples: Pixels, side: int) -> dict[str, float]:
    """Agreement with the targets.

    Args:
        network: In evaluation mode.
        samples: uint8 (N, h, w, 4): red, green, blue, target.
        side: Of the square that the network is to see.

    Returns:
        "iou": mean intersection over union at 0.5 of the samples whose target is not empty; "mae": mean absolute
        error.
    """
    target = torch.from_numpy(samples[..., 3]).unsqueeze(1).float() / 255
    parts = np.array_split(samples, max(1, len(samples) // 8))
    answer = torch.cat([_answers(network, part, side) for part in parts])
    yes, wanted = answer >= 0.5, target >= 0.5
    overlap = (yes & wanted).sum((1, 2, 3)) / (yes | wanted).sum((1, 2, 3)).clamp_min(1)
    there = wanted.float().mean((1, 2, 3)) > 0.005
    return {"iou": float(overlap[there].mean()), "mae": float((answer - target).abs().mean())}


def _answers(network: Network, samples: Pixels, side: int) -> Tensor:
    """Maps at the samples' own size, float (N, 1, h, w) in 0..1."""
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        answer = torch.sigmoid(network(as_pictures(samples, side)).float())
    return functional.interpolate(answer, samples.shape[1:3], mode="bilinear", align_corners=False)


def fit_to_end(fit: Fit, folders: tuple[Path, Path], side: int, state: Path, say: Callable[[str], None]) -> None:
    """Fit to the end of the plan.

    Args:
        fit: New, or restored.
        folders: Samples for training and for validation.
        side: Of the squares that are seen.
        state: File that the state goes to at every validation.
        say: Takes a line per validation.
    """
    plan, train, held_out = fit.plan, Samples(folders[0]), Samples(folders[1]).all()
    losses: list[tuple[float, float]] = []
    while fit.progress.step < plan.steps:
        random = np.random.default_rng((plan.seed, fit.progress.step))
        pictures = as_pictures(train.draw(plan.batch, random), side)
        losses.append(fit.advance(pictures.flip(3) if random.random() < 0.5 else pictures))
        if fit.progress.step % plan.rest == 0 or fit.progress.step == plan.steps:
            got = figures(fit.student, held_out, side)
            wrong = np.mean(losses[-plan.rest :], axis=0)
            said = " ".join(f"{name} {value:.4f}" for name, value in got.items())
            say(f"{fit.progress.step} of {plan.steps}: features {wrong[0]:.4f} answers {wrong[1]:.4f} {said}")
            fit.progress.save(state)
