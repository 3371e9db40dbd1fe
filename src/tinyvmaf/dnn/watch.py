"""The end of runs: by a deadline, or by Ctrl-C.

One thread watches every run and asks ONNX Runtime to stop those that pass their deadlines: a timer thread per run would
cost more than a tiny model does. That thread sleeps until the earliest deadline that it knows of; a run wakes it only
if its own deadline comes before that, which is rare where all runs have the same limit.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")

_LONGEST_SLEEP = 3600.0


class _Watchdog:
    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._running: set[Deadline] = set()
        self._wakes = -math.inf
        self._thread: threading.Thread | None = None

    def add(self, deadline: Deadline) -> None:
        """Watch a run from now on."""
        with self._changed:
            self._running.add(deadline)
            if self._thread is None:
                thread = threading.Thread(target=self._watch, name="tinyvmaf-deadlines", daemon=True)
                thread.start()
                self._thread = thread
            elif deadline.at < self._wakes:
                self._changed.notify()

    def remove(self, deadline: Deadline) -> None:
        """Forget a run that has ended."""
        with self._changed:
            self._running.discard(deadline)

    def _watch(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                late = [deadline for deadline in self._running if deadline.at <= now]
                for deadline in late:
                    deadline.stop()
                self._running.difference_update(late)
                self._wakes = min((deadline.at for deadline in self._running), default=math.inf)
                self._changed.wait(min(self._wakes - now, _LONGEST_SLEEP))


class Deadline:
    """A time limit for the body of a `with` statement.

    Attributes:
        passed: Whether the limit passed before the body ended; final once the body has ended.
    """

    __slots__ = ("_options", "_seconds", "at", "passed")

    def __init__(self, options: Any, seconds: float | None) -> None:
        """Say what is to be stopped, and when.

        Args:
            options: `RunOptions` of the one run in the body; its `terminate` is set when the limit passes.
            seconds: The limit, above 0; None for no limit.
        """
        self._options, self._seconds = options, seconds
        self.at = math.inf
        self.passed = False

    def __enter__(self) -> Deadline:
        if self._seconds is not None:
            self.at = time.monotonic() + self._seconds
            _watchdog.add(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._seconds is not None:
            _watchdog.remove(self)

    def stop(self) -> None:
        """Ask for the end of the run: ONNX Runtime ends it before its next node, in loop bodies too."""
        self.passed = True
        self._options.terminate = True


def interruptible(call: Callable[[], T], stop: Callable[[], None]) -> T:
    """Call something that Python's own signal handling cannot reach into, so that Ctrl-C ends it.

    The interpreter handles signals on its main thread, between two steps of its own. There the call moves to another
    thread, and this one waits; on any other thread it is a plain call.

    Args:
        call: What takes long.
        stop: Asks it to end, from this thread.

    Returns:
        What the call returns.

    Raises:
        BaseException: What the call raises, or what interrupted the wait, once the call has ended.
    """
    if threading.current_thread() is not threading.main_thread():
        return call()
    results: list[T] = []
    failures: list[BaseException] = []

    def work() -> None:
        try:
            results.append(call())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work, name="tinyvmaf-run", daemon=True)
    thread.start()
    try:
        thread.join()
    except BaseException:
        stop()
        thread.join()
        raise
    if failures:
        raise failures[0]
    return results[0]


_watchdog = _Watchdog()


def _start_anew() -> None:
    """Threads do not survive a fork, and the lock may have been held at that moment."""
    global _watchdog
    _watchdog = _Watchdog()


os.register_at_fork(after_in_child=_start_anew)
