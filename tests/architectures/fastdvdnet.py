"""FastDVDnet from its paper: two cascaded steps of one U-Net each, 5 RGB frames and a noise map, luma in and out.

The network is told once, `network(ops, frames)`; an ONNX graph and NumPy each say what its few operations are.
"""

from __future__ import annotations

import numpy as np

from architectures import twins
from architectures.graphs import FLOAT, Graph, random_weights

SIGMA = 25 / 255
LUMA = (0.299, 0.587, 0.114)
WIDE, BRANCH = (32, 64, 128), 30
"""Channels of the three scales, and of each frame before the frames meet."""


def _block(name):
    """Layer -> shape of its weights, of one U-Net of three frames."""
    c0, c1, c2 = WIDE
    shapes = {"in.0": (3 * BRANCH, 4), "in.1": (c0, 3 * BRANCH)}
    for level, (above, below) in enumerate(((c0, c1), (c1, c2))):
        shapes |= {f"down{level}.0": (below, above), f"down{level}.1": (below, below), f"down{level}.2": (below, below)}
        shapes |= {f"up{level}.0": (below, below), f"up{level}.1": (below, below), f"up{level}.2": (4 * above, below)}
    shapes |= {"out.0": (c0, c0), "out.1": (3, c0)}
    return {f"{name}.{layer}": (*shape, 3, 3) for layer, shape in shapes.items()}


def weights(seed=5):
    """Random weights; batch normalisation is folded into them, as exporters do."""
    layers = _block("first") | _block("second")
    shapes = {f"{layer}.weight": shape for layer, shape in layers.items()}
    shapes |= {f"{layer}.bias": shape[:1] for layer, shape in layers.items()}
    return random_weights(shapes, seed)


def _unet(ops, name, frames, noise):
    def layer(x, which, **how):
        return ops.relu(ops.conv(x, f"{name}.{which}", **how))

    x = layer(ops.join([part for frame in frames for part in (frame, noise)]), "in.0", groups=3)
    scales = [layer(x, "in.1")]
    for level in range(2):
        x = layer(scales[-1], f"down{level}.0", stride=2)
        scales.append(layer(layer(x, f"down{level}.1"), f"down{level}.2"))
    x = scales.pop()
    for level in (1, 0):
        x = layer(layer(x, f"up{level}.0"), f"up{level}.1")
        x = ops.add(scales.pop(), ops.shuffle(ops.conv(x, f"{name}.up{level}.2"), WIDE[level]))
    return ops.subtract(frames[1], ops.conv(layer(x, "out.0"), f"{name}.out.1"))


def network(ops, frames):
    """Luma of five frames [1, 5, H, W] to that of the middle one without noise."""
    noise = ops.noise(frames)
    colours = [ops.join([frame] * 3) for frame in ops.frames(frames)]
    middle = [_unet(ops, "first", colours[start : start + 3], noise) for start in range(3)]
    return ops.luma(_unet(ops, "second", middle, noise))


class Onnx(Graph):
    """The operations as nodes."""

    def conv(self, x, name, stride=1, groups=1):
        return self.op(
            "Conv", x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"),
            group=groups, kernel_shape=[3, 3], pads=[1] * 4, strides=[stride] * 2,
        )  # fmt: skip

    def relu(self, x):
        return self.op("Relu", x)

    def add(self, x, y):
        return self.op("Add", x, y)

    def subtract(self, x, y):
        return self.op("Sub", x, y)

    def join(self, parts):
        return self.op("Concat", *parts, axis=1)

    def shuffle(self, x, channels):
        return self.op("DepthToSpace", x, blocksize=2, mode="CRD")

    def frames(self, x):
        return self.op("Split", x, np.int64([1] * 5), outputs=5, axis=1)

    def noise(self, frames):
        one = self.op("Slice", frames, np.int64([0]), np.int64([1]), np.int64([1]))
        return self.op("Expand", np.float32(SIGMA), self.op("Shape", one))

    def luma(self, x):
        mixed = self.op("Conv", x, np.reshape(LUMA, (1, 3, 1, 1)))
        return self.op("Clip", mixed, np.float32(0.0), np.float32(1.0))


class Numpy(twins.Layers):
    """The operations in float64."""

    def conv(self, x, name, stride=1, groups=1):
        parts = zip(np.split(x, groups, 1), np.split(self.w[f"{name}.weight"], groups), strict=True)
        sums = [twins.conv(part, kernel, stride=stride, pads=(1,) * 4) for part, kernel in parts]
        return np.concatenate(sums, 1) + self.w[f"{name}.bias"].reshape(-1, 1, 1)

    def relu(self, x):
        return twins.relu(x)

    def add(self, x, y):
        return x + y

    def subtract(self, x, y):
        return x - y

    def join(self, parts):
        return np.concatenate(parts, 1)

    def shuffle(self, x, channels):
        rows = [np.stack([x[:, 2 * i :: 4], x[:, 2 * i + 1 :: 4]], -1) for i in range(2)]
        height, width = x.shape[2:]
        return np.stack(rows, 3).reshape(len(x), channels, 2 * height, 2 * width)

    def frames(self, x):
        return np.split(x.astype(np.float64), 5, 1)

    def noise(self, frames):
        return np.full_like(frames[:, :1], SIGMA, dtype=np.float64)

    def luma(self, x):
        return np.clip(np.tensordot(LUMA, x, (0, 1))[:, None], 0.0, 1.0)


def build(opset=17, style="script"):
    """The file."""
    graph = Onnx(weights(), opset, style)
    end = network(graph, "frames")
    free = ["height", "width"]
    return graph.model({"frames": (FLOAT, [1, 5, *free])}, {"denoised": (end, FLOAT, [1, 1, *free])})


def twin(frames):
    """What the file computes, in float64."""
    return network(Numpy(weights()), frames)
