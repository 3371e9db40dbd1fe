"""The fit: all pairs of every scene, compared with what the teacher says of them."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tinyvmaf.models.convert.dists import STABILITY
from tinyvmaf.train.dists_sq.corpus import Scene, load
from tinyvmaf.train.dists_sq.network import Network, compare
from tinyvmaf.train.dists_sq.teacher import Teacher
from tinyvmaf.train.thin.condition import condition, copy_plain
from tinyvmaf.train.thin.progress import Progress, features_error


@dataclass(frozen=True, slots=True)
class Settings:
    """All numbers of the fit.

    Attributes:
        steps: Number of updates.
        scenes: Scenes in each.
        rate: Largest step of a weight that is one of many, times the root of their number.
        weights_rate: Largest step of the logarithms of the terms' weights, in units of that.
        warm_up: Steps in which both rise.
        decline: Share of the steps at the end in which both fall to zero.
        memory: The weights that are kept average over about 1 / (1 - memory) updates.
        parts: Weight of the errors of the parts of the distance.
        hint: Weight of the errors of the features.
        hinted: Share of scenes whose features are looked at, because the teacher's take long.
        floor: Distance below which errors count absolutely; above, they count relatively.
        others: Weight of pairs without the reference.
        seed: Of the order.
    """

    steps: int = 1900
    scenes: int = 2
    rate: float = 1.2e-3
    weights_rate: float = 0.5
    warm_up: int = 30
    decline: float = 0.8
    memory: float = 0.992
    parts: float = 0.5
    hint: float = 0.5
    hinted: float = 0.5
    floor: float = 0.05
    others: float = 0.3
    seed: int = 1


class Fit:
    """A fit that can be stopped and taken up again.

    Args:
        teacher: To learn from.
        student: What `start` made of it; not changed.
        seen: What its convolutions see.
        settings: All numbers.
    """

    def __init__(self, teacher: Teacher, student: Network, seen: Sequence[Tensor], settings: Settings) -> None:
        self._teacher, self._settings = teacher, settings
        network = copy.deepcopy(student).requires_grad_(True)
        condition(network.convolutions, seen)
        groups: list[dict[str, Any]] = [
            {"params": [one], "share": one.shape[1] ** -0.5} for one in network.convolutions.parameters()
        ]
        groups.append({"params": [network.log_alpha, network.log_beta], "share": settings.weights_rate})
        self.progress = Progress(network, groups, settings.memory, longest=2.0)
        top = [torch.stack([some.sum() for some in w.split(teacher.network.widths)]) for w in teacher.network.weights()]
        self._largest = torch.cat(top)

    @property
    def student(self) -> Network:
        """The average so far, of plain convolutions."""
        average = self.progress.average
        made = Network(average.outputs, average.ranks)
        copy_plain(made, average)
        return made.eval().requires_grad_(False)

    def run(self, paths: Sequence[Path], say: Callable[[str], None], save: Path, every: int = 100) -> None:
        """Train until the last step.

        Args:
            paths: Files of all scenes.
            say: Takes lines of progress.
            save: File for the state.
            every: Steps between two lines, and between two savings of the state.
        """
        order, losses = self._order(paths), []
        while self.progress.step < self._settings.steps:
            losses.append(self.advance([load(next(order)) for _ in range(self._settings.scenes)]))
            if self.progress.step % every == 0 or self.progress.step == self._settings.steps:
                say(f"step {self.progress.step}: " + " ".join(f"{value:.4f}" for value in np.mean(losses, axis=0)))
                losses = []
                self.progress.save(save)

    def _order(self, paths: Sequence[Path]) -> Iterator[Path]:
        rng = np.random.default_rng([self._settings.seed, self.progress.step])
        for _ in itertools.count():
            yield from (paths[n] for n in rng.permutation(len(paths)))

    def advance(self, scenes: Sequence[Scene]) -> list[float]:
        """Fit a few scenes at once.

        Args:
            scenes: With labels.

        Returns:
            How wrong the distances, their parts and the features were before.
        """
        losses = np.zeros(3)
        rng = np.random.default_rng([self._settings.seed, self.progress.step, 1])
        for scene in scenes:
            found = self._losses(scene, hinted=rng.random() < self._settings.hinted)
            weights = (1.0, self._settings.parts, self._settings.hint)
            (sum(w * loss for w, loss in zip(weights, found, strict=True)) / len(scenes)).backward()
            losses += [float(loss.detach()) / len(scenes) for loss in found]
        self.progress.advance(self._rate())
        return [float(loss) for loss in losses]

    def _rate(self) -> float:
        step, settings = self.progress.step, self._settings
        left = 1 - step / settings.steps
        return settings.rate * min((step + 1) / settings.warm_up, left / settings.decline, 1.0)

    def _losses(self, scene: Scene, hinted: bool) -> list[Tensor]:
        """Of the distance, of its parts, and of the features."""
        pictures = scene.pictures
        with torch.autocast("cpu", torch.bfloat16):
            features = self.progress.network.features(pictures)
        hint = self._hint(features, pictures) if hinted else torch.zeros(())
        parts = torch.cat(self.progress.network.parts(compare(features)), -1)
        floor = self._settings.floor
        return [
            self._error(parts.sum(-1), scene.labels.distance, torch.tensor(floor)),
            (self._error(parts, self._wanted(scene), 2 * floor * self._largest) * self._largest).sum(),
            hint,
        ]

    def _hint(self, features: Sequence[Tensor], pictures: Tensor) -> Tensor:
        """How wrong the features are, of the stages of which all channels are kept."""
        pairs = list(zip(features, self._teacher.features(pictures), strict=True))[1:]
        whole = [(own, wanted) for own, wanted in pairs if own.shape == wanted.shape]
        return features_error(*zip(*whole, strict=True))

    def _wanted(self, scene: Scene) -> Tensor:
        """(G, G, 12) what the teacher's texture and structure terms of each stage contribute."""
        a, b = scene.labels.means[:, None], scene.labels.means[None]
        network = self._teacher.network
        texture = (a - b) ** 2 / (a * a + b * b + STABILITY) * network.weights()[0]
        stages = [some.sum(-1) for some in texture.split(network.widths, -1)]
        return torch.cat([torch.stack(stages, -1), scene.labels.structure], -1)

    def _error(self, found: Tensor, wanted: Tensor, floor: Tensor) -> Tensor:
        """Mean over pairs."""
        count = len(wanted)
        weight = torch.full((count, count), self._settings.others)
        weight[0] = weight[:, 0] = 1.0
        weight.fill_diagonal_(0)
        error = (found - wanted).abs() / (wanted + floor)
        return torch.tensordot(weight / weight.sum(), error, 2)


def predict(network: Network, scene: Scene) -> Tensor:
    """The network's opinion of all pairs of a scene, in float32, (G, G)."""
    with torch.inference_mode():
        return network.distances(scene.pictures)
