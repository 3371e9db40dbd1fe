"""Pairs from elsewhere: other people's clips and degradations, to see how the model fares away from its corpus."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tinyvmaf.train.features import Table, measure
from tinyvmaf.train.recipe import Recipe, Source
from tinyvmaf.train.sources import check_file
from tinyvmaf.video.frame import Frame, Plane

_ARCHIVE = "golden/vmaf_resource_pairs.zip"
_ARCHIVE_SHA256 = "f088fdd24bae5d3af73f0e8edce77298b491c52d02f071424075224c2b3f87c1"
_HACKING = "_vmaf_hacking_investigation_0_0_akiyo_cif_notyuv_0to0_identity_vs_akiyo_cif_notyuv_0to0_multiply_q_352x288"
_TEST = "_test_0_1_src01_hrc00_576x324_576x324_vs_src01_hrc01_576x324_576x324_q_160x90.yuv"
_GOLDEN = {
    "src01": ("src01_hrc00_576x324.yuv420p10le.yuv", "src01_hrc01_576x324.yuv420p10le.yuv", 576, 324, 10),
    "sparks": ("sparks_ref_480x270.yuv42010le.yuv", "sparks_dis_480x270.yuv42010le.yuv", 480, 270, 10),
    "akiyo, contrast raised": ("refp" + _HACKING, "disp" + _HACKING, 352, 288, 8),
    "src01 at 160x90": ("ref" + _TEST, "dis" + _TEST, 160, 90, 8),
}
"""Name to (reference, distorted, width, height, bits) inside Netflix's resource archive."""

_DAVIS = "davis2016_480p"
_DAVIS_STEP = 3
_DAVIS_LEVELS = (20.0, 28.0, 36.0, 44.0)


def golden_pairs(data: Path) -> Iterator[tuple[str, Table]]:
    """Netflix's own test pairs.

    Args:
        data: The data folder.

    Yields:
        Name and (N, 6) features of each pair.

    Raises:
        DataError: The archive is missing or is another one.
    """
    check_file(data / _ARCHIVE, _ARCHIVE_SHA256)
    with zipfile.ZipFile(data / _ARCHIVE) as archive:
        for name, (reference, distorted, width, height, bits) in _GOLDEN.items():
            clips = [_raw(archive.read(f"yuv/{file}"), width, height, bits) for file in (reference, distorted)]
            yield name, measure(clips[0], clips[1])


def _raw(data: bytes, width: int, height: int, bits: int) -> list[Frame]:
    """Luma of headerless 4:2:0 video."""
    samples: Plane = np.frombuffer(data, np.uint8) if bits == 8 else np.frombuffer(data, np.uint16)
    size = width * height
    starts = range(0, len(samples), size * 3 // 2)
    return [Frame((samples[s : s + size].reshape(height, width),), bits, i) for i, s in enumerate(starts)]


def davis_recipe(recipe: Recipe, data: Path) -> Recipe:
    """Every third DAVIS sequence under x264, to be measured like the corpus and never to be learnt from.

    Args:
        recipe: Has a distortion "x264", whose options are taken.
        data: The data folder.

    Returns:
        A recipe whose sources are all of split "test".
    """
    (encoder,) = (item for item in recipe.distortions if item.name == "x264")
    paths = sorted((data / _DAVIS).glob("*.mp4"))[::_DAVIS_STEP]
    sources = tuple(
        Source(
            file=f"{_DAVIS}/{path.name}",
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            split="test",
            size=(854, 480),
            bits=8,
            takes=("0:30",),
        )
        for path in paths
    )
    chosen = type(encoder)("x264", encoder.kind, _DAVIS_LEVELS, codec=encoder.codec, options=encoder.options)
    return Recipe(recipe.name, recipe.teacher, recipe.license, recipe.fit, (chosen,), sources)
