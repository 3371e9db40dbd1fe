"""Ways to degrade a clip: real encodes, and the blur, noise and scaling that surround them."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from tinyvmaf.errors import RunError, UnknownNameError
from tinyvmaf.train.recipe import Distortion
from tinyvmaf.video.frame import Frame, Plane
from tinyvmaf.video.reader import open_video
from tinyvmaf.video.resize import scale_frame
from tinyvmaf.video.writer import VideoWriter

Image: TypeAlias = npt.NDArray[np.float64]
"""(H, W) luma in 8-bit steps, whatever the depth of the clip."""

GRAIN_SIZE = 0.8
"""Standard deviation in samples of the low-pass that turns white noise into film-like grain."""


def distort(clip: Sequence[Frame], distortion: Distortion, level: float) -> list[Frame]:
    """Degrade a clip.

    Args:
        clip: Reference frames, 4:2:0.
        distortion: How.
        level: One of its levels.

    Returns:
        As many frames of the same size and bits; only luma is promised.

    Raises:
        UnknownNameError: There is no such kind.
        RunError: An encode lost frames.
    """
    if distortion.kind == "encode":
        return _encode(clip, distortion, level)
    if distortion.kind == "resample":
        return [_there_and_back(frame, level) for frame in clip]
    if distortion.kind not in KINDS:
        raise UnknownNameError(f"There is no distortion {distortion.kind!r}.", f"There are: {', '.join(KINDS)}.")
    # The noise of a clip depends on what is in it, not on the order in which clips are made.
    rng = np.random.default_rng([zlib.crc32(clip[0].luma.tobytes()), zlib.crc32(distortion.name.encode())])
    return [_filtered(frame, KINDS[distortion.kind], level, rng) for frame in clip]


def _filtered(frame: Frame, change: Callable[..., Image], level: float, rng: np.random.Generator) -> Frame:
    unit = 2.0 ** (frame.bits - 8)
    image = change(frame.luma / unit, level, rng)
    samples = np.clip(np.rint(image * unit), 0, 2**frame.bits - 1)
    luma: Plane = samples.astype(np.uint8) if frame.bits == 8 else samples.astype(np.uint16)
    return replace(frame, planes=(luma,), owner=None)


def _blur(image: Image, sigma: float, rng: np.random.Generator) -> Image:
    """Low-pass of `sigma` samples."""
    return np.asarray(ndimage.gaussian_filter(image, sigma, mode="nearest"))


def _noise(image: Image, deviation: float, rng: np.random.Generator) -> Image:
    """White noise of `deviation` steps."""
    return np.asarray(image + deviation * rng.standard_normal(image.shape))


def _grain(image: Image, deviation: float, rng: np.random.Generator) -> Image:
    """Low-passed noise of `deviation` steps, strongest in mid tones."""
    noise = np.asarray(ndimage.gaussian_filter(rng.standard_normal(image.shape), GRAIN_SIZE))
    return np.asarray(image + deviation * noise / noise.std() * np.sqrt(np.clip(image / 64 * (1 - image / 256), 0, 1)))


def _contrast(image: Image, gain: float, rng: np.random.Generator) -> Image:
    """Differences from the mean times `gain`."""
    mean = image.mean()
    return np.asarray(mean + gain * (image - mean))


def _sharpen(image: Image, amount: float, rng: np.random.Generator) -> Image:
    """Unsharp mask: `amount` times what a low-pass takes away is added."""
    return image + amount * (image - _blur(image, 1.0, rng))


def _identical(image: Image, level: float, rng: np.random.Generator) -> Image:
    return image


KINDS: Mapping[str, Callable[[Image, float, np.random.Generator], Image]] = {
    "blur": _blur,
    "noise": _noise,
    "grain": _grain,
    "fade": _contrast,
    "contrast": _contrast,
    "sharpen": _sharpen,
    "identical": _identical,
}
"""Name to (image, level, random numbers) -> image."""


def _there_and_back(frame: Frame, factor: float) -> Frame:
    height, width = frame.luma.shape
    columns, rows = _even(width * factor, height * factor)
    return scale_frame(scale_frame(frame, columns, rows, "area"), width, height)


def _even(width: float, height: float) -> tuple[int, int]:
    """4:2:0 has whole chroma samples only at even sizes."""
    return max(round(width / 2) * 2, 16), max(round(height / 2) * 2, 16)


def _encode(clip: Sequence[Frame], distortion: Distortion, level: float) -> list[Frame]:
    """Encode at the distortion's scale and depth, decode, and bring the frames back to the clip's."""
    bits, (height, width) = clip[0].bits, clip[0].luma.shape
    coded_bits = distortion.bits or bits
    scale = distortion.scale
    columns, rows = (width, height) if scale == 1 else _even(width * scale, height * scale)
    frames = [at_depth(scale_frame(frame, columns, rows), coded_bits) for frame in clip]
    decoded = _round_trip(frames, distortion.codec, {**distortion.options, "crf": f"{level:g}"})
    if len(decoded) != len(clip):
        raise RunError(f"{distortion.name} at {level:g} returned {len(decoded)} frames of {len(clip)}.")
    return [scale_frame(at_depth(frame, bits), width, height) for frame in decoded]


def _round_trip(frames: Sequence[Frame], codec: str, options: Mapping[str, str]) -> list[Frame]:
    height, width = frames[0].luma.shape
    with tempfile.TemporaryDirectory(prefix="tinyvmaf-train-") as folder:
        path = Path(folder, "encode.mkv")
        with VideoWriter(path, width, height, bits=frames[0].bits, codec=codec, options=options) as writer:
            for frame in frames:
                writer.write(frame.planes)
        with open_video(path) as video:
            return list(video)


def at_depth(frame: Frame, bits: int) -> Frame:
    """A frame with another number of bits per sample, rounded where there are fewer.

    Args:
        frame: The frame.
        bits: 8 to 16.

    Returns:
        A new frame, or the same one if nothing changes.
    """
    if bits == frame.bits:
        return frame
    return replace(frame, planes=tuple(_at_depth(plane, frame.bits, bits) for plane in frame.planes), bits=bits)


def _at_depth(plane: Plane, old: int, new: int) -> Plane:
    wide = plane.astype(np.int64)
    half = 1 << max(old - new - 1, 0)
    moved = wide << (new - old) if new > old else np.minimum((wide + half) >> (old - new), (1 << new) - 1)
    return np.asarray(moved, np.uint8) if new == 8 else np.asarray(moved, np.uint16)
