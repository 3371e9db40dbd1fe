"""Decode in a thread of its own, a frame ahead."""

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
        depth: Items that may wait or be in the making: no other is begun, since each frame takes megabytes.
    """

    def __init__(self, items: Iterator[T], depth: int = 1) -> None:
        self._items = items
        self._queue: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()
        self._room = threading.Semaphore(depth)
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
        self._room.release()
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
            while self._wait_for_room():
                item = next(self._items, None)
                self._queue.put((item, None))
                if item is None:
                    return
                del item  # or it would stay alive until the next one is made
        except BaseException as error:  # handed to the consumer, which raises it
            self._queue.put((None, error))

    def _wait_for_room(self) -> bool:
        """Wait until an item may be made; False once nobody wants any."""
        while not self._stopped.is_set():
            if self._room.acquire(timeout=_POLL_SECONDS):
                return not self._stopped.is_set()
        return False
