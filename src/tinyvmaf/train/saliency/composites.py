"""Objects pasted onto other pictures: where they are is known exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter, ImageOps

Map = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

_HALO = 9
"""Width, in pixels, of the filter that finds the surroundings of an object."""


@dataclass(frozen=True, slots=True)
class Composite:
    """A picture with pasted objects.

    Attributes:
        picture: uint8 (S, S, 3), RGB.
        masks: What is to be seen of every object, float32 (S, S) in 0..1.
    """

    picture: Pixels
    masks: tuple[Map, ...]

    def target(self, seen: Map) -> Map:
        """What the student should say: the exact edge of every object that the teacher finds, the teacher elsewhere.

        Args:
            seen: The teacher's map, float32 (S, S) in 0..1.

        Returns:
            float32 (S, S) in 0..1.
        """
        found = [mask for mask in self.masks if _mean(seen, mask) >= 0.5]
        shrunk = np.asarray(_image(seen).filter(ImageFilter.MinFilter(2 * _HALO - 1)), np.float32) / 255
        target = seen
        for mask in found:
            near = np.asarray(_image(mask).filter(ImageFilter.MaxFilter(_HALO)), np.float32) / 255
            # Around an object, what the teacher's blurred edge adds goes; what lies behind it stays.
            target = (near * np.minimum(target, shrunk) + (1 - near) * target).astype(np.float32)
        for mask in found:
            target = mask + (1 - mask) * target
        return target


def compose(ground: Image.Image, objects: list[Image.Image], random: np.random.Generator) -> Composite:
    """Paste objects one after the other.

    Args:
        ground: RGB, square.
        objects: RGBA, any size.
        random: Decides on places, sizes, turns, light and shadows.

    Returns:
        The composite, of the ground's size.
    """
    masks: list[Map] = []
    for item in objects:
        layer, alpha = _place(item, ground, random)
        ground = _shadow(ground, alpha, random)
        ground.paste(layer, (0, 0), alpha)
        fresh = (np.asarray(alpha) / 255).astype(np.float32)
        masks = [*((mask * (1 - fresh)).astype(np.float32) for mask in masks), fresh]
    return Composite(np.asarray(ground), tuple(masks))


def cut_out(picture: Pixels, seen: Map) -> Image.Image | None:
    """The object of a picture, if the teacher is sure of one.

    Args:
        picture: uint8 (S, S, 3), RGB.
        seen: The teacher's map, float32 (S, S) in 0..1.

    Returns:
        RGBA; None where the map is vague, nearly empty, nearly full, or cut off by the picture's border.
    """
    some, unsure = (seen > 0.1).mean(), ((seen > 0.1) & (seen < 0.9)).mean()
    border = np.concatenate([seen[0], seen[-1], seen[:, 0], seen[:, -1]]) > 0.5
    if not 0.02 < some < 0.5 or unsure > 0.35 * some or border.mean() > 0.12:
        return None
    alpha = np.clip((seen - 0.35) / 0.4, 0, 1)
    image = Image.fromarray(np.dstack([picture, _bytes(alpha)]), "RGBA")
    return image.crop(image.getchannel("A").point(lambda a: 255 * (a > 8)).getbbox())


def _place(item: Image.Image, ground: Image.Image, random: np.random.Generator) -> tuple[Image.Image, Image.Image]:
    """The object where it goes, on a layer as large as the ground, and its alpha."""
    side = ground.width
    item = item.crop(item.getchannel("A").getbbox())
    item = ImageOps.mirror(item) if random.random() < 0.5 else item
    scale = side * np.exp(random.uniform(np.log(0.14), np.log(0.85))) / max(item.size)
    squash = np.exp(random.uniform(-0.35, 0.35))
    width, height = (
        max(4, round(length * scale * s)) for length, s in zip(item.size, (1 / squash, squash), strict=True)
    )
    item = item.resize((width, height), Image.Resampling.LANCZOS)
    item = item.rotate(random.normal(0, 12), Image.Resampling.BICUBIC, expand=True)
    x, y = (round(random.uniform(0.12, 0.88) * side - length / 2) for length in item.size)
    layer = Image.new("RGBA", ground.size)
    layer.paste(item, (x, y))
    alpha = layer.getchannel("A").filter(ImageFilter.GaussianBlur(random.uniform(0, 1.2)))
    return _matched(layer.convert("RGB"), alpha, ground, random), alpha


def _matched(layer: Image.Image, alpha: Image.Image, ground: Image.Image, random: np.random.Generator) -> Image.Image:
    """The object in a light a little like the ground's, and as sharp or less."""
    pixels, inside = np.asarray(layer, np.float32), np.asarray(alpha) > 128
    if not inside.any():
        return layer
    around = np.asarray(ground, np.float32)
    share = random.uniform(0, 0.5)
    own, other = pixels[inside].mean(0), around.mean((0, 1))
    spread = around.std((0, 1)) / (pixels[inside].std(0) + 8)
    gain = np.clip(1 + share * (spread - 1), 0.5, 1.6)
    moved = (pixels - own) * gain + own + share * (other - own)
    image = Image.fromarray(np.clip(moved, 0, 255).astype(np.uint8))
    return image.filter(ImageFilter.GaussianBlur(random.uniform(0, 1))) if random.random() < 0.3 else image


def _shadow(ground: Image.Image, alpha: Image.Image, random: np.random.Generator) -> Image.Image:
    if random.random() < 0.5:
        return ground.copy()
    far = ground.width / 16
    x, y = random.uniform(-far, far), random.uniform(0, far)
    dark = alpha.transform(alpha.size, Image.Transform.AFFINE, (1, 0, -x, 0, 1, -y))
    dark = dark.filter(ImageFilter.GaussianBlur(random.uniform(1, far / 2)))
    strength = random.uniform(0.1, 0.6)
    return Image.composite(Image.new("RGB", ground.size), ground, dark.point(lambda a: a * strength))


def _mean(values: Map, weights: Map) -> float:
    total = float(weights.sum())
    return float((values * weights).sum()) / total if total > 1 else 0.0


def _image(values: Map) -> Image.Image:
    return Image.fromarray(_bytes(values))


def _bytes(values: Map) -> Pixels:
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
