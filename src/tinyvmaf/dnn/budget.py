"""How much memory and work a graph can ask for, found by walking it with shapes in place of numbers.

A loop's body counts as often as it runs, loops inside loops multiply, both branches count. Where a size follows from
numbers that only a run would tell, the graph is refused, unless these numbers are inputs: then they are looked at
again, with their true values, before each run.
"""

from __future__ import annotations

from tinyvmaf.dnn.assumed import start_values
from tinyvmaf.dnn.claims import as_claimed, check_claim, check_condition
from tinyvmaf.dnn.cost import BudgetLimits, Cost, Ledger
from tinyvmaf.dnn.graph import (
    BOOL,
    INT64,
    Fatal,
    Graph,
    Model,
    Node,
    Number,
    Refusal,
    Unbounded,
    Unknown,
    uses,
)
from tinyvmaf.dnn.rules import elementwise, making, movement, reduction, spatial
from tinyvmaf.dnn.rules.base import given, required, subgraph
from tinyvmaf.dnn.values import Known, either, loose, same_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Final

    from tinyvmaf.dnn.rules.base import Rule

RULES: Final[dict[str, Rule]] = {
    **elementwise.RULES,
    **making.RULES,
    **movement.RULES,
    **reduction.RULES,
    **spatial.RULES,
}
CONTROL: Final = frozenset(("If", "Loop"))

_FROM_SHAPES: Final = frozenset(("Shape", "Size"))
"""What the runtime computes while it opens a model with fixed sizes."""

_PACKED: Final = frozenset(("Conv", "ConvInteger", "ConvTranspose", "Gemm", "MatMul", "MatMulInteger"))
"""Operators whose constant weights the runtime rearranges while it opens a model, for each of them anew."""

