"""libvmaf's subtitle log (MicroDVD): the scores of each frame, shown while it plays."""

from __future__ import annotations

import re
from typing import IO

from tinyvmaf.score.logs.names import column_names
from tinyvmaf.score.logs.precision import LEGACY, NumberFormat
from tinyvmaf.score.logs.rows import frame_rows
from tinyvmaf.score.result import Result

_RESERVED = re.compile(r"[|{}\x00-\x1f\x7f\x85\u2028\u2029]")


def write_sub(result: Result, stream: IO[str], precision: NumberFormat = LEGACY) -> None:
    """Write the subtitle log. A value that is missing or not finite is left out.

    Args:
        result: What to write.
        stream: Takes the text, piece by piece.
        precision: How numbers are printed.

    Raises:
        DataError: Two columns share a name.
    """
    # The format has no escapes: what would end a field, a line or a time code becomes an underscore.
    names = [_RESERVED.sub("_", name) for name in column_names(result).values()]
    for number, texts in frame_rows(result, precision, ""):
        cells = "".join(f"{name}: {text}|" for name, text in zip(names, texts, strict=True) if text)
        stream.write(f"{{{number}}}{{{number + 1}}}frame: {number}|{cells}\n")
