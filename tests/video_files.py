"""Small video files made on the spot, for the reader tests."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import numpy as np

from tinyvmaf.video.base import plane_shapes
from tinyvmaf.video.frame import Frame, StreamFacts
from tinyvmaf.video.writer import VideoWriter, write_y4m

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def noise(width, height, chroma="420", bits=8, count=3, seed=0):
    """Frames of planes that use every code value."""
    rng = np.random.default_rng(seed)
    dtype = np.uint8 if bits == 8 else np.uint16
    return [
        tuple(rng.integers(0, 1 << bits, shape, dtype=dtype) for shape in plane_shapes(width, height, chroma))
        for _ in range(count)
    ]


def moving(width, height, chroma="420", bits=8, count=12):
    """Smooth frames that move, which codecs like."""
    dtype = np.uint8 if bits == 8 else np.uint16
    frames = []
    for index in range(count):
        planes = []
        for rows, columns in plane_shapes(width, height, chroma):
            y, x = np.mgrid[:rows, :columns]
            wave = np.sin((x + 2 * index) / 5) + np.cos((y - index) / 4) + np.sin(x * y / 90)
            planes.append(((wave + 3) / 6 * ((1 << bits) - 1)).astype(dtype))
        frames.append(tuple(planes))
    return frames


def write_raw(path, frames):
    path.write_bytes(b"".join(plane.tobytes() for planes in frames for plane in planes))
    return path


def y4m_bytes(frames, chroma="420", bits=8, **facts):
    height, width = frames[0][0].shape
    facts.setdefault("frame_rate", Fraction(25))
    stated = StreamFacts("clip", "y4m", width, height, chroma, bits, **facts)
    stream = io.BytesIO()
    write_y4m(stream, [Frame(planes, bits, index) for index, planes in enumerate(frames)], stated)
    return stream.getvalue()


def encode(path, frames, chroma="420", bits=8, codec="ffv1", times=None, **more):
    height, width = frames[0][0].shape
    with VideoWriter(path, width, height, chroma, bits, codec=codec, **more) as writer:
        for index, planes in enumerate(frames):
            writer.write(planes, times[index] if times else None)
    return path


def same(frame, planes):
    return len(frame.planes) == len(planes) and all(
        np.array_equal(one, other) for one, other in zip(frame.planes, planes, strict=True)
    )
