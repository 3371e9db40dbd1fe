"""Shots as a file of forced keyframes, which x264 and x265 read: a line `FRAME I` wherever a shot begins.

Frames count from 0 in the order in which they are shown. I is an IDR frame, and without a third column the encoder
keeps its own quantiser. K would leave the choice to the encoders, which set no keyframe nearer than their least
distance where groups of pictures are open, as x265's are. A comment would make both ignore the whole file.
"""

from __future__ import annotations

from typing import IO

from tinyvmaf.vision.shots import Shots


def write(shots: Shots, stream: IO[str]) -> None:
    """Write one line a shot.

    Args:
        shots: The shots.
        stream: Takes the text.
    """
    stream.writelines(f"{shot.first} I\n" for shot in shots)
