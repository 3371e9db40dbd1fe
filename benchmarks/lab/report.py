"""Markdown tables, the machine they were taken on, and the files they are published in."""

from __future__ import annotations

import os
import platform
import re
import statistics
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median with smallest and largest: 0.47 (0.45..0.52)."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    shown = [f"{value:.{digits}f}" for value in (statistics.median(values), min(values), max(values))]
    return f"{shown[0]} ({shown[1]}..{shown[2]})"


def machine() -> str:
    """Processor, vector width, processors in use, system, Python, date."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    name = re.search(r"model name\s*:\s*(.*)", text)
    flags = set((re.search(r"flags\s*:\s*(.*)", text) or [""] * 2)[1].split())
    vectors = "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "no AVX2"
    count = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    return (
        f"{name[1] if name else platform.machine()} ({vectors}), {count} processors, Linux {platform.release()}, "
        f"Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}, load average at the start {load:.2f}"
    )


def publish(name: str, text: str, command: str, files: Iterable[str] = ("README.md", "benchmarks/README.md")) -> None:
    """Replace the block of a benchmark in every file that has one.

    Args:
        name: The block lies between the comments `benchmark:NAME` and `/benchmark`.
        text: Markdown to put there.
        command: How to get it again, put under the text.
        files: Paths from the root of the checkout.

    Raises:
        SystemExit: No file has such a block.
    """
    block = re.compile(rf"(<!-- benchmark:{re.escape(name)} -->\n).*?(<!-- /benchmark -->)", re.DOTALL)
    body = f"\n{text.strip()}\n\nCommand: `{command}`\n\n"
    written = []
    for file in files:
        path = ROOT / file
        old = path.read_text(encoding="utf-8")
        new, count = block.subn(lambda match: match[1] + body + match[2], old)
        if count:
            path.write_text(new, encoding="utf-8")
            written.append(file)
    if not written:
        raise SystemExit(f"No file has a block <!-- benchmark:{name} -->.")
    print(f"Wrote {', '.join(written)}.")
