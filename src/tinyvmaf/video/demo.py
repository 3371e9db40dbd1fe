"""A short pair of clips made from nothing: a moving scene, and the same scene after a harsh encode."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from tinyvmaf.errors import DataError, UsageError
from tinyvmaf.video.frame import Plane

WIDTH: Final = 640
HEIGHT: Final = 360
DISTORTED_CRF: Final = 36
_SEED: Final = 7


def write_pair(folder: Path, frames: int = 50) -> tuple[Path, Path]:
    """Write reference.mkv (lossless) and distorted.mp4 (x264) into a folder, which is made if needed.

    Args:
        folder: Where to.
        frames: Length of both clips, 2 or more.

    Returns:
        Paths of the reference and of the distorted clip.

    Raises:
        UsageError: Fewer than two frames.
        DataError: The folder cannot be written.
    """
    from tinyvmaf.video.writer import VideoWriter

    if frames < 2:
        raise UsageError(f"The demo needs at least 2 frames, not {frames}.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"The folder {folder} cannot be made: {error.strerror}.", "Choose another place.") from error
    reference, distorted = folder / "reference.mkv", folder / "distorted.mp4"
    options = {"crf": str(DISTORTED_CRF), "preset": "veryfast", "threads": "1"}
    with (
        VideoWriter(reference, WIDTH, HEIGHT, codec="ffv1") as first,
        VideoWriter(distorted, WIDTH, HEIGHT, codec="libx264", options=options) as second,
    ):
        scene = _Scene()
        for index in range(frames):
            planes = scene.frame(index)
            first.write(planes)
            second.write(planes)
    return reference, distorted


class _Scene:
    """A textured hill landscape that pans behind a turning, striped disc."""

    def __init__(self) -> None:
        self._backdrop = _texture(HEIGHT, 2 * WIDTH)
        self._y, self._x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)

    def frame(self, index: int) -> tuple[Plane, ...]:
        """One frame: luma, then both chroma planes at half size."""
        shift = 3 * index % WIDTH
        luma = self._backdrop[:, shift : shift + WIDTH].copy()
        x, y = WIDTH * (0.5 + 0.25 * np.sin(index / 15)), HEIGHT * (0.5 + 0.2 * np.cos(index / 11))
        inside = np.hypot(self._x - x, self._y - y) < 80
        angle = index / 9
        stripes = np.sin((np.cos(angle) * (self._x - x) + np.sin(angle) * (self._y - y)) / 4)
        luma[inside] = 130 + 70 * stripes[inside]
        blue = np.full((HEIGHT // 2, WIDTH // 2), 118, np.uint8)
        red = np.full_like(blue, 126)
        red[inside[::2, ::2]] = 170
        return np.clip(luma, 16, 235).astype(np.uint8), blue, red


def _texture(height: int, width: int) -> npt.NDArray[np.float32]:
    """Noise with the falling spectrum of natural pictures, from 40 to 200."""
    noise = np.random.default_rng(_SEED).standard_normal((height, width))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    spectrum = np.fft.rfft2(noise) / np.maximum(frequency, 1 / width) ** 1.1
    picture = np.fft.irfft2(spectrum, s=(height, width))
    low, high = np.percentile(picture, (1, 99))
    scaled: npt.NDArray[np.float32] = np.clip(40 + 160 * (picture - low) / (high - low), 20, 230).astype(np.float32)
    return scaled