REARRANGING: Final = frozenset(("Concat", "Flatten", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"))
"""Operators that give no more elements than they get: one that does not suit a stand-in can be passed over."""


def measure(
    model: Model,
    limits: BudgetLimits,
    sizes: Mapping[str, Sequence[int]] | None = None,
    values: Mapping[str, Sequence[Number]] | None = None,
    *,
    stand_ins: bool = False,
) -> Cost:
    """Find what a graph asks for.

    Args:
        model: The parsed file.
        limits: What it may ask for.
        sizes: Input name to its shape. Free axes of inputs that are not named get a length that is usual for them.
        values: Input name to its numbers in row-major order, for inputs that sizes follow from; None takes them as
            unknown.
        stand_ins: Whether the values only stand in for those of a run; operators that they do not suit are passed over.

    Returns:
        The cost.

    Raises:
        Refusal: A limit is passed, or a size cannot be known.
    """
    walk = _Walk(limits, model, tolerant=stand_ins)
    try:
        results = walk.graph(model.graph, [start_values(model.graph.inputs, sizes or {}, values or {})])
    except Refusal as refusal:
        refusal.misfit = walk.misfits
        raise
    shapes = tuple(None if result.loose else result.dims for result in results)
    return Cost(walk.ledger.total, walk.ledger.peak, tuple(walk.loops.values()), walk.misfits, shapes)


class _Walk:
    """One pass over a graph; the context of the rules."""

    def __init__(self, limits: BudgetLimits, model: Model, *, tolerant: bool) -> None:
        self.opset = model.opset
        self.misfits = ""
        self.quantised = "DequantizeLinear" in model.operators
        self.loops: dict[str, str] = {}
        self.ledger = Ledger(limits, model.constant_bytes)
        self.work, self.scratch = self.ledger.work, self.ledger.scratch
        self._stand_ins, self._tolerant = tolerant, int(tolerant)
        self._last_uses: dict[int, list[list[str]]] = {}
        self._held: dict[int, dict[str, Known]] = {}

    def misfit(self, text: str, where: str) -> None:
        self.misfits = self.misfits or f"{text} (in {where})"

    def graph(self, graph: Graph, scopes: list[dict[str, Known]]) -> list[Known]:
        """Walk a graph; the last scope holds its inputs. Return its outputs."""
        local = scopes[-1]
        scopes = [*scopes[:-1], self._constants(graph), local]
        self.ledger.look(len(graph.inputs) + len(graph.outputs), graph.where)
        made: dict[str, int] = {}
        for node, gone in zip(graph.nodes, self._frees(graph), strict=True):
            for name, value in self._node(node, scopes):
                if not value.fixed:
                    made[name] = value.bytes
                local[name] = self._claimed(name, graph, value, node)
            for name in gone:
                self.ledger.live -= made.pop(name, 0)
        self.ledger.live -= sum(made.values())
        return [_look_up(port.name, scopes) for port in graph.outputs]

    def _constants(self, graph: Graph) -> dict[str, Known]:
        """The initialisers of a graph, made once however often it is walked."""
        found = self._held.get(id(graph))
        if found is None:
            found = self._held[id(graph)] = {}
            for name, tensor in graph.constants.items():
                found[name] = Known(tensor.dtype, tensor.dims, tensor.data, constant=name not in graph.defaults)
                # Of old files the runtime takes even those as constants that a caller may replace.
                found[name].fixed = True
        return found

    def _claimed(self, name: str, graph: Graph, value: Known, node: Node) -> Known:
        """A result as far as what the file states of its size is true, or will be taken for true."""
        claim = graph.claims.get(name)
        if claim is None:
            return value
        if self._stand_ins or self.misfits:
            return as_claimed(claim, value)
        check_claim(name, claim, value, node)
        return value

    def _node(self, node: Node, scopes: list[dict[str, Known]]) -> list[tuple[str, Known]]:
        self.ledger.start(node)
        before = self.ledger.total
        inputs = [_look_up(name, scopes) if name else None for name in node.inputs]
        self.ledger.follow(node, inputs)
        results = self._computed(node, inputs, scopes)
        self.ledger.follow(node, results)
        if len(node.outputs) > len(results):
            raise Refusal(f"{node.op} has at most {len(results)} outputs here, not {len(node.outputs)}", node.where)
        named = [(name, result) for name, result in zip(node.outputs, results, strict=False) if name]
        fixed = node.op in _FROM_SHAPES or (node.op not in CONTROL and _all_fixed(inputs))
        for _, result in named:
            result.fixed = result.fixed if node.op in CONTROL else fixed
        self.ledger.finish(node, named, before, fixed=fixed)
        if node.op in _PACKED:
            self.ledger.pack(node, sum(value.elements for value in inputs[1:2] if value is not None and value.fixed))
        return named

    def _computed(self, node: Node, inputs: list[Known | None], scopes: list[dict[str, Known]]) -> list[Known]:
        """Results of a node; of one that does not suit its inputs, stand-ins where that is not to be refused."""
        try:
            return self._results(node, inputs, scopes)
        except (Fatal, Unbounded):
            raise
        except Refusal:
            # What follows from constants is computed while the model is opened, needed or not.
            if not self._tolerant or _all_fixed(inputs) or node.op not in REARRANGING:
                raise
            return [loose(0, sum(value.elements for value in inputs if value is not None)) for _ in node.outputs]
        except (IndexError, KeyError, TypeError, ValueError, OverflowError, ZeroDivisionError) as error:
            name = type(error).__name__
            raise Refusal(f"{node.op} is malformed ({name})", node.where, "Export it again.") from error

    def _results(self, node: Node, inputs: list[Known | None], scopes: list[dict[str, Known]]) -> list[Known]:
        if node.op == "If":
            return self._if(node, inputs, scopes)
        if node.op == "Loop":
            return self._loop(node, inputs, scopes)
        return RULES[node.op](node, inputs, self)

    def _frees(self, graph: Graph) -> list[list[str]]:
        """Per node the values that nobody needs after it."""
        if id(graph) not in self._last_uses:
            last = {name: i for i, node in enumerate(graph.nodes) for name in (*node.outputs, *uses(node))}
            for port in graph.outputs:
                last.pop(port.name, None)
            frees: list[list[str]] = [[] for _ in graph.nodes]
            for name, i in last.items():
                frees[i].append(name)
            self._last_uses[id(graph)] = frees
        return self._last_uses[id(graph)]

    def _if(self, node: Node, inputs: list[Known | None], scopes: list[dict[str, Known]]) -> list[Known]:
        condition = required(inputs, 0, node)
        choice = condition.scalar()
        check_condition(condition, node)
        branches = []
        for name, wanted in (("then_branch", True), ("else_branch", False)):
            # A branch that is never taken may be ill-formed, but the runtime may still compute its constants.
            unreached = choice is not None and bool(choice) is not wanted
            before = self.misfits
            self._tolerant += unreached
            branches.append(self.graph(subgraph(node, name), [*scopes, {}]))
            self._tolerant -= unreached
            self.misfits = before if unreached else self.misfits
        if len(branches[0]) != len(branches[1]):
            raise Refusal("Both branches of If have as many outputs", node.where)
        # Before opset 11 the runtime may hold one branch's shape for that of the other, whichever runs.
        if choice is not None and self.opset >= 11:
            return branches[0 if choice else 1]
        results = [either(a, b) for a, b in zip(*branches, strict=True)]
        for result, a, b in zip(results, *branches, strict=True):
            result.fixed = condition.fixed and (a.fixed or b.fixed)  # one that opening decides is computed there
        return results

    def _loop(self, node: Node, inputs: list[Known | None], scopes: list[dict[str, Known]]) -> list[Known]:
        body, count = subgraph(node, "body"), self._trip_count(node, given(inputs, 0))
        state = [required(inputs, i, node) for i in range(2, len(inputs))]
        if len(body.inputs) != len(state) + 2 or len(body.outputs) != 1 + len(node.outputs) <= len(state):
            raise Refusal("The body of a Loop takes and gives its state, as many values as the Loop has", node.where)
        total = self.ledger.rounds * max(count, 1)
        most = self.ledger.limits.iterations
        if total > most:
            raise Unbounded(
                f"Loops inside each other run at most {most} rounds in all, but these run {total}",
                node.where, "Use fewer rounds.",
            )  # fmt: skip
        self.loops[node.where] = f"{node.where} runs {count} times" + (
            f", {total} in all" if total > max(count, 1) else ""
        )
        condition = given(inputs, 1)
        check_condition(condition, node)
        whole = condition is None or condition.scalar() == 1
        ledger, misfits, tolerant = self.ledger, self.misfits, self._tolerant
        before, times, rounds = ledger.mark(), ledger.times, ledger.rounds
        ledger.times, ledger.rounds = times * max(count, 1), total
        try:
            results = self._settled(body, state, count, whole, scopes)
        except Unknown:
            results = None
        ledger.times = times
        if results is None:
            ledger.return_to(before)
            self.misfits, self._tolerant = misfits, tolerant
            results = self._unrolled(body, state, count, whole, scopes)
        ledger.rounds = rounds
        # What is gathered round by round is copied into one tensor in the end.
        self.scratch(sum(value.bytes for value in results[len(state) :]))
        return results

    def _settled(
        self, body: Graph, state: list[Known], count: int, whole: bool, scopes: list[dict[str, Known]]
    ) -> list[Known] | None:
        """Results of a loop whose state keeps its shape: one round stands for all. None where it does not."""
        start = [Known(v.dtype, v.dims, loose=v.loose) for v in state]
        fixed = self._round(body, start, None, scopes)
        final = [Known(v.dtype, v.dims, loose=v.loose) for v in fixed[1 : 1 + len(state)]]
        if not all(same_size(a, b) for a, b in zip(state, final, strict=True)):
            return None
        whole = whole and fixed[0].scalar() == 1 and count > 0  # of no rounds the file states the axes as it likes
        return [*final, *(_gathered(value, count, whole=whole) for value in fixed[1 + len(state) :])]

    def _trip_count(self, node: Node, value: Known | None) -> int:
        number = None if value is None or not value.constant else value.scalar()
        most = self.ledger.limits.trip_count
        if not isinstance(number, int) or value is None or value.dtype != INT64:
            raise Unbounded(
                f"A Loop runs a constant number of rounds (0 to {most}) that the file states, but this one's is "
                f"{'left out' if value is None else 'computed or given at run time'}",
                node.where, "Export with a constant number of rounds.",
            )  # fmt: skip
        if not 0 <= number <= most:
            raise Unbounded(f"A Loop runs 0 to {most} rounds, but this one {number}", node.where, "Use fewer rounds.")
        return number

    def _round(self, body: Graph, state: list[Known], index: int | None, scopes: list[dict[str, Known]]) -> list[Known]:
        """One round of a body: its outputs."""
        start = [Known(INT64, (), None if index is None else (index,)), Known(BOOL, (), (1,)), *state]
        local = {
            port.name: self._claimed(port.name, body, value, body.nodes[0])  # its place is good enough for a message
            for port, value in zip(body.inputs, start, strict=True)
        }
        held = sum(value.bytes for value in state)
        self.ledger.live += held
        results = self.graph(body, [*scopes, local])
        if results[0].elements != 1 or results[0].loose or results[0].dtype != BOOL:
            raise Fatal("The body of a Loop says with one truth value whether it goes on", body.where)
        self.ledger.live -= held
        return results

    def _unrolled(
        self, body: Graph, state: list[Known], count: int, whole: bool, scopes: list[dict[str, Known]]
    ) -> list[Known]:
        """Results of a loop whose state changes its shape: round by round."""
        states, largest = len(state), list(state)
        scanned: list[int] = [0] * (len(body.outputs) - 1 - states)
        results: list[Known] = []
        for index in range(count):
            results = self._round(body, state, index, scopes)
            whole = whole and results[0].scalar() == 1
            state = results[1 : 1 + states]
            largest = [either(a, b) for a, b in zip(largest, state, strict=True)]
            scanned = [total + v.room for total, v in zip(scanned, results[1 + states :], strict=True)]
        scans = [
            loose(v.dtype, total, v.rank + 1) for v, total in zip(results[1 + states :], scanned, strict=False)
        ] or [loose(0, 1) for _ in scanned]
        return [*(state if whole else largest), *scans]


def _gathered(value: Known, count: int, *, whole: bool) -> Known:
    """What a loop makes of a value that each round gives; less of it if it may end early."""
    if value.loose or not whole:
        return loose(value.dtype, max(count, 1) * value.room, value.rank + 1)
    return Known(value.dtype, (count, *value.dims))


def _all_fixed(inputs: list[Known | None]) -> bool:
    return all(value is None or value.fixed for value in inputs)


def _look_up(name: str, scopes: list[dict[str, Known]]) -> Known:
    for scope in reversed(scopes):
        if name in scope:
            return scope[name]
    raise KeyError(name)
