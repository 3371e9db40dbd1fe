"""From an ELF relocatable object, as LLVM emits it, to a position-independent image.

Source of the layout: System V ABI, AMD64 supplement, sections "Object Files" and "Relocation Types".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from tinyvmaf.features.kernels.image import IMPORTS, Image

_PROGBITS, _RELA, _NOBITS = 1, 4, 8
_ALLOCATED = 0x2
_COMMON = 0xFFF2
_R_64, _R_PC32, _R_PLT32, _R_GOTPCREL = 1, 2, 4, (9, 41, 42)
_TRAP = b"\x0f\x0b"  # ud2: the numba runtime is absent, and kernels by their rules never reach it
_JUMP = b"\xff\x25"  # jmp *displacement(%rip)


@dataclass(frozen=True, slots=True)
class _Section:
    name: str
    kind: int
    flags: int
    offset: int
    size: int
    link: int
    info: int
    align: int


@dataclass(frozen=True, slots=True)
class _Symbol:
    name: str
    section: int
    value: int
    size: int


@dataclass(slots=True)
class _Layout:
    """The image while it grows."""

    code: bytearray = field(default_factory=bytearray)
    bases: dict[int, int] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)
    slots: dict[str, int] = field(default_factory=dict)
    fixups: list[tuple[int, int]] = field(default_factory=list)
    imports: list[tuple[int, str]] = field(default_factory=list)

    def reserve(self, size: int, align: int = 8) -> int:
        """Append zeros at the alignment; returns their offset."""
        self.code.extend(bytes(-len(self.code) % max(align, 1)))
        start = len(self.code)
        self.code.extend(bytes(size))
        return start


def to_image(data: bytes, function: str) -> Image:
    """Link one object file with itself.

    Args:
        data: The object file, ELF64 little-endian x86-64, compiled as position-independent code.
        function: Name of the symbol to call.

    Returns:
        The image.

    Raises:
        ValueError: The object has a relocation that is not known here, or lacks the function.
    """
    sections = _sections(data)
    symbols = _symbols(data, sections)
    layout = _Layout()
    for index, section in enumerate(sections):
        if section.flags & _ALLOCATED and section.kind in (_PROGBITS, _NOBITS):
            base = layout.reserve(section.size, section.align)
            layout.bases[index] = base
            if section.kind == _PROGBITS:
                layout.code[base : base + section.size] = _body(data, section)
    for section in sections:
        if section.kind == _RELA and section.info in layout.bases:
            for place, kind, symbol, addend in struct.iter_unpack("<QIIq", _body(data, section)):
                _relocate(layout, layout.bases[section.info] + place, symbols[symbol], kind, addend)
    entry = next((s for s in symbols if s.name == function and s.section in layout.bases), None)
    if entry is None:
        raise ValueError(f"no function {function} in the object")
    return Image(
        bytes(layout.code), layout.bases[entry.section] + entry.value, tuple(layout.fixups), tuple(layout.imports)
    )


def _sections(data: bytes) -> list[_Section]:
    if data[:6] != b"\x7fELF\x02\x01" or struct.unpack_from("<H", data, 18)[0] != 62:
        raise ValueError("not an x86-64 ELF object")
    (table,) = struct.unpack_from("<Q", data, 40)
    size, count, names = struct.unpack_from("<HHH", data, 58)
    headers = [struct.unpack_from("<IIQQQQIIQQ", data, table + i * size) for i in range(count)]
    strings = headers[names][4]
    return [_Section(_string(data, strings + h[0]), h[1], h[2], h[4], h[5], h[6], h[7], h[8]) for h in headers]


def _symbols(data: bytes, sections: list[_Section]) -> list[_Symbol]:
    table = next(s for s in sections if s.name == ".symtab")
    strings = sections[table.link].offset
    rows = struct.iter_unpack("<IBBHQQ", _body(data, table))
    return [_Symbol(_string(data, strings + name), section, value, size) for name, _, _, section, value, size in rows]


def _string(data: bytes, start: int) -> str:
    return data[start : data.index(b"\0", start)].decode()


def _body(data: bytes, section: _Section) -> bytes:
    return data[section.offset : section.offset + section.size]


def _target(layout: _Layout, symbol: _Symbol) -> int:
    """Offset in the image that a symbol stands for; absent runtime functions stand for a trap."""
    if symbol.section in layout.bases:
        return layout.bases[symbol.section] + symbol.value
    if symbol.name not in layout.places:
        layout.places[symbol.name] = _provide(layout, symbol)
    return layout.places[symbol.name]


def _provide(layout: _Layout, symbol: _Symbol) -> int:
    if symbol.section == _COMMON:
        return layout.reserve(symbol.size, symbol.value)
    if symbol.name in IMPORTS:
        slot = layout.reserve(8)
        layout.imports.append((slot, symbol.name))
        stub = layout.reserve(6)
        layout.code[stub : stub + 6] = _JUMP + struct.pack("<i", slot - (stub + 6))
        return stub
    trap = layout.reserve(len(_TRAP))
    layout.code[trap : trap + len(_TRAP)] = _TRAP
    return trap


def _relocate(layout: _Layout, place: int, symbol: _Symbol, kind: int, addend: int) -> None:
    target = _target(layout, symbol)
    if kind == _R_64:
        layout.fixups.append((place, target + addend))
        return
    if kind in _R_GOTPCREL:
        if symbol.name not in layout.slots:
            layout.slots[symbol.name] = layout.reserve(8)
            layout.fixups.append((layout.slots[symbol.name], target))
        target = layout.slots[symbol.name]
    elif kind not in (_R_PC32, _R_PLT32):
        raise ValueError(f"relocation type {kind} against {symbol.name!r} is not known here")
    struct.pack_into("<i", layout.code, place, target + addend - place)
