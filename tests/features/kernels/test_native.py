from __future__ import annotations

import os
import re
import subprocess
import sys
import threading

import numpy as np
import pytest

from tinyvmaf.errors import RunError
from tinyvmaf.features.kernels import adm, elf, image, motion, native, vif
from tinyvmaf.features.kernels.compile import machine_code, wrap
from tinyvmaf.features.kernels.native import Kernel

needs_images = pytest.mark.skipif(not image.supported(), reason="kernel images run on Linux x86-64 only")

SAD = "u1x2-u1x2-f-i-n-f4x1-f4x1-f4x1-f8x1"
SIGNATURES = {
    "vif": (
        vif.frame,
        "u1x2-u1x2-f-n-i-f-n-u2x2-u2x2-u2x2-u2x2-u2x2-u2x2-f4x1-f4x1-f4x1-f8x1-f8x1-f8x1-f4x1-f4x1-f4x1-f4x1-f4x1-f8x1",
    ),
    "adm": (
        adm.frame,
        "u1x2-u1x2-n-i-f-f8x2-n-i2x2-i2x2-f8x2-f8x2-f8x2-f8x2-f8x2-f8x2-n-f4x1-f4x1-f8x1-f8x1-f4x1-f8x2",
    ),
    "motion": (motion.sad, SAD),
}
LEAST_VECTOR = {
    "%zmm": {"vif": 1390, "adm": 350, "motion": 38},
    "%ymm": {"vif": 1180, "adm": 330, "motion": 17},
}
"""Packed multiplications, additions and fused steps, by widest register (AVX-512, AVX2): 85 % of a good build."""

ARITHMETIC = r"\bv(?:f(?:n?m)(?:add|sub)\d*|mul|add|sub)"
MANY = 10
"""Scalar steps in a function that has a loop over samples: the rest that does not fill a register."""


def _call(kernel, previous, current, weights=None):
    width = current.shape[1]
    out = np.zeros(4)
    rows, line, spread = (np.zeros(n * (width + 4), np.float32) for n in (5, 1, 1))
    kernel(previous, current, 1.0, width, weights, rows, line, spread, out)
    return out


def _frames(shape=(24, 40), kind=np.uint8):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, shape).astype(kind) for _ in range(2)]


@pytest.fixture
def fresh_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYVMAF_CACHE_DIR", str(tmp_path))
    image.cache_folder.cache_clear()
    yield tmp_path
    image.cache_folder.cache_clear()


@needs_images
def test_an_image_gives_the_digits_of_the_jitted_kernel(monkeypatch):
    frames = _frames()
    mapped = _call(Kernel("motion", "sad"), *frames)
    monkeypatch.setenv("TINYVMAF_JIT", "1")
    image.supported.cache_clear()
    try:
        assert not image.supported()
        jitted = _call(Kernel("motion", "sad"), *frames)
    finally:
        monkeypatch.undo()
        image.supported.cache_clear()
    np.testing.assert_array_equal(mapped, jitted)


def test_rows_may_be_padded():
    previous, current = _frames((24, 64))
    tight = _call(Kernel("motion", "sad"), previous[:, :40].copy(), current[:, :40].copy())
    np.testing.assert_array_equal(_call(Kernel("motion", "sad"), previous[:, :40], current[:, :40]), tight)


def test_refuses_columns_that_do_not_touch():
    previous, current = _frames()
    with pytest.raises(ValueError, match="contiguous last axis"):
        Kernel("motion", "sad")(previous[:, ::2], current)


@needs_images
def test_compiles_once_and_says_so(fresh_cache, monkeypatch):
    said = []
    monkeypatch.setattr(native, "listener", said.append)
    native._said.clear()
    first = _call(Kernel("motion", "sad"), *_frames())
    images = list(fresh_cache.rglob("*.kernel"))
    assert len(said) == len(images) == 1
    monkeypatch.setattr(native, "compile_kernel", lambda *_: pytest.fail("compiled again"))
    np.testing.assert_array_equal(_call(Kernel("motion", "sad"), *_frames()), first)


@needs_images
@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_damaged_image_is_compiled_again(fresh_cache, damage):
    expected = _call(Kernel("motion", "sad"), *_frames())
    (path,) = fresh_cache.rglob("*.kernel")
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes({"cut": data[:200], "flip": data, "empty": b""}[damage])
    assert image.read(path) is None
    np.testing.assert_array_equal(_call(Kernel("motion", "sad"), *_frames()), expected)
    assert image.read(path) is not None


@needs_images
def test_a_folder_that_others_can_write_to_is_not_trusted(fresh_cache):
    folder = image.cache_folder()
    image.cache_folder.cache_clear()
    folder.chmod(0o777)
    assert image.cache_folder() is None
    assert _call(Kernel("motion", "sad"), *_frames())[1] == 24 * 40
    assert not list(fresh_cache.rglob("*.kernel"))


@needs_images
def test_threads_share_one_compilation(fresh_cache):
    kernel, results = Kernel("motion", "sad"), []
    threads = [threading.Thread(target=lambda: results.append(_call(kernel, *_frames()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert len({tuple(r) for r in results}) == 1
    assert len(list(fresh_cache.rglob("*.kernel"))) == 1


def test_a_kernel_that_does_not_compile_is_one_clear_error(tmp_path):
    with pytest.raises(RunError, match=r"Compiling kernel motion\.sad failed"):
        native.compile_kernel("motion", "sad", "f-f", tmp_path / "x")
    assert not list(tmp_path.iterdir())


@needs_images
def test_the_scoring_process_never_imports_numba():
    code = (
        "import sys, numpy as np; from tinyvmaf.features.vif import Vif; from tinyvmaf.video.frame import *;"
        "f = Frame((np.zeros((32, 32), np.uint8),), 8, 0); print(Vif().update(FramePair(f, f, 0)));"
        "assert 'numba' not in sys.modules and 'llvmlite' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, env=dict(os.environ)).returncode == 0


@needs_images
def test_relinked_code_depends_only_on_the_c_library():
    built = elf.to_image(*machine_code(motion.sad, SAD))
    assert {name for _, name in built.imports} <= set(image.IMPORTS)
    assert built.code
    assert 0 <= built.entry < len(built.code)
    assert all(0 <= place <= len(built.code) - 8 for place, _ in [*built.fixups, *built.imports])


@needs_images
def test_refuses_objects_it_cannot_link():
    with pytest.raises(ValueError, match="not an x86-64 ELF"):
        elf.to_image(b"\x7fELF" + bytes(200), "f")
    with pytest.raises(ValueError, match="no function"):
        elf.to_image(machine_code(motion.sad, SAD)[0], "absent")


@pytest.mark.parametrize("name", sorted(SIGNATURES))
def test_loops_stay_vectorised(name):
    """Counts instructions instead of timing: a harmless edit can silently cost a factor of five."""
    assembly = wrap(*SIGNATURES[name])._library.get_asm_str()
    widest = next((register for register in LEAST_VECTOR if register in assembly), None)
    if widest is None:
        pytest.skip("this processor has no AVX2")
    packed = re.compile(ARITHMETIC + r"p[sd]\b.*%[yz]mm")
    scalar = re.compile(ARITHMETIC + r"s[sd]\b")
    assert len(packed.findall(assembly)) >= LEAST_VECTOR[widest][name]
    for function in re.split(r"\n(?=\t\.type\t)", assembly):
        # A loop that vectorises leaves its scalar rest beside it; one that does not leaves nothing else.
        rest = len(scalar.findall(function))
        assert rest < MANY or len(packed.findall(function)) > rest / 12, function.splitlines()[0]
