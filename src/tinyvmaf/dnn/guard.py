"""The static check of ONNX bytes before anything runs them.

A model passes if it is one well-formed graph of allowed operators that holds all its data, and if its loops, its memory
and its work stay inside limits at the sizes that it declares. Nothing is imported for that, no operator runs, and a
verdict takes well under a second whatever the file.
"""

from __future__ import annotations

from tinyvmaf.dnn.allowlist import ALLOWED
from tinyvmaf.dnn.assumed import stand_in_values
from tinyvmaf.dnn.budget import measure
from tinyvmaf.dnn.cost import BudgetLimits, Cost
from tinyvmaf.dnn.graph import FormLimits, Model, Number, Port, Refusal, product
from tinyvmaf.dnn.parse import parse_model
from tinyvmaf.dnn.record import changed, record
from tinyvmaf.dnn.wire import WireError
from tinyvmaf.errors import ContractError, RejectedModelError, RunLimitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Final

MIB: Final = 1 << 20


@record(frozen=True)
class Limits:
    """What a model may be and ask for.

    Attributes:
        file_bytes: Size of the file.
        fields: Protocol buffer fields in it.
        nodes: Operations, subgraphs included.
        depth: Subgraphs inside each other.
        loops: Loops, subgraphs included.
        trip_count: Rounds of one loop.
        iterations: Product of the rounds of loops inside each other.
        tensor_elements: Elements of any tensor.
        peak_bytes: Memory of all tensors that are alive at one moment.
        work: Multiply-adds of one run.
        opening_work: Likewise, of what the runtime computes while it opens the model, where no time limit stops it.
        steps: Nodes that the check looks at.
        opsets: Lowest and highest version of the standard operators.
        growth_elements: A tensor may have so many elements per element of the inputs where that is more.
        growth_bytes: Bytes alive per element of the inputs, likewise.
        growth_work: Multiply-adds per element of the inputs, likewise.
        most_bytes: Bytes alive at one moment, however large the inputs are.
    """

    file_bytes: int = 50 * MIB
    fields: int = 200_000
    nodes: int = 12_000
    depth: int = 8
    loops: int = 64
    trip_count: int = 1024
    iterations: int = 65_536
    tensor_elements: int = 1 << 27
    peak_bytes: int = 1024 * MIB
    work: int = 1 << 37
    opening_work: int = 1 << 32
    steps: int = 60_000
    opsets: tuple[int, int] = (6, 28)
    growth_elements: int = 64
    growth_bytes: int = 512
    growth_work: int = 1 << 19
    most_bytes: int = 12_288 * MIB


DEFAULT: Final = Limits()


@record(frozen=True)
class Report:
    """What the check found in a model that it accepts.

    Attributes:
        opset: Version of the standard operators.
        operators: Every operator in it, sorted.
        nodes: Operations, subgraphs included.
        parameters: Elements of its constants.
        inputs: What a run takes.
        outputs: What it gives.
        work: Multiply-adds of one run at the sizes that were looked at.
        peak_bytes: Largest memory of all live tensors, likewise.
        loops: One line per loop: where, and how often it runs.
        misfit: Why the graph cannot run at the sizes that were assumed for free axes, empty if it can.
        sizes_from_values: Whether sizes follow from values of inputs, which are checked again before each run.
        output_shapes: Shape of every output, None where it depends on values.
    """

    opset: int
    operators: tuple[str, ...]
    nodes: int
    parameters: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    work: int
    peak_bytes: int
    loops: tuple[str, ...]
    misfit: str
    sizes_from_values: bool
    output_shapes: tuple[tuple[int, ...] | None, ...]


