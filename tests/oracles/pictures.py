"""Pictures as other programs make them: RGB by H.273's equations in float64, scaling by the FFmpeg program."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest

MATRICES = {  # table 4 of H.273: K_R, K_B
    "bt709": (0.2126, 0.0722),
    "fcc": (0.30, 0.11),
    "bt470bg": (0.299, 0.114),
    "smpte170m": (0.299, 0.114),
    "smpte240m": (0.212, 0.087),
    "bt2020nc": (0.2627, 0.0593),
}


def at_luma(plane, shape, chroma):
    """Chroma where luma is: sample k lies at column 2k, and in 4:2:0 at row 2k + 0.5; ends are held."""
    rows, columns = np.arange(shape[0]), np.arange(shape[1])
    if chroma in ("420", "422"):
        plane = np.stack([np.interp(columns / 2, np.arange(len(row)), row) for row in plane])
    if chroma == "420":
        plane = np.stack([np.interp((rows - 0.5) / 2, np.arange(len(line)), line) for line in plane.T], axis=1)
    return plane


def rgb(planes, bits=8, chroma="420", matrix="bt709", range_="limited"):
    """(3, H, W) float64 in 0 to 1: H.273, equations 20 to 43 turned round."""
    kr, kb = MATRICES[matrix]
    unit = 2.0 ** (bits - 8)
    offset, luma_span, chroma_span = (16 * unit, 219 * unit, 224 * unit)
    if range_ == "full":
        offset, luma_span, chroma_span = 0.0, 2.0**bits - 1, 2.0**bits - 1
    luma = (planes[0].astype(float) - offset) / luma_span
    if chroma == "400":
        return np.clip(np.stack([luma] * 3), 0, 1)
    blue, red = (at_luma((p.astype(float) - 2.0 ** (bits - 1)) / chroma_span, luma.shape, chroma) for p in planes[1:])
    r, b = luma + 2 * (1 - kr) * red, luma + 2 * (1 - kb) * blue
    return np.clip(np.stack([r, (luma - kr * r - kb * b) / (1 - kr - kb), b]), 0, 1)


def scaled(plane, width, height, bits=8, method="area"):
    """One plane through FFmpeg's filter `scale`."""
    program = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    rows, columns = plane.shape
    form = ["-f", "rawvideo", "-pix_fmt", "gray" if bits == 8 else f"gray{bits}le"]
    command = [program, "-v", "error", *form, "-s", f"{columns}x{rows}", "-i", "-"]
    command += ["-vf", f"scale={width}:{height}:flags={method}+accurate_rnd+bitexact", *form, "-"]
    done = subprocess.run(command, input=plane.tobytes(), capture_output=True, check=True)
    return np.frombuffer(done.stdout, plane.dtype).reshape(height, width)
