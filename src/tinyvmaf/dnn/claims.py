"""What the runtime takes for true without looking: stated shapes, and truth values of one element."""

from __future__ import annotations

from tinyvmaf.dnn.graph import BOOL, Fatal, Node, shown
from tinyvmaf.dnn.values import Known


def check_claim(name: str, claim: tuple[int | str | None, ...], value: Known, node: Node) -> None:
    """Refuse a shape that the file states and that is not the one: the runtime would compute sizes from it.

    Raises:
        Fatal: They differ.
    """
    pairs = zip(claim, value.dims, strict=False)
    if not value.loose and (len(claim) != value.rank or any(isinstance(a, int) and a != b for a, b in pairs)):
        raise Fatal(
            f"A size that the file states must be true, but {shown(name)} is {list(value.dims)}, not {list(claim)}",
            node.where, "Export it again.",
        )  # fmt: skip


def as_claimed(claim: tuple[int | str | None, ...], value: Known) -> Known:
    """A value of the size that the file states for it, as far as it states one.

    Where sizes are assumed, no statement can be held against the true size before a run. The runtime believes it until
    then, and computes sizes from it while it opens the model.
    """
    if value.loose or not any(isinstance(length, int) for length in claim):
        return value
    real = value.dims if len(claim) == value.rank else (1,) * len(claim)
    dims = tuple(a if isinstance(a, int) else b for a, b in zip(claim, real, strict=True))
    if dims == value.dims:
        return value
    stated = Known(value.dtype, dims)
    stated.fixed = value.fixed
    return stated


def check_condition(value: Known | None, node: Node) -> None:
    """Refuse a condition that is not one truth value: of none the runtime reads what lies beside it.

    Raises:
        Fatal: It is not.
    """
    if value is not None and (value.dtype != BOOL or value.loose or value.elements != 1):
        raise Fatal(f"The condition of {node.op} is one truth value", node.where)
