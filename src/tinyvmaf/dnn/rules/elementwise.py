"""Operators that work on each element: one result element per element of the stretched inputs."""

from __future__ import annotations

import math

from tinyvmaf.dnn.graph import (
    BITS,
    BOOL,
    FEW,
    FLOAT,
    STRING,
    Fatal,
    Node,
    Number,
    Refusal,
)
from tinyvmaf.dnn.rules.base import (
    axis_of,
    broadcast,
    flag,
    given,
    integer,
    like,
    required,
    unknown,
)
from tinyvmaf.dnn.values import INTEGERS, Known, all_rounded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from tinyvmaf.dnn.rules.base import Context, Inputs, Results, Rule

_STEPS_OF_A_FUNCTION = 8
"""Work of a transcendental function beside that of an addition."""

_UNARY_NUMBERS: Final[dict[str, Callable[[Number], Number | None]]] = {
    "Abs": abs,
    "Neg": lambda v: -v,
    "Floor": math.floor,
    "Ceil": math.ceil,
    "Round": round,
    "Sqrt": lambda v: math.sqrt(v) if v >= 0 else None,
    "Reciprocal": lambda v: 1 / v if v else None,
    "Sign": lambda v: (v > 0) - (v < 0),
    "Not": lambda v: not v,
    "Relu": lambda v: max(v, 0),
}
_STILL_CONSTANT: Final = frozenset(("Ceil", "Floor"))
"""Exporters state whole numbers as these of a constant."""

_UNARY = """
    Abs Ceil Cos Elu Erf Exp Floor Gelu HardSigmoid HardSwish IsNaN LeakyRelu Log Neg Not Reciprocal Relu Round Selu
    Sigmoid Sign Sin Softplus Softsign Sqrt Tanh
    """.split()  # noqa: SIM905

_TO_BOOL = frozenset("IsNaN Equal Greater GreaterOrEqual Less LessOrEqual And Or Not".split())  # noqa: SIM905


_ANY_NUMBER = ("Max", "Mean", "Min", "Sum")


def _quotient(a: Number, b: Number) -> Number | None:
    if not b:
        return None
    if isinstance(a, int) and isinstance(b, int):
        return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return a / b


def _remainder(a: Number, b: Number) -> Number | None:
    return a % b if b and isinstance(a, int) and isinstance(b, int) else None


_BINARY: Final[dict[str, Callable[[Number, Number], Number | None] | None]] = {
    "Add": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mul": lambda a, b: a * b,
    "Div": _quotient,
    "Mod": _remainder,
    "Equal": lambda a, b: a == b,
    "Greater": lambda a, b: a > b,
    "GreaterOrEqual": lambda a, b: a >= b,
    "Less": lambda a, b: a < b,
    "LessOrEqual": lambda a, b: a <= b,
    "And": lambda a, b: a and b,
    "Or": lambda a, b: a or b,
    "Max": max,
    "Min": min,
    "Sum": lambda a, b: a + b,
    "Mean": None,
    "Pow": None,
    "BitShift": None,
}


def _numbers(value: Known) -> tuple[Number, ...] | None:
    """The numbers of a value if they are known and finite: what becomes of others is the processor's own business."""
    return value.data if value.data is not None and all(map(math.isfinite, value.data)) else None


def _unary(node: Node, inputs: Inputs, context: Context) -> Results:
    value = required(inputs, 0, node)
    if len(inputs) > 1:
        raise Refusal(f"{node.op} has one input, not {len(inputs)}", node.where)
    context.work(value.elements * _STEPS_OF_A_FUNCTION)
    result = like(value, BOOL if node.op in _TO_BOOL else None)
    step, numbers = _UNARY_NUMBERS.get(node.op), _numbers(value)
    if step is not None and numbers is not None:
        numbers = all_rounded([step(v) for v in numbers], result.dtype)
        result = Known(result.dtype, result.dims, numbers, constant=value.constant and node.op in _STILL_CONSTANT)
    return [result]


def _columns(values: list[Known], result: Known) -> list[tuple[Number, ...]] | None:
    """The numbers of every operand, one per element of the result; None where one is unknown or truly stretched."""
    columns: list[tuple[Number, ...]] = []
    for value in values:
        numbers = _numbers(value)
        if numbers is None or result.loose or result.elements > FEW:
            return None
        if len(numbers) == 1:
            columns.append(numbers * result.elements)
        elif value.elements == result.elements:
            columns.append(numbers)
        else:
            return None
    return columns


def _folded(values: list[Known], result: Known, step: Callable[[Number, Number], Number | None]) -> Known:
    columns = _columns(values, result)
    if columns is None:
        return result
    numbers = columns[0]
    for column in columns[1:]:
        rounded = all_rounded([step(a, b) for a, b in zip(numbers, column, strict=True)], result.dtype)
        if rounded is None:
            return result
        numbers = rounded
    return Known(result.dtype, result.dims, numbers)


def _check_divisor(node: Node, divisor: Known) -> None:
    """Whole numbers trap in the processor where they are divided by 0, or the smallest one by -1.

    A divisor that is an input of the graph is its caller's business; any other must be known.
    """
    if divisor.dtype not in (0, *INTEGERS) or divisor.given:  # 0: a type that nobody has stated
        return
    numbers = divisor.data
    if numbers is None:
        raise unknown("the divisor", node)
    if 0 in numbers or -1 in numbers:
        raise Fatal(f"{node.op} of whole numbers divides by others than 0 and -1, not by {numbers}", node.where)


