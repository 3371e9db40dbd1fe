"""Are the luma levels of the two clips on the same scale? Answers from samples, whatever the tags say."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

from tinyvmaf.video.thumbnails import Thumbnail, halve

Verdict: TypeAlias = Literal["squeezed", "stretched"]

SQUEEZE = 219 / 255
"""Full range to limited range: y = 219/255 x + 16 on the scale of 8 bits."""
BLACK = 16.0
_NOTICEABLE = 1.0
"""Squared code values that the right scale must save; less does not move a score."""
_SCALES: tuple[tuple[Verdict, float, float], ...] = (
    ("squeezed", SQUEEZE, BLACK),
    ("stretched", 1 / SQUEEZE, -BLACK / SQUEEZE),
)
_CONVINCING = 0.2
"""Largest part of what "same scale" fails to explain that the other scale may leave."""
_COARSE, _COARSE_BACK, _COARSE_GAIN = 2.0, 0.1, 0.9
"""What a coarse encode may leave instead: it takes detail and with it contrast, so that much stays unexplained from the
reference on and little from the encode back. The last is the least part of the gain that must be left."""
_SUSPECT_BACK, _SUSPECT_GAIN, _SUSPECT_MEAN = 0.2, 0.7, 2.0
"""The same where another scale is likely rather than proven."""
_GAIN_TOLERANCE, _COUNTER_TOLERANCE = 0.03, 0.04
_MEAN_TOLERANCE = 1.5
"""In 8-bit code values: a change of contrast around mid-grey by the same gain misses the mean by two."""
_FOREIGN = 100.0
"""Mean squared difference of thumbnails, in 8-bit code values: encodes of natural clips of 360 lines reach 76 at
the worst quality of x264 and x265."""
_GRADED = 25.0
"""Squared code values that the best straight line explains and "same scale" does not: brightness that is five off."""


@dataclass(slots=True)
class LevelMonitor:
    """Sums over all sampled luma from which the error of any straight line follows.

    Attributes:
        sums: Count, sum of x, y, xx, xy, yy; x reference and y distorted, on the scale of 8 bits.
    """

    sums: list[float] = field(default_factory=lambda: [0.0] * 6)

    def push(self, reference: Thumbnail, distorted: Thumbnail) -> None:
        """Add a pair of thumbnails of the same shape.

        Args:
            reference: (bands, columns) float32.
            distorted: (bands, columns) float32.
        """
        # Means of more samples: what an encoder leaves out or a filter adds is less in them, the levels are the same.
        x, y = halve(reference).ravel(), halve(distorted).ravel()
        new = (x.size, x.sum(), y.sum(), x @ x, x @ y, y @ y)
        self.sums = [total + float(part) for total, part in zip(self.sums, new, strict=True)]

    def error(self, gain: float, lift: float) -> float:
        """Mean of (y - gain * x - lift) squared.

        Args:
            gain: Slope of the line.
            lift: Its value at x = 0, in 8-bit code values.
        """
        return _error(self.sums, gain, lift)

    def line(self) -> tuple[float, float]:
        """Gain and lift of the best straight line from reference to distorted; (1, 0) for flat pictures."""
        return _line(self.sums)

    def verdict(self, *, strict: bool = False) -> Verdict | None:
        """Whether the distorted clip is the reference on the other range's scale.

        The scale must explain the levels in both directions: an encoder that blurs pulls luma towards its mean, which
        looks like a squeeze when seen from the reference, but not when seen from the distorted clip.

        Args:
            strict: Whether the tags leave it open, so that a scale wins as soon as it fits better than none.

        Returns:
            "squeezed" (full to limited), "stretched" (limited to full), or None for the same scale.
        """
        most = 1.0 if strict else _CONVINCING
        return next((name for name, gain, lift in _SCALES if _fit(self.sums, gain, lift).convinces(most)), None)

    def suspicion(self) -> Verdict | None:
        """The other scale on which the distorted clip may lie although the encode is too coarse to prove it.

        Returns:
            As `verdict`.
        """
        return next((name for name, gain, lift in _SCALES if _fit(self.sums, gain, lift).is_likely()), None)

    def prefers(self, scale: Verdict) -> bool:
        """Whether the levels lie nearer to another scale than to the same one, however coarse the encode.

        Seen from the reference, an encoder that leaves out detail makes every clip look squeezed. So the distorted clip
        is brought back to the reference's scale, and what is left counts there.

        Args:
            scale: The other scale.

        Returns:
            True or False; False where nothing tells.
        """
        gain, lift = next((gain, lift) for name, gain, lift in _SCALES if name == scale)
        return self.error(gain, lift) / gain**2 < self.error(1.0, 0.0) - _NOTICEABLE

    def foreign(self) -> bool:
        """Whether the samples differ by more than encodes of natural clips do."""
        return self.error(1.0, 0.0) > _FOREIGN

    def graded(self) -> bool:
        """Whether brightness or contrast differ by more than an encoder changes them, seen from either clip."""
        same = self.error(1.0, 0.0)
        return all(same - _error(sums, *_line(sums)) > _GRADED for sums in (self.sums, _swapped(self.sums)))

    def facts(self) -> dict[str, float]:
        """Gain and lift of the best line, and the root mean squared difference, in 8-bit code values."""
        gain, lift = self.line()
        return {"gain": round(gain, 4), "lift": round(lift, 2), "rms": round(float(np.sqrt(self.error(1.0, 0.0))), 3)}


def _error(sums: list[float], gain: float, lift: float) -> float:
    count, x, y, xx, xy, yy = sums
    total = yy - 2 * gain * xy - 2 * lift * y + gain * gain * xx + 2 * gain * lift * x + count * lift * lift
    return max(0.0, total / max(count, 1))


def _line(sums: list[float]) -> tuple[float, float]:
    count, x, y, xx, xy, _ = sums
    spread = xx - x * x / max(count, 1)
    if spread <= max(count, 1):
        return 1.0, 0.0
    gain = (xy - x * y / count) / spread
    return gain, (y - gain * x) / count


def _swapped(sums: list[float]) -> list[float]:
    """The same sums with the clips' roles exchanged."""
    count, x, y, xx, xy, yy = sums
    return [count, y, x, yy, xy, xx]