@record(frozen=True)
class Verdict:
    """What the guard says of a file.

    Attributes:
        accepted: Whether it may run.
        reason: Why not, one line: what, where in the graph, which rule, how to fix it. Empty for an accepted file.
        report: What is in it, None for a refused file.
        limits: What it was held against.
        model: The parsed file, None for a refused one.
    """

    accepted: bool
    reason: str = ""
    report: Report | None = None
    limits: Limits = DEFAULT
    model: Model | None = None

    @property
    def line(self) -> str:
        """One line for people."""
        if self.report is None:
            return f"refused: {self.reason}"
        r = self.report
        loops = "".join(f"; {loop}" for loop in r.loops[:3])
        loops += f"; {len(r.loops) - 3} more loops" if len(r.loops) > 3 else ""
        return (
            f"accepted: opset {r.opset}, {r.nodes} nodes of {len(r.operators)} operators, {r.parameters} parameters, "
            f"up to {r.work:.2e} operations and {r.peak_bytes / MIB:.1f} MiB a run{loops}"
        )

    def require(self) -> Report:
        """The report.

        Raises:
            RejectedModelError: The file is refused.
        """
        if self.report is None:
            raise RejectedModelError(f"The guard refuses the model: {self.reason}")
        return self.report

    def admit(
        self, shapes: Mapping[str, Sequence[int]], values: Mapping[str, Sequence[Number]] | None = None
    ) -> Report:
        """Hold the sizes of one run against the limits.

        Args:
            shapes: Input name to its shape, for every input.
            values: Input name to its numbers in row-major order, for inputs of at most 64 elements. Needed only where
                `report.sizes_from_values` says so.

        Returns:
            The report at these sizes.

        Raises:
            RejectedModelError: The file was refused to begin with.
            RunLimitError: The run would pass a limit.
            ContractError: The shapes inside the graph do not fit together at these sizes.
        """
        report = self.require()
        assert self.model is not None  # for the type checker: a report comes with its model
        try:
            cost = measure(self.model, _budget(self.limits, shapes), shapes, values or {})
        except Refusal as refusal:
            if refusal.misfit:
                raise ContractError(f"The model cannot run at these sizes: {refusal.misfit}.") from refusal
            raise RunLimitError(f"The model cannot run at these sizes: {_one_line(refusal)}") from refusal
        if cost.misfit:
            raise ContractError(f"The model cannot run at these sizes: {cost.misfit}.")
        return _with_cost(report, cost)


def check(data: bytes, limits: Limits = DEFAULT, sizes: Mapping[str, Sequence[int]] | None = None) -> Verdict:
    """Say whether a model may run.

    Args:
        data: The ONNX file.
        limits: What it may be and ask for.
        sizes: Input name to its shape, for inputs with free axes; lengths that are usual for images and sequences by
            default. Other sizes are held against the limits again before they run.

    Returns:
        The verdict; a file that is no model is refused, not raised.
    """
    try:
        model = _parsed(data, limits)
        return Verdict(True, "", _report(model, limits, sizes), limits, model)
    except Refusal as refusal:
        return Verdict(False, _one_line(refusal), limits=limits)
    except (WireError, RecursionError) as error:
        return Verdict(False, f"The file is not an ONNX model: {error}. Check what wrote it.", limits=limits)


def _parsed(data: bytes, limits: Limits) -> Model:
    if not data:
        raise Refusal("A model file must hold a model, but this file is empty (0 bytes)", fix="Check what wrote it.")
    if len(data) > limits.file_bytes:
        raise Refusal(f"A model file has at most {limits.file_bytes} bytes, but this one has {len(data)}")
    form = FormLimits(
        limits.fields, limits.nodes, limits.depth, limits.loops, limits.opsets, limits.tensor_elements,
        frozenset(ALLOWED),
    )  # fmt: skip
    return parse_model(data, form)


def _report(model: Model, limits: Limits, sizes: Mapping[str, Sequence[int]] | None) -> Report:
    budget = _budget(limits, sizes or {})
    from_values = False
    try:
        cost = measure(model, budget, sizes)
    except Refusal:
        stand_ins = stand_in_values(model)
        if not stand_ins:
            raise
        cost, from_values = measure(model, budget, sizes, stand_ins, stand_ins=True), True
    if cost.misfit and not from_values and (sizes is not None or not any(map(_is_free, model.graph.inputs))):
        raise Refusal(cost.misfit, fix="Export it again.")
    graph = model.graph
    report = Report(
        model.opset, model.operators, model.nodes, model.parameters, tuple(graph.inputs), tuple(graph.outputs),
        0, 0, (), "", from_values, (),
    )  # fmt: skip
    return _with_cost(report, cost)


def _is_free(port: Port) -> bool:
    """Whether the file leaves the shape of an input open."""
    return port.shape is None or not all(isinstance(length, int) for length in port.shape)


def _with_cost(report: Report, cost: Cost) -> Report:
    return changed(
        report, work=cost.work, peak_bytes=cost.peak_bytes, loops=cost.loops, misfit=cost.misfit,
        output_shapes=cost.outputs,
    )  # fmt: skip


def _budget(limits: Limits, shapes: Mapping[str, Sequence[int]]) -> BudgetLimits:
    """The limits of one run: large inputs may ask for more, in proportion."""
    elements = sum(product(shape) for shape in shapes.values())
    return BudgetLimits(
        max(limits.tensor_elements, limits.growth_elements * elements),
        min(max(limits.peak_bytes, limits.growth_bytes * elements), max(limits.peak_bytes, limits.most_bytes)),
        max(limits.work, limits.growth_work * elements),
        max(limits.opening_work, limits.growth_work * elements),
        limits.trip_count,
        limits.iterations,
        limits.steps,
    )


def _one_line(refusal: Refusal) -> str:
    where = f" (in {refusal.where})" if refusal.where else ""
    what = refusal.what if len(refusal.what) <= 400 else f"{refusal.what[:397]}..."
    return f"{what}{where}. {refusal.fix}".strip()
