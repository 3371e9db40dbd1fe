"""DISTS as a teacher: what it says of every pair of pictures, from the weights in dists.onnx."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from tinyvmaf.errors import ModelError
from tinyvmaf.train.dists_sq.network import OUTPUTS, Network, compare


@dataclass(frozen=True, slots=True)
class Labels:
    """What DISTS says of G pictures of one scene.

    Attributes:
        means: (G, C) means of all channels, stage by stage.
        structure: (G, G, 6) weighted structure terms of every pair, 0 for equal pictures, summed in each stage.
        distance: (G, G) DISTS of every pair.
    """

    means: Tensor
    structure: Tensor
    distance: Tensor


class Teacher:
    """DISTS with all that it computes on the way.

    Args:
        network: Of whole convolutions.
        precision: "float32", or "bfloat16", which is twice as fast on processors that have it and moves the distance
            by some 1e-4. Terms are always computed in float32.
    """

    def __init__(self, network: Network, precision: str = "float32") -> None:
        self.network, self._faster = network, precision == "bfloat16"

    def features(self, pictures: Tensor) -> list[Tensor]:
        """What it sees.

        Args:
            pictures: (G, 3, H, W) R'G'B' in 0..1.

        Returns:
            As `Network.features`.
        """
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=self._faster):
            return self.network.features(pictures)

    def label(self, pictures: Tensor) -> Labels:
        """Compare all pictures with each other.

        Args:
            pictures: (G, 3, H, W) R'G'B' in 0..1.

        Returns:
            All that there is to learn from them.
        """
        features = self.features(pictures)
        with torch.no_grad():
            texture, structure = self.network.parts(compare(features))
        means = torch.cat([value.float().mean((2, 3)) for value in features], dim=1)
        return Labels(means, structure, (texture + structure).sum(-1))


def read_teacher(path: Path) -> Network:
    """The teacher as a network.

    Args:
        path: The file dists.onnx that `tinyvmaf models pull dists` makes.

    Raises:
        ModelError: It is not that file.
    """
    network = Network()
    try:
        stored = {
            one.name: np.array(numpy_helper.to_array(one), np.float32) for one in onnx.load(path).graph.initializer
        }
        values = {name: torch.from_numpy(value) for name, value in stored.items()}
        with torch.no_grad():
            for number in range(len(OUTPUTS)):
                core = network.convolutions[number].core
                core.weight.copy_(values[f"conv{number}.weight"])
                core.bias.copy_(values[f"conv{number}.bias"])
        total = values["alpha"].sum() + values["beta"].sum()
        network.weigh(values["alpha"].ravel() / total, values["beta"].ravel() / total)
    except (OSError, KeyError, RuntimeError) as error:
        raise ModelError(f"{path} is not the model dists.", "Make it with `tinyvmaf models pull dists`.") from error
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