def _nary(node: Node, inputs: Inputs, context: Context) -> Results:
    values = [value for value in inputs if value is not None]
    first = required(values, 0, node)
    if len(values) < 2 and node.op not in _ANY_NUMBER:
        raise Refusal(f"{node.op} has two inputs, not {len(values)}", node.where)
    if node.op in ("Div", "Mod"):
        _check_divisor(node, required(values, 1, node))
    if context.opset < 8 and node.op in _ANY_NUMBER and len({value.dims for value in values}) > 1:
        context.misfit(f"{node.op} takes values of one shape before opset 8, not {values[-1].dims}", node.where)
    result = broadcast(values, BOOL if node.op in _TO_BOOL else first.dtype, node, context)
    context.work(result.elements * (_STEPS_OF_A_FUNCTION if node.op == "Pow" else len(values)))
    if len(values) > 2:
        context.scratch(result.bytes)
    step = _BINARY[node.op]
    if node.op == "Mod" and flag(node, "fmod", 0):
        step = None
    return [result if step is None else _folded(values, result, step)]


def _where(node: Node, inputs: Inputs, context: Context) -> Results:
    chosen, yes, no = (required(inputs, i, node) for i in range(3))
    result = broadcast([chosen, yes, no], yes.dtype, node, context)
    columns = _columns([chosen, yes, no], result)
    if columns is None:
        return [result]
    return [Known(result.dtype, result.dims, [a if c else b for c, a, b in zip(*columns, strict=True)])]


def _clip(node: Node, inputs: Inputs, context: Context) -> Results:
    value = required(inputs, 0, node)
    low, high = given(inputs, 1), given(inputs, 2)
    result = like(value)
    if any(bound is not None and bound.elements > 1 for bound in (low, high)):
        raise Refusal("Clip has single numbers as bounds", node.where)
    bounded = "min" in node.attributes or "max" in node.attributes
    if value.data is None or bounded or any(b is not None and b.scalar() is None for b in (low, high)):
        return [result]
    numbers = list(value.data)
    if low is not None:
        numbers = [max(v, low.data[0]) for v in numbers if low.data]
    if high is not None:
        numbers = [min(v, high.data[0]) for v in numbers if high.data]
    return [Known(value.dtype, value.dims, all_rounded(numbers, value.dtype))]


def _cast(node: Node, inputs: Inputs, context: Context) -> Results:
    value = required(inputs, 0, node)
    dtype = required(inputs, 1, node).dtype if node.op == "CastLike" else integer(node, "to", 0)
    if dtype not in BITS:
        raise Refusal(f"{node.op} turns numbers into numbers, but here into type {dtype}", node.where)
    if value.dtype == STRING or dtype == STRING:
        context.work(value.elements * 64)
    data = None if value.data is None else all_rounded(value.data, dtype)
    return [Known(dtype, value.dims, data, loose=value.loose, constant=value.constant)]


def _slope(node: Node, inputs: Inputs, context: Context) -> Results:
    """PRelu: the slope is stretched to the value; before opset 7 it was one per channel."""
    value, slope = required(inputs, 0, node), required(inputs, 1, node)
    context.work(value.elements * 2)
    if context.opset < 7:
        return [like(value)]
    result = broadcast([value, slope], value.dtype, node, context)
    if not result.loose and result.dims != value.dims:
        context.misfit(f"PRelu takes slopes that stretch to {value.dims}, not {slope.dims}", node.where)
    return [result]


def _identity(node: Node, inputs: Inputs, context: Context) -> Results:
    value = required(inputs, 0, node)
    return [Known(value.dtype, value.dims, value.data, loose=value.loose, constant=value.constant)]


def _dropout(node: Node, inputs: Inputs, context: Context) -> Results:
    value = required(inputs, 0, node)
    return [like(value), like(value, BOOL if context.opset >= 10 else None)]


def _quantize(node: Node, inputs: Inputs, context: Context) -> Results:
    value, zero = required(inputs, 0, node), given(inputs, 2)
    stated = integer(node, "output_dtype", 0)
    dtype = zero.dtype if zero is not None else stated or 2
    context.work(value.elements * 2)
    return [like(value, dtype)]


def _dequantize(node: Node, inputs: Inputs, context: Context) -> Results:
    value, scale = required(inputs, 0, node), required(inputs, 1, node)
    context.work(value.elements * 2)
    if scale.rank == 1 and scale.elements > 1 and not value.loose:
        axis = axis_of(integer(node, "axis", 1), value.rank, node)
        if scale.dims[0] != value.dims[axis]:
            context.misfit(f"DequantizeLinear has one scale per place of axis {axis} of {value.dims}", node.where)
    return [like(value, integer(node, "output_dtype", 0) or scale.dtype)]


def _dynamic_quantize(node: Node, inputs: Inputs, context: Context) -> Results:
    value = required(inputs, 0, node)
    context.work(value.elements * 3)
    return [like(value, 2), Known(FLOAT, ()), Known(2, ())]


RULES: Final[dict[str, Rule]] = {
    **dict.fromkeys(_UNARY, _unary),
    **dict.fromkeys(_BINARY, _nary),
    "Cast": _cast,
    "CastLike": _cast,
    "Clip": _clip,
    "DequantizeLinear": _dequantize,
    "Dropout": _dropout,
    "DynamicQuantizeLinear": _dynamic_quantize,
    "Identity": _identity,
    "PRelu": _slope,
    "QuantizeLinear": _quantize,
    "Where": _where,
}
