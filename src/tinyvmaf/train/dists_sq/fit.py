"""The fit: all pairs of every scene, compared with what the teacher says of them."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from tinyvmaf._files import write_bytes
from tinyvmaf.train.dists_sq.corpus import Scene, load
from tinyvmaf.train.dists_sq.network import Tensors, Terms, compare_all, look, random_weights
from tinyvmaf.train.dists_sq.teacher import STABILITY, WIDTHS

COLOURS = WIDTHS[0]
"""The teacher's first channels are R, G and B."""

BUNCH = 64
"""Channels of the teacher whose texture terms make one part of the distance; its structure terms are another part."""

STRUCTURE = 0.06
"""About the largest value of that part."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All numbers of the fit.

    Attributes:
        steps: Number of updates.
        scenes: Scenes in each.
        matrix_rate: Largest step of kernels and of the mixing matrix, which Muon updates.
        vector_rate: The same for biases, which Adam updates.
        share_rate: The same for the logarithms of shares and knees.
        decay_share: Share of the steps at the end in which all three fall to zero.
        memory: The weights that are kept average over about 1 / (1 - memory) updates.
        parts: Weight of the errors of the parts of the distance.
        floor: Distance below which errors count absolutely; above, they count relatively.
        others: Weight of pairs without the reference.
        seed: Of start values and order.
    """

    steps: int = 4000
    scenes: int = 2
    matrix_rate: float = 0.02
    vector_rate: float = 3e-3
    share_rate: float = 0.03
    decay_share: float = 0.8
    memory: float = 0.98
    parts: float = 0.5
    floor: float = 0.05
    others: float = 0.3
    seed: int = 1


class Fit:
    """A fit that can be stopped and taken up again.

    Args:
        alpha: (1475,) the teacher's weights of its texture terms.
        settings: All numbers.
        path: File of the state; read if it is there.
    """

    def __init__(self, alpha: torch.Tensor, settings: Settings, path: Path) -> None:
        self._alpha, self._settings, self._path = alpha[COLOURS:], settings, path
        self._largest = torch.cat([self._alpha.reshape(-1, BUNCH).sum(1), torch.tensor([STRUCTURE])])
        self.weights = random_weights(settings.seed, self._largest)
        for value in self.weights.values():
            value.requires_grad_()
        matrices = [v for name, v in self.weights.items() if name == "mixing" or "kernel" in name]
        vectors = [v for name, v in self.weights.items() if name == "offset" or "bias" in name]
        shares = [self.weights[name] for name in ("shares", "colour_shares", "knees")]
        self._rates = settings.matrix_rate, settings.vector_rate, settings.share_rate
        self._optimisers = (
            torch.optim.Muon(matrices, weight_decay=0.0, momentum=0.95),
            torch.optim.Adam(vectors, betas=(0.9, 0.98)),
            torch.optim.Adam(shares, betas=(0.9, 0.98)),
        )
        self.average = {name: value.detach().clone() for name, value in self.weights.items()}
        self.step = 0
        if path.exists():
            self._restore()

    def run(self, paths: Callable[[], Sequence[Path]], say: Callable[[str], None], every: int = 50) -> None:
        """Train until the last step.

        Args:
            paths: Returns the files of all scenes; asked again and again, so that scenes may be added meanwhile.
            say: Takes lines of progress.
            every: Steps between two lines, and between two savings of the state.
        """
        order = self._order(paths)
        sums = np.zeros(2)
        while self.step < self._settings.steps:
            sums += self._update([load(next(order)) for _ in range(self._settings.scenes)])
            if self.step % every == 0 or self.step == self._settings.steps:
                say(f"step {self.step}: " + " ".join(f"{value:.4f}" for value in sums / every))
                sums[:] = 0
                self.save()

    def _order(self, paths: Callable[[], Sequence[Path]]) -> Iterator[Path]:
        rng = np.random.default_rng([self._settings.seed, self.step])
        for _ in itertools.count():
            files = paths()
            yield from (files[n] for n in rng.permutation(len(files)))

    def _update(self, scenes: Sequence[Scene]) -> np.ndarray:
        parts = np.zeros(2)
        for scene in scenes:
            losses = self._losses(scene)
            (sum(losses) / len(scenes)).backward()
            parts += [float(loss.detach()) / len(scenes) for loss in losses]
        for optimiser, rate in zip(self._optimisers, self._rates, strict=True):
            for group in optimiser.param_groups:
                group["lr"] = rate * self._schedule()
            optimiser.step()
            optimiser.zero_grad()
        self.step += 1
        memory = min(self._settings.memory, self.step / (self.step + 10))
        with torch.no_grad():
            for name, value in self.weights.items():
                self.average[name].lerp_(value, 1 - memory)
        return parts

    def _schedule(self) -> float:
        left = 1 - self.step / self._settings.steps
        return min((self.step + 1) / 50, left / self._settings.decay_share, 1.0)

    def _losses(self, scene: Scene) -> list[torch.Tensor]:
        """Of the distance, and of its parts."""
        pictures = scene.pictures.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            seen = look(self.weights, pictures)
        terms = compare_all(self.weights, seen)
        parts = self._error(terms.parts, self._parts(scene), self._settings.floor * self._largest)
        return [
            self._error(terms.distance, scene.labels.distance, torch.tensor(self._settings.floor)),
            self._settings.parts * (parts * self._largest).sum(),
        ]

    def _parts(self, scene: Scene) -> torch.Tensor:
        """(G, G, P) what the teacher's texture terms, bunch by bunch, and its structure terms contribute."""
        means = scene.labels.means[:, COLOURS:]
        a, b = means[:, None], means[None]
        texture = (a - b) ** 2 / (a * a + b * b + STABILITY) * self._alpha
        return torch.cat(
            [texture.unflatten(-1, (-1, BUNCH)).sum(-1), scene.labels.structure[..., 1:].sum(-1, True)], -1
        )

    def _error(self, found: torch.Tensor, wanted: torch.Tensor, floor: torch.Tensor) -> torch.Tensor:
        """Mean over pairs."""
        count = len(wanted)
        weight = torch.full((count, count), self._settings.others)
        weight[0] = weight[:, 0] = 1.0
        weight.fill_diagonal_(0)
        error = (found - wanted).abs() / (wanted + floor)
        return torch.tensordot(weight / weight.sum(), error, 2)

    def save(self) -> None:
        """Write the state."""
        state = {
            "step": self.step,
            "weights": {name: value.detach() for name, value in self.weights.items()},
            "average": self.average,
            "optimisers": [one.state_dict() for one in self._optimisers],
        }
        stream = io.BytesIO()
        torch.save(state, stream)
        write_bytes(self._path, stream.getvalue())

    def _restore(self) -> None:
        state = torch.load(self._path, weights_only=True)
        self.step, self.average = state["step"], state["average"]
        with torch.no_grad():
            for name, value in self.weights.items():
                value.copy_(state["weights"][name])
        for one, stored in zip(self._optimisers, state["optimisers"], strict=True):
            one.load_state_dict(stored)


def predict(weights: Tensors, scene: Scene) -> Terms:
    """The network's opinion of all pairs of a scene, in float32.

    Args:
        weights: Of the network.
        scene: The pictures.
    """
    with torch.inference_mode():
        return compare_all(weights, look(weights, scene.pictures.contiguous(memory_format=torch.channels_last)))
