"""Compares what two streams state of themselves: refuses what cannot be compared, plans what can be mended."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from tinyvmaf.errors import MismatchError
from tinyvmaf.video.colour import same_matrix, same_primaries, same_transfer
from tinyvmaf.video.frame import Range, StreamFacts
from tinyvmaf.video.levels import LevelMonitor
from tinyvmaf.video.policy import Note, PairingPolicy

_ALWAYS_PROGRESSIVE = frozenset({"av1", "vp8", "vp9", "gif", "png", "apng", "webp"})
_WIDE = frozenset({"smpte2084", "arib-std-b67"})
"""Transfer functions of high dynamic range; their samples look nothing like those of the others."""
_SHAPE_TOLERANCE = 0.01
_COLOUR_HINT = "Convert one of them, or use --ignore-colour if you know that the samples match."


@dataclass(slots=True)
class Plan:
    """How frames of the two streams are made comparable.

    Attributes:
        width: Luma width of every pair.
        height: Luma height of every pair.
        bits: Bits per sample of every pair.
        chroma: Chroma format of every pair, None where only luma is handed out.
        turns: Clockwise turns of the distorted frames that fit, in degrees; content decides where there are two.
        scale: Method that scales the distorted frames, None where sizes agree.
        ranges: Range of the distorted samples and the one they are converted to, None where nothing is converted.
        bit_ranges: Range of the reference's and of the distorted samples, which decides how bits are raised.
        open_range: Whether one range is full and the other not stated, so that the samples must tell.
        open_transfer: Whether only one states a transfer function, and a wide one.
        notes: What was mended or noticed.
    """

    width: int
    height: int
    bits: int
    chroma: str | None = None
    turns: tuple[int, ...] = (0,)
    scale: str | None = None
    ranges: tuple[Range, Range] | None = None
    bit_ranges: tuple[Range | None, Range | None] = (None, None)
    open_range: bool = False
    open_transfer: bool = False
    notes: list[Note] = field(default_factory=list)

    def note(self, kind: str, text: str) -> None:
        """Add a note.

        Args:
            kind: Its slug.
            text: Its sentence.
        """
        self.notes.append(Note(kind, text))

    def settle_range(self, reference: StreamFacts, levels: LevelMonitor) -> None:
        """Decide an open range by the levels of the first pair.

        Args:
            reference: Facts of the reference.
            levels: Levels of both frames.
        """
        stated = reference.range is not None
        if levels.prefers("squeezed" if stated else "stretched"):
            ranges: tuple[Range, Range] = ("full", "limited") if stated else ("limited", "full")
            self.bit_ranges, self.ranges = ranges, (ranges[1], ranges[0])
            what = f"limited: the distorted samples are converted from {ranges[1]} to {ranges[0]} range"
        else:
            what = "full, like the other"
        which = "distorted video" if stated else "reference"
        self.note("range", f"The {which} states no range; by its levels it is {what}.")


def agree(reference: StreamFacts, distorted: StreamFacts, policy: PairingPolicy, chroma_needed: bool) -> Plan:
    """Compare two streams by what they state.

    Args:
        reference: Facts of the reference.
        distorted: Facts of the distorted video.
        policy: What the user lets pass.
        chroma_needed: Whether chroma planes will be read.

    Returns:
        What has to be done to every frame.

    Raises:
        MismatchError: They cannot be compared as they are.
    """
    plan = Plan(reference.width, reference.height, max(reference.bits, distorted.bits))
    _streams(plan, reference, distorted)
    _chroma(plan, reference, distorted, chroma_needed)
    _geometry(plan, reference, distorted, policy)
    _bits(plan, reference, distorted)
    _range(plan, reference, distorted, policy)
    _colour(plan, reference, distorted, policy)
    _rgb(plan, reference, distorted, policy)
    _interlacing(plan, reference, distorted, policy)
    return plan


def _streams(plan: Plan, *both: StreamFacts) -> None:
    for facts in both:
        if facts.video_streams > 1:
            plan.note("streams", f"{facts.name} holds {facts.video_streams} video streams; the first one is read.")


def _chroma(plan: Plan, reference: StreamFacts, distorted: StreamFacts, needed: bool) -> None:
    if reference.chroma == distorted.chroma:
        plan.chroma = reference.chroma if needed else None
        return
    shown = f"{_format(reference)} and {_format(distorted)}"
    if needed:
        raise MismatchError(
            f"Metrics of chroma need one chroma format, but the clips are {shown}.",
            "Leave out the metrics that read chroma, or convert one of the clips.",
        )
    plan.note("chroma", f"The clips are {shown}; only luma is compared.")


def _format(facts: StreamFacts) -> str:
    return {"400": "4:0:0"}.get(facts.chroma, ":".join(facts.chroma))


def _geometry(plan: Plan, reference: StreamFacts, distorted: StreamFacts, policy: PairingPolicy) -> None:
    size = (reference.width, reference.height)
    plain = (distorted.width, distorted.height)
    turn = (distorted.rotation - reference.rotation) % 360
    turned = plain[::-1] if turn in (90, 270) else plain
    fitting = tuple(angle for angle, shape in ((turn, turned), (0, plain)) if shape == size)
    plan.turns = tuple(dict.fromkeys(fitting)) or (turn,)
    if turn:
        plan.note(
            "rotation",
            f"The rotation tags differ ({reference.rotation} and {distorted.rotation} degrees); the distorted frames "
            + (f"are turned by {turn} degrees." if plan.turns == (turn,) else "are turned if that fits the pictures."),
        )
    if not fitting:
        _scale(plan, reference, distorted, turned, policy)
    elif _sample_aspect(reference) != _sample_aspect(distorted):
        plan.note(
            "aspect",
            f"Sample aspects {_sample_aspect(reference)} and {_sample_aspect(distorted)} differ at the same size; "
            "samples are compared one by one.",
        )


def _sample_aspect(facts: StreamFacts) -> Fraction:
    return facts.sample_aspect or Fraction(1)


def _scale(
    plan: Plan, reference: StreamFacts, distorted: StreamFacts, turned: tuple[int, int], policy: PairingPolicy
) -> None:
    width, height = turned
    shown = f"{reference.name} has {plan.width}x{plan.height} and {distorted.name} {width}x{height}"
    if not policy.ignore_aspect and not _same_shape(plan, reference, distorted, turned):
        raise MismatchError(
            f"Sizes must agree, but {shown}, which is another shape: one of them looks cropped, padded or turned.",
            "Treat the reference in the same way, or use --scale bicubic --ignore-aspect to stretch the distorted one.",
        )
    if policy.scale is None:
        raise MismatchError(
            f"Sizes must agree, but {shown}.",
            "Use --scale bicubic to scale the distorted video to the reference's size.",
        )
    shrinks = width >= plan.width and height >= plan.height
    plan.scale = policy.scale if policy.scale != "auto" else "area" if shrinks else "bicubic"
    why = f" (auto: {'area when shrinking' if shrinks else 'bicubic when enlarging'})" if policy.scale == "auto" else ""
    plan.note(
        "scale",
        f"The distorted frames are scaled from {width}x{height} to {plan.width}x{plan.height}, {plan.scale}{why}.",
    )


def _same_shape(plan: Plan, reference: StreamFacts, distorted: StreamFacts, turned: tuple[int, int]) -> bool:
    """Whether samples or displayed pictures have the same proportions, but for rounding to even sizes."""
    width, height = turned
    stored = Fraction(plan.width * height, plan.height * width)
    shown = stored * _sample_aspect(reference) / _sample_aspect(distorted)
    slack = max(_SHAPE_TOLERANCE, 2 / min(width, height, plan.width, plan.height))
    return any(abs(float(ratio) - 1) <= slack for ratio in (stored, shown))


def _bits(plan: Plan, reference: StreamFacts, distorted: StreamFacts) -> None:
    if reference.bits != distorted.bits:
        which = "reference" if reference.bits < plan.bits else "distorted"
        low = min(reference.bits, distorted.bits)
        plan.note("bits", f"The {which} frames are raised from {low} to {plan.bits} bits.")


def _range(plan: Plan, reference: StreamFacts, distorted: StreamFacts, policy: PairingPolicy) -> None:
    one = policy.reference_range or reference.range
    other = policy.distorted_range or distorted.range
    plan.bit_ranges = (one, other)
    if one == other:
        return
    asked = policy.reference_range or policy.distorted_range
    if one is None or other is None:
        if not asked:
            plan.open_range = "full" in (one, other)
            plan.bit_ranges = (one or other, one or other)
            if not plan.open_range:
                plan.note("range", "Only one range is stated (limited); the other is taken as the same.")
            return
        one, other = one or "limited", other or "limited"
        plan.bit_ranges = (one, other)
    if one != other:
        plan.ranges = (other, one)
        plan.note("range", f"The distorted samples are converted from {other} to {one} range.")


def _colour(plan: Plan, reference: StreamFacts, distorted: StreamFacts, policy: PairingPolicy) -> None:
    lone: list[str] = []
    for what, one, other, same in (
        ("matrix", reference.matrix, distorted.matrix, same_matrix),
        ("primaries", reference.primaries, distorted.primaries, same_primaries),
        ("transfer", reference.transfer, distorted.transfer, same_transfer),
    ):
        if one is None or other is None:
            lone += [f"{what} {value}" for value in (one, other) if value is not None]
            continue
        if same(one, other):
            continue
        text = f"{reference.name} states the colour {what} {one} and {distorted.name} {other}"
        if not policy.ignore_colour:
            raise MismatchError(f"Colours must agree, but {text}.", _COLOUR_HINT)
        plan.note("colour", f"As asked, ignored: {text}.")
    if lone:
        plan.note("colour", f"Only one clip states {', '.join(lone)}; the other is taken as the same.")
    transfers = (reference.transfer, distorted.transfer)
    plan.open_transfer = None in transfers and bool(_WIDE & set(transfers)) and not policy.ignore_colour


def _rgb(plan: Plan, reference: StreamFacts, distorted: StreamFacts, policy: PairingPolicy) -> None:
    converted = [facts for facts in (reference, distorted) if _was_rgb(facts)]
    for facts in converted:
        plan.note(
            "rgb", f"{facts.name} holds RGB ({facts.converted_from}), read as {facts.matrix} {facts.range} range."
        )
    if len(converted) != 1 or policy.ignore_colour:
        return
    other = distorted if converted[0] is reference else reference
    if other.matrix is None and other.chroma != "400":
        raise MismatchError(
            f"RGB can be compared with YUV of a stated matrix only, but {other.name} states none "
            f"({converted[0].name} is RGB, read as {converted[0].matrix}).",
            f"Tag it as {converted[0].matrix} if it is, or use --ignore-colour to take it as that.",
        )


def _was_rgb(facts: StreamFacts) -> bool:
    """Whether the reader turned RGB into YUV; FFmpeg's names of packed and planar RGB, and of palettes."""
    name = facts.converted_from or ""
    return name.startswith(("rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "pal8", "x2rgb", "x2bgr"))


def _interlacing(plan: Plan, reference: StreamFacts, distorted: StreamFacts, policy: PairingPolicy) -> None:
    one, other = _interlaced(reference), _interlaced(distorted)
    orders = (reference.top_field_first, distorted.top_field_first)
    shown = f"{reference.name} is {_scan(one, orders[0])} and {distorted.name} {_scan(other, orders[1])}"
    differ = None not in (one, other) and one != other
    swapped = bool(one and other and None not in orders and orders[0] != orders[1])
    if (differ or swapped) and not policy.ignore_interlacing:
        raise MismatchError(
            f"Both clips must be scanned the same way, but {shown}.",
            "Deinterlace with ffmpeg first, or use --ignore-interlacing if a tag is wrong.",
        )
    if one or other:
        plan.note("interlacing", f"{shown}; fields are compared as they lie in the frames.")


def _interlaced(facts: StreamFacts) -> bool | None:
    return False if facts.codec in _ALWAYS_PROGRESSIVE else facts.interlaced


def _scan(interlaced: bool | None, top_first: bool | None) -> str:
    if interlaced is None:
        return "of unknown scan"
    if not interlaced:
        return "progressive"
    order = {None: "", True: ", top field first", False: ", bottom field first"}[top_first]
    return f"interlaced{order}"
