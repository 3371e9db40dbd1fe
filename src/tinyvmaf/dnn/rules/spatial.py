"""Operators over the axes of an image: convolution, pooling, padding, scaling, sampling."""

from __future__ import annotations

import math

from tinyvmaf.dnn.graph import (
    FLOAT,
    INT64,
    Fatal,
    Node,
    Refusal,
    product,
    shown,
)
from tinyvmaf.dnn.rules.base import (
    axis_of,
    flag,
    given,
    integer,
    integer_list,
    known_integers,
    like,
    required,
    text,
    tight,
    unknown,
)
from tinyvmaf.dnn.values import Known, rounded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from tinyvmaf.dnn.rules.base import Context, Inputs, Results, Rule

_INT32, _MAX_STEP = 6, 1 << 20
_WINDOW_WORK: Final = 8
"""Work of one sample of a pooling window: the runtime adds them up one by one."""

_CHANNEL_BLOCK: Final = 16
"""The runtime computes so many channels at a time, and makes room for all of them."""

_MAX_RANK: Final = 5
"""Batch, channels and up to three axes of space: for more the runtime falls back to methods of unbounded memory."""


class _Window:
    """Kernel, strides, dilations and pads of a node, one number per spatial axis."""

    def __init__(self, node: Node, kernel: Sequence[int]) -> None:
        axes = len(kernel)
        self.node = node
        self.kernel = list(kernel)
        self.strides = self._numbers("strides", [1] * axes, 1)
        self.dilations = self._numbers("dilations", [1] * axes, 1)
        self.pads = self._numbers("pads", [0] * 2 * axes, 0)
        self.auto = text(node, "auto_pad", "NOTSET")
        if not all(1 <= k <= _MAX_STEP for k in self.kernel):
            raise Refusal(f"A kernel has lengths of 1 and more, not {self.kernel}", node.where)

    def _numbers(self, name: str, default: list[int], low: int) -> list[int]:
        found = integer_list(self.node, name)
        if found is None:
            return default
        if len(found) != len(default) or not all(low <= v <= _MAX_STEP for v in found):
            raise Refusal(
                f"{name} of {self.node.op} are {len(default)} numbers from {low} to {_MAX_STEP}, not {found[:20]}",
                self.node.where,
            )
        return found

    def reach(self, axis: int) -> int:
        """How many samples the dilated kernel spans."""
        return self.dilations[axis] * (self.kernel[axis] - 1) + 1

    def results(self, lengths: Sequence[int], context: Context) -> list[int]:
        """Lengths of the result."""
        found = [self._result(axis, length) for axis, length in enumerate(lengths)]
        if min(found, default=1) < 1 <= min(lengths, default=1):
            context.misfit(
                f"The window of {self.node.op} fits into the image, but {list(lengths)} is too small", self.node.where
            )
        return [max(length, 0) for length in found]

    def _result(self, axis: int, length: int) -> int:
        if self.auto in ("SAME_UPPER", "SAME_LOWER"):
            if self.dilations[axis] != 1 and self.node.op in ("MaxPool", "AveragePool"):
                raise Fatal(f"{self.node.op} is padded by itself or dilated, not both", self.node.where)
            return -(-length // self.strides[axis])
        pads = 0 if self.auto == "VALID" else self.pads[axis] + self.pads[axis + len(self.kernel)]
        span = length + pads - self.reach(axis)
        stride = self.strides[axis]
        if not flag(self.node, "ceil_mode", 0):
            return span // stride + 1
        count = -(-span // stride) + 1
        # A last window that would start in the padding behind the image is left out.
        before = 0 if self.auto == "VALID" else self.pads[axis]
        return count - ((count - 1) * stride >= length + before)


def _image(node: Node, inputs: Inputs, least: int = 3) -> Known:
    value = tight(required(inputs, 0, node), node)
    if not least <= value.rank <= _MAX_RANK:
        raise Fatal(f"{node.op} takes images of {least} to {_MAX_RANK} axes, not {value.rank}", node.where)
    if not value.elements:
        raise Fatal(f"{node.op} takes images that are not empty, not {value.dims}", node.where)
    return value


def _weights(node: Node, inputs: Inputs, rank: int) -> Known:
    value = tight(required(inputs, 1, node), node)
    if value.rank != rank:
        raise Refusal(f"{node.op} takes weights of {rank} axes here, not {value.rank}", node.where)
    stated = integer_list(node, "kernel_shape")
    if stated is not None and tuple(stated) != value.dims[2:]:
        raise Refusal(f"{node.op} states the kernel {stated}, but its weights are {value.dims}", node.where)
    return value


def _conv(node: Node, inputs: Inputs, context: Context) -> Results:
    image = _image(node, inputs)
    weights = _weights(node, inputs, image.rank)
    groups = integer(node, "group", 1)
    if groups < 1:
        raise Refusal(f"{node.op} parts its channels into 1 group and more, not {groups}", node.where)
    if weights.dims[0] % groups or image.dims[1] != weights.dims[1] * groups:
        context.misfit(f"{node.op} takes {weights.dims[1] * groups} channels, but has {image.dims[1]}", node.where)
    lengths = _Window(node, weights.dims[2:]).results(image.dims[2:], context)
    dims = (image.dims[0], weights.dims[0], *lengths)
    context.work(product(dims) * product(weights.dims[1:]))
    if node.op == "ConvInteger":
        context.scratch(product(dims) // max(dims[1], 1) * product(weights.dims[1:]))
    elif context.quantised:
        context.scratch(product(dims) // max(dims[1], 1) * product(weights.dims[2:]) * 8)
    spare = -dims[1] % _CHANNEL_BLOCK
    context.scratch(dims[0] * spare * product(lengths) * 4)
    return [Known(_INT32 if node.op == "ConvInteger" else image.dtype, dims)]


def _conv_transpose(node: Node, inputs: Inputs, context: Context) -> Results:
    image = _image(node, inputs)
    weights = _weights(node, inputs, image.rank)
    groups, axes = integer(node, "group", 1), image.rank - 2
    if groups < 1 or image.dims[1] != weights.dims[0] or weights.dims[0] % groups:
        context.misfit(f"ConvTranspose takes {weights.dims[0]} channels, but has {image.dims[1]}", node.where)
    window = _Window(node, weights.dims[2:])
    extra = integer_list(node, "output_padding") or [0] * axes
    lengths = integer_list(node, "output_shape")
    if len(extra) != axes or not all(0 <= v <= _MAX_STEP for v in extra):
        raise Refusal(f"output_padding of ConvTranspose are {axes} numbers from 0, not {extra[:20]}", node.where)
    if lengths is None:
        lengths = [_transposed(window, axis, length, extra[axis]) for axis, length in enumerate(image.dims[2:])]
    lengths = lengths[-axes:]
    if len(lengths) != axes or min(lengths) < 0:
        raise Refusal(f"ConvTranspose cannot make an image of {lengths}", node.where)
    columns = product(weights.dims[1:]) * product(image.dims[2:])
    context.work(columns * image.dims[0] * image.dims[1])
    context.scratch(columns * groups * 4)
    return [Known(image.dtype, (image.dims[0], weights.dims[1] * groups, *lengths))]


def _transposed(window: _Window, axis: int, length: int, extra: int) -> int:
    stride = window.strides[axis]
    whole = stride * (length - 1) + window.reach(axis) + extra
    if window.auto in ("SAME_UPPER", "SAME_LOWER"):
        return min(length * stride, whole)
    return whole if window.auto == "VALID" else whole - window.pads[axis] - window.pads[axis + len(window.kernel)]


def _pool(node: Node, inputs: Inputs, context: Context) -> Results:
    image = _image(node, inputs)
    kernel = integer_list(node, "kernel_shape")
    if kernel is None or len(kernel) != image.rank - 2:
        raise Refusal(f"{node.op} states one kernel length per spatial axis", node.where)
    dims = (*image.dims[:2], *_Window(node, kernel).results(image.dims[2:], context))
    context.work(product(dims) * product(kernel) * _WINDOW_WORK)
    return [Known(image.dtype, dims), Known(INT64, dims)]


def _global_pool(node: Node, inputs: Inputs, context: Context) -> Results:
    image = _image(node, inputs, 2)
    context.work(image.elements)
    return [Known(image.dtype, (*image.dims[:2], *(1 for _ in image.dims[2:])))]


def _pad(node: Node, inputs: Inputs, context: Context) -> Results:
    value = tight(required(inputs, 0, node), node)
    pads = integer_list(node, "pads") or integer_list(node, "paddings")
    if pads is None:
        pads = known_integers(given(inputs, 1), "the padding", node)
    mode = _word(node, "mode", "constant", ("edge", "reflect", "wrap"))
    if mode != "constant" and not value.elements:
        context.misfit(f"Pad cannot repeat what is not there: {value.dims}", node.where)
    axes = list(range(value.rank))
    if given(inputs, 3) is not None:
        axes = [axis_of(axis, value.rank, node) for axis in known_integers(given(inputs, 3), "the list of axes", node)]
    if len(pads) != 2 * len(axes):
        raise Refusal(f"Pad has two numbers for each of {len(axes)} axes, not {len(pads)}", node.where)
    dims = list(value.dims)
    for i, axis in enumerate(axes):
        dims[axis] += pads[i] + pads[i + len(axes)]
    if min(dims, default=0) < 0:
        context.misfit(f"Pad cannot take {pads} away from {value.dims}", node.where)
    return [Known(value.dtype, [max(length, 0) for length in dims])]


def _word(node: Node, name: str, usual: str, others: Sequence[str]) -> str:
    """An attribute that is one of a few words."""
    word = text(node, name, usual)
    if word not in (usual, *others):
        raise Refusal(f"{name} of {node.op} is {usual}, {' or '.join(others)}, not {shown(word)}", node.where)
    return word


def _resize(node: Node, inputs: Inputs, context: Context) -> Results:
    value = tight(required(inputs, 0, node), node)
    scales = given(inputs, 1 if context.opset < 11 else 2)
    sizes = given(inputs, 3)
    axes = [axis_of(axis, value.rank, node) for axis in integer_list(node, "axes") or range(value.rank)]
    if sizes is not None and sizes.elements:
        wanted = _fitted(known_integers(sizes, "the size", node), value, axes, node)
    elif scales is not None and scales.data is not None:
        spans = _spans(node, given(inputs, 1), len(axes))
        wanted = [
            _scaled(value.dims[axis], float(scale) * span)
            for axis, scale, span in zip(axes, scales.data, spans, strict=False)
        ]
    else:
        raise unknown("the scale", node)
    if len(wanted) != len(axes) or min(wanted, default=0) < 0:
        raise Refusal(f"Resize has one length for each of {len(axes)} axes, not {wanted[:20]}", node.where)
    dims = list(value.dims)
    for axis, length in zip(axes, wanted, strict=True):
        dims[axis] = length
    taps = 256 if _word(node, "mode", "nearest", ("linear", "cubic")) == "cubic" else 8
    shrink = product(max(math.ceil(a / max(b, 1)), 1) for a, b in zip(value.dims, dims, strict=True))
    context.work(product(dims) * taps * (shrink if flag(node, "antialias", 0) else 1))
    context.scratch(product(map(max, value.dims, dims)) * 4 if flag(node, "antialias", 0) else 0)
    return [Known(value.dtype, dims)]


def _spans(node: Node, region: Known | None, axes: int) -> list[float]:
    """How much of each axis is scaled: all of it unless the node cuts a region out."""
    if text(node, "coordinate_transformation_mode", "half_pixel") != "tf_crop_and_resize":
        return [1.0] * axes
    if region is None or region.data is None or len(region.data) != 2 * axes:
        raise unknown("the region", node)
    starts, ends = region.data[:axes], region.data[axes:]
    return [float(end) - float(start) for start, end in zip(starts, ends, strict=True)]


def _scaled(length: int, scale: float) -> int:
    exact = rounded(scale * length, 1) if math.isfinite(scale) and abs(scale) < 1e12 else None
    return -1 if exact is None or scale <= 0 else int(exact)


def _fitted(sizes: list[int], value: Known, axes: list[int], node: Node) -> list[int]:
    """Lengths that keep the shape of the image where the node asks for that."""
    policy = text(node, "keep_aspect_ratio_policy", "stretch")
    if policy == "stretch" or len(sizes) != len(axes):
        return sizes
    ratios = [size / max(value.dims[axis], 1) for size, axis in zip(sizes, axes, strict=True)]
    ratio = max(ratios) if policy == "not_smaller" else min(ratios)
    return [math.floor(ratio * value.dims[axis] + 0.5) for axis in axes]


def _grid_sample(node: Node, inputs: Inputs, context: Context) -> Results:
    value, grid = _image(node, inputs, 4), tight(required(inputs, 1, node), node)
    if grid.rank != value.rank:
        raise Refusal(f"GridSample takes a grid of {value.rank} axes, not {grid.rank}", node.where)
    if grid.dims[0] != value.dims[0]:
        context.misfit(f"GridSample takes one grid per image, but {grid.dims[0]} for {value.dims[0]}", node.where)
    result = Known(value.dtype, (*value.dims[:2], *grid.dims[1:-1]))
    context.work(result.elements * 16)
    return [result]


def _normalise(node: Node, inputs: Inputs, context: Context) -> Results:
    """The value, then statistics per channel."""
    value = _image(node, inputs) if node.op == "InstanceNormalization" else required(inputs, 0, node)
    context.work(value.elements * 4)
    channels = value.dims[1] if value.rank > 1 else 1
    if not value.loose and any(other is not None and other.elements != channels for other in inputs[1:]):
        context.misfit(f"{node.op} takes one number per channel of {value.dims}", node.where)
    return [like(value), *(Known(value.dtype, (channels,)) for _ in node.outputs[1:])]


def _normalise_layer(node: Node, inputs: Inputs, context: Context) -> Results:
    """The value, then statistics per place in front of the axis."""
    value = tight(required(inputs, 0, node), node)
    context.work(value.elements * 4)
    axis = axis_of(integer(node, "axis", -1), value.rank, node)
    means = Known(FLOAT, (*value.dims[:axis], *(1 for _ in value.dims[axis:])))
    return [like(value), *(means for _ in node.outputs[1:])]


RULES: Final[dict[str, Rule]] = {
    "AveragePool": _pool,
    "BatchNormalization": _normalise,
    "Conv": _conv,
    "ConvInteger": _conv,
    "ConvTranspose": _conv_transpose,
    "GlobalAveragePool": _global_pool,
    "GlobalMaxPool": _global_pool,
    "GridSample": _grid_sample,
    "InstanceNormalization": _normalise,
    "LayerNormalization": _normalise_layer,
    "MaxPool": _pool,
    "Pad": _pad,
    "Resize": _resize,
}
