"""All checks that look at pictures: step, sameness and levels, gathered over a run of pairs."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tinyvmaf.errors import MismatchError
from tinyvmaf.video.frame import FramePair, Range
from tinyvmaf.video.levels import LevelMonitor, Verdict
from tinyvmaf.video.policy import Note
from tinyvmaf.video.sync import Shift, SyncMonitor, find_offset
from tinyvmaf.video.thumbnails import Direction, Thumbnail, detail, direction, halve, shrink

_OPENING = 256
"""Pairs at the start in which a constant offset of any size is looked for."""
_ADVISED = 48
"""Pairs looked at where findings are only noted: raw video is scored at a speed at which the look would show."""
_EVERY = 2
"""Sameness is looked at in every other pair."""
_LEVELS_AFTER = 64
"""Pairs after which levels are judged for the first time; the last judgement comes at the end."""
_STRANGE = ((4, 0.4), (24, 0.6))
_DETAIL = 0.08
"""Looks on end in which no correlation of layout reaches the second number, while that of detail is below 0.08 in the
mean: another content. Four looks on unrelated clips show less than 0.4 in 99 of 100 cases, on 980 sound pairs of
natural clips, the worst encodes among them, 0.65 or more."""
_LAST = 3
"""Looks that are enough at the end of the clips."""
_FOREIGN = 0.2
"""Correlation of layout below which a textured picture that stands still is another clip's, not a freeze; nine in ten
unrelated ones lie below."""
_TEXTURED, _VISIBLE = 10.0, 4.0
"""Standard deviations, in 8-bit code values, of a reference that has something to recognise, and of a distorted frame
in which it should be recognised: noise and coarse quantisation may bury less."""
_STEP_HINT = "Use --sync to search the offset, or --no-sync-check to score the frames as they are."
_DROP_HINT = (
    "Look for dropped or repeated frames there; if one clip starts later than the other, use --sync; "
    "--no-sync-check scores the frames as they are."
)
_SAME_HINT = (
    "Check that both files show the same clip; if one starts later than the other, use --sync; "
    "--no-sync-check scores them anyway."
)


class ContentCheck:
    """Watches thumbnails of every pair and raises when the pairing cannot be right.

    Args:
        names: The reference and the distorted video, for messages.
        notes: Where to say what was noticed.
        check_step: Whether the clips may be found out of step or unrelated.
        check_levels: Whether the levels may be found on another scale.
        open_range: Whether the tags leave the range open.
        converted: Range of the distorted samples by their tag, and the one they were converted to.
        open_transfer: Whether the tags leave it open if both are of high dynamic range.
        advise: Findings of the first pairs become notes, and the others are not looked at.
    """

    def __init__(
        self,
        names: tuple[str, str],
        notes: list[Note],
        *,
        check_step: bool,
        check_levels: bool,
        open_range: bool = False,
        converted: tuple[Range, Range] | None = None,
        open_transfer: bool = False,
        advise: bool = False,
    ) -> None:
        self._names, self._notes, self._advise = names, notes, advise
        self._check_step, self._check_levels = check_step, check_levels
        self._open_range, self._open_transfer, self.converted = open_range, open_transfer, converted
        self.levels = LevelMonitor()
        self._sync = SyncMonitor()
        self._opening: npt.NDArray[np.float32] | None = None
        self._opened = 0
        self._sameness: deque[tuple[int, float, float]] = deque(maxlen=_STRANGE[-1][0])
        self._foreign = False
        self._shown = [0, 0]
        self._ended = False

    def push(self, pair: FramePair) -> None:
        """Look at a pair.

        Args:
            pair: Frames of the same size and bits.

        Raises:
            MismatchError: The clips are out of step, unrelated, or on other scales.
        """
        if self._ended or not (self._check_step or self._check_levels):
            return
        if self._advise and pair.index == _ADVISED:
            self.finish()
            self._ended = True
            return
        one, other = shrink(pair.reference.luma, pair.bits), shrink(pair.distorted.luma, pair.bits)
        self.levels.push(one, other)
        if pair.index == _LEVELS_AFTER:
            self._judge_levels()
        if self._check_step:
            self._push_step(pair.index, one, other)

    def finish(self) -> None:
        """Judge what is left after the last pair.

        Raises:
            MismatchError: The clips are out of step, unrelated, or on other scales.
        """
        if self._check_step and not self._ended:
            self._judge_emptiness()
            self._judge_sameness(list(self._sameness)[-_LAST:], _STRANGE[0][1])
            self._judge_sameness(list(self._sameness), _STRANGE[-1][1])
            self._judge_shift(self._sync.finish())
            self._judge_opening()
            self._note_repeats()
        if not self._ended:
            self._judge_levels()
            self._note_levels()

    def _push_step(self, index: int, one: Thumbnail, other: Thumbnail) -> None:
        reference, distorted = direction(one), direction(other)
        contrasts = float(one.std()), float(other.std())
        for number, vector in enumerate((reference, distorted)):
            self._shown[number] += bool(vector.any()) and max(contrasts) >= _TEXTURED
        clear = contrasts[0] >= _TEXTURED and contrasts[1] >= _VISIBLE
        shift = self._sync.push(reference, distorted, clear)
        layout = float(reference @ distorted)
        if not self._sync.frozen:
            self._foreign = layout < _FOREIGN and contrasts[1] >= _TEXTURED
        # A frozen picture of the clip itself looks strange once the reference has moved on.
        if index % _EVERY == 0 and clear and (self._foreign or not self._sync.frozen):
            self._sameness.append((index, layout, float(detail(one) @ detail(other))))
            for looks, least in _STRANGE:
                if len(self._sameness) >= looks:
                    self._judge_sameness(list(self._sameness)[-looks:], least)
        if index < _OPENING:
            self._open(direction(halve(one)), direction(halve(other)))
        elif index == _OPENING:
            self._judge_opening()
        self._judge_shift(shift)

    def _judge_shift(self, shift: Shift | None) -> None:
        if shift is None:
            return
        one, other = self._names
        # A clip that is behind shows nothing of the other before it has caught up.
        late = shift.first > max(0, -(shift.offset or 0))
        hint, place = _STEP_HINT, "from the start"
        if late:
            hint, place = _DROP_HINT, f"from about frame {shift.first} on"
        if shift.offset is None:
            self._fail(
                f"The clips must show the same moments, but {place} the frames of {other} match none of {one} nearby.",
                hint,
            )
            return
        self._fail(
            f"The clips must show the same moments, but {place} {other} seems {_frames(shift.offset)} {one} "
            f"({shift.votes} frames agree).",
            hint,
        )

    def _open(self, reference: Direction, distorted: Direction) -> None:
        """Keep a pair of the opening, in one block that the search takes as it is: megabytes for large frames."""
        if self._opening is None:
            self._opening = np.empty((2, _OPENING, reference.size), np.float32)
        self._opening[:, self._opened] = reference, distorted
        self._opened += 1

    def _judge_opening(self) -> None:
        opening, self._opening = self._opening, None
        count, self._opened = self._opened, 0
        if opening is None or count < 5 or self._ended:
            return
        found = find_offset(opening[0, :count], opening[1, :count], count)
        if found.offset:
            self._fail(
                f"The clips must show the same moments, but {self._names[1]} is {_frames(found.offset)} "
                f"{self._names[0]}.",
                _STEP_HINT,
            )

    def _judge_emptiness(self) -> None:
        if max(self._shown) and not min(self._shown):
            empty = self._names[self._shown.index(0)]
            self._fail(f"Both clips must show something, but every frame of {empty} is flat.", _SAME_HINT)

    def _judge_sameness(self, seen: Sequence[tuple[int, float, float]], least: float) -> None:
        if not seen or self._ended:
            return
        layout, fine = max(one for _, one, _ in seen), sum(other for _, _, other in seen) / len(seen)
        if layout < least and fine < _DETAIL:
            self._fail(
                f"Both clips must show the same content, but {self._names[0]} and {self._names[1]} do not look alike "
                f"in frames {seen[0][0]} to {seen[-1][0]} (correlation at most {layout:.2f}).",
                _SAME_HINT,
            )

    def _judge_levels(self) -> None:
        if not self._check_levels:
            return
        verdict = self.levels.verdict(strict=self._open_range)
        if verdict is not None:
            self._fail_levels(verdict)
        elif self._open_transfer and self.levels.foreign():
            self._fail(
                f"Transfer functions must agree, but only one of {self._names[0]} and {self._names[1]} states one, "
                "of high dynamic range, and their levels are far apart.",
                "Convert one of them, or use --ignore-colour if you know that the samples match.",
            )

    def _fail_levels(self, verdict: Verdict) -> None:
        undone = {("full", "limited"): "squeezed", ("limited", "full"): "stretched"}
        one, other = self._names
        if self.converted is not None and undone[self.converted] == verdict:
            tag, wanted = self.converted
            self._fail(
                f"Tags and samples must agree, but {other} is tagged {tag} range while its luma lies like that of "
                f"{one} in {wanted} range.",
                f"Use --distorted-range {wanted} to correct the tag, or --ignore-range.",
            )
            return
        ranges = _ranges(verdict)
        gain, lift = self.levels.line()
        self._fail(
            f"Luma must be on the same scale, but that of {other} looks {verdict} (reference times {gain:.3f} "
            f"{lift:+.1f}), as if {one} had {ranges[0]} and {other} {ranges[1]} range.",
            f"Use --reference-range {ranges[0]} --distorted-range {ranges[1]} to convert, or --ignore-range.",
        )

    def _note_levels(self) -> None:
        if not self._check_levels or self._ended:
            return
        suspicion = self.levels.suspicion()
        if suspicion is not None:
            one, other = _ranges(suspicion)
            self._notes.append(
                Note(
                    "levels",
                    f"The luma of {self._names[0]} may lie in {one} and that of {self._names[1]} in {other} range; the "
                    f"encode is too coarse to tell. If so, use --reference-range {one} --distorted-range {other}.",
                )
            )
        elif self.levels.graded():
            gain, lift = self.levels.line()
            self._notes.append(
                Note(
                    "levels",
                    f"The luma of {self._names[1]} lies like that of {self._names[0]} times {gain:.2f} {lift:+.0f}: "
                    "another brightness, contrast or transfer function, which is scored as it is.",
                )
            )

    def _note_repeats(self) -> None:
        repeats: Sequence[int] = self._sync.repeated
        if repeats and not self._ended:
            shown = ", ".join(str(index) for index in repeats[:8]) + (", ..." if len(repeats) > 8 else "")
            self._notes.append(
                Note(
                    "repeated", f"Distorted frames that show a neighbouring reference frame: {len(repeats)} ({shown})."
                )
            )

    def _fail(self, message: str, hint: str) -> None:
        if not self._advise:
            raise MismatchError(message, hint)
        if not self._ended:
            self._ended = True
            self._notes.append(Note("content", f"Scored frame by frame as asked, although: {message}"))


def _ranges(verdict: Verdict) -> tuple[Range, Range]:
    """Ranges of the reference and of the distorted clip that a verdict means."""
    return ("full", "limited") if verdict == "squeezed" else ("limited", "full")


def _frames(offset: int) -> str:
    word = "frame" if abs(offset) == 1 else "frames"
    return f"{abs(offset)} {word} {'ahead of' if offset > 0 else 'behind'}"
