"""What to say where pictures of high dynamic range meet networks that never saw any."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from tinyvmaf.features.base import Feature
from tinyvmaf.video.policy import Note

if TYPE_CHECKING:
    from tinyvmaf.video.base import Video

TRANSFERS: Final = {"smpte2084": "PQ", "arib-std-b67": "HLG"}
"""FFmpeg's names of the transfer functions of high dynamic range, and everybody's."""


def transfer_notes(videos: Iterable[Video], features: Iterable[Feature]) -> list[Note]:
    """Say which features were not made for the videos' transfer function.

    Args:
        videos: The open videos.
        features: What will be measured.

    Returns:
        One note, or none.
    """
    found = sorted({TRANSFERS[v.facts.transfer] for v in videos if v.facts.transfer in TRANSFERS})
    names = sorted({feature.name for feature in features if feature.standard_range})
    if not found or not names:
        return []
    text = (
        f"The video is {' and '.join(found)}, but {', '.join(names)} learned from pictures of standard dynamic range: "
        "figures order encodes of this clip, and mean nothing beside those of other clips."
    )
    return [Note("transfer", text)]
