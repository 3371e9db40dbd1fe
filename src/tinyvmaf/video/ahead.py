"""Decode in a thread of its own, a frame or two ahead."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
_POLL_SECONDS = 0.05


class Ahead(Generic[T]):
    """An iterator whose items are made by another thread, a little ahead.

    Args:
        items: What to run ahead of; only the other thread touches it from here on.
        depth: Items that may wait.
    """

    def __init__(self, items: Iterator[T], depth: int = 1) -> None:
        self._items = items
        self._queue: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(depth)
        self._stopped = threading.Event()
        self._done = False
        self._thread = threading.Thread(target=self._work, name="tinyvmaf-decode", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._done:
            raise StopIteration
        item, error = self._queue.get()
        if error is not None:
            self._done = True
            raise error
        if item is None:
            self._done = True
            raise StopIteration
        return item

    def close(self) -> None:
        """Stop the thread and wait for it; safe to call twice."""
        self._stopped.set()
        self._done = True
        self._thread.join()

    def _work(self) -> None:
        try:
            for item in self._items:
                if not self._put((item, None)):
                    return
            self._put((None, None))
        except BaseException as error:  # handed to the consumer, which raises it
            self._put((None, error))

    def _put(self, item: tuple[T | None, BaseException | None]) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False
