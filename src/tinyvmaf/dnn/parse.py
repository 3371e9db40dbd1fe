"""ONNX bytes as a graph of plain values, refused where they are not one well-formed, self-contained model.

Source: onnx.proto, IR versions 3 to 14, and the rules of the ONNX IR specification on names and scopes.
"""

from __future__ import annotations

from tinyvmaf.dnn.graph import (
    BITS,
    MAX_RANK,
    NAMES,
    Attribute,
    FormLimits,
    Graph,
    Model,
    Node,
    Port,
    Refusal,
    Tensor,
    byte_count,
    shown,
)
from tinyvmaf.dnn.tensors import read_tensor
from tinyvmaf.dnn.wire import (
    Budget,
    Fields,
    Value,
    decoded,
    floats,
    integer,
    integers,
    message,
    numbers_in,
    read_fields,
    skip_remarks,
    text,
    texts,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_MAX_ENDS: Final = 1024
_SHORT: Final = 128
_SUBGRAPHS: Final = {"If": {"then_branch", "else_branch"}, "Loop": {"body"}}


def parse_model(data: bytes, limits: FormLimits) -> Model:
    """Read a file.

    Args:
        data: The ONNX file.
        limits: What its form may be.

    Returns:
        The model.

    Raises:
        Refusal: A rule is broken.
        WireError: The bytes are not an ONNX model.
    """
    return _Parser(limits).model(memoryview(data))


class _Parser:
    """One pass over one file."""

    def __init__(self, limits: FormLimits) -> None:
        self._limits = limits
        self._budget = Budget(limits.fields)
        self._operators: set[str] = set()
        self._nodes = self._loops = self._parameters = self._bytes = 0
        self._seen: dict[bytes, tuple[str, Attribute, int]] = {}

    def model(self, data: memoryview) -> Model:
        """Read the whole file."""
        fields = read_fields(data, "ModelProto", self._budget)
        for number, what in ((20, "training graphs"), (25, "functions of its own"), (26, "device configurations")):
            if number in fields:
                raise Refusal(
                    f"A model holds one graph, but this one has {what}", fix="Export it for inference, inlined."
                )
        ir_version = integer(fields, 1)
        if not 3 <= ir_version <= 14:
            raise Refusal(f"The IR version of a model is 3 to 14, not {ir_version}", fix="Export it again.")
        opset = self._opset(fields.get(8, []))
        skip_remarks(fields.get(14, []), self._budget)
        if 7 not in fields:
            raise Refusal("A model holds a graph, but this file has none", fix="Check what wrote it.")
        graph = self._graph(message(fields[7][0]), "the graph", 0, frozenset())
        if not graph.nodes:
            raise Refusal("A model has at least one node, but this one has none", fix="Export it again.")
        return Model(opset, graph, tuple(sorted(self._operators)), self._nodes, self._parameters, self._bytes)

    def _opset(self, imports: list[Value]) -> int:
        versions: dict[str, int] = {}
        for item in imports:
            fields = read_fields(message(item), "OperatorSetIdProto", self._budget)
            domain = text(fields, 1)
            domain = "" if domain == "ai.onnx" else domain
            if domain in versions:
                raise Refusal(f"Each set of operators is imported once, but {domain or 'ai.onnx'!r} is imported twice")
            versions[domain] = integer(fields, 2)
        low, high = self._limits.opsets
        if "" not in versions or not low <= versions[""] <= high:
            found = f"it is {versions['']}" if "" in versions else "it is not stated"
            raise Refusal(f"The opset of a model is {low} to {high}, but here {found}", fix="Export with opset 17.")
        return versions[""]

    def _graph(self, data: memoryview, where: str, depth: int, outer: frozenset[str]) -> Graph:
        if depth > self._limits.depth:
            raise Refusal(f"Graphs lie at most {self._limits.depth} deep inside each other, but here are more", where)
        fields = read_fields(data, "GraphProto", self._budget)
        if 15 in fields:
            raise Refusal("A model must not hold sparse tensors", where, "Store them densely.")
        for item in fields.get(14, []):
            skip_remarks(read_fields(message(item), "TensorAnnotation", self._budget).get(2, []), self._budget)
        skip_remarks(fields.get(16, []), self._budget)
        graph = Graph(where)
        for item in fields.get(5, []):
            tensor = self._tensor(message(item), where)
            if not tensor.name or tensor.name in graph.constants or tensor.name in outer:
                raise Refusal(f"Every initialiser has a name of its own, but one is {shown(tensor.name)}", where)
            graph.constants[tensor.name] = tensor
        ports = [self._port(message(item), where) for item in fields.get(11, [])]
        graph.defaults = {port.name for port in ports} & graph.constants.keys()
        graph.inputs = [port for port in ports if port.name not in graph.defaults]
        graph.outputs = [self._port(message(item), where) for item in fields.get(12, [])]
        inside = [self._port(message(item), where) for item in fields.get(13, [])]
        foreign = next((port.name for port in inside if port.name in outer), None)
        if foreign is not None:
            raise Refusal(f"A graph states sizes of its own values, not of {shown(foreign)} around it", where)
        graph.claims = self._claims([*ports, *inside, *graph.outputs], where)
        answers = [port.name for port in graph.outputs]
        if not answers or len(set(answers)) < len(answers):
            raise Refusal("A graph has outputs, each with a name of its own", where)
        self._nodes_of(graph, fields.get(1, []), ports, depth, outer)
        return graph

    def _claims(self, ports: list[Port], where: str) -> dict[str, tuple[int | str | None, ...]]:
        """What is stated of shapes; the same of one value, if it is stated twice."""
        claims: dict[str, tuple[int | str | None, ...]] = {}
        for port in ports:
            if port.shape is not None and claims.setdefault(port.name, port.shape) != port.shape:
                raise Refusal(f"The shape of a value is stated once, but {shown(port.name)} has two", where)
        return claims

    def _nodes_of(
        self, graph: Graph, messages: list[Value], ports: list[Port], depth: int, outer: frozenset[str]
    ) -> None:
        """Read the nodes in order; every name is defined once, before it is used, and hides none outside."""
        names = [port.name for port in ports]
        if len(set(names)) < len(names) or "" in names or outer & set(names):
            raise Refusal("Every input of a graph has a name of its own", graph.where)
        known = {*graph.constants, *names}
        for index, item in enumerate(messages):
            self._nodes += 1
            if self._nodes > self._limits.nodes:
                raise Refusal(f"A model has at most {self._limits.nodes} nodes, but this one has more")
            node = self._node(message(item), f"node {index} of {graph.where}", depth, outer, known)
            _define(node, known, outer)
            graph.nodes.append(node)
        for port in graph.outputs:
            if port.name not in known and port.name not in outer:
                raise Refusal(f"Output {shown(port.name)} is not defined", graph.where)

    def _node(self, data: memoryview, where: str, depth: int, outer: frozenset[str], known: set[str]) -> Node:
        fields = read_fields(data, "NodeProto", self._budget)
        op, domain = text(fields, 4), text(fields, 7)
        name = text(fields, 3)
        where = f"{shown(op)[1:-1] or 'nameless operator'} {shown(name) + ' ' if name else ''}({where})"
        if domain not in ("", "ai.onnx"):
            raise Refusal(
                f"Operators come from the standard domain, but this one is of {shown(domain)}", where,
                "Export with standard operators only.",
            )  # fmt: skip
        if op not in self._limits.operators:
            raise Refusal(f"Operator {shown(op)} is not on the list of allowed operators", where, "Export without it.")
        if 10 in fields or text(fields, 8):
            raise Refusal("A node must not name a device or an overload", where)
        skip_remarks(fields.get(9, []), self._budget)
        self._operators.add(op)
        inputs = texts(fields, 1)
        for value in inputs:
            if value and value not in known and value not in outer:
                raise Refusal(f"Input {shown(value)} is used before it is defined", where, "Sort the graph.")
        outputs = texts(fields, 2)
        if not any(outputs):
            raise Refusal("A node has at least one output", where)
        scope = self._scope(op, len(inputs) + len(outputs), where, outer, known)
        attributes = self._attributes(fields.get(5, []), op, where, depth, scope)
        self._count_loop(op, where)
        return Node(op, inputs, outputs, attributes, where)

    def _scope(self, op: str, ends: int, where: str, outer: frozenset[str], known: set[str]) -> frozenset[str]:
        """The names that graphs inside a node may use."""
        if ends > _MAX_ENDS:
            raise Refusal(f"A node has at most {_MAX_ENDS} inputs and outputs, not {ends}", where)
        if op not in _SUBGRAPHS:
            return frozenset()
        self._budget.spend((len(outer) + len(known)) // 16)
        return outer | known

    def _count_loop(self, op: str, where: str) -> None:
        self._loops += op == "Loop"
        if self._loops > self._limits.loops:
            raise Refusal(f"A model has at most {self._limits.loops} loops, but this one has more", where)

    def _attributes(
        self, messages: list[Value], op: str, where: str, depth: int, scope: frozenset[str]
    ) -> dict[str, Attribute]:
        found: dict[str, Attribute] = {}
        for item in messages:
            data = message(item)
            name, value = self._seen_before(data) or self._attribute(data, op, where, depth, scope)
            if not name or name in found:
                raise Refusal(f"Every attribute has a name of its own, but one is {shown(name)}", where)
            found[name] = value
        return found

    def _seen_before(self, data: memoryview) -> tuple[str, Attribute] | None:
        """An attribute of the very same bytes, at the same cost: nodes of a network are much alike."""
        seen = self._seen.get(bytes(data)) if len(data) <= _SHORT else None
        if seen is None:
            return None
        name, value, cost = seen
        self._budget.spend(cost)
        if isinstance(value, Tensor):
            self._count(value)
        return name, value

    def _attribute(
        self, data: memoryview, op: str, where: str, depth: int, scope: frozenset[str]
    ) -> tuple[str, Attribute]:
        before = self._budget.fields
        fields = read_fields(data, "AttributeProto", self._budget)
        name = text(fields, 1)
        value = self._value(name, fields, op, where, depth, scope)
        if len(data) <= _SHORT and not isinstance(value, Graph):
            self._seen[bytes(data)] = name, value, before - self._budget.fields
        return name, value

    def _value(self, name: str, fields: Fields, op: str, where: str, depth: int, scope: frozenset[str]) -> Attribute:
        kind = integer(fields, 20)
        number = {1: 2, 2: 3, 3: 4, 4: 5, 5: 6, 6: 7, 7: 8}.get(kind)
        if number is None:
            raise Refusal(
                f"An attribute is a number, a text, a tensor, a graph or a list of numbers, but {shown(name)} is of "
                f"kind {kind}", where,
            )  # fmt: skip
        if set(fields) - {1, 13, 20, number} or (kind <= 5 and number not in fields):
            raise Refusal(f"Attribute {shown(name)} holds something else than the kind that it states", where)
        values = fields.get(number, [])
        if kind == 5:
            if name not in _SUBGRAPHS.get(op, ()):
                raise Refusal(f"{op} takes no graph, but attribute {shown(name)} is one", where)
            return self._graph(message(values[0]), f"{name} of {where}", depth + 1, scope)
        if kind == 4:
            return self._tensor(message(values[0]), where)
        if kind > 5:
            self._budget.spend(sum(1 if isinstance(value, int) else len(value) for value in values) // 16)
        return _plain(kind, values, name, where)

    def _port(self, data: memoryview, where: str) -> Port:
        fields = read_fields(data, "ValueInfoProto", self._budget)
        skip_remarks(fields.get(4, []), self._budget)
        name = text(fields, 1)
        code, shape = self._type(message(fields[2][0])) if 2 in fields else (0, None)
        if code and code not in BITS:
            raise Refusal(f"{shown(name)} has elements of type {code}, which no operator here takes", where)
        return Port(name, NAMES.get(code, ""), shape, code)

    def _type(self, data: memoryview, depth: int = 0) -> tuple[int, tuple[int | str | None, ...] | None]:
        """Element type and shape of a tensor, or of the tensors in a sequence or an optional value."""
        fields = read_fields(data, "TypeProto", self._budget)
        if 1 in fields and len(fields) == 1 + (6 in fields):
            tensor = read_fields(message(fields[1][0]), "TypeProto.Tensor", self._budget)
            return integer(tensor, 1), self._shape(message(tensor[2][0])) if 2 in tensor else None
        inner = fields.get(4) or fields.get(9)
        if not inner or depth > 1 or len(fields) > 1:
            raise Refusal("Inputs and outputs are tensors, sequences of tensors or optional tensors")
        below = read_fields(message(inner[0]), "TypeProto.Sequence", self._budget)
        return self._type(message(below[1][0]), depth + 1) if 1 in below else (0, None)

    def _shape(self, data: memoryview) -> tuple[int | str | None, ...]:
        shape: list[int | str | None] = []
        for item in read_fields(data, "TensorShapeProto", self._budget).get(1, []):
            fields = read_fields(message(item), "Dimension", self._budget)
            length = integer(fields, 1) if 1 in fields else None
            if 1 in fields and 2 in fields:
                raise Refusal("An axis has a length or a name, but one has both")
            if length is not None and not 0 <= length <= self._limits.tensor_elements:
                raise Refusal(f"An axis has 0 to {self._limits.tensor_elements} elements, but one states {length}")
            shape.append(text(fields, 2) or None if length is None else length)
        if len(shape) > MAX_RANK:
            raise Refusal(f"A tensor has at most {MAX_RANK} axes, but one has {len(shape)}")
        return tuple(shape)

    def _tensor(self, data: memoryview, where: str) -> Tensor:
        tensor = read_tensor(data, where, self._budget, self._limits.tensor_elements)
        self._count(tensor)
        return tensor

    def _count(self, tensor: Tensor) -> None:
        self._parameters += tensor.elements
        self._bytes += byte_count(tensor.dtype, tensor.elements)


def _define(node: Node, known: set[str], outer: frozenset[str]) -> None:
    """Add the outputs of a node to the names that are known."""
    for name in filter(None, node.outputs):
        if name in known or name in outer:
            raise Refusal(f"Every value is defined once, but {shown(name)} is defined twice", node.where)
        known.add(name)


def _plain(kind: int, values: list[Value], name: str, where: str) -> Attribute:
    if kind in (6, 7) and numbers_in(values, 4 if kind == 6 else 0) > 4096:
        raise Refusal(f"A list of numbers has at most 4096 of them, but {shown(name)} has more", where)
    if kind == 1:
        return floats(values)[0]
    if kind == 2:
        return integers(values)[0]
    if kind == 3:
        return decoded(values[0])
    return tuple(floats(values)) if kind == 6 else tuple(integers(values))
