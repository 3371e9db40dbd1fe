"""Child processes and what they cost.

Keep this process small: the peak memory of a child never reads lower than that of its parent.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.clips import Pair, ffmpeg, run

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Cost:
    """What one run took.

    Attributes:
        wall: Seconds from start to exit.
        cpu: Seconds of processor time, user and system.
        peak: Peak resident memory in MiB.
    """

    wall: float
    cpu: float
    peak: float


@dataclass(frozen=True)
class Peer:
    """A program that scores.

    Attributes:
        name: For tables.
        version: What it says of itself.
        kind: "ours", "vmaf" (libvmaf's own tool) or "filter" (FFmpeg's libvmaf filter).
        program: Path.
    """

    name: str
    version: str
    kind: str
    program: str

    def command(
        self, pair: Pair, threads: int, log: Path, models: tuple[str, ...] = (), features: tuple[str, ...] = ()
    ) -> list[str]:
        """The command that scores a pair into a JSON log.

        Args:
            pair: What to score.
            threads: Worker threads.
            log: File to write.
            models: As `vmaf --model` takes them; none stands for vmaf_v0.6.1.
            features: As `vmaf --feature` takes them.
        """
        if self.kind != "filter":
            asked = [word for m in models for word in ("-m", m)] + [word for f in features for word in ("--feature", f)]
            output = ["--threads", str(threads), "-q", "--json", "-o", str(log)]
            return [self.program, *pair.ours, *asked, *output]
        graph = f"[0:v][1:v]libvmaf=log_fmt=json:log_path={log}:n_threads={threads}"
        named = tuple(f"name={feature.replace('=', ':', 1)}" for feature in features)
        graph += _listed("model", models) + _listed("feature", named)
        limits = ["-filter_complex_threads", str(threads)]
        return [self.program, "-nostdin", "-v", "error", *limits, *pair.ffmpeg, "-lavfi", graph, "-f", "null", "-"]


def _listed(name: str, values: tuple[str, ...]) -> str:
    """One option of FFmpeg's filter; colons inside its items are escaped for both of FFmpeg's parsers."""
    joined = "|".join(values).replace(":", r"\\:")
    return f":{name}={joined}" if joined else ""


def ours() -> Peer:
    """The `vmaf` of this environment."""
    program = str(Path(sys.executable).with_name("vmaf"))
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return Peer("tinyvmaf", done.stderr.split(":")[-1].strip(), "ours", program)


def peers() -> list[Peer]:
    """libvmaf in FFmpeg, and libvmaf's own tool where one is on PATH."""
    binary = ffmpeg()
    version = run([binary, "-version"]).split()[2]
    found = [Peer("FFmpeg's libvmaf filter", f"FFmpeg {version}", "filter", binary)]
    for folder in os.get_exec_path():
        program = shutil.which("vmaf", path=folder)
        if program is None:
            continue
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
        said = (done.stdout + done.stderr).strip()
        if "tinyvmaf" not in said:
            found.append(Peer("libvmaf's vmaf", said.splitlines()[0] if said else "unknown", "vmaf", program))
            break
    return found


def measured(command: list[str], environment: dict[str, str] | None = None, pin: int = 0) -> Cost:
    """Run a command to its end and say what it took.

    Args:
        command: The command; its output is dropped.
        environment: Variables set besides those of this process.
        pin: Keep it to so many processors; 0 leaves it free.
    """
    allowed = sorted(os.sched_getaffinity(0))
    with open(os.devnull, "r+b") as nothing, tempfile.TemporaryFile() as said:
        os.sched_setaffinity(0, allowed[:pin] if pin else allowed)
        try:
            started = time.perf_counter()
            child = subprocess.Popen(
                command, stdin=nothing, stdout=nothing, stderr=said, env={**os.environ, **(environment or {})}
            )
            _, status, usage = os.wait4(child.pid, 0)
            wall = time.perf_counter() - started
        finally:
            os.sched_setaffinity(0, allowed)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            why = said.read().decode(errors="replace")[-2000:]
            sys.exit(f"{' '.join(command)}\nexited with {child.returncode}:\n{why}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / MEBIBYTE)


def log_of(path: Path) -> dict[str, Any]:
    """A JSON log."""
    log: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return log


def column(log: dict[str, Any], name: str) -> list[float | None]:
    """One metric of every frame, None where it is missing."""
    return [frame["metrics"].get(name) for frame in log["frames"]]


def largest_difference(one: list[float | None], other: list[float | None]) -> float:
    """Largest difference of two columns; infinite where only one has a value, or their lengths differ."""
    if len(one) != len(other) or any((a is None) != (b is None) for a, b in zip(one, other, strict=False)):
        return float("inf")
    return max((abs(a - b) for a, b in zip(one, other, strict=True) if a is not None and b is not None), default=0.0)
