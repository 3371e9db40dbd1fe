"""Commands run as users run them, in this process or in one of their own, and the small videos they get."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import clips
from clips import GOLDEN_FILES, degrade, golden, natural
from tinyvmaf.cli import main as tinyvmaf_door
from tinyvmaf.cli import vmaf as vmaf_door
from video_files import write_raw, y4m_bytes

DOORS = {"vmaf": vmaf_door.main, "tinyvmaf": tinyvmaf_door.main}
TIME_LIMIT = 240
"""Seconds; a kernel that was never compiled takes some of them."""


@dataclass(frozen=True, slots=True)
class Run:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def lines(self):
        return self.err.splitlines()


def call(program, *words):
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = DOORS[program]([str(word) for word in words])
    return Run(code, out.getvalue(), _said(err.getvalue()))


def command(program, *words):
    """The command line of a process of its own."""
    module = {"vmaf": "vmaf", "tinyvmaf": "main"}[program]
    start = f"import sys; from tinyvmaf.cli.{module} import main; sys.exit(main())"
    return [sys.executable, "-c", start, *map(str, words)]


def environment():
    """This process's environment, with buffered output as users have it."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONUNBUFFERED", "TINYVMAF_DEBUG")}


def process(program, *words, cwd=None, **how):
    """Run a command in a process of its own."""
    how = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | how
    if "input" in how:
        how.pop("stdin")
    done = subprocess.run(
        command(program, *words), cwd=cwd, env=environment(), timeout=TIME_LIMIT, check=False, **how
    )  # fmt: skip
    return Run(done.returncode, (done.stdout or b"").decode(), _said((done.stderr or b"").decode()))


def _said(text):
    """Standard error without the one line that a machine sees once, when a kernel is new to it."""
    return "".join(line for line in text.splitlines(keepends=True) if ": Compiling the kernels" not in line)


def log_of(folder, *words, program="vmaf"):
    """Run `vmaf` in this process and read its JSON log."""
    path = Path(folder, "log.json")
    done = call(program, *words, "--json", *(["-o"] if program == "vmaf" else []), path)
    assert (done.code, done.err) == (0, ""), done
    return json.loads(path.read_text())


def column(log, name):
    """One metric of all frames of a JSON log."""
    return [frame["metrics"][name] for frame in log["frames"]]


def pair_of_clips(width=176, height=144, frames=8, bits=8, chroma="420", crf=38, clip="mdn_flower"):
    """A natural clip and what x264 leaves of it."""
    reference = natural(clip, width, height, frames, bits, chroma)
    return reference, degrade(reference, crf, bits, chroma)


def write_pair(folder, reference, distorted, bits=8, chroma="420", kind="y4m"):
    """Write both clips and return the options that name them."""
    paths = [Path(folder, f"{name}.{kind}") for name in ("ref", "dis")]
    for path, clip in zip(paths, (reference, distorted), strict=True):
        if kind == "y4m":
            path.write_bytes(y4m_bytes(clip, chroma, bits))
        else:
            write_raw(path, clip)
    options = ["-r", paths[0], "-d", paths[1]]
    if kind == "yuv":
        height, width = reference[0][0].shape
        options += ["-w", width, "-h", height, "-p", chroma, "-b", bits]
    return options


def write_golden(folder, name):
    """Write a published pair as raw video and return the options that name it."""
    pair = golden(name)
    width, height = GOLDEN_FILES[name][2:4]
    assert pair.reference[0][0].shape == (height, width)
    return write_pair(folder, pair.reference, pair.distorted, pair.bits, kind="yuv")


def model_file(name):
    """A model file of libvmaf that only the shared folder has."""
    assert clips.SHARED is not None
    return next((clips.SHARED.parent / "models" / "vmaf_json").rglob(f"{name}.json"))
