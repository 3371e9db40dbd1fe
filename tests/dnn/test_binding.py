"""How ports are written in messages."""

from __future__ import annotations

import pytest

from tinyvmaf.dnn.binding import describe
from tinyvmaf.dnn.graph import Port


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (None, "'x' float32 of any shape"),
        ((), "'x' float32 []"),
        ((1, "N", None, 8), "'x' float32 [1, 'N', ?, 8]"),
        (("line\nbreak",), r"'x' float32 ['line\nbreak']"),
    ],
)
def test_ports_in_words(shape, text):
    assert describe(Port("x", "float32", shape, 1)) == text
