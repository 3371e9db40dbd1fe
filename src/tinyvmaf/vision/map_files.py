"""Maps and masks in files: NumPy arrays, PGM and PNG pictures.

What comes out is (H, W) float32 in 0 to 1: pictures are divided by their largest code value; arrays whose largest
value is above 1 by that value, and cut off at 0.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from tinyvmaf.errors import DataError, VideoError
from tinyvmaf.video.base import MAX_SIDE

Map: TypeAlias = npt.NDArray[np.float32]

SUFFIXES: Final = (".npy", ".pgm", ".png")

_LARGEST: Final = 1 << 30
"""Bytes of a PGM file; the largest frame at 16 bits has half."""

_HEADER: Final = re.compile(rb"P([25])" + rb"(?:\s|#[^\n]*\n)+(\d{1,5})" * 3 + rb"\s")


def map_files(folder: str | Path) -> dict[str, Path]:
    """The maps of a folder.

    Args:
        folder: Where they are; other files, and folders inside, are left alone.

    Returns:
        Each file by its name without the ending, sorted by that.

    Raises:
        DataError: The folder cannot be read, or two files differ in nothing but the ending.
    """
    try:
        paths = sorted(p for p in Path(folder).iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"The folder {str(folder)!r} cannot be read: {reason}.") from error
    found = {path.stem: path for path in paths}
    for path in paths:
        if found[path.stem] != path:
            raise DataError(f"One file of each name is wanted, but there are {path} and {found[path.stem].name}.")
    return dict(sorted(found.items()))


def read_map(path: Path) -> Map:
    """Read one map or mask.

    Args:
        path: A file whose name ends in one of SUFFIXES.

    Returns:
        (H, W) in 0 to 1.

    Raises:
        DataError: The file cannot be read, or holds something else than one plane of numbers.
    """
    readers = {".npy": _read_npy, ".pgm": _read_pgm, ".png": _read_png}
    try:
        return readers[path.suffix.lower()](path)
    except (OSError, ValueError, EOFError, VideoError) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split()).rstrip(".")
        raise DataError(f"{path} cannot be read as a map: {reason}.") from error


def _read_npy(path: Path) -> Map:
    # Mapped, so that a header cannot make us allocate more than the file has; never unpickled.
    array = np.lib.format.open_memmap(path, mode="r")
    if array.ndim != 2 or not array.size or max(array.shape) > MAX_SIDE:
        raise ValueError(f"it has 2 axes of 1 to {MAX_SIDE}, not shape {list(array.shape)}")
    if array.dtype.kind not in "buif":
        raise ValueError(f"it holds numbers, not {array.dtype}")
    with np.errstate(over="ignore"):
        values: Map = array.astype(np.float32)
    high = float(values.max())
    if not np.isfinite(values).all():
        raise ValueError("it holds finite numbers, not NaN or infinity")
    scaled: Map = np.clip(values / np.float32(max(high, 1.0)), 0, 1)
    return scaled


def _read_pgm(path: Path) -> Map:
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"a PGM file has at most {_LARGEST} bytes here")
    data = path.read_bytes()
    header = _HEADER.match(data)
    if header is None:
        raise ValueError("it has no header of PGM, P2 or P5 with width, height and largest value")
    kind, width, height, top = map(int, header.groups())
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE and 1 <= top <= 65535):
        raise ValueError(f"its header says {width}x{height} with values up to {top}")
    samples = (_text if kind == 2 else _binary)(data[header.end() :], width * height, top)
    if samples.size < width * height or int(samples.max()) > top:
        raise ValueError(f"it holds {width * height} samples up to {top}, not {samples.size}, or larger ones")
    return samples[: width * height].reshape(height, width).astype(np.float32) / np.float32(top)


def _binary(raster: bytes, count: int, top: int) -> npt.NDArray[np.unsignedinteger]:
    kind = np.dtype(np.uint8 if top < 256 else ">u2")
    return np.frombuffer(raster, kind, min(count, len(raster) // kind.itemsize))


def _text(raster: bytes, _count: int, _top: int) -> npt.NDArray[np.int64]:
    if re.fullmatch(rb"[\d\s]+", raster) is None:
        raise ValueError("its samples are no whole numbers")
    return np.fromstring(raster, np.int64, sep=" ")


def _read_png(path: Path) -> Map:
    from tinyvmaf.video.reader import open_video

    with open_video(path) as picture:
        facts, frame = picture.facts, next(iter(picture))
    unit = 1 << frame.bits - 8
    if any(int(abs(plane.astype(np.int32) - 128 * unit).max()) > unit for plane in frame.planes[1:]):
        raise ValueError("a map is grey, not coloured")
    low, span = (16 * unit, 219 * unit) if facts.range == "limited" else (0, (1 << frame.bits) - 1)
    values: Map = (frame.luma.astype(np.float32) - np.float32(low)) / np.float32(span)
    return np.clip(values, 0, 1)
