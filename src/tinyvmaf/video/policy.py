"""What the user lets pass: the options of pairing, and the notes that say what was done."""

from __future__ import annotations

from dataclasses import dataclass

from tinyvmaf.errors import UsageError
from tinyvmaf.video.frame import Range
from tinyvmaf.video.resize import METHODS

SCALES: tuple[str, ...] = ("auto", *METHODS)
RANGES: tuple[str, ...] = ("limited", "full")


@dataclass(frozen=True, slots=True)
class PairingPolicy:
    """How two videos may be brought together. The default accepts only what cannot change the meaning of a score.

    Attributes:
        sync: Search a constant offset between the clips and score what both show.
        scale: How a distorted video of another size is scaled to the reference's: "auto" or a method; None refuses.
        ignore_timestamps: Pair by frame number, whatever the times and rates say.
        truncate: Score the common part of clips of different length.
        reference_range: Range of the reference, whatever its tag says.
        distorted_range: Range of the distorted video, whatever its tag says.
        ignore_range: Accept luma that looks as if it were on the other range's scale.
        ignore_colour: Accept different matrix, primaries or transfer.
        ignore_interlacing: Accept an interlaced against a progressive video, and different field orders.
        ignore_aspect: Let `scale` stretch pictures of another shape.
        check_sync: Compare the content of the frames, and refuse clips that are out of step or unrelated.
        frame_skip_reference: Frames left out at the start of the reference.
        frame_skip_distorted: Frames left out at the start of the distorted video.
        frame_limit: Most pairs to score; None or 0 for all.
    """

    sync: bool = False
    scale: str | None = None
    ignore_timestamps: bool = False
    truncate: bool = False
    reference_range: Range | None = None
    distorted_range: Range | None = None
    ignore_range: bool = False
    ignore_colour: bool = False
    ignore_interlacing: bool = False
    ignore_aspect: bool = False
    check_sync: bool = True
    frame_skip_reference: int = 0
    frame_skip_distorted: int = 0
    frame_limit: int | None = None

    def __post_init__(self) -> None:
        if self.scale is not None and self.scale not in SCALES:
            raise UsageError(f"The scaling method must be one of {', '.join(SCALES)}, not {self.scale!r}.")
        for range_ in (self.reference_range, self.distorted_range):
            if range_ not in (None, *RANGES):
                raise UsageError(f"A range must be limited or full, not {range_!r}.")
        if min(self.frame_skip_reference, self.frame_skip_distorted, self.frame_limit or 0) < 0:
            raise UsageError("Numbers of frames to skip or to score must be 0 or more.")


@dataclass(frozen=True, slots=True)
class PairingFlag:
    """One command-line option of pairing.

    Attributes:
        flag: As typed, with the dashes.
        field: The field of `PairingPolicy` that it sets.
        help: One line of help.
        choices: Values it takes; none for a switch.
        value: What a switch sets its field to.
    """

    flag: str
    field: str
    help: str
    choices: tuple[str, ...] = ()
    value: bool = True


PAIRING_FLAGS: tuple[PairingFlag, ...] = (
    PairingFlag("--sync", "sync", "search a constant offset of up to 4 seconds and score the part both clips show"),
    PairingFlag("--no-sync-check", "check_sync", "do not compare the content of the frames", value=False),
    PairingFlag("--ignore-timestamps", "ignore_timestamps", "pair by frame number, whatever times and rates say"),
    PairingFlag("--truncate", "truncate", "score the common part of clips of different length"),
    PairingFlag("--scale", "scale", "scale the distorted video to the reference's size", choices=SCALES),
    PairingFlag("--ignore-aspect", "ignore_aspect", "let --scale stretch pictures of another shape"),
    PairingFlag("--reference-range", "reference_range", "range of the reference, whatever its tag says", RANGES),
    PairingFlag("--distorted-range", "distorted_range", "range of the distorted video, whatever its tag says", RANGES),
    PairingFlag("--ignore-range", "ignore_range", "accept luma levels that look like the other range"),
    PairingFlag("--ignore-colour", "ignore_colour", "accept different matrix, primaries or transfer function"),
    PairingFlag("--ignore-interlacing", "ignore_interlacing", "accept interlaced against progressive, or field orders"),
)
"""Every option of pairing but the frame counts, whose spelling differs between the command lines."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that was mended or noticed.

    Attributes:
        kind: A slug: "streams", "bits", "range", "scale", "rotation", "chroma", "colour", "rgb", "interlacing",
            "aspect", "clock", "start", "sync", "length", "repeated", "content", "levels", "transfer".
        text: One sentence.
    """

    kind: str
    text: str

    def facts(self) -> dict[str, str]:
        """The note for JSON."""
        return {"kind": self.kind, "text": self.text}
