"""libvmaf itself, as the labels' witness: the filter inside the FFmpeg that imageio-ffmpeg carries."""

from __future__ import annotations

import importlib
import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinyvmaf.errors import MissingExtraError, RunError
from tinyvmaf.video.frame import Frame, chroma_size

_TIME_LIMIT = 600.0
"""Seconds after which the binary is stopped."""


def libvmaf_scores(reference: Sequence[Frame], distorted: Sequence[Frame], version: str) -> npt.NDArray[np.float64]:
    """Score a pair of clips with libvmaf.

    Args:
        reference: The pristine clip, 8 or 10 bits.
        distorted: The degraded clip; only luma is looked at.
        version: Of the model, "vmaf_v0.6.1".

    Returns:
        (N,) scores, six decimals as the log has them.

    Raises:
        MissingExtraError: There is no such binary here.
        RunError: It failed.
    """
    height, width = reference[0].luma.shape
    layout = "yuv420p" if reference[0].bits == 8 else f"yuv420p{reference[0].bits}le"
    raw = ["-f", "rawvideo", "-pix_fmt", layout, "-s", f"{width}x{height}", "-r", "25"]
    graph = f"[0:v][1:v]libvmaf=log_fmt=json:log_path=log.json:n_threads=1:model=version={version}"
    command = [_binary(), "-nostdin", "-v", "error", *raw, "-i", "dis.yuv", *raw, "-i", "ref.yuv"]
    with tempfile.TemporaryDirectory(prefix="tinyvmaf-oracle-") as folder:
        for name, clip in (("ref.yuv", reference), ("dis.yuv", distorted)):
            Path(folder, name).write_bytes(b"".join(_with_grey(frame) for frame in clip))
        command += ["-lavfi", graph, "-f", "null", "-"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_TIME_LIMIT, check=False)
        if done.returncode != 0:
            raise RunError(f"FFmpeg's libvmaf failed: {done.stderr.strip()[-300:]}")
        log = json.loads(Path(folder, "log.json").read_text())
    return np.array([frame["metrics"]["vmaf"] for frame in log["frames"]], np.float64)


def _binary() -> str:
    try:
        return str(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe())
    except ImportError as error:
        raise MissingExtraError(
            "Checking labels against libvmaf needs its binary.", "Run: pip install 'tinyvmaf[train,ffmpeg]'"
        ) from error


def _with_grey(frame: Frame) -> bytes:
    """Samples of a 4:2:0 frame with neutral chroma."""
    luma = frame.luma
    columns, rows = chroma_size(luma.shape[1], luma.shape[0], "420")
    grey = np.full((2 * rows, columns), 1 << (frame.bits - 1), luma.dtype)
    return luma.tobytes() + grey.tobytes()
