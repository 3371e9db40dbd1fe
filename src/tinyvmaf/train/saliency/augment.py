"""Every time a sample is seen it looks different: place, light, sharpness, compression, and objects pasted on it."""

from __future__ import annotations

import io
import math

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from tinyvmaf.train.saliency.composites import Pixels

_PASTED = 0.12
"""Share of samples that get one more object."""

_RED, _GREEN, _BLUE = 0.2126, 0.7152, 0.0722


class Augmenter:
    """Draws training batches from stored samples."""

    def __init__(self, objects: Tensor, seed: int) -> None:
        """Prepare.

        Args:
            objects: float (K, 4, h, w) in 0..1, red, green, blue, alpha; K may be 0.
            seed: Of everything random.
        """
        self._objects = objects
        self._random = np.random.default_rng(seed)

    def __call__(self, samples: Pixels, side: int) -> tuple[Tensor, Tensor]:
        """Augment a batch.

        Args:
            samples: uint8 (N, h, w, 4): red, green, blue, target.
            side: Of the squares wanted.

        Returns:
            Pictures, float (N, 3, side, side) in 0..1, and targets, float (N, 1, side, side) in 0..1.
        """
        given = torch.from_numpy(np.stack([self._compressed(sample) for sample in samples]))
        both = given.permute(0, 3, 1, 2).float() / 255
        both = _sampled(both, self._crops(len(samples)), side, "reflection")
        picture, target = self._paste(both[:, :3], both[:, 3:])
        return self._soften(self._light(picture)), target

    def _compressed(self, sample: Pixels) -> Pixels:
        if self._random.random() > 0.1:
            return sample
        stream = io.BytesIO()
        Image.fromarray(sample[..., :3]).save(stream, "JPEG", quality=int(self._random.integers(15, 80)))
        return np.dstack([np.asarray(Image.open(stream)), sample[..., 3:]])

    def _crops(self, count: int) -> Tensor:
        """Affine maps: a part of 60 to 100 % of each side, turned a little, mirrored or not."""
        zoom = self._uniform(count, 1, 0.7, 1) * self._uniform(count, 2, 0.85, 1)
        move = self._uniform(count, 2, -1, 1) * (1 - zoom)
        mirrored = zoom * torch.stack([self._sign(count), torch.ones(count)], 1)
        return _affine(mirrored, move, self._normal(count) * 0.07)

    def _paste(self, picture: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        rows = np.flatnonzero(self._random.random(len(picture)) < _PASTED)
        if not len(rows) or not len(self._objects):
            return picture, target
        colour, alpha = self._layers(len(rows), picture.shape[-1])
        picture[rows] = torch.lerp(picture[rows], colour, alpha)
        target[rows] = torch.maximum(target[rows] * (1 - alpha), alpha)
        return picture, target

    def _layers(self, count: int, side: int) -> tuple[Tensor, Tensor]:
        """Objects where they go: colour (count, 3, side, side) and alpha (count, 1, side, side)."""
        chosen = self._objects[self._random.integers(len(self._objects), size=count)]
        size = torch.exp(self._uniform(count, 1, math.log(0.22), math.log(0.9)))
        shape = torch.exp(self._uniform(count, 1, -0.3, 0.3))
        grow = 1 / (size * torch.cat([shape * self._sign(count)[:, None], 1 / shape], 1))
        move = -self._uniform(count, 2, -0.75, 0.75) * grow
        thick = torch.cat([chosen[:, :3] * chosen[:, 3:], chosen[:, 3:]], 1)
        layer = _sampled(thick, _affine(grow, move, self._normal(count) * 0.2), side, "zeros")
        light = (
            self._uniform(count, 3, 0.85, 1.15)[..., None, None] * self._uniform(count, 1, 0.6, 1.2)[..., None, None]
        )
        return (layer[:, :3] / layer[:, 3:].clamp_min(1e-3) * light).clamp(0, 1), layer[:, 3:]

    def _light(self, picture: Tensor) -> Tensor:
        count = len(picture)
        gamma = torch.exp(self._normal(count) * 0.2)[:, None, None, None]
        gain = self._uniform(count, 3, 0.9, 1.1)[..., None, None] * self._uniform(count, 1, 0.7, 1.2)[..., None, None]
        lit = picture.clamp(1e-4, 1) ** gamma * gain
        grey = (lit * torch.tensor([_RED, _GREEN, _BLUE]).reshape(1, 3, 1, 1)).sum(1, keepdim=True)
        vivid = self._uniform(count, 1, 0.5, 1.4)[..., None, None] * (1 - self._chance(count, 0.06))
        pivot = lit.mean((1, 2, 3), keepdim=True)
        contrast = self._uniform(count, 1, 0.7, 1.25)[..., None, None]
        return ((grey + vivid * (lit - grey) - pivot) * contrast + pivot).clamp(0, 1)

    def _soften(self, picture: Tensor) -> Tensor:
        count, side = len(picture), picture.shape[-1]
        small = functional.interpolate(picture, scale_factor=float(self._random.uniform(0.3, 0.8)), mode="bilinear")
        blurred = functional.interpolate(small, (side, side), mode="bilinear", align_corners=False)
        picture = torch.lerp(picture, blurred, self._chance(count, 0.15))
        noise = torch.from_numpy(self._random.standard_normal(picture.shape, np.float32))
        deviation = self._uniform(count, 1, 0, 0.04)[..., None, None] * self._chance(count, 0.2)
        return (picture + noise * deviation).clamp(0, 1)

    def _uniform(self, count: int, columns: int, low: float, high: float) -> Tensor:
        return torch.from_numpy(self._random.uniform(low, high, (count, columns))).float()

    def _normal(self, count: int) -> Tensor:
        return torch.from_numpy(self._random.standard_normal(count)).float()

    def _sign(self, count: int) -> Tensor:
        return torch.from_numpy(self._random.choice([-1.0, 1.0], count)).float()

    def _chance(self, count: int, share: float) -> Tensor:
        """1 for a share of the samples and 0 for the others, (N, 1, 1, 1)."""
        return torch.from_numpy(self._random.random((count, 1, 1, 1)) < share).float()


def _affine(scale: Tensor, move: Tensor, turn: Tensor) -> Tensor:
    """(N, 2, 3) maps from places in the output to places in the input, both in -1..1."""
    cosine, sine = torch.cos(turn), torch.sin(turn)
    rotation = torch.stack([torch.stack([cosine, -sine], 1), torch.stack([sine, cosine], 1)], 1)
    return torch.cat([rotation * scale[:, None, :], move[..., None]], 2)


def _sampled(images: Tensor, maps: Tensor, side: int, beyond: str) -> Tensor:
    grid = functional.affine_grid(maps, [len(images), 1, side, side], align_corners=False)
    return functional.grid_sample(images, grid, "bilinear", beyond, align_corners=False)
