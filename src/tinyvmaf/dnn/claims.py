"""What the runtime takes for true without looking: stated shapes, and truth values of one element."""

from __future__ import annotations

from tinyvmaf.dnn.graph import BOOL, Fatal, Node, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
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


def check_condition(value: Known | None, node: Node) -> None:
    """Refuse a condition that is not one truth value: of none the runtime reads what lies beside it.

    Raises:
        Fatal: It is not.
    """
    if value is not None and (value.dtype not in (0, BOOL) or value.loose or value.elements != 1):
        raise Fatal(f"The condition of {node.op} is one truth value", node.where)
