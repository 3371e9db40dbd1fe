"""The progress bar: frames, frames per second, time left. Only on a terminal."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_INTERVAL = 0.1
"""Seconds between two redraws."""


class _Bar:
    """A progress bar that is drawn on its first use, and gone when its block ends."""

    def __init__(self, label: str, quiet: bool = False) -> None:
        self._label = label
        self._shown = not quiet and sys.stderr.isatty()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


class FrameBar(_Bar):
    """Shows how many frames are done. Silent where standard error is no terminal.

    Args:
        label: What is being done.
        quiet: Show nothing.
    """

    def __init__(self, label: str, quiet: bool = False) -> None:
        super().__init__(label, quiet)
        self._next = 0.0

    def start(self, total: int | None) -> None:
        """Draw the empty bar.

        Args:
            total: Frames to expect, None where unknown.
        """
        if not self._shown:
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("frames"),
            TextColumn("{task.fields[fps]} fps"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._bar.start()
        self._task = self._bar.add_task(self._label, total=total, fps="-")

    def __call__(self, done: int) -> None:
        """Tell how many frames are done."""
        now = time.monotonic()
        if self._bar is None or self._task is None or now < self._next:
            return
        self._next = now + _INTERVAL
        elapsed = self._bar.tasks[0].elapsed or 0.0
        self._bar.update(self._task, completed=done, fps=f"{done / elapsed:.1f}" if elapsed else "-")


class ByteBar(_Bar):
    """Shows how much of a download is done. Silent where standard error is no terminal.

    Args:
        label: What is being fetched.
        quiet: Show nothing.
    """

    def __call__(self, done: int, total: int) -> None:
        """Tell how many bytes are done, of how many."""
        if not self._shown:
            return
        if self._bar is None or self._task is None:
            self._start(total)
        assert self._bar is not None  # for the type checker
        assert self._task is not None
        self._bar.update(self._task, completed=done, total=total)

    def _start(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._bar.start()
        self._task = self._bar.add_task(self._label, total=total)
