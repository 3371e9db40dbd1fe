"""Resize: how large the result is, by the arithmetic of the runtime, which computes lengths in float32."""

from __future__ import annotations

import math

from tinyvmaf.dnn.graph import FLOAT, Fatal, Node, Number, Refusal, product
from tinyvmaf.dnn.rules.base import flag, given, integer_list, known_integers, required, text, tight, unknown, word
from tinyvmaf.dnn.values import Known, rounded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from tinyvmaf.dnn.rules.base import Context, Inputs, Results

_FARTHEST: Final = 1 << 20
"""Farthest end of a region, in lengths of the image: beyond it the arithmetic of the runtime overflows."""


def resize(node: Node, inputs: Inputs, context: Context) -> Results:
    """The rule of Resize.

    Args:
        node: The operator.
        inputs: The image, the region, the scales and the sizes; before opset 11 the image and the scales.
        context: The evaluation.

    Returns:
        The image.

    Raises:
        Refusal: The size is not known, or axes and region are not such as the runtime takes without harm.
    """
    value = tight(required(inputs, 0, node), node)
    scales = given(inputs, 1 if context.opset < 11 else 2)
    sizes = given(inputs, 3)
    axes = _resized_axes(node, value.rank)
    is_cut = text(node, "coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize"
    if is_cut:
        _check_region(given(inputs, 1), len(axes), node)
    if sizes is not None and sizes.elements:
        wanted = _fitted(known_integers(sizes, "the size", node), value, axes, node)
    elif scales is None or scales.data is None or is_cut:
        raise unknown("the size" if is_cut else "the scale", node)
    else:
        wanted = [_scaled(value.dims[axis], scale) for axis, scale in zip(axes, scales.data, strict=False)]
        wanted += [-1] * (len(scales.data) - len(wanted))
    if len(wanted) != len(axes) or min(wanted, default=0) < 0:
        raise Refusal(f"Resize has one length for each of {len(axes)} axes, not {wanted[:20]}", node.where)
    dims = list(value.dims)
    for axis, length in zip(axes, wanted, strict=True):
        dims[axis] = length
    taps = 256 if word(node, "mode", "nearest", ("linear", "cubic")) == "cubic" else 8
    shrink = product(max(math.ceil(a / max(b, 1)), 1) for a, b in zip(value.dims, dims, strict=True))
    context.work(product(dims) * taps * (shrink if flag(node, "antialias", 0) else 1))
    context.scratch(product(map(max, value.dims, dims)) * 4 if flag(node, "antialias", 0) else 0)
    return [Known(value.dtype, dims)]


def _resized_axes(node: Node, rank: int) -> list[int]:
    """The axes that a Resize names, all of them if it names none.

    Raises:
        Fatal: One is counted from the end or named twice: the runtime would write beside its list of scales.
    """
    axes = integer_list(node, "axes") or list(range(rank))
    if len(set(axes)) < len(axes) or not all(0 <= axis < rank for axis in axes):
        raise Fatal(f"Resize names axes 0 to {rank - 1}, each once, not {axes[:20]}", node.where)
    return axes


def _check_region(region: Known | None, axes: int, node: Node) -> None:
    """Refuse a region that the runtime would not find its way in: it reads where these numbers point to."""
    numbers = () if region is None else region.data
    if numbers is None:
        raise unknown("the region", node)
    if len(numbers) != 2 * axes or not all(abs(number) <= _FARTHEST for number in numbers):
        raise Fatal(
            f"The region of Resize is a start and an end of {axes} axes, none beyond {_FARTHEST}, not {numbers[:20]}",
            node.where,
        )  # fmt: skip


def _single(number: Number) -> float:
    """A number as float32, the type that the runtime computes lengths in; infinite beyond its range."""
    value = rounded(float(number), FLOAT)
    return math.inf if value is None else float(value)


def _scaled(length: int, scale: Number) -> int:
    exact = _single(_single(length) * float(scale)) if scale > 0 else -1.0
    return int(exact) if exact < 1e12 else -1


def _fitted(sizes: list[int], value: Known, axes: list[int], node: Node) -> list[int]:
    """Lengths that keep the shape of the image where the node asks for that."""
    policy = word(node, "keep_aspect_ratio_policy", "stretch", ("not_larger", "not_smaller"))
    if policy == "stretch" or len(sizes) != len(axes):
        return sizes
    lengths = [_single(value.dims[axis]) for axis in axes]
    ratios = [_single(_single(size) / length) if length else 1.0 for size, length in zip(sizes, lengths, strict=True)]
    ratio = max(ratios) if policy == "not_smaller" else min(ratios)
    return [math.floor(_single(ratio * length) + 0.5) for length in lengths]
