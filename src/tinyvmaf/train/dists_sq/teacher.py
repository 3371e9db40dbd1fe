"""DISTS as a teacher: the channel means and the structure terms of every picture, from the weights in dists.onnx.

Source: Ding et al., "Image Quality Assessment: Unifying Structure and Texture Similarity" (TPAMI 2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch.nn import functional

STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Outputs of the convolutions of VGG16, split where it pools."""

WIDTHS = (3, *(stage[-1] for stage in STAGES))
"""Channels of the picture and of each stage."""

STABILITY = 1e-6


@dataclass(frozen=True, slots=True)
class Labels:
    """What DISTS says of G pictures of one scene.

    Attributes:
        means: (G, 1475) means of all channels, stage by stage.
        structure: (G, G, 6) weighted structure terms of every pair, 0 for equal pictures, summed in each stage.
        distance: (G, G) DISTS of every pair.
    """

    means: torch.Tensor
    structure: torch.Tensor
    distance: torch.Tensor


class Teacher:
    """DISTS with all that it computes on the way.

    Args:
        path: The file dists.onnx that `tinyvmaf models pull dists` makes.
        precision: "float32", or "bfloat16", which is twice as fast on processors that have it and moves the distance
            by some 1e-4. Terms are always computed in float32.
    """

    def __init__(self, path: Path, precision: str = "float32") -> None:
        stored = onnx.load(path).graph.initializer
        values = {one.name: torch.from_numpy(np.array(numpy_helper.to_array(one), np.float32)) for one in stored}
        self._dtype = getattr(torch, precision)
        self._mean, self._std, self._window = values["mean"], values["std"], values["window64"][:1]
        kernels = [values[f"conv{n}.weight"] for n in range(13)]
        self._kernels = [k.to(self._dtype).contiguous(memory_format=torch.channels_last) for k in kernels]
        self._biases = [values[f"conv{n}.bias"].to(self._dtype) for n in range(13)]
        total = values["alpha"].sum() + values["beta"].sum()
        self.alpha = values["alpha"].ravel() / total
        """(1475,) weights of the texture terms; with `beta` they sum to 1."""
        self.beta = values["beta"].ravel() / total
        """(1475,) weights of the structure terms."""

    def features(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        """The pictures and the features at the end of every stage.

        Args:
            pictures: (G, 3, H, W) R'G'B' in 0..1.

        Returns:
            Six float32 tensors (G, C, H', W').
        """
        found, layer = [pictures], 0
        value = ((pictures - self._mean) / self._std).to(self._dtype).contiguous(memory_format=torch.channels_last)
        for depth, stage in enumerate(STAGES):
            value = self._pool(value) if depth else value
            for _ in stage:
                value = functional.conv2d(value, self._kernels[layer], self._biases[layer], padding=1).relu_()
                layer += 1
            found.append(value.float().contiguous())
        return found

    def _pool(self, value: torch.Tensor) -> torch.Tensor:
        """Root of the squares' mean under a Hanning window, at every other place."""
        channels = value.shape[1]
        window = self._window.to(value.dtype).expand(channels, 1, 3, 3)
        squares = functional.conv2d(value * value, window, stride=2, padding=1, groups=channels)
        return (squares + 1e-12).sqrt()

    def label(self, pictures: torch.Tensor) -> Labels:
        """Compare all pictures with each other.

        Args:
            pictures: (G, 3, H, W) R'G'B' in 0..1.

        Returns:
            All that there is to learn from them.
        """
        with torch.inference_mode():
            return self._labels(self.features(pictures))

    def _labels(self, features: list[torch.Tensor]) -> Labels:
        means = torch.cat([value.mean((2, 3)) for value in features], dim=1)
        weights = torch.split(self.beta, WIDTHS)
        pairs = zip(weights, features, strict=True)
        structure = torch.stack([((1 - _likeness(_gram(v))) * w).sum(-1) for w, v in pairs], dim=-1)
        texture = ((1 - _likeness(means[:, None] * means[None])) * self.alpha).sum(-1)
        return Labels(means, structure, texture + structure.sum(-1))


def _gram(value: torch.Tensor) -> torch.Tensor:
    """(G, G, C) covariances of every channel between every two pictures."""
    centred = (value - value.mean((2, 3), keepdim=True)).flatten(2).transpose(0, 1)
    return (centred @ centred.transpose(1, 2)).permute(1, 2, 0) / centred.shape[2]


def _likeness(products: torch.Tensor) -> torch.Tensor:
    """(2 ab + c) / (aa + bb + c) from the products of every two pictures, (G, G, C)."""
    squares = products.diagonal(dim1=0, dim2=1).transpose(0, 1)
    return (2 * products + STABILITY) / (squares[:, None] + squares[None] + STABILITY)
