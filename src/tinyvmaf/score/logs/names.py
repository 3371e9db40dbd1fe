"""Keys as libvmaf's logs spell them: `adm2` is `integer_adm2` there, with option suffixes at the end as they are."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tinyvmaf.errors import DataError
from tinyvmaf.score.result import Result

LOG_NAMES: dict[str, str] = {
    "adm2": "integer_adm2",
    **{f"adm_scale{i}": f"integer_adm_scale{i}" for i in range(4)},
    **{f"vif_scale{i}": f"integer_vif_scale{i}" for i in range(4)},
    "motion": "integer_motion",
    "motion2": "integer_motion2",
    "ssim": "float_ssim",
    "ms_ssim": "float_ms_ssim",
}
_KEYS = {name: key for key, name in LOG_NAMES.items()}


def log_name(key: str) -> str:
    """What a feature's column is called in a log.

    Args:
        key: Our key, option suffix included, such as "adm2_egl_1".

    Returns:
        libvmaf's name, such as "integer_adm2_egl_1"; a key that libvmaf spells as we do stays as it is.
    """
    return _translate(key, LOG_NAMES)


def key_of(name: str) -> str:
    """Which of our keys a log's column has.

    Args:
        name: libvmaf's name, or ours.

    Returns:
        Our key; a name that is neither stays as it is.
    """
    return _translate(name, _KEYS)


def _translate(text: str, table: Mapping[str, str]) -> str:
    for known, replacement in table.items():
        if text == known or text.startswith(f"{known}_"):
            return replacement + text[len(known) :]
    return text


def column_names(result: Result) -> dict[str, str]:
    """The log name of every column of a result; names that users gave to models are left alone.

    Args:
        result: The result.

    Returns:
        Key to log name, in log order.

    Raises:
        DataError: Two columns share a name.
    """
    own = {key for score in result.scores for key in score.columns}
    names = {key: key if key in own else log_name(key) for key in result.columns}
    if len(set(names.values())) < len(names):
        twice = sorted(name for name in names.values() if list(names.values()).count(name) > 1)
        raise DataError(f"Two columns of the log are named {twice[0]!r}.", "Give the model another name.")
    return names


_NOT_XML = re.compile(r"[^A-Za-z0-9_.-]|^[^A-Za-z_]|_(?=x[0-9A-F]{4})")
_XML_CODE = re.compile(r"_x([0-9A-F]{4,6})_")


def xml_name(name: str) -> str:
    """A log name as an XML attribute name: what XML forbids there becomes `_xHHHH_`, its code point in hexadecimal.

    Args:
        name: Any text that is not empty.

    Returns:
        A valid XML name, never "frameNum"; different texts give different names.
    """
    if name == "frameNum":
        return f"_x{ord('f'):04X}_rameNum"
    return _NOT_XML.sub(lambda match: f"_x{ord(match[0]):04X}_", name)


def from_xml_name(name: str) -> str:
    """The log name that `xml_name` encoded.

    Args:
        name: An XML attribute name.

    Returns:
        The text it stands for; a name without codes stays as it is.
    """
    return _XML_CODE.sub(lambda match: _character(match), name)


def _character(match: re.Match[str]) -> str:
    code = int(match[1], 16)
    return chr(code) if code <= 0x10FFFF else match[0]
