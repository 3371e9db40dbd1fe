"""Clips and files for the pairing tests: moving pictures whose frame numbers can be read back from their luma."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from tinyvmaf.video.align import Pairing, PairingPolicy, pair_videos
from tinyvmaf.video.base import Video
from tinyvmaf.video.frame import Frame, StreamFacts
from tinyvmaf.video.reader import open_video

Luma = npt.NDArray[np.uint8]
WIDTH, HEIGHT, COUNT = 176, 112, 40
_CELL = 8
_DIGITS = 7


def _texture(seed: int, size: int, slope: float = 1.2) -> npt.NDArray[np.float64]:
    """A random picture with the spectrum of a natural one."""
    rng = np.random.default_rng(seed)
    wave = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    wave[0, 0] = 1
    phase = np.exp(2j * np.pi * rng.random(wave.shape))
    picture = np.fft.irfft2(phase / wave**slope, (size, size))
    return picture / picture.std()


@functools.lru_cache(maxsize=16)
def scene(
    count: int = COUNT, seed: int = 1, speed: float = 1.7, width: int = WIDTH, height: int = HEIGHT
) -> list[Luma]:
    """A camera that pans over a texture while an object crosses it, limited range."""
    ground, thing = _texture(seed, 512), _texture(seed + 100, 64)
    frames = []
    for index in range(count):
        y, x = int(20 + 9 * np.sin(index / 7)), int(speed * index) % 300
        picture = 110 + 30 * ground[y : y + height, x : x + width]
        row, column = 20 + int(10 * np.cos(index / 5)), int(10 + 2.9 * index) % (width - 66)
        picture[row : row + 40, column : column + 40] = 140 + 35 * thing[:40, :40]
        frames.append(np.clip(picture, 16, 235).astype(np.uint8))
    return frames


def numbered(frames: Sequence[Luma], first: int = 0) -> list[Luma]:
    """The frames with their number burnt in as black and white cells at the top left."""
    out = []
    for index, frame in enumerate(frames, first):
        copy = frame.copy()
        for digit in range(_DIGITS):
            copy[:_CELL, digit * _CELL : (digit + 1) * _CELL] = 210 if index >> digit & 1 else 40
        out.append(copy)
    return out


def number_of(frame: Frame) -> int:
    """The number burnt into a frame."""
    cells = frame.luma[:_CELL, : _DIGITS * _CELL].reshape(_CELL, _DIGITS, _CELL).mean(axis=(0, 2))
    return sum(1 << digit for digit, cell in enumerate(cells) if cell > 125 << frame.bits - 8)


def write(
    path: Path,
    frames: Sequence[Luma],
    *,
    codec: str = "libx264",
    rate: Any = 25,
    times: Sequence[Fraction] | None = None,
    options: dict[str, str] | None = None,
    pix_fmt: str = "yuv420p",
    container_options: dict[str, str] | None = None,
    **colour: int,
) -> Path:
    """Encode luma with neutral chroma.

    Args:
        path: Target; its suffix chooses the container.
        frames: Luma planes.
        codec: FFmpeg's encoder.
        rate: Frames per second.
        times: Presentation times in seconds; None for the constant rate.
        options: Encoder options; x264 defaults to a fast, visible quality.
        pix_fmt: Pixel format.
        container_options: Muxer options.
        **colour: Attributes of the codec context: color_range, colorspace, color_primaries, color_trc.
    """
    rate = Fraction(rate)
    height, width = frames[0].shape
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        default = {"crf": "26", "preset": "ultrafast", "bf": "0"} if codec == "libx264" else {}
        stream.options = default | (options or {})
        if times:
            stream.codec_context.time_base = Fraction(1, 90000)
        for name, value in colour.items():
            setattr(stream.codec_context, name, value)
        for index, luma in enumerate(frames):
            picture = _picture(luma, pix_fmt)
            picture.time_base = Fraction(1, 90000) if times else 1 / rate
            picture.pts = int(times[index] * 90000) if times else index
            if "color_range" in colour:
                picture.color_range = colour["color_range"]
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def _picture(luma: Luma, pix_fmt: str) -> av.VideoFrame:
    """A picture of any planar format with the luma and neutral chroma; deep formats get shifted samples."""
    picture = av.VideoFrame(luma.shape[1], luma.shape[0], pix_fmt)
    bits = picture.format.components[0].bits
    for number, plane in enumerate(picture.planes):
        dtype = np.dtype(np.uint8 if bits == 8 else np.uint16)
        rows = np.full((plane.height, plane.line_size // dtype.itemsize), 1 << bits - 1, dtype)
        if number == 0:
            rows[:, : plane.width] = luma.astype(dtype) << bits - 8
        plane.update(rows.tobytes())
    return picture


class Clip(Video):
    """A video in memory that states whatever a test wants."""

    def __init__(self, frames: Sequence[Any], times: Sequence[Fraction | None] | None = None, **facts: Any) -> None:
        height, width = frames[0].shape
        stated = StreamFacts(facts.pop("name", "clip.mp4"), "container", width, height, "420", 8)
        facts = {"frame_rate": Fraction(25), "format": "mov,mp4", "codec": "h264", "frame_count": len(frames)} | facts
        super().__init__(replace(stated, **facts))
        self._luma = frames
        rate = self.facts.frame_rate
        self._times = times or [index / rate if rate else None for index in range(len(frames))]

    def _frames(self, start: int) -> Iterator[Frame]:
        for index in range(start, len(self._luma)):
            yield Frame((self._luma[index],), self.facts.bits, index, self._times[index])

    def close(self) -> None:
        pass


def run(reference: Any, distorted: Any, *, chroma_needed: bool = False, **policy: Any) -> tuple[list[Any], Pairing]:
    """Pair two files or clips to the end.

    Returns:
        The pairs as (number in the reference, number in the distorted frame), and the pairing.
    """
    with ExitStack() as stack:
        one, other = (
            stack.enter_context(open_video(video) if isinstance(video, Path) else video)
            for video in (reference, distorted)
        )
        pairing = stack.enter_context(pair_videos(one, other, PairingPolicy(**policy), chroma_needed=chroma_needed))
        numbers = [(number_of(pair.reference), number_of(pair.distorted)) for pair in pairing]
    return numbers, pairing
