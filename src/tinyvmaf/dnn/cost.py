"""What a graph may ask for, and what it asks for."""

from __future__ import annotations

from tinyvmaf.dnn.graph import Node, Unbounded, shown
from tinyvmaf.dnn.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final, TypeAlias

    from tinyvmaf.dnn.values import Known

NODE_WORK: Final = 10_000
"""Work of starting any operator, in multiply-adds: about what a core does while the runtime calls one."""

ELEMENT_WORK: Final = 16
"""Work of writing one element to memory, likewise."""

PACKING_WORK: Final = 16
"""Work of putting one element of a constant in the order that a kernel likes, likewise."""

Mark: TypeAlias = "tuple[int, int, int, int, int]"


@record(frozen=True)
class BudgetLimits:
    """What a graph may ask for.

    Attributes:
        tensor_elements: Elements of any tensor.
        peak_bytes: Memory of all tensors that are alive at one moment, constants included.
        work: Multiply-adds, or operations of that order.
        opening_work: Likewise, of what the runtime computes while it opens the model.
        trip_count: Rounds of one loop.
        iterations: Product of the rounds of loops inside each other.
        steps: Nodes that may be looked at; a loop whose state changes its shape is looked at round by round.
    """

    tensor_elements: int
    peak_bytes: int
    work: int
    opening_work: int
    trip_count: int
    iterations: int
    steps: int


@record(frozen=True)
class Cost:
    """What a graph asks for at given sizes.

    Attributes:
        work: Multiply-adds, or operations of that order.
        peak_bytes: Largest memory of all live tensors.
        loops: One line per loop: where, and how often it runs.
        misfit: Why the shapes do not fit together, empty if they do.
        outputs: Shape of every output, None where it depends on values.
    """

    work: int
    peak_bytes: int
    loops: tuple[str, ...]
    misfit: str
    outputs: tuple[tuple[int, ...] | None, ...]


class Ledger:
    """What a graph has asked for so far, held against its limits.

    Attributes:
        total: Work.
        peak: Largest memory so far.
        live: Memory of the tensors that are alive.
        times: How often what is looked at runs.
        rounds: Product of the rounds of the loops around it, as they are looked at.
        limits: What may be asked for.
    """

    __slots__ = ("_kept", "_opening", "_scratch", "_steps", "limits", "live", "peak", "rounds", "times", "total")

    def __init__(self, limits: BudgetLimits, constant_bytes: int) -> None:
        self.limits = limits
        self.total = self._opening = self._steps = self._scratch = 0
        self.peak = self.live = constant_bytes
        self.times = self.rounds = 1
        self._kept: dict[tuple[str, int], None] = {}  # in order, so that a mark is a length

    def mark(self) -> Mark:
        """What to return to if the same is looked at in another way."""
        return self.total, self._opening, self.peak, self.live, len(self._kept)

    def return_to(self, mark: Mark) -> None:
        """Forget what came after a mark."""
        self.total, self._opening, self.peak, self.live, kept = mark
        while len(self._kept) > kept:
            self._kept.popitem()

    def work(self, operations: int) -> None:
        """Count work."""
        self.total += operations * self.times

    def scratch(self, size: int) -> None:
        """Count bytes that the operator at hand needs besides its results."""
        self._scratch += size

    def start(self, node: Node) -> None:
        """Count the look at a node and its start.

        Raises:
            Unbounded: There have been too many looks.
        """
        self._step(node.where, 1 + max(len(node.inputs) + 2 * len(node.outputs) - 4, 0) // 3)
        self.work(NODE_WORK)

    def follow(self, node: Node, values: Iterable[Known | None]) -> None:
        """Count the numbers that are followed into a node or out of it.

        Raises:
            Unbounded: There have been too many looks; one follows eight numbers.
        """
        count = 0
        for value in values:
            if value is not None and value.data:
                count += len(value.data)
        if count >= 8:
            self._step(node.where, count // 8)

    def finish(self, node: Node, results: list[tuple[str, Known]], before: int, *, fixed: bool) -> None:
        """Count what a node gives.

        Args:
            node: The node.
            results: Names and values.
            before: The work that was counted when the node began.
            fixed: Whether the runtime computes it once, while it opens the model, and keeps it.

        Raises:
            Unbounded: A limit is passed.
        """
        key = "result", id(node)
        is_kept = key in self._kept
        for name, result in results:
            self._check_size(name, result, node)
            self.live += 0 if is_kept else result.bytes
            self.work(result.elements * ELEMENT_WORK)
        if fixed and not is_kept:
            self._kept[key] = None
            self._opening += (self.total - before) // self.times
        self._check_totals(node)

    def pack(self, node: Node, elements: int) -> None:
        """Count constant weights that the runtime rearranges for a node while it opens the model.

        Raises:
            Unbounded: A limit is passed.
        """
        key = "weights", id(node)
        if key not in self._kept:
            self._kept[key] = None
            self._opening += elements * PACKING_WORK
            self._check_totals(node)

    def look(self, ends: int, where: str) -> None:
        """Count the look at the ends of a graph.

        Raises:
            Unbounded: There have been too many looks.
        """
        self._step(where, ends // 8)

    def _step(self, where: str, count: int) -> None:
        self._steps += count
        if self._steps > self.limits.steps:
            raise Unbounded(f"A check takes at most {self.limits.steps} steps, but this one more", where)

    def _check_size(self, name: str, result: Known, node: Node) -> None:
        most = max((result.elements, *result.dims))  # an axis may be long beside one of no length
        if most > self.limits.tensor_elements:
            size = f"{most} (shape {list(result.dims)})" if most < 1 << 80 else "far more"
            raise Unbounded(
                f"A tensor has at most {self.limits.tensor_elements} elements, but {shown(name)} has up to {size}",
                node.where, "Use smaller sizes.",
            )  # fmt: skip

    def _check_totals(self, node: Node) -> None:
        self.peak = max(self.peak, self.live + self._scratch)
        self._scratch = 0
        if self.peak > self.limits.peak_bytes:
            raise Unbounded(
                f"A graph uses at most {self.limits.peak_bytes >> 20} MiB at a time, but this one up to "
                f"{self.peak >> 20} MiB", node.where, "Use smaller sizes.",
            )  # fmt: skip
        if self.total > self.limits.work:
            raise Unbounded(
                f"A run takes at most {self.limits.work:.1e} operations, but this one takes more", node.where,
                "Use fewer rounds or smaller sizes.",
            )  # fmt: skip
        if self._opening > self.limits.opening_work:
            raise Unbounded(
                f"Constants are computed in at most {self.limits.opening_work:.1e} operations, but these take more",
                node.where, "Store the result in their place.",
            )  # fmt: skip