@dataclass(frozen=True, slots=True)
class _Fit:
    """How well a scale explains the levels, seen from the reference and from the distorted clip.

    Attributes:
        miss: How far the scale is from the mean, in 8-bit code values; infinite where there are no samples.
        gain: Slope of the best line from the reference, as a part of the scale's; None for flat pictures.
        counter: The same from the distorted clip.
        there: What stays unexplained from the reference.
        again: What stays unexplained from the distorted clip.
    """

    miss: float
    gain: float | None
    counter: float | None
    there: float
    again: float

    def convinces(self, most: float) -> bool:
        """Whether the scale is the right one; `most`: largest part that may stay unexplained in both directions."""
        if self.miss > _MEAN_TOLERANCE:
            return False
        if self.gain is None or self.counter is None:
            return max(self.there, self.again) < most
        if self.gain > 1 + _GAIN_TOLERANCE or self.counter > 1 + _COUNTER_TOLERANCE:
            return False
        coarse = self.there < _COARSE and self.again < _COARSE_BACK and self.gain >= _COARSE_GAIN
        return coarse or max(self.there, self.again) < most

    def is_likely(self) -> bool:
        """Whether the scale fits from the distorted clip, from which a coarse encode takes nothing."""
        if self.gain is None or self.counter is None:
            return False
        return (
            self.miss <= _SUSPECT_MEAN
            and self.again < _SUSPECT_BACK
            and _SUSPECT_GAIN <= self.gain <= 1 + _GAIN_TOLERANCE
            and abs(self.counter - 1) <= _COUNTER_TOLERANCE
        )


def _fit(sums: list[float], gain: float, lift: float) -> _Fit:
    count, x, y = sums[:3]
    back = _swapped(sums)
    miss = abs(y - gain * x - lift * count) / count if count else math.inf
    slope, counter = _line(sums)[0], _line(back)[0]
    there, again = _unexplained(sums, gain, lift), _unexplained(back, 1 / gain, -lift / gain)
    if (slope, counter) == (1.0, 1.0):
        return _Fit(miss, None, None, there, again)
    return _Fit(miss, slope / gain, counter * gain, there, again)


def _unexplained(sums: list[float], gain: float, lift: float) -> float:
    """What a scale fails to explain, as a part of what the same scale fails to explain; 1 where that is nothing."""
    same, tried = _error(sums, 1.0, 0.0), _error(sums, gain, lift)
    free = min(_error(sums, *_line(sums)), same, tried)
    if _line(sums) == (1.0, 0.0):
        free = 0.0
    return (tried - free) / (same - free) if same - free > _NOTICEABLE else 1.0
