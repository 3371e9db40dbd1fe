"""libvmaf's XML log.

Source: the byte layout of libvmaf 3.2. Model names that XML cannot hold as attribute names are encoded.
"""

from __future__ import annotations

import math
from typing import IO
from xml.sax.saxutils import quoteattr

from tinyvmaf.score.logs.names import column_names, xml_name
from tinyvmaf.score.logs.precision import LEGACY, NumberFormat
from tinyvmaf.score.logs.rows import frame_rows
from tinyvmaf.score.pooling import LOG_METHODS
from tinyvmaf.score.result import Result


def write_xml(result: Result, stream: IO[str], precision: NumberFormat = LEGACY) -> None:
    """Write the XML log. A value that is missing has no attribute; an infinite one prints as inf.

    Args:
        result: What to write.
        stream: Takes the text, piece by piece.
        precision: How numbers are printed; the frame rate always has two decimals.

    Raises:
        DataError: Two columns share a name.
    """
    names = {key: xml_name(name) for key, name in column_names(result).items()}
    fps = "" if result.run.fps is None else f' fps="{result.run.fps:.2f}"'
    stream.write(f"<VMAF version={quoteattr(result.run.version)}>\n")
    stream.write(f'  <params qualityWidth="{result.width}" qualityHeight="{result.height}" />\n')
    stream.write(f"  <fyi{fps} />\n  <frames>\n")
    for number, texts in frame_rows(result, precision, None):
        cells = "".join(f'{n}="{t}" ' for n, t in zip(names.values(), texts, strict=True) if t not in ("nan", "-nan"))
        stream.write(f'    <frame frameNum="{number}" {cells}/>\n')
    stream.write("  </frames>\n  <pooled_metrics>\n")
    for key, name in names.items():
        pooled = result.pooled(key)
        values = {method: getattr(pooled, method) for method in LOG_METHODS}
        cells = "".join(f'{method}="{precision.text(v)}" ' for method, v in values.items() if v is not None)
        stream.write(f'    <metric name="{name}" {cells}/>\n')
    aggregates = {xml_name(key): value for key, value in result.aggregates.items() if not math.isnan(value)}
    cells = "".join(f'{name}="{precision.text(value)}" ' for name, value in aggregates.items())
    stream.write(f"  </pooled_metrics>\n  <aggregate_metrics {cells}/>\n")
    for score in (score for score in result.scores if score.kind == "tiny"):
        facts = {"name": names[score.name], "device": score.device, "sha256": score.sha256}
        stream.write(f"  <tiny_model {' '.join(f'{key}={quoteattr(value)}' for key, value in facts.items())} />\n")
    stream.write("</VMAF>\n")
