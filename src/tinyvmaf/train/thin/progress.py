"""A network on its way: updates, the average of the weights, and a state that can be taken up again."""

from __future__ import annotations

import copy
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from tinyvmaf._files import write_bytes

_Net = TypeVar("_Net", bound=nn.Module)


class Progress(Generic[_Net]):
    """What changes during a fit.

    Args:
        network: To be fitted; changed in place.
        groups: Its parameters as `torch.optim.Adam` takes them, each group with a "share" of the learning rate.
        memory: Of the average of the weights, per update.
        longest: Norm to which gradients are cut.

    Attributes:
        step: Updates so far.
        network: With the latest weights.
        average: With those to be kept.
    """

    def __init__(self, network: _Net, groups: Sequence[dict[str, Any]], memory: float, longest: float) -> None:
        self.step, self.network, self.average = 0, network, copy.deepcopy(network).requires_grad_(False)
        self._memory, self._longest = memory, longest
        self._optimiser = torch.optim.Adam(list(groups), betas=(0.9, 0.98))

    def advance(self, rate: float) -> None:
        """Take a step along the gradients that are there.

        Args:
            rate: Learning rate of a group whose share is 1.
        """
        for group in self._optimiser.param_groups:
            group["lr"] = rate * group["share"]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self._longest)
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        self.step += 1
        memory = min(self._memory, self.step / (self.step + 10))
        with torch.no_grad():
            for kept, own in zip(self.average.parameters(), self.network.parameters(), strict=True):
                kept.lerp_(own, 1 - memory)

    def save(self, path: Path) -> None:
        """Write everything that `restore` needs."""
        state = {"step": self.step, "network": self.network.state_dict(), "average": self.average.state_dict()}
        stream = io.BytesIO()
        torch.save({**state, "optimiser": self._optimiser.state_dict()}, stream)
        write_bytes(path, stream.getvalue())

    def restore(self, path: Path) -> None:
        """Go on from a saved state."""
        state: dict[str, Any] = torch.load(path, weights_only=True)
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])


def features_error(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Mean over maps of the squared error in units of the variance.

    Args:
        found: Features of the student.
        wanted: Those of the teacher, of the same shapes.
    """
    pairs = [(a.float(), b.float()) for a, b in zip(found, wanted, strict=True)]
    return torch.stack([(a - b).square().mean() / b.var() for a, b in pairs]).mean()
