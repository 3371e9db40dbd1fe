"""The fit: the student learns to say, layer for layer, what the teacher says of the same pictures."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tinyvmaf._files import write_bytes
from tinyvmaf.train.saliency.composites import Pixels
from tinyvmaf.train.saliency.compress import Survey
from tinyvmaf.train.saliency.condition import condition, plain
from tinyvmaf.train.saliency.network import Convolution, Network, as_pictures
from tinyvmaf.train.saliency.samples import Samples

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
        self.plan, self.step = plan, 0
        self._teacher = copy.deepcopy(teacher).to(memory_format=torch.channels_last)
        self._network = copy.deepcopy(student).to(memory_format=torch.channels_last)
        condition(self._network, known.seen)
        self._average = copy.deepcopy(self._network).requires_grad_(False)
        for network in (self._teacher, self._network):
            for name in EXACT:
                _in_float32(network.get_submodule(name))
        self._optimiser = torch.optim.Adam(list(self._groups(known.sensitivities)), plan.rate, betas=(0.9, 0.98))

    def _groups(self, importance: Sequence[float]) -> Iterator[dict[str, Any]]:
        middle = float(np.median(importance))
        for convolution, own in zip(self._network.convolutions(), importance, strict=True):
            yield {"params": list(convolution.parameters()), "share": float(np.clip((own / middle) ** -0.5, 0.1, 3))}
        yield {"params": [*self._network.sides.parameters(), *self._network.fuse.parameters()], "share": 0.3}

    @property
    def student(self) -> Network:
        """The average so far, of plain convolutions."""
        return plain(self._average)

    def advance(self, pictures: Tensor) -> tuple[float, float]:
        """Fit one batch.

        Args:
            pictures: As the teacher wants them, float (N, 3, H, W).

        Returns:
            How wrong features and answers were before.
        """
        for group in self._optimiser.param_groups:
            group["lr"] = self.plan.rate_at(self.step) * group["share"]
        given = pictures.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                wanted = self._teacher.features(given)
                answers = self._teacher.answers(wanted)
            found = self._network.features(given)
            said = self._network.answers(found)
        features, maps = features_error(found, wanted), answers_error(said, answers)
        self._optimiser.zero_grad(set_to_none=True)
        (features + self.plan.answers * maps).backward()
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), 5.0)
        self._optimiser.step()
        self.step += 1
        self._remember()
        return features.item(), maps.item()

    def _remember(self) -> None:
        memory = min(self.plan.memory, self.step / (self.step + 10))
        with torch.no_grad():
            for kept, own in zip(self._average.parameters(), self._network.parameters(), strict=True):
                kept.lerp_(own, 1 - memory)

    def save(self, path: Path) -> None:
        """Write everything that `restore` needs."""
        state = {"step": self.step, "network": self._network.state_dict(), "average": self._average.state_dict()}
        stream = io.BytesIO()
        torch.save({**state, "optimiser": self._optimiser.state_dict()}, stream)
        write_bytes(path, stream.getvalue())

    def restore(self, path: Path) -> None:
        """Go on from a saved state."""
        state: dict[str, Any] = torch.load(path, weights_only=True)
        self.step = state["step"]
        self._network.load_state_dict(state["network"])
        self._average.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])


def features_error(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Mean over blocks of the squared error in units of the variance.

    Args:
        found: Features of the student.
        wanted: Those of the teacher, of the same shapes.
    """
    pairs = [(a.float(), b.float()) for a, b in zip(found, wanted, strict=True)]
    return torch.stack([(a - b).square().mean() / b.var() for a, b in pairs]).mean()


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
    while fit.step < plan.steps:
        random = np.random.default_rng((plan.seed, fit.step))
        pictures = as_pictures(train.draw(plan.batch, random), side)
        losses.append(fit.advance(pictures.flip(3) if random.random() < 0.5 else pictures))
        if fit.step % plan.rest == 0 or fit.step == plan.steps:
            got = figures(fit.student, held_out, side)
            wrong = np.mean(losses[-plan.rest :], axis=0)
            said = " ".join(f"{name} {value:.4f}" for name, value in got.items())
            say(f"{fit.step} of {plan.steps}: features {wrong[0]:.4f} answers {wrong[1]:.4f} {said}")
            fit.save(state)
