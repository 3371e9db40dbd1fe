"""Edited films made from natural clips: cuts, dissolves, fades and wipes at known frames, and what looks like them.

A film has shots of one kind of transition. Films of what is no transition (flashes, whip pans, letterbox changes, fast
motion) have such an event in every shot, and cuts between them. Everything follows from the seed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

Frames: TypeAlias = Any
"""(n, 144, 256, 3) uint8."""
Random: TypeAlias = np.random.Generator

WIDTH, HEIGHT = 256, 144
PER_FILM = 10
"""Transitions of a film."""
LONGEST = 164
"""Frames of a shot, what its two transitions use included."""


@dataclass(frozen=True)
class Transition:
    """One transition.

    Attributes:
        before: Last frame that shows the old shot alone.
        after: First frame that shows the new shot alone; `before + 1` for a cut.
    """

    before: int
    after: int


@dataclass
class Film:
    """Shots and what lies between them.

    Attributes:
        kind: Of its transitions, or of the events in its shots.
        frames: The pictures.
        transitions: In order.
    """

    kind: str
    frames: Frames
    transitions: list[Transition] = field(default_factory=list)


def take(clips: Sequence[Path], rng: Random, length: int, last: str) -> tuple[Frames, str]:
    """Frames of one clip without a cut: a piece of it, mirrored or not, cropped a little, forwards or backwards."""
    while (path := clips[rng.integers(len(clips))]).name == last:
        pass
    clip = pictures(path)
    order = np.arange(length) + rng.integers(max(1, len(clip) - length + 1))
    period = max(1, 2 * len(clip) - 2)
    order = order % period
    order = np.where(order < len(clip), order, period - order)
    if rng.random() < 0.5:
        order = order[::-1]
    frames = clip[order]
    scale = rng.uniform(0.75, 1)
    height, width = int(HEIGHT * scale), int(WIDTH * scale)
    top, left = rng.integers(HEIGHT - height + 1), rng.integers(WIDTH - width + 1)
    rows = top + np.arange(HEIGHT) * height // HEIGHT
    columns = left + np.arange(WIDTH) * width // WIDTH
    frames = frames[:, rows][:, :, columns]
    return (frames[:, :, ::-1] if rng.random() < 0.5 else frames), path.name


@functools.lru_cache(maxsize=96)
def pictures(path: Path) -> Frames:
    """At most 300 frames of a clip, small."""
    import av

    with av.open(str(path)) as container:
        frames = []
        for frame in container.decode(video=0):
            small = frame.reformat(WIDTH, HEIGHT, "rgb24", interpolation="AREA")
            frames.append(small.to_ndarray())
            if len(frames) == 300:
                break
    return np.stack(frames)


def mixed(one: Frames, other: Frames, share: Any) -> Frames:
    """Weighted means of pictures; `share` is that of the second."""
    both = one.astype(np.float32) * (1 - share) + other.astype(np.float32) * share
    return np.rint(both).clip(0, 255).astype(np.uint8)


def ramp(length: int) -> Any:
    """Shares of `length` frames between two pure ones."""
    return (np.arange(1, length + 1) / (length + 1))[:, None, None, None]


def cut(old: Frames, new: Frames, rng: Random) -> tuple[Frames, int]:
    """No frame between."""
    return old[:0], 0


def dissolve(old: Frames, new: Frames, rng: Random) -> tuple[Frames, int]:
    """4 to 50 frames in which one shot turns into the other; short ones as often as long ones."""
    length = round(np.exp(rng.uniform(np.log(4), np.log(50))))
    return mixed(old[:length], new[:length], ramp(length)), length


def fade(old: Frames, new: Frames, rng: Random) -> tuple[Frames, int]:
    """Down to black over 6 to 25 frames, up to 10 black ones, and up again."""
    down, dark, up = (int(rng.integers(*span)) for span in ((6, 26), (0, 11), (6, 26)))
    black = np.zeros_like(old[:1])
    parts = mixed(old[:down], black, ramp(down)), np.repeat(black, dark, axis=0), mixed(black, new[:up], ramp(up))
    return np.concatenate(parts), up


def wipe(old: Frames, new: Frames, rng: Random) -> tuple[Frames, int]:
    """A hard or soft edge that crosses the picture in 6 to 40 frames, in any direction, or a growing disc."""
    length = int(rng.integers(6, 41))
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    place = np.hypot(x, y) if rng.random() < 0.25 else x * np.cos(angle) + y * np.sin(angle)
    place = (place - place.min()) / np.ptp(place)
    soft = rng.choice([0.01, 0.1, 0.3])
    edge = ramp(length)[..., 0] * (1 + soft)
    share = ((edge - place) / soft).clip(0, 1)[..., None]
    return mixed(old[:length], new[:length], share), length


def flash(shot: Frames, rng: Random) -> Frames:
    """One to three frames that are nearly white, then up to six that recover."""
    at = int(rng.integers(12, len(shot) - 24))
    white, rest = np.full(rng.integers(1, 4), rng.uniform(0.6, 1)), np.linspace(0.5, 0.1, rng.integers(0, 7))
    share = np.concatenate([white, rest])
    part = slice(at, at + len(share))
    shot[part] = mixed(shot[part], np.full_like(shot[part], 255), share[:, None, None, None])
    return shot


def whip_pan(shot: Frames, rng: Random) -> Frames:
    """The camera swings to another part of the same scene in 5 to 12 frames, blurred as a shutter blurs it."""
    length, at = int(rng.integers(5, 13)), int(rng.integers(12, len(shot) - 28))
    wide = np.concatenate([shot, shot[:, :, ::-1]], axis=2)
    phase = np.clip((np.arange(len(shot)) - at) / length, 0, 1)
    place = (1 - np.cos(np.pi * phase)) / 2 * WIDTH
    frames = []
    for index, left in enumerate(place):
        speed = int(abs(place[min(index + 1, len(place) - 1)] - left))
        lefts = left + np.linspace(0, speed / 2, 1 + speed // 4)
        views = [np.roll(wide[index], -int(start), axis=1)[:, :WIDTH] for start in lefts]
        frames.append(np.mean(views, axis=0))
    return np.rint(frames).astype(np.uint8)


def letterbox(shot: Frames, rng: Random) -> Frames:
    """Black bars that appear or go, at once or within 12 frames."""
    at, length, most = int(rng.integers(12, len(shot) - 24)), int(rng.choice([1, 1, 12])), int(HEIGHT * 0.13)
    height = (most * np.clip((np.arange(len(shot)) - at + 1) / length, 0, 1)).astype(int)
    for frame, rows in zip(shot, height if rng.random() < 0.5 else most - height, strict=True):
        frame[:rows], frame[HEIGHT - rows :] = 0, 0
    return shot


def fast_motion(shot: Frames, rng: Random) -> Frames:
    """A camera that runs: the picture shakes by up to 8 % of its width, and time goes twice as fast."""
    order = np.arange(len(shot)) * 2 % (2 * len(shot) - 2)
    shot = shot[np.where(order < len(shot), order, 2 * len(shot) - 2 - order)]
    reach = 20
    wide = np.pad(shot, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="reflect")
    shake = rng.normal(0, 9, (len(shot), 2)).cumsum(axis=0)
    shake = np.rint(shake - np.linspace(shake[0], shake[-1], len(shot))).clip(-reach, reach).astype(int) + reach
    views = zip(wide, shake, strict=True)
    return np.stack([frame[y : y + HEIGHT, x : x + WIDTH] for frame, (y, x) in views])


TRANSITIONS: dict[str, Callable[[Frames, Frames, Random], tuple[Frames, int]]] = {
    "cut": cut,
    "dissolve": dissolve,
    "fade": fade,
    "wipe": wipe,
}
EVENTS: dict[str, Callable[[Frames, Random], Frames]] = {
    "flash": flash,
    "whip pan": whip_pan,
    "letterbox": letterbox,
    "fast motion": fast_motion,
}


def film(kind: str, clips: Sequence[Path], seed: int) -> Film:
    """One film.

    Args:
        kind: Of TRANSITIONS or EVENTS.
        clips: What it is made from.
        seed: Of everything in it.
    """
    rng = np.random.default_rng(seed)
    join, event, name = TRANSITIONS.get(kind, cut), EVENTS.get(kind), ""
    pieces: list[Frames] = []
    transitions: list[Transition] = []
    used = count = 0
    old, name = take(clips, rng, LONGEST, name)
    for _ in range(PER_FILM + 1):
        pure = old[used : used + rng.integers(*((60, 101) if event else (25, 61)))]
        end = used + len(pure)
        pieces.append(event(pure.copy(), rng) if event else pure)
        count += len(pure)
        new, name = take(clips, rng, LONGEST, name)
        between, used = join(old[end:], new, rng)
        pieces.append(between)
        transitions.append(Transition(count - 1, count + len(between)))
        count, old = count + len(between), new
    return Film(kind, np.concatenate(pieces[:-1]), transitions[:-1])


def write(made: Film, path: Path) -> None:
    """Encode a film with x264 at CRF 23, 25 frames per second."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "23", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for picture in made.frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode())
