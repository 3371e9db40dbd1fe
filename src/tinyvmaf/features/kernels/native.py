"""Call a kernel by name, as machine code made once for this processor, without importing numba.

Kernels are numba source. Importing numba and LLVM to run them would cost every run half a second and 130 MiB, so a
child process compiles a kernel on its first use ever, and the machine code is kept as a position-independent image
in the user's cache folder. Later runs map the image and call it. Where images cannot be used (another processor
family, another operating system, a hardened kernel) numba compiles in the process instead; results are the same.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tinyvmaf.errors import RunError
from tinyvmaf.features.kernels import image

_CTYPES: dict[str, list[Any]] = {
    "i": [ctypes.c_int64],
    "f": [ctypes.c_double],
    "n": [],
    "1": [ctypes.c_void_p, ctypes.c_int64],
    "2": [ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64],
}
"""C arguments of each kind of Python argument: int, float, None, 1-D and 2-D array."""

COMPILE_SECONDS = 1200
"""Longest that compiling one kernel may take: ten seconds, but minutes where the machine is busy."""

listener: Callable[[str], None] | None = None
"""Told, with one line of text, when a kernel has to be compiled."""

_said = threading.Event()


class Kernel:
    """A kernel, found by module and function name, compiled or loaded on its first call.

    Arguments are 1-D and 2-D NumPy arrays whose last axis is contiguous, ints, floats and None; a kernel returns
    nothing and writes into arrays that the caller owns. It sees a 2-D array as (rows, row stride in elements), so the
    caller passes the width beside it. Sizes are not checked here: that is the calling feature's duty.
    """

    def __init__(self, module: str, function: str) -> None:
        self.module = module
        self.function = function
        self._entries: dict[str, Callable[..., None]] = {}
        self._lock = threading.Lock()

    def __call__(self, *arguments: Any) -> None:
        """Run the kernel; the GIL is released meanwhile."""
        kinds: list[str] = []
        flat: list[Any] = []
        for argument in arguments:
            _flatten(argument, kinds, flat)
        signature = "-".join(kinds)
        entry = self._entries.get(signature)
        if entry is None:
            entry = self._resolve(signature)
        entry(*flat)

    def _resolve(self, signature: str) -> Callable[..., None]:
        with self._lock:
            if signature not in self._entries:
                self._entries[signature] = self._native(signature) or self._jitted(signature)
            return self._entries[signature]

    def _native(self, signature: str) -> Callable[..., None] | None:
        if not image.supported():
            return None
        folder = image.cache_folder()
        name = f"{self.module}.{self.function}.{signature}.kernel"
        if folder is not None:
            address = image.load(folder / name)
            if address is None:
                compile_kernel(self.module, self.function, signature, folder / name)
                address = image.load(folder / name)
        else:
            with tempfile.TemporaryDirectory(prefix="tinyvmaf-") as temporary:
                compile_kernel(self.module, self.function, signature, Path(temporary) / name)
                address = image.load(Path(temporary) / name)
        if address is None:
            return None
        types = [c for kind in signature.split("-") for c in _CTYPES[kind[-1]]]
        return ctypes.CFUNCTYPE(None, *types)(address)

    def _jitted(self, signature: str) -> Callable[..., None]:
        _announce()
        function = getattr(importlib.import_module(f"tinyvmaf.features.kernels.{self.module}"), self.function)
        kinds = signature.split("-")

        def call(*flat: Any) -> None:
            function(*_unflatten(kinds, flat))

        return call


class Packed:
    """Neighbouring arguments that stay the same from call to call, taken apart once.

    Args:
        arguments: As for the kernel; arrays are kept alive.
    """

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.kinds: list[str] = []
        self.flat: list[Any] = []
        for argument in arguments:
            _flatten(argument, self.kinds, self.flat)


def _flatten(argument: Any, kinds: list[str], flat: list[Any]) -> None:
    """Append one argument's kind and its C values."""
    if isinstance(argument, Packed):
        kinds += argument.kinds
        flat += argument.flat
    elif isinstance(argument, np.ndarray):
        if argument.strides[-1] != argument.itemsize:
            raise ValueError("a kernel argument needs a contiguous last axis")
        if argument.ndim == 2 and argument.strides[0] < argument.shape[1] * argument.itemsize:
            raise ValueError("the rows of a kernel argument must follow each other")
        kinds.append(f"{argument.dtype.kind}{argument.itemsize}x{argument.ndim}")
        flat.append(argument.ctypes.data)
        flat.append(argument.shape[0])
        if argument.ndim == 2:
            flat.append(argument.strides[0] // argument.itemsize)
    elif argument is None:
        kinds.append("n")
    elif isinstance(argument, float):
        kinds.append("f")
        flat.append(argument)
    else:
        kinds.append("i")
        flat.append(int(argument))


def _unflatten(kinds: list[str], flat: tuple[Any, ...]) -> list[Any]:
    """Rebuild what a jitted kernel takes: arrays of full row stride over the same memory."""
    values = iter(flat)
    arguments: list[Any] = []
    for kind in kinds:
        if kind == "n":
            arguments.append(None)
        elif "x" in kind:
            code, dimensions = kind.split("x")
            address = next(values)
            shape = tuple(next(values) for _ in range(int(dimensions)))
            dtype = np.dtype(code)
            raw = (ctypes.c_char * (int(np.prod(shape)) * dtype.itemsize)).from_address(address)
            arguments.append(np.frombuffer(memoryview(raw), dtype).reshape(shape))
        else:
            arguments.append(next(values))
    return arguments


def _announce() -> None:
    if listener is not None and not _said.is_set():
        _said.set()
        listener("Compiling the kernels for this processor (once per machine, well under a minute) ...")


def compile_kernel(module: str, function: str, signature: str, target: Path) -> None:
    """Compile one kernel for one signature in a child process and store its image.

    Args:
        module: Module name inside this folder.
        function: The jitted function.
        signature: Argument kinds joined by "-".
        target: Image file to write; it appears whole or not at all.

    Raises:
        RunError: The compiler failed or took too long.
    """
    import subprocess  # needed once per machine, and slow to load

    _announce()
    command = [sys.executable, "-m", "tinyvmaf.features.kernels.compile", module, function, signature, str(target)]
    root = str(Path(__file__).resolve().parents[3])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "NUMBA_DISABLE_JIT": "0"}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMPILE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RunError(f"Compiling kernel {module}.{function} took over {COMPILE_SECONDS} s.", "Try again.") from error
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise RunError(f"Compiling kernel {module}.{function} failed: {lines[-1] if lines else done.returncode}.")
