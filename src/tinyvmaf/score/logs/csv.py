"""libvmaf's CSV log: one line per frame, a comma after every cell, nothing pooled."""

from __future__ import annotations

from typing import IO

from tinyvmaf.score.logs.names import column_names
from tinyvmaf.score.logs.precision import LEGACY, NumberFormat
from tinyvmaf.score.logs.rows import frame_rows
from tinyvmaf.score.result import Result


def write_csv(result: Result, stream: IO[str], precision: NumberFormat = LEGACY) -> None:
    """Write the CSV log. A value that is missing or not finite is an empty cell.

    Args:
        result: What to write.
        stream: Takes the text, piece by piece.
        precision: How numbers are printed.

    Raises:
        DataError: Two columns share a name.
    """
    stream.write("Frame," + "".join(f"{_cell(name)}," for name in column_names(result).values()) + "\n")
    for number, texts in frame_rows(result, precision, ""):
        stream.write(f"{number}," + "".join(f"{text}," for text in texts) + "\n")


def _cell(text: str) -> str:
    """A name as one cell, quoted where a reader would split or trim it."""
    plain = text and not any(character in text for character in ',"\r\n') and text == text.strip()
    return text if plain else '"' + text.replace('"', '""') + '"'
