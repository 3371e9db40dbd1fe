"""Operators over the axes of an image: convolution, pooling, padding, scaling, sampling."""

from __future__ import annotations

from tinyvmaf.dnn.graph import (
    FLOAT,
    INT64,
    Fatal,
    Node,
    Refusal,
    product,
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
    word,
)
from tinyvmaf.dnn.rules.resize import resize
from tinyvmaf.dnn.values import Known, loose

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
        self.is_trimmed = False
        is_padded = "pads" in node.attributes and (self.auto != "VALID" or any(self.pads))
        if self.auto != "NOTSET" and is_padded:
            raise Fatal(f"{node.op} is padded by itself or by the numbers it states, not both", node.where)
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
            is_special = self.dilations[axis] != 1 or flag(self.node, "ceil_mode", 0)
            if is_special and self.node.op in ("MaxPool", "AveragePool"):
                raise Fatal(
                    f"{self.node.op} is padded by itself, or dilated or rounded up, but not both", self.node.where
                )
            return -(-length // self.strides[axis])
        pads = 0 if self.auto == "VALID" else self.pads[axis] + self.pads[axis + len(self.kernel)]
        span = length + pads - self.reach(axis)
        stride = self.strides[axis]
        if not flag(self.node, "ceil_mode", 0):
            return span // stride + 1
        count = -(-span // stride) + 1
        before = 0 if self.auto == "VALID" else self.pads[axis]
        self.is_trimmed = self.is_trimmed or (count - 1) * stride >= length + before
        return count


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
    if len(extra) != axes or not all(0 <= v <= _MAX_STEP for v in extra):
        raise Refusal(f"output_padding of ConvTranspose are {axes} numbers from 0, not {extra[:20]}", node.where)
    stated = (integer_list(node, "output_shape") or [])[-axes:]
    sizes = list(zip(range(axes), image.dims[2:], extra, strict=True))
    lengths = stated or [_transposed(window, *size) for size in sizes]
    planned = stated or [_planned(window, *size) for size in sizes]
    if len(lengths) != axes or min(lengths) < 0:
        raise Refusal(f"ConvTranspose cannot make an image of {lengths}", node.where)
    if stated and any(a < b for a, b in zip(stated, image.dims[2:], strict=True)):
        context.misfit(f"ConvTranspose makes images no smaller than {image.dims[2:]}, not {stated}", node.where)
    columns = product(weights.dims[1:]) * product(image.dims[2:])
    context.work(columns * image.dims[0] * image.dims[1])
    context.scratch(columns * groups * 4)
    dims = (image.dims[0], weights.dims[1] * groups, *lengths)
    if planned != lengths:
        return [loose(image.dtype, product(map(max, dims, (0, 0, *planned))), len(dims))]
    return [Known(image.dtype, dims)]


def _transposed(window: _Window, axis: int, length: int, extra: int) -> int:
    stride = window.strides[axis]
    whole = stride * (length - 1) + window.reach(axis) + extra
    if window.auto in ("SAME_UPPER", "SAME_LOWER"):
        return min(length * stride, whole)
    return whole if window.auto == "VALID" else whole - window.pads[axis] - window.pads[axis + len(window.kernel)]


def _planned(window: _Window, axis: int, length: int, extra: int) -> int:
    """The length that the runtime plans for, which need not be the one that it computes then."""
    if window.auto not in ("SAME_UPPER", "SAME_LOWER"):
        return _transposed(window, axis, length, extra)
    whole = window.strides[axis] * (length - 1) + window.reach(axis) + extra
    return whole - max(window.reach(axis) - window.strides[axis], 0)


def _pool(node: Node, inputs: Inputs, context: Context) -> Results:
    image = _image(node, inputs)
    kernel = integer_list(node, "kernel_shape")
    if kernel is None or len(kernel) != image.rank - 2:
        raise Refusal(f"{node.op} states one kernel length per spatial axis", node.where)
    window = _Window(node, kernel)
    dims = (*image.dims[:2], *window.results(image.dims[2:], context))
    context.work(product(dims) * product(kernel) * _WINDOW_WORK)
    if window.is_trimmed:
        return [loose(image.dtype, product(dims), len(dims)), loose(INT64, product(dims), len(dims))]
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
    mode = word(node, "mode", "constant", ("edge", "reflect", "wrap"))
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


def _grid_sample(node: Node, inputs: Inputs, context: Context) -> Results:
    value, grid = _image(node, inputs, 4), tight(required(inputs, 1, node), node)
    if grid.rank != value.rank:
        raise Refusal(f"GridSample takes a grid of {value.rank} axes, not {grid.rank}", node.where)
    if grid.dims[0] != value.dims[0]:
        context.misfit(f"GridSample takes one grid per image, but {grid.dims[0]} for {value.dims[0]}", node.where)
    result = Known(value.dtype, (*value.dims[:2], *grid.dims[1:-1]))
    context.work(result.elements * 16)
    return [result]


def _depth_to_space(node: Node, inputs: Inputs, context: Context) -> Results:
    value = tight(required(inputs, 0, node), node)
    block = integer(node, "blocksize", 0)
    if value.rank != 4 or block < 1:
        raise Refusal(f"DepthToSpace takes 4 axes and blocks from 1, not {value.rank} and {block}", node.where)
    batch, channels, height, width = value.dims
    if channels % (block * block):
        context.misfit(f"DepthToSpace cannot lay out {channels} channels in blocks of {block} x {block}", node.where)
    return [Known(value.dtype, (batch, -(-channels // (block * block)), height * block, width * block))]


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
    "DepthToSpace": _depth_to_space,
    "GlobalAveragePool": _global_pool,
    "GlobalMaxPool": _global_pool,
    "GridSample": _grid_sample,
    "InstanceNormalization": _normalise,
    "LayerNormalization": _normalise_layer,
    "MaxPool": _pool,
    "Pad": _pad,
    "Resize": resize,
}
