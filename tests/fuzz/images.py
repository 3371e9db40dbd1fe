"""How to add an operator over the axes of an image: convolution, pooling, padding, scaling, sampling."""

from __future__ import annotations

from typing import Any

import numpy as np

from fuzz.chains import numbers
from fuzz.sketch import EDGES, FLOATS, Recipe, Sketch


def _window(s: Sketch, op: str, axes: int) -> dict[str, Any]:
    """Strides, pads and dilations."""
    d, more = s.draws, {}
    if d.often(60):
        more["strides"] = d.some(axes, 1, 2, 3, 1, 7)
    if d.often(40) and (op not in ("MaxPool", "AveragePool") or s.opset >= (10 if op == "MaxPool" else 19)):
        more["dilations"] = d.some(axes, 1, 2, 3)
    if d.often(50):
        more["pads"] = d.some(2 * axes, 0, 1, 2, 1, 0, 3)
    if d.often(5 if "pads" in more else 60):
        more["auto_pad"] = d.pick("SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET")
    return more


def _conv(s: Sketch, op: str) -> None:
    d = s.draws
    image = s.any(np.uint8 if op == "ConvInteger" else np.float32, rank=d.pick(4, 3, 5), low=1)
    dims = s.dims(image)
    axes, channels = len(dims) - 2, dims[1]
    groups = d.pick(1, 1, 2, channels)
    made, taken = d.pick(1, 2, 3, 4) * groups, max(channels // groups, 1)
    kernel = d.some(axes, 3, 1, 2, 5)
    shape = [channels, max(made // groups, 1), *kernel] if op == "ConvTranspose" else [made, taken, *kernel]
    more = _window(s, op, axes) | ({"group": groups} if groups != 1 else {})
    if d.often(30):
        more["kernel_shape"] = kernel
    inputs = [image, s.value(shape, np.uint8 if op == "ConvInteger" else np.float32)]
    if op == "ConvTranspose":
        if d.often(25):
            more["output_padding"] = d.some(axes, 0, 1, 2)
        if d.often(25):
            more["output_shape"] = [*d.pick([], [1, 1]), *d.some(axes, 5, 9, 1, 12, 20)]
    if op != "ConvInteger" and d.often(50):
        inputs.append(s.value([made]))
    s.op(op, *inputs, **more)


def _pool(s: Sketch, op: str) -> None:
    d = s.draws
    image = s.any(np.float32, rank=d.pick(4, 3, 5), low=1)
    axes = len(s.dims(image)) - 2
    more = _window(s, op, axes) | {"kernel_shape": d.some(axes, 2, 3, 1, 5)}
    if d.often(40) and s.opset >= 10:
        more["ceil_mode"] = 1
    if op == "AveragePool" and d.often(30):
        more["count_include_pad"] = 1
    s.op(op, image, outs=d.pick(1, 2) if op == "MaxPool" else 1, **more)


def _global_pool(s: Sketch, op: str) -> None:
    s.op(op, s.any(np.float32, rank=s.draws.pick(4, 3, 5, 2), low=1))


def _pad(s: Sketch, op: str) -> None:
    d = s.draws
    value = s.any(*FLOATS, np.int32, np.uint8, bool)
    rank = len(s.dims(value))
    modes = ("constant", "constant", "reflect", "edge", *(["wrap"] if s.opset >= 19 else []))
    more: dict[str, Any] = {"mode": d.pick(*modes)}
    axes = s.axes(rank) if s.opset >= 18 and d.often(30) else None
    pads = d.some(2 * (rank if axes is None else len(axes)), 1, 0, 2, -1, 3, 0, -2)
    if s.opset < 11:
        s.op(op, value, pads=pads, **more)
        return
    inputs = [value, numbers(s, pads)]
    if axes is not None:
        inputs += ["", s.constant(np.array(axes, np.int64), np.int64)]
    s.op(op, *inputs, **more)


def _resize(s: Sketch, op: str) -> None:
    d = s.draws
    value = s.any(np.float32, np.float32, np.uint8, np.int32, rank=d.pick(4, 3, 2, 5, 1), low=1)
    dims = s.dims(value)
    axes = s.axes(len(dims)) if s.opset >= 18 and d.often(50) else None
    count = len(axes or dims)
    more: dict[str, Any] = {"mode": d.pick("nearest", "linear", "cubic")}
    if s.opset >= 11:
        modes = ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric"]
        more["coordinate_transformation_mode"] = d.pick(*modes, "tf_crop_and_resize", "tf_crop_and_resize")
        more["nearest_mode"] = d.pick("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
    if axes:
        more["axes"] = axes
    if s.opset >= 18 and d.often(25):
        more["antialias"] = 1
    if s.opset >= 18 and d.often(50):
        more["keep_aspect_ratio_policy"] = d.pick("not_larger", "not_smaller", "stretch")
    scales = np.array(d.some(count, 2.0, 1.0, 0.5, 1.3, 0.25, 3.7, 1 / 3, 0.1), np.float32)
    if s.opset < 11:
        s.op(op, value, s.constant(scales), mode=d.pick("nearest", "linear"))
        return
    # The first axes are mostly left alone: few kernels scale them.
    kept = count - 2 if d.often(70) and count > 2 and not axes else 0
    scales[:kept] = 1
    ends = [*d.some(count, 0.0, 0.1, 0.25, -0.3), *d.some(count, 1.0, 0.9, 0.7, 1.4)]
    if d.often(10):
        ends[d.below(len(ends))] = d.pick(*EDGES)
    region = s.constant(np.array(ends, np.float32)) if "tf" in more["coordinate_transformation_mode"] else ""
    if d.often(50):
        s.op(op, value, region, s.constant(scales), **more)
        return
    sizes = d.some(count, 5, 1, 2, 3, 8, 9, 16)
    sizes[:kept] = dims[:kept]
    s.op(op, value, region, "", numbers(s, sizes), **more)


def _grid_sample(s: Sketch, op: str) -> None:
    d = s.draws
    image = s.any(np.float32, rank=d.pick(4, 4, 5) if s.opset >= 20 else 4, low=1)
    dims = s.dims(image)
    axes = len(dims) - 2
    modes = ("linear", "nearest", "cubic") if s.opset >= 20 else ("bilinear", "nearest", "bicubic")
    grid = s.value([dims[0], *d.some(axes, 3, 1, 5, 0), d.pick(axes, axes, axes, axes, 1)], edge=30)
    s.op(op, image, grid, mode=d.pick(*modes), padding_mode=d.pick("zeros", "border", "reflection"))


def _depth_to_space(s: Sketch, op: str) -> None:
    d = s.draws
    side = d.pick(1, 2, 3)
    image = s.value([d.pick(1, 2), d.pick(1, 2) * side * side + d.pick(0, 0, 0, 1), *d.some(2, 1, 2, 5)])
    more = {"mode": d.pick("CRD", "DCR")} if s.opset >= 11 and d.often(50) else {}
    s.op(op, image, blocksize=side, **more)


IMAGES: dict[str, Recipe] = {
    **dict.fromkeys(("Conv", "ConvTranspose", "ConvInteger"), _conv),
    **dict.fromkeys(("MaxPool", "AveragePool"), _pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), _global_pool),
    "DepthToSpace": _depth_to_space,
    "GridSample": _grid_sample,
    "Pad": _pad,
    "Resize": _resize,
}
