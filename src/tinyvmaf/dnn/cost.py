"""What a graph may ask for, and what it asks for."""

from __future__ import annotations

from tinyvmaf.dnn.record import record


@record(frozen=True)
class BudgetLimits:
    """What a graph may ask for.

    Attributes:
        tensor_elements: Elements of any tensor.
        peak_bytes: Memory of all tensors that are alive at one moment, constants included.
        work: Multiply-adds, or operations of that order.
        trip_count: Rounds of one loop.
        iterations: Product of the rounds of loops inside each other.
        steps: Nodes that may be looked at; a loop whose state changes its shape is looked at round by round.
    """

    tensor_elements: int
    peak_bytes: int
    work: int
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
