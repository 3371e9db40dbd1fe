"""Compile one kernel to an image: `python -m tinyvmaf.features.kernels.compile MODULE FUNCTION SIGNATURE TARGET`.

Runs in a process of its own, so that numba and LLVM never enter the process that scores.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba
from numba import types

from tinyvmaf.features.kernels.elf import to_image
from tinyvmaf.features.kernels.flags import FAST
from tinyvmaf.features.kernels.image import save

_SCALARS = {"i": types.int64, "f": types.float64}
_DTYPES = {
    "u1": types.uint8, "u2": types.uint16, "i2": types.int16, "i4": types.int32, "i8": types.int64,
    "f4": types.float32, "f8": types.float64,
}  # fmt: skip


def wrap(function: Any, signature: str) -> Any:
    """Give a kernel a C interface.

    Args:
        function: The jitted kernel.
        signature: Argument kinds joined by "-": "u1x2" is a 2-D uint8 array, "i" an int, "f" a float, "n" None.

    Returns:
        The compiled `numba.cfunc`.
    """
    names: list[str] = []
    passed: list[str] = []
    kinds: list[Any] = []
    for position, kind in enumerate(signature.split("-")):
        if kind == "n":
            passed.append("None")
        elif kind in _SCALARS:
            names.append(f"a{position}")
            passed.append(f"a{position}")
            kinds.append(_SCALARS[kind])
        else:
            code, dimensions = kind.split("x")
            sizes = [f"a{position}_{axis}" for axis in range(int(dimensions))]
            names += [f"a{position}", *sizes]
            passed.append(f"carray(a{position}, ({', '.join(sizes)},))")
            kinds += [types.CPointer(_DTYPES[code]), *[types.int64] * int(dimensions)]  # type: ignore[no-untyped-call]
    source = f"def entry({', '.join(names)}):\n    kernel({', '.join(passed)})\n"
    scope: dict[str, Any] = {"kernel": function, "carray": numba.carray}  # type: ignore[attr-defined]
    exec(source, scope)  # the text is made of the fixed vocabulary above
    options = {key: value for key, value in FAST.items() if key != "nogil"}
    return numba.cfunc(types.void(*kinds), **options)(scope["entry"])


def machine_code(function: Any, signature: str) -> tuple[bytes, str]:
    """Compile a kernel to a position-independent ELF object for this processor.

    Args:
        function: The jitted kernel.
        signature: As for `wrap`.

    Returns:
        The object file and the name of the function in it.
    """
    entry = wrap(function, signature)
    module = llvm.parse_assembly(entry._library.get_llvm_str())
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="pic",
        codemodel="small",
    )
    return machine.emit_object(module), entry.native_name


def main(arguments: list[str]) -> None:
    """Compile what the command line names."""
    module, function, signature, target = arguments
    kernel = getattr(importlib.import_module(f"tinyvmaf.features.kernels.{module}"), function)
    save(to_image(*machine_code(kernel, signature)), Path(target))


if __name__ == "__main__":
    main(sys.argv[1:])
