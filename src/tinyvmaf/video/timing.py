"""Do the two clocks agree? Frames are paired in order, and their times, from each clip's first, must say the same.

Pairing in order and refusing where times differ gives the same pairs as pairing by time, and names the first frame
that is missing instead of scoring around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from tinyvmaf.errors import MismatchError
from tinyvmaf.video.frame import StreamFacts
from tinyvmaf.video.policy import Note

ELEMENTARY = frozenset(
    {"h264", "hevc", "vvc", "evc", "m4v", "mpegvideo", "obu", "avs2", "avs3"}
    | {"cavsvideo", "dirac", "vc1", "h263", "h261", "mjpeg", "rawvideo"}
)
"""Formats that hold bare coded frames: their reader invents a rate, often 25, and times from it."""
TICK = Fraction(1, 1000)
"""Matroska, WebM and FLV round times to milliseconds."""
_TICKS = {"gif": Fraction(1, 100)}
_COUNTED = {("avi", "h264"), ("avi", "hevc")}
"""Format and codec whose times follow the order of decoding: AVI has no other, and these codecs reorder."""
_SAME_RATE = Fraction(1, 2000)
"""Relative difference of rates that are the same; 24 and 23.976 differ by twice that."""
_SETTLED = 8
"""Pairs after which rates can be compared."""
HINT = "Convert one of them to the rate of the other, or use --ignore-timestamps to pair by frame number."


def has_clock(facts: StreamFacts) -> bool:
    """Whether the times of a stream's frames come from the stream.

    Args:
        facts: What the stream states.
    """
    if facts.kind in ("raw", "arrays"):
        return False
    if facts.kind == "y4m":
        return facts.frame_rate is not None
    return facts.format not in ELEMENTARY


def show_rate(rate: Fraction | None) -> str:
    """A rate for people: "25 fps", "23.976 fps".

    Args:
        rate: Frames per second, or None.
    """
    return "an unknown rate" if rate is None else f"{float(rate):.3f}".rstrip("0").rstrip(".") + " fps"


@dataclass(slots=True)
class Clock:
    """Times of one stream, relative to its first frame.

    Attributes:
        facts: What the stream states.
        start: Time of its first frame, seconds.
        now: Time of its newest frame from the first, seconds.
        step: Newest interval, seconds.
        shortest: Shortest interval so far.
        longest: Longest interval so far.
        count: Frames so far.
    """

    facts: StreamFacts
    start: Fraction | None = None
    now: Fraction = Fraction(0)
    step: Fraction = Fraction(0)
    shortest: Fraction | None = None
    longest: Fraction = Fraction(0)
    count: int = 0

    def push(self, time: Fraction | None) -> bool:
        """Add a frame.

        Args:
            time: Its presentation time in seconds.

        Returns:
            Whether the clock still runs forward.
        """
        rate = self.facts.frame_rate
        if rate and (self.facts.format, self.facts.codec) in _COUNTED:
            time = self.count / rate
        if time is None:
            return False
        self.start = time if self.start is None else self.start
        self.step, self.now = time - self.start - self.now, time - self.start
        self.count += 1
        if self.count == 1:
            return True
        self.shortest = self.step if self.shortest is None else min(self.shortest, self.step)
        self.longest = max(self.longest, self.step)
        return self.step > 0

    @property
    def tick(self) -> Fraction:
        """Coarsest rounding that times of this format have, seconds."""
        return _TICKS.get(self.facts.format, TICK)

    @property
    def jitter(self) -> Fraction:
        """Longest less shortest interval; at least a tick, by which rounding may move the last frame from the first."""
        return max(self.longest - (self.shortest or 0), self.tick)

    def period(self) -> tuple[Fraction, Fraction]:
        """Smallest and largest mean interval that the times allow, seconds."""
        steps = max(1, self.count - 1)
        return (self.now - self.jitter) / steps, (self.now + self.jitter) / steps

    def steady(self) -> bool:
        """Whether the rate is constant but for rounding."""
        return self.jitter <= 2 * self.tick

    def confirms(self) -> bool:
        """Whether the times bear out the stated rate."""
        low, high = self.period()
        rate = self.facts.frame_rate
        return rate is not None and low * (1 - _SAME_RATE) <= 1 / rate <= high * (1 + _SAME_RATE)


@dataclass(slots=True)
class PairClock:
    """Compares the times of both frames of every pair.

    Attributes:
        reference: Clock of the reference.
        distorted: Clock of the distorted video.
        notes: Where to say what was noticed.
        by: "time", or "frame number" where times are absent, unusable or to be ignored.
        worst: Largest difference of times so far, seconds.
    """

    reference: Clock
    distorted: Clock
    notes: list[Note]
    by: str = "time"
    worst: Fraction = Fraction(0)

    @classmethod
    def of(cls, reference: StreamFacts, distorted: StreamFacts, notes: list[Note], ignore: bool) -> PairClock:
        """A clock for two streams.

        Args:
            reference: Facts of the reference.
            distorted: Facts of the distorted video.
            notes: Where to say what was noticed.
            ignore: Whether times are not to be looked at.
        """
        clock = cls(Clock(reference), Clock(distorted), notes)
        unclocked = [facts for facts in (reference, distorted) if not has_clock(facts)]
        if ignore:
            clock._give_up("as asked, times and frame rates were not compared")
        elif unclocked:
            quiet = all(facts.kind in ("raw", "arrays") for facts in unclocked) and len(unclocked) == 2
            clock._give_up(f"{unclocked[0].name} states no times", quiet)
        return clock

    def push(self, index: int, reference: Fraction | None, distorted: Fraction | None) -> None:
        """Compare the times of a pair.

        Args:
            index: Number of the pair.
            reference: Time of the reference frame, seconds.
            distorted: Time of the distorted frame, seconds.

        Raises:
            MismatchError: The times differ by more than rounding, or the rates differ.
        """
        if self.by != "time":
            return
        for clock, time in ((self.reference, reference), (self.distorted, distorted)):
            if not clock.push(time):
                if self._stated_differ():
                    raise self._rates()
                self._give_up(f"times of {clock.facts.name} do not increase at frame {index}")
                return
        if index == _SETTLED:
            self.check_rates()
        gap = abs(self.reference.now - self.distorted.now)
        self.worst = max(self.worst, gap)
        if gap > self._tolerance():
            self._refuse(index)

    def check_rates(self) -> None:
        """Compare the rates of what was seen so far; call it again after the last pair.

        Raises:
            MismatchError: The rates differ.
        """
        one, other = self.reference, self.distorted
        if self.by != "time" or min(one.count, other.count) < 2 or not (one.steady() and other.steady()):
            return
        (low, high), (least, most) = one.period(), other.period()
        apart = least > high * (1 + _SAME_RATE) or low > most * (1 + _SAME_RATE)
        if apart or (one.confirms() and other.confirms() and self._stated_differ()):
            raise self._rates()

    def in_doubt(self) -> bool:
        """Whether the rates as stated differ: the times of the first frames will tell whether they do."""
        return self.by == "time" and self._stated_differ()

    def _tolerance(self) -> Fraction:
        rounding = self.reference.tick + self.distorted.tick + TICK / 10
        steps = [clock.shortest for clock in (self.reference, self.distorted) if clock.shortest]
        return min([rounding, *(step * 45 / 100 for step in steps)])

    def _stated_differ(self) -> bool:
        one, other = self.reference.facts.frame_rate, self.distorted.facts.frame_rate
        return one is not None and other is not None and abs(one - other) > _SAME_RATE * max(one, other)

    def _refuse(self, index: int) -> None:
        one, other = self.reference, self.distorted
        usual = [clock.shortest or Fraction(0) for clock in (one, other)]
        drifts = abs(one.now - other.now) < min(usual) / 2 or abs(usual[0] - usual[1]) > one.tick + other.tick
        if drifts and self._stated_differ():
            raise self._rates()
        late, early = (other, one) if other.now > one.now else (one, other)
        raise MismatchError(
            f"Both clips must have frames at the same times, but {late.facts.name} has none at "
            f"{float(early.now):.3f} s (frame {index}); its next one comes at {float(late.now):.3f} s: "
            "dropped frames or a variable frame rate.",
            HINT,
        )

    def _rates(self) -> MismatchError:
        one, other = self.reference, self.distorted
        shown = [self._show(clock) for clock in (one, other)]
        return MismatchError(
            f"Frame rates must agree, but {one.facts.name} has {shown[0]} and {other.facts.name} has {shown[1]}.", HINT
        )

    def _show(self, clock: Clock) -> str:
        stated = clock.facts.frame_rate
        if self._stated_differ() or clock.now == 0:
            return show_rate(stated)
        return show_rate((clock.count - 1) / clock.now)

    def _give_up(self, reason: str, quiet: bool = False) -> None:
        self.by = "frame number"
        if not quiet:
            self.notes.append(Note("clock", f"Paired by frame number: {reason}."))

    def starts(self) -> tuple[float | None, float | None]:
        """Time stamps of the first frames, seconds; None where no times are used."""
        one, other = self.reference.start, self.distorted.start
        return (None if one is None else float(one), None if other is None else float(other))

    def facts(self) -> dict[str, object]:
        """How frames were paired, for JSON."""
        stated = {
            name: None if clock.facts.frame_rate is None else round(float(clock.facts.frame_rate), 6)
            for name, clock in (("reference_rate", self.reference), ("distorted_rate", self.distorted))
        }
        return {
            "paired_by": self.by,
            **stated,
            "starts_s": list(self.starts()),
            "largest_time_difference_s": round(float(self.worst), 6),
        }
