"""From a video to its shots: decode, shrink, look, cut. Of each frame 168 bytes are kept."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from tinyvmaf.errors import UnknownNameError, UnreadableVideoError, UsageError
from tinyvmaf.models.load import load
from tinyvmaf.models.runtime import DnnConfig
from tinyvmaf.video.base import Video
from tinyvmaf.video.frame import Colour
from tinyvmaf.vision.changes import Stretches
from tinyvmaf.vision.content import Content
from tinyvmaf.vision.layout import COLUMNS, ROWS, layout
from tinyvmaf.vision.shots import THRESHOLD, Numbers, Shots, frame_edges, merged, scenes, shots_between
from tinyvmaf.vision.transitions import boundaries
from tinyvmaf.vision.transnet import HEIGHT, MODEL, WIDTH, TransNet
from tinyvmaf.vision.windows import Thumbnail, Windows

if TYPE_CHECKING:
    from tinyvmaf.video.raw import RawFormat

Detector: TypeAlias = Literal["transnet_v2", "content", "auto"]
DETECTORS: tuple[Detector, ...] = ("transnet_v2", "content", "auto")
Progress: TypeAlias = Callable[[int], None]


class Stream(Protocol):
    """Takes thumbnails in order, and says of each, sooner or later, how probable it is that a shot ends.

    Numbers are (n, 2); the second is the probability that the frame lies in a transition, 0 where that is not known.
    """

    def add(self, thumbnail: Thumbnail) -> Numbers:
        """Take the next frame; returns the probabilities that became certain."""

    def finish(self) -> Numbers:
        """After the last frame: the probabilities of all frames that are left."""


@dataclass(frozen=True, slots=True)
class Shortest:
    """How short a shot may be.

    Attributes:
        frames: Fewest frames, 1 or more.
        seconds: Shortest time, 0 or more; looked at only where the video has a clock.
    """

    frames: int = 1
    seconds: float = 0.0


def detect_shots(
    video: str | os.PathLike[str] | Video,
    detector: Detector = "transnet_v2",
    *,
    threshold: float = THRESHOLD,
    min_length: Shortest | int = 1,
    original: bool = False,
    model: str | os.PathLike[str] = MODEL,
    device: str = "auto",
    threads: int = 0,
    raw: RawFormat | None = None,
    frame_rate: Fraction | None = None,
    progress: Progress | None = None,
    on_start: Callable[[Video], None] | None = None,
) -> Shots:
    """Find the shots of a video.

    Args:
        video: A path, "-" for Y4M on standard input, or an open video, which is closed at the end.
        detector: "transnet_v2" for the network, which has to be pulled first; "content" for differences of frames;
            "auto" for the network where it is here, else differences.
        threshold: A shot ends where the probability rises above it, 0 to 1.
        min_length: Shorter shots are joined to a neighbour: a number of frames, or frames and seconds.
        original: Do as the authors of the network do: it looks at every frame rather than where something changes, and
            its probabilities alone decide.
        model: The network: an id or a path.
        device: Where the network runs; see `tinyvmaf.dnn.providers.DEVICES`.
        threads: Threads of decoder and network, 0 for a number that suits them.
        raw: Layout of a headerless file.
        frame_rate: Frames per second where the video states none.
        progress: Told the number of frames done.
        on_start: Told the open video before its first frame is read.

    Returns:
        The shots, with the probability of every frame.

    Raises:
        UsageError: An argument is out of range.
        UnknownNameError: The network is not here.
        VideoError: The video cannot be read.
        ModelError: The network cannot be used.
    """
    shortest = Shortest(min_length) if isinstance(min_length, int) else min_length
    _check(threshold, shortest, detector)
    name, stream = _stream(detector, model, DnnConfig(device=device, threads=threads), original)
    from tinyvmaf.video.reader import open_video

    opened = video if isinstance(video, Video) else open_video(video, raw=raw, threads=threads or 2)
    with opened:
        if on_start is not None:
            on_start(opened)
        found, layouts, times = _watched(opened, stream, progress)
    rate = opened.facts.frame_rate or frame_rate
    edges = frame_edges(times, rate)
    ends, inside = np.ascontiguousarray(found.T)
    cuts = (
        [shot for shot, _ in scenes(ends, threshold)[1:]] if original else boundaries(ends, inside, layouts, threshold)
    )
    firsts = merged(cuts, ends, edges, shortest.frames, shortest.seconds)
    return Shots(shots_between(firsts, edges), opened.facts.name, name, threshold, rate, ends, inside)


def _check(threshold: float, shortest: Shortest, detector: str) -> None:
    if not 0 <= threshold < 1:
        raise UsageError(f"The threshold is a probability, at least 0 and below 1, not {threshold:g}.")
    if shortest.frames < 1 or not 0 <= shortest.seconds < float("inf"):
        raise UsageError(f"A shot has 1 frame or more, not {shortest.frames}, and no negative length.")
    if detector not in DETECTORS:
        raise UnknownNameError(f"There is no detector {detector!r}.", f"There are: {', '.join(DETECTORS)}.")


def _stream(detector: Detector, model: str | os.PathLike[str], config: DnnConfig, original: bool) -> tuple[str, Stream]:
    if detector == "content":
        return "content", Content()
    try:
        file = load(model)
    except UnknownNameError as error:
        if detector == "auto":
            return "content", Content()
        raise UnknownNameError(
            error.message, f"{error.hint}, or use --detector content, which needs no model."
        ) from error
    network = TransNet(config.open(file))
    look = Windows if original or not network.any_length else Stretches
    return "transnet_v2", look(network)


def _watched(
    video: Video, stream: Stream, progress: Progress | None
) -> tuple[Numbers, npt.NDArray[np.uint8], array[float]]:
    """Probabilities, layout and time of every frame."""
    from tinyvmaf.video.pictures import RgbScaler

    scaler = RgbScaler(WIDTH, HEIGHT, Colour(video.facts.matrix, video.facts.range))
    probabilities, layouts, times = array("d"), bytearray(), array("d")
    for frame in video:
        thumbnail = scaler(frame)
        times.append(float("nan") if frame.time is None else float(frame.time))
        layouts += layout(thumbnail).tobytes()
        probabilities.extend(stream.add(thumbnail).ravel())
        if progress is not None:
            progress(len(times))
    if not times:
        raise UnreadableVideoError(f"At least one frame is needed, but {video.facts.name} has none.")
    probabilities.extend(stream.finish().ravel())
    known = np.frombuffer(layouts, np.uint8).reshape(-1, ROWS, COLUMNS)
    return np.array(probabilities).reshape(-1, 2), known, times
