"""One video on its own, frame by frame, for models that need no reference."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from types import TracebackType
from typing import Any, Self

from tinyvmaf.errors import UnreadableVideoError
from tinyvmaf.video.base import Video
from tinyvmaf.video.frame import Colour, Frame, FramePair, StreamFacts
from tinyvmaf.video.policy import Note, PairingPolicy


class Single:
    """The frames of a video, each paired with itself. Iterate once.

    Attributes:
        distorted: Facts of the video.
        width: Luma width of every frame.
        height: Luma height of every frame.
        notes: What was noticed.
        expected_count: Frames to expect, for progress; None where unknown.
    """

    def __init__(self, video: Video, policy: PairingPolicy) -> None:
        """Prepare to read.

        Args:
            video: The video, opened and unread; it is closed with this object.
            policy: Of which only the frames to skip and the largest number of frames count.
        """
        self.distorted: StreamFacts = video.facts
        self.width, self.height = video.facts.width, video.facts.height
        self.notes: list[Note] = []
        self._video, self._limit = video, policy.frame_limit or None
        self._frames = 0
        video.skip(policy.frame_skip_distorted)
        known = video.facts.frame_count
        left = None if known is None else max(0, known - policy.frame_skip_distorted)
        self.expected_count = min((n for n in (left, self._limit) if n is not None), default=None)

    def __iter__(self) -> Iterator[FramePair]:
        """Yield the frames in order.

        Raises:
            VideoError: A frame cannot be read, or there is none.
        """
        colour = Colour(self.distorted.matrix, self.distorted.range)
        previous: Frame | None = None
        for index, frame in enumerate(islice(self._video, self._limit)):
            self._frames += 1
            yield FramePair(frame, frame, index, previous, colour=colour)
            previous = frame
        if not self._frames:
            raise UnreadableVideoError(f"At least one frame is needed, but {self.distorted.name} has none left.")

    def facts(self) -> dict[str, Any]:
        """What JSON says in place of a pairing; complete when the iteration has ended."""
        return {"frames": self._frames, "no_reference": True, "notes": [note.facts() for note in self.notes]}

    def close(self) -> None:
        """Close the video; safe to call twice."""
        self._video.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
