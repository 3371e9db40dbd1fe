"""Ways to damage a picture by encoding it, each with a strength from 0, hardly seen, to 1, ruined."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from tinyvmaf.train.dists_sq.damage import Damage, Image, between
from tinyvmaf.video.frame import Colour
from tinyvmaf.video.reader import open_video
from tinyvmaf.video.rgb import to_rgb
from tinyvmaf.video.writer import VideoWriter

FRAMES = 3
"""Length of a clip: the last frame is looked at, so that it is predicted from others as most frames are."""

_RED, _BLUE = 0.299, 0.114
"""BT.601: the shares of both in luma."""


def still(image: Image, strength: float, rng: np.random.Generator, kind: str, best: float, worst: float) -> Image:
    """A picture format of Pillow.

    Args:
        image: The picture.
        strength: 0..1.
        rng: Random numbers.
        kind: "JPEG", "WEBP", "AVIF" or "JPEG2000".
        best: Quality (for JPEG2000: ratio of compression) at strength 0.
        worst: The same at 1.
    """
    value = round(best + (worst - best) * strength)
    options = {"quality_mode": "rates", "quality_layers": [between(best, worst, strength)], "irreversible": True}
    if kind != "JPEG2000":
        options = {"quality": value}
    if kind == "JPEG":
        options["subsampling"] = int(rng.choice((0, 2)))
    stream = io.BytesIO()
    Pillow.fromarray(_bytes(image)).save(stream, kind, **options)
    return np.asarray(Pillow.open(stream).convert("RGB"), np.float32) / np.float32(255)


def video(
    image: Image,
    strength: float,
    rng: np.random.Generator,
    codec: str,
    crf: tuple[int, int],
    options: Mapping[str, str],
) -> Image:
    """The last frame of a short clip in which the camera pans over the picture.

    Args:
        image: The picture.
        strength: 0..1.
        rng: Random numbers.
        codec: As `tinyvmaf.video.writer` names it.
        crf: Its quality at strength 0 and at 1.
        options: Its other options.
    """
    step = rng.integers(-4, 5, 2) * 2
    shifts = [np.array(step) * (FRAMES - 1 - n) for n in range(FRAMES)]
    height, width = image.shape[:2]
    even = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    value = {"crf": str(round(crf[0] + (crf[1] - crf[0]) * strength)), **options}
    with tempfile.TemporaryDirectory(prefix="tinyvmaf-train-") as folder:
        path = Path(folder, "clip.mkv")
        with VideoWriter(path, even.shape[1], even.shape[0], codec=codec, options=value) as writer:
            for shift in shifts:
                # What leaves on one side comes back on the other: nothing is invented at the edge.
                writer.write(_planes(np.roll(even, shift, (0, 1))))
        with open_video(path) as clip:
            *_, last = clip
            decoded = to_rgb(last, Colour("smpte170m", "limited"))
    return np.ascontiguousarray(decoded.transpose(1, 2, 0)[:height, :width])


def _planes(image: Image) -> tuple[npt.NDArray[Any], ...]:
    """Luma and left-sited 4:2:0 chroma, limited range."""
    luma = image @ np.array([_RED, 1 - _RED - _BLUE, _BLUE], np.float32)
    chroma = [(image[..., n] - luma) / (2 * (1 - k)) for n, k in ((2, _BLUE), (0, _RED))]
    return (_code(16 + 219 * luma), *(_code(128 + 224 * _half(plane)) for plane in chroma))


def _half(plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
    rows = (plane[::2] + plane[1::2]) / 2
    before = np.concatenate((rows[:, :1], rows[:, 1:-1:2]), axis=1)
    return np.asarray((before + 2 * rows[:, ::2] + rows[:, 1::2]) / 4)


def _code(plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.asarray(np.clip(np.rint(plane), 0, 255), np.uint8)


def _bytes(image: Image) -> npt.NDArray[Any]:
    return _code(255 * image)


_FAST = {"preset": "veryfast"}

TAUGHT: Mapping[str, Damage] = {
    "jpeg": partial(still, kind="JPEG", best=96, worst=3),
    "webp": partial(still, kind="WEBP", best=96, worst=0),
    "x264": partial(video, codec="libx264", crf=(14, 48), options=_FAST),
    "x265": partial(video, codec="libx265", crf=(16, 48), options={"preset": "ultrafast"}),
}
"""What the network sees in training."""

UNSEEN: Mapping[str, Damage] = {
    "jpeg2000": partial(still, kind="JPEG2000", best=6, worst=150),
    "avif": partial(still, kind="AVIF", best=90, worst=0),
    "vp9": partial(
        video, codec="libvpx-vp9", crf=(18, 63), options={"b": "0", "deadline": "realtime", "cpu-used": "6"}
    ),
}
"""What only the test has."""
