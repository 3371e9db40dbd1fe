"""Pairs two videos, or refuses and names the option that would accept them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import count, islice
from types import TracebackType
from typing import Any, Self, cast

from tinyvmaf.errors import MismatchError, UsageError, VideoError
from tinyvmaf.video.agree import Plan, agree
from tinyvmaf.video.ahead import Ahead
from tinyvmaf.video.base import Video
from tinyvmaf.video.colour import convert_frame_range, raise_frame_bits
from tinyvmaf.video.content import ContentCheck
from tinyvmaf.video.frame import Colour, Frame, FramePair, StreamFacts
from tinyvmaf.video.levels import LevelMonitor
from tinyvmaf.video.policy import PAIRING_FLAGS, Note, PairingFlag, PairingPolicy
from tinyvmaf.video.reader import RawFormat, open_video, packet_times
from tinyvmaf.video.resize import Method, rotate_frame, scale_frame
from tinyvmaf.video.sync import find_offset
from tinyvmaf.video.thumbnails import Direction, direction, shrink
from tinyvmaf.video.timing import PairClock

__all__ = ["PAIRING_FLAGS", "Note", "Pairing", "PairingFlag", "PairingPolicy", "pair_videos"]

_SYNC_SECONDS = 4
_SYNC_FRAMES = 240
"""Largest offset searched: 4 seconds, at most 240 frames."""
_DEMUX_BYTES = 1 << 29
"""Larger files are not read an extra time only to count their frames."""
_CLEARLY = 10
"""Stated lengths that differ by a tenth and by more than this number of frames are believed before decoding."""
_LENGTH_HINT = "Use --truncate to score the common part, or --sync if one starts later than the other."


class Pairing:
    """The pairs of two videos, made while iterating. Iterate once.

    An error may come at any pair or after the last one: a score is good only when the iteration has ended.

    Attributes:
        reference: Facts of the reference.
        distorted: Facts of the distorted video.
        width: Luma width of every pair.
        height: Luma height of every pair.
        bits: Bits per sample of every pair.
        chroma: Chroma format of every pair; None where frames carry luma only.
        notes: What was mended or noticed; complete when the iteration has ended.
        expected_count: Pairs to expect, for progress; None where unknown.
    """

    def __init__(self, reference: Video, distorted: Video, policy: PairingPolicy, plan: Plan) -> None:
        self.reference, self.distorted = reference.facts, distorted.facts
        self.width, self.height, self.bits, self.chroma = plan.width, plan.height, plan.bits, plan.chroma
        self.notes: list[Note] = plan.notes
        self.offset = 0
        self.expected_count: int | None = None
        self._videos, self._policy, self._plan = (reference, distorted), policy, plan
        self._bare = {reference.facts.kind, distorted.facts.kind} <= {"raw", "arrays"}
        self._clock = PairClock.of(self.reference, self.distorted, self.notes, policy.ignore_timestamps)
        self._content = ContentCheck(
            (self.reference.name, self.distorted.name),
            self.notes,
            check_step=policy.check_sync,
            check_levels=not policy.ignore_range,
            open_range=plan.open_range,
            converted=plan.ranges,
            open_transfer=plan.open_transfer,
            advise=self._bare,
        )
        self._turn: int | None = plan.turns[0] if len(plan.turns) == 1 else None
        self._open_range = plan.open_range and not policy.ignore_range
        one, other = self.reference, self.distorted
        self._colour = Colour(one.matrix or other.matrix, one.range or other.range)
        self._pairs = 0
        self._skipped = policy.sync or bool(policy.frame_skip_reference or policy.frame_skip_distorted)
        self._ahead: Ahead[Frame] | None = None

    def __iter__(self) -> Iterator[FramePair]:
        """Yield the pairs in order.

        Raises:
            MismatchError: The clips turn out not to be comparable.
            VideoError: A frame cannot be read.
        """
        references, distorted = map(iter, self._videos)
        if self.reference.kind != "container":  # nothing to decode: a thread would only pass frames on
            yield from self._run(references, distorted)
            return
        self._ahead = Ahead(references)
        try:
            yield from self._run(self._ahead, distorted)
        finally:
            self._ahead.close()

    def _run(self, references: Iterator[Frame], distorted: Iterator[Frame]) -> Iterator[FramePair]:
        previous: Frame | None = None
        for index in islice(count(), self._policy.frame_limit or None):
            one, other = next(references, None), next(distorted, None)
            if one is None or other is None:
                self._check_lengths(one, other)
                break
            self._clock.push(index, one.time, other.time)
            if index == 0:
                self._note_starts()
            pair = FramePair(*self._conform(one, other), index, previous, colour=self._colour)
            self._content.push(pair)
            self._pairs += 1
            yield pair
            previous = pair.reference
        if not self._pairs:
            raise MismatchError("At least one pair of frames is needed, but none is left after skipping frames.")
        self._clock.check_rates()
        self._content.finish()

    def _note_starts(self) -> None:
        one, other = self._clock.starts()
        if None in (one, other) or self._skipped or abs(cast(float, one) - cast(float, other)) < 0.002:
            return
        self.notes.append(Note("start", f"The clips start at {one:.3f} s and {other:.3f} s; both are counted from 0."))

    def _conform(self, one: Frame, other: Frame) -> tuple[Frame, Frame]:
        plan = self._plan
        if plan.chroma is None and len(one.planes) + len(other.planes) > 2:
            one, other = replace(one, planes=one.planes[:1]), replace(other, planes=other.planes[:1])
        one = raise_frame_bits(one, plan.bits, plan.bit_ranges[0])
        if self._turn is None:
            self._turn = _best_turn(one, other, plan.turns)
        if self._open_range:
            self._open_range = False
            other_now = conform_distorted(other, plan, self._turn)
            plan.settle_range(self.reference, _levels_of(one, other_now))
            self._content.converted = plan.ranges
        return one, conform_distorted(other, plan, self._turn)

    def _check_lengths(self, one: Frame | None, other: Frame | None) -> None:
        if one is other or not self._pairs:
            return
        self._clock.check_rates()  # clips of different rates differ in length, too, and the rate is the cause
        short, long = (self.reference, self.distorted) if one is None else (self.distorted, self.reference)
        text = f"{short.name} ends after {self._pairs} pairs, while {long.name} goes on"
        if not (self._policy.truncate or self._policy.sync):
            raise MismatchError(f"Both clips must have the same number of frames, but {text}.", _LENGTH_HINT)
        self.notes.append(Note("length", f"Only the common part is scored: {text}."))

    def facts(self) -> dict[str, Any]:
        """Every decision of the pairing, for JSON; complete when the iteration has ended."""
        plan = self._plan
        return {
            "pairs": self._pairs,
            **self._clock.facts(),
            "offset_frames": self.offset,
            "skipped_frames": [self._policy.frame_skip_reference, self._policy.frame_skip_distorted],
            "width": self.width,
            "height": self.height,
            "bits": self.bits,
            "scale": plan.scale,
            "turn_degrees": self._turn,
            "range_conversion": None if plan.ranges is None else list(plan.ranges),
            "content_checked": self._policy.check_sync,
            "levels": self._content.levels.facts(),
            "notes": [note.facts() for note in self.notes],
        }

    def close(self) -> None:
        """Stop decoding and close both videos; safe to call twice."""
        if self._ahead is not None:
            self._ahead.close()
        for video in self._videos:
            video.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def pair_videos(reference: Video, distorted: Video, policy: PairingPolicy, *, chroma_needed: bool) -> Pairing:
    """Compare what two videos state and prepare to pair their frames.

    Args:
        reference: The pristine video, opened and unread; the pairing closes it.
        distorted: The degraded video, likewise.
        policy: What the user lets pass.
        chroma_needed: Whether chroma planes will be read; if not, pairs carry luma only.

    Returns:
        The pairing; iterate it, and close it.

    Raises:
        MismatchError: The videos cannot be compared as they are; the hint names the option that accepts or mends it.
    """
    plan = agree(reference.facts, distorted.facts, policy, chroma_needed)
    pairing = Pairing(reference, distorted, policy, plan)
    skips = [policy.frame_skip_reference, policy.frame_skip_distorted]
    if policy.sync:
        pairing.offset = _search(reference.facts, distorted.facts, policy, plan)
        skips[0] += max(0, pairing.offset)
        skips[1] += max(0, -pairing.offset)
    reference.skip(skips[0])
    distorted.skip(skips[1])
    _expect(pairing, policy, skips)
    return pairing


def conform_distorted(frame: Frame, plan: Plan, turn: int) -> Frame:
    """Bring a distorted frame to the size, bits and range of the pairs.

    Args:
        frame: The frame as read.
        plan: What has to be done.
        turn: Clockwise turn in degrees.

    Returns:
        A new frame, or the same one if there is nothing to do.
    """
    frame = raise_frame_bits(rotate_frame(frame, turn), plan.bits, plan.bit_ranges[1])
    if plan.ranges is not None:
        frame = convert_frame_range(frame, *plan.ranges)
    if plan.scale is not None:
        frame = scale_frame(frame, plan.width, plan.height, cast(Method, plan.scale), plan.chroma or "400")
    return frame


def _best_turn(reference: Frame, distorted: Frame, turns: tuple[int, ...]) -> int:
    """The turn whose picture looks most like the reference; the first one for flat pictures."""
    wanted = direction(shrink(reference.luma, reference.bits))
    luma = replace(distorted, planes=distorted.planes[:1])
    likeness = {
        turn: float(wanted @ direction(shrink(rotate_frame(luma, turn).luma, distorted.bits))) for turn in turns
    }
    return max(turns, key=lambda turn: likeness[turn])


def _levels_of(reference: Frame, distorted: Frame) -> LevelMonitor:
    levels = LevelMonitor()
    levels.push(shrink(reference.luma, reference.bits), shrink(distorted.luma, distorted.bits))
    return levels


def _search(reference: StreamFacts, distorted: StreamFacts, policy: PairingPolicy, plan: Plan) -> int:
    """Find the constant offset by reading the start of both clips an extra time."""
    rate = reference.frame_rate or Fraction(30)
    reach = max(8, min(_SYNC_FRAMES, int(rate * _SYNC_SECONDS)))
    with _reopen(reference) as one, _reopen(distorted) as other:
        one.skip(policy.frame_skip_reference)
        other.skip(policy.frame_skip_distorted)
        frames = 2 * reach
        references = [_direction(raise_frame_bits(f, plan.bits, plan.bit_ranges[0])) for f in islice(one, frames)]
        others = [_direction(conform_distorted(f, plan, plan.turns[0])) for f in islice(other, frames)]
    found = find_offset(references, others, reach) if references and others else None
    if found is None or found.offset is None:
        reason = "several offsets fit" if found and found.moving else "too little moves to tell"
        raise MismatchError(
            f"--sync must find one offset at which both clips show the same pictures, but {reason} "
            f"within {reach} frames.",
            "Give the offset yourself with --frame_skip_ref or --frame_skip_dist.",
        )
    plan.note("sync", _say_offset(found.offset, reference.name, distorted.name))
    return found.offset


def _say_offset(offset: int, reference: str, distorted: str) -> str:
    if not offset:
        return "Searched for an offset: the clips start with the same frame."
    late = reference if offset > 0 else distorted
    return f"Searched for an offset: the first {abs(offset)} frames of {late} are left out."


def _direction(frame: Frame) -> Direction:
    return direction(shrink(frame.luma, frame.bits))


def _reopen(facts: StreamFacts) -> Video:
    if facts.name in ("<arrays>", "<stdin>"):
        raise UsageError(f"--sync must read the start of both clips twice, which {facts.name} does not allow.")
    raw = RawFormat(facts.width, facts.height, facts.chroma, facts.bits) if facts.kind == "raw" else None
    return open_video(facts.name, raw=raw, planes="luma")


def _expect(pairing: Pairing, policy: PairingPolicy, skips: list[int]) -> None:
    """Set the expected count, and refuse early what clearly differs in length."""
    lengths = [_length(facts) for facts in (pairing.reference, pairing.distorted)]
    known = [max(0, length - skip) for length, skip in zip(lengths, skips, strict=True) if length]
    limit = policy.frame_limit or None
    pairing.expected_count = min([*known, *([limit] if limit else [])], default=None)
    if len(known) < 2 or not min(known) or limit or policy.truncate or policy.sync:
        return
    if min(known) > 1 and pairing._clock.in_doubt():  # the first frames tell whether rates are the reason
        return
    if max(known) - min(known) > max(_CLEARLY, max(known) // 10):
        names = (pairing.reference.name, pairing.distorted.name)
        raise MismatchError(
            f"Both clips must have the same number of frames, but {names[0]} has {known[0]} and {names[1]} {known[1]}.",
            _LENGTH_HINT,
        )


def _length(facts: StreamFacts) -> int | None:
    """Frames of a stream as far as its file tells without decoding; a hint."""
    if facts.frame_count or facts.kind != "container":
        return facts.frame_count
    try:
        if os.stat(facts.name).st_size > _DEMUX_BYTES:
            return None
        times = packet_times(facts.name)
    except (OSError, VideoError):
        return None  # decoding will say what is wrong with the file
    clean = len(set(times)) == len(times) and None not in times
    return len(times) if clean and times else None
