"""The fit: AdamW, at a steady rate and then a falling one, on growing squares; the average of the weights is kept."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tinyvmaf.train.saliency.augment import Augmenter
from tinyvmaf.train.saliency.composites import Pixels
from tinyvmaf.train.saliency.network import Network


@dataclass(frozen=True, slots=True)
class Plan:
    """How to fit.

    Attributes:
        steps: Batches in all.
        decline: Share of them, at the end, in which the rate falls to zero.
        sides: Of the squares, each with the share of the steps from which it holds.
        batch: Samples in a batch.
        rate: Learning rate after the first `warm_up` batches.
        warm_up: Batches in which it rises.
        decay: Weight decay.
        memory: Of the average of the weights, per batch.
        seed: Of the first weights and of the augmentation.
        rest: Batches between two validations, each of which saves the state.
    """

    steps: int = 6000
    decline: float = 0.6
    sides: Sequence[tuple[float, int]] = ((0.0, 128), (0.35, 160), (0.75, 256))
    batch: int = 16
    rate: float = 2e-3
    warm_up: int = 200
    decay: float = 0.02
    memory: float = 0.998
    seed: int = 0
    rest: int = 250

    def rate_at(self, step: int) -> float:
        """The learning rate of a batch."""
        left = (self.steps - step) / max(self.steps * self.decline, 1)
        return self.rate * min(1.0, (step + 1) / self.warm_up, left)

    def side_at(self, step: int) -> int:
        """Side of the squares of a batch."""
        return next(side for start, side in reversed(self.sides) if step >= start * self.steps)


class Fit:
    """A network on its way."""

    def __init__(self, plan: Plan) -> None:
        torch.manual_seed(plan.seed)
        self.plan = plan
        self.step = 0
        self.network = Network().to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self._optimiser = torch.optim.AdamW(self.network.parameters(), plan.rate, weight_decay=plan.decay)

    def advance(self, picture: Tensor, target: Tensor) -> float:
        """Fit one batch.

        Args:
            picture: float (N, 3, H, W), RGB in 0..1.
            target: float (N, 1, H, W) in 0..1.

        Returns:
            Its loss before the step.
        """
        for group in self._optimiser.param_groups:
            group["lr"] = self.plan.rate_at(self.step)
        with torch.autocast("cpu", torch.bfloat16):
            maps = self.network.all_maps(picture.contiguous(memory_format=torch.channels_last))
        loss = total_loss([m.float() for m in maps], target)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self._optimiser.step()
        self._remember()
        self.step += 1
        return float(loss.detach())

    def save(self, path: Path) -> None:
        """Write everything that `restore` needs."""
        state = {"step": self.step, "network": self.network.state_dict(), "average": self.average.state_dict()}
        partial = path.with_suffix(".part")
        torch.save({**state, "optimiser": self._optimiser.state_dict()}, partial)
        partial.replace(path)

    def restore(self, path: Path) -> None:
        """Go on from a saved state."""
        state: dict[str, Any] = torch.load(path, weights_only=True)
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])

    def _remember(self) -> None:
        # Young averages would otherwise remember the random start.
        memory = min(self.plan.memory, (self.step + 1) / (self.step + 10))
        own = self.network.state_dict()
        with torch.no_grad():
            for name, kept in self.average.state_dict().items():
                kept.lerp_(own[name], 1 - memory) if kept.is_floating_point() else kept.copy_(own[name])


def total_loss(maps: Sequence[Tensor], target: Tensor) -> Tensor:
    """How wrong the answer and, at a weight of 0.4 each, the levels of the decoder are.

    Args:
        maps: Logits (N, 1, h, w), the answer first.
        target: (N, 1, H, W) in 0..1.

    Returns:
        Scalar: cross entropy, plus 1 - soft intersection over union, plus the mean absolute error.
    """
    losses = [_loss(m, functional.interpolate(target, m.shape[-2:], mode="area")) for m in maps]
    return losses[0] + 0.4 * torch.stack(losses[1:]).sum()


def _loss(logits: Tensor, target: Tensor) -> Tensor:
    answer = torch.sigmoid(logits)
    both, either = (answer * target).sum((1, 2, 3)), (answer + target - answer * target).sum((1, 2, 3))
    # One percent of the area keeps a nearly empty picture from counting as wholly wrong.
    overlap = (both + 0.01 * target[0].numel()) / (either + 0.01 * target[0].numel())
    entropy = functional.binary_cross_entropy_with_logits(logits, target)
    return entropy + (1 - overlap).mean() + (answer - target).abs().mean()


class Samples:
    """All stored samples of a folder."""

    def __init__(self, folder: Path) -> None:
        self._files = [np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))]

    def __len__(self) -> int:
        return sum(map(len, self._files))

    def draw(self, count: int, random: np.random.Generator) -> Pixels:
        """Any samples, uint8 (count, h, w, 4)."""
        files = random.integers(len(self._files), size=count)
        return np.stack([self._files[i][random.integers(len(self._files[i]))] for i in files])

    def all(self) -> Pixels:
        """Every sample, uint8 (N, h, w, 4)."""
        return np.concatenate(self._files)


def figures(network: Network, samples: Pixels, side: int) -> dict[str, float]:
    """Agreement with the targets.

    Args:
        network: In evaluation mode.
        samples: uint8 (N, h, w, 4): red, green, blue, target.
        side: Of the square that the network is to see.

    Returns:
        "iou": mean intersection over union at 0.5 of the samples whose target is not empty; "mae": mean absolute
        error; "false": mean of the map where the target is empty.
    """
    return agreement(*answers(network, samples, side))


def agreement(answer: Tensor, target: Tensor) -> dict[str, float]:
    """What `figures` says of maps, float (N, 1, h, w) in 0..1, and their targets."""
    yes, wanted = answer >= 0.5, target >= 0.5
    overlap = (yes & wanted).sum((1, 2, 3)) / (yes | wanted).sum((1, 2, 3)).clamp_min(1)
    there = wanted.float().mean((1, 2, 3)) > 0.005
    false = answer.mean((1, 2, 3))[~there]
    return {
        "iou": float(overlap[there].mean()),
        "mae": float((answer - target).abs().mean()),
        "false": float(false.mean()) if len(false) else 0.0,
    }


def answers(network: Network, samples: Pixels, side: int) -> tuple[Tensor, Tensor]:
    """Maps for stored samples, at their own size, and the targets.

    Args:
        network: In evaluation mode.
        samples: uint8 (N, h, w, 4): red, green, blue, target.
        side: Of the square that the network is to see.

    Returns:
        Both float (N, 1, h, w) in 0..1.
    """
    target = torch.from_numpy(samples[..., 3]).unsqueeze(1).float() / 255
    parts = np.array_split(samples, max(1, len(samples) // 16))
    return torch.cat([_answers(network, part, side) for part in parts]), target


def _answers(network: Network, samples: Pixels, side: int) -> Tensor:
    seen = torch.from_numpy(samples[..., :3]).permute(0, 3, 1, 2).float() / 255
    seen = functional.interpolate(seen, (side, side), mode="bilinear", align_corners=False, antialias=True)
    with torch.no_grad():
        answer = torch.sigmoid(network(seen))
    return functional.interpolate(answer, samples.shape[1:3], mode="bilinear", align_corners=False)


def fit_to_end(
    fit: Fit, folders: tuple[Path, Path], objects: Callable[[], Tensor], out: Path, say: Callable[[str], None]
) -> None:
    """Fit to the end of the plan, looking for fresh samples at every validation.

    Args:
        fit: New, or restored.
        folders: Samples for training and for validation.
        objects: Loads the objects to paste.
        out: Folder for state.pt, and best.pt: the average that did best at its validation in the decline.
        say: Takes a line per validation.
    """
    plan = fit.plan
    best, losses = -np.inf, []
    while fit.step < plan.steps:
        samples = Samples(folders[0])
        random = np.random.default_rng((plan.seed, fit.step))
        augment = Augmenter(objects(), int(random.integers(1 << 31)))
        for _ in range(min(plan.rest, plan.steps - fit.step)):
            losses.append(fit.advance(*augment(samples.draw(plan.batch, random), plan.side_at(fit.step))))
        got = figures(fit.average, Samples(folders[1]).all(), plan.sides[-1][1])
        said = " ".join(f"{name} {value:.4f}" for name, value in got.items())
        say(f"{fit.step} of {plan.steps}, {len(samples)} samples: loss {np.mean(losses[-plan.rest :]):.4f} {said}")
        fit.save(out / "state.pt")
        if got["iou"] - got["mae"] > best:
            best = got["iou"] - got["mae"]
            torch.save(fit.average.state_dict(), out / "best.pt")
