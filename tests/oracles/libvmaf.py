"""Netflix's libvmaf as an oracle: the libvmaf filter of the FFmpeg binary that imageio-ffmpeg carries."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from clips import Planes, pixel_format

_TIME_LIMIT = 300.0
"""Seconds after which the binary is stopped."""


def libvmaf(
    reference_frames: Sequence[Planes],
    distorted_frames: Sequence[Planes],
    *,
    chroma: str = "420",
    bits: int = 8,
    models: Iterable[str] = (),
    features: Iterable[str] = (),
    threads: int = 1,
) -> dict[str, npt.NDArray[np.float64]]:
    """Score a pair of clips with libvmaf; skips where the binary is missing.

    Args:
        reference_frames: The pristine clip.
        distorted_frames: The degraded clip.
        chroma: "420", "422" or "444": what the filter takes without converting.
        bits: 8, 10, 12 or 16.
        models: As the `vmaf` command takes them, "version=vmaf_v0.6.1neg:name=neg"; none means vmaf_v0.6.1.
        features: As the `vmaf` command takes them, "float_ssim=enable_db=true:clip_db=true".
        threads: libvmaf's worker threads.

    Returns:
        Key of the log ("integer_adm2", "vmaf", "float_ssim") to one value per frame, six decimals as the log has
        them, NaN for null; numbers of the whole clip ("apsnr_y") as arrays of one.
    """
    binary = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    with tempfile.TemporaryDirectory(prefix="oracle-") as folder:
        for name, clip in (("ref.yuv", reference_frames), ("dis.yuv", distorted_frames)):
            Path(folder, name).write_bytes(b"".join(plane.tobytes() for planes in clip for plane in planes))
        height, width = reference_frames[0][0].shape
        raw = ["-f", "rawvideo", "-pix_fmt", pixel_format(bits, chroma), "-s", f"{width}x{height}", "-r", "25"]
        graph = f"[0:v][1:v]libvmaf=log_fmt=json:log_path=log.json:n_threads={threads}"
        names = [f"name={text.replace('=', ':', 1)}" for text in features]
        graph += _option("model", models) + _option("feature", names)
        command = [binary, "-hide_banner", "-nostdin", "-v", "verbose"]
        command += [*raw, "-i", "dis.yuv", *raw, "-i", "ref.yuv", "-lavfi", graph, "-f", "null", "-"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_TIME_LIMIT, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"libvmaf failed:\n{done.stderr[-2000:]}")
        if "auto_scale" in done.stderr:
            pytest.skip(f"this FFmpeg's libvmaf filter does not take {pixel_format(bits, chroma)}")
        return _columns(json.loads(Path(folder, "log.json").read_text()))


def _option(name: str, values: Iterable[str]) -> str:
    """One filter option whose list items contain colons, escaped for both of FFmpeg's parsers."""
    joined = "|".join(values).replace(":", r"\\:")
    return f":{name}={joined}" if joined else ""


def _columns(log: dict[str, Any]) -> dict[str, npt.NDArray[np.float64]]:
    rows = [frame["metrics"] for frame in log["frames"]]
    columns = {key: np.array([row.get(key) for row in rows], dtype=np.float64) for key in rows[0]}
    return columns | {key: np.array([value], np.float64) for key, value in log["aggregate_metrics"].items()}
