"""MUSIQ: image quality from patches at several scales, by a transformer that takes any number of them.

Ke, Wang, Wang, Milanfar, Yang: "MUSIQ: Multi-scale Image Quality Transformer", ICCV 2021.
"""

from __future__ import annotations

import numpy as np
from onnx import numpy_helper

from architectures.graphs import BOOL, FLOAT, INT64, Graph, random_weights

PATCH, WIDTH, HIDDEN, HEADS, LAYERS, GRID, SCALES, STEM = 8, 32, 64, 4, 2, 10, 3, 16
"""Side of a patch, features, those inside a perceptron, heads, blocks, cells per side of the hash, scales, stem."""

GROUPS, SHARES = 4, (32, 16)
"""Groups of a normalisation; sides of the smaller scales in 64ths of the image's."""

CONVOLUTIONS = {
    "root": (STEM, 3, 7, 7), "block.c1": (16, STEM, 1, 1), "block.c2": (16, 16, 3, 3), "block.c3": (32, 16, 1, 1),
    "block.p": (32, STEM, 1, 1),
}  # fmt: skip
NORMS = {"gn": STEM, "block.g1": 16, "block.g2": 16, "block.g3": 32, "block.gp": 32}


def weights(seed=0):
    """Random weights, named as in PyTorch."""
    shapes = {f"{name}.weight": shape for name, shape in CONVOLUTIONS.items()}
    shapes |= {f"{name}.{part}": (size,) for name, size in NORMS.items() for part in ("weight", "bias")}
    shapes |= {"pos": (1, GRID * GRID, WIDTH), "sc": (1, SCALES, WIDTH), "cls": (1, 1, WIDTH)}
    linear = {"emb": (WIDTH, 32 * (PATCH // 4) ** 2), "head": (1, WIDTH)}
    for i in range(LAYERS):
        linear |= {f"blocks.{i}.a.{part}": (WIDTH, WIDTH) for part in ("query", "key", "value", "out")}
        linear |= {f"blocks.{i}.f1": (HIDDEN, WIDTH), f"blocks.{i}.f2": (WIDTH, HIDDEN)}
        shapes |= {f"blocks.{i}.n{n}.{part}": (WIDTH,) for n in (1, 2) for part in ("weight", "bias")}
    shapes |= {"norm.weight": (WIDTH,), "norm.bias": (WIDTH,)}
    shapes |= {f"{name}.weight": shape for name, shape in linear.items()}
    shapes |= {f"{name}.bias": shape[:1] for name, shape in linear.items()}
    return random_weights(shapes, seed)


def inputs(batch, patches, masked, seed=1):
    """Patches as the network takes them: pixels in -1..1, cell of the hash, scale, 1 for a real patch."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(-1.0, 1.0, (batch, patches, 3 * PATCH * PATCH + 3)).astype(np.float32)
    values[..., -3] = rng.integers(0, GRID * GRID, (batch, patches))
    values[..., -2] = rng.integers(0, SCALES, (batch, patches))
    values[..., -1] = np.arange(patches) < patches - masked
    return {"patches": values}


def image(height, width, seed=1):
    """An image in 0..1."""
    return {"image": np.random.default_rng(seed).uniform(size=(1, 3, height, width)).astype(np.float32)}


def build(opset=17, style="script", values=None):
    """The file of a network: patches [b, n, 195] in, score [b, 1] out."""
    g = Graph(values or weights(), opset, style)
    score = _score(g, "patches")
    return g.model({"patches": (FLOAT, ["b", "n", 3 * PATCH * PATCH + 3])}, {"score": (score, FLOAT, ["b", 1])})


def build_image(opset=17, style="script", values=None):
    """The file of a network that cuts the patches itself: image [1, 3, h, w] in, score [1, 1] out."""
    g = Graph(values or weights(), opset, style)
    whole = g.op("Mul", g.op("Sub", "image", 0.5), 2.0)
    high, wide = g.scalar("image", 2), g.scalar("image", 3)
    scales = [_patches(g, whole, high, wide, 0)]
    for number, share in enumerate(SHARES, 1):
        sides = [g.op("Div", g.op("Mul", side, np.int64(share)), np.int64(64)) for side in (high, wide)]
        sizes = g.shape(1, 3, *(g.listed(side) for side in sides))
        half = {"coordinate_transformation_mode": "half_pixel", "mode": "cubic", "cubic_coeff_a": -0.75}
        scales.append(_patches(g, g.op("Resize", whole, "", "", sizes, nearest_mode="floor", **half), *sides, number))
    score = _score(g, g.op("Concat", *scales, axis=1))
    return g.model({"image": (FLOAT, [1, 3, "h", "w"])}, {"score": (score, FLOAT, [1, 1])})


def _patches(g, x, high, wide, scale):
    """Patches of an image, padded at the right and at the bottom, with cell and scale, [1, n, 195]."""
    rows, columns = (g.op("Div", g.op("Add", side, np.int64(PATCH - 1)), np.int64(PATCH)) for side in (high, wide))
    wanted = [g.op("Mul", count, np.int64(PATCH)) for count in (rows, columns)]
    missing = [g.listed(g.op("Sub", *pair)) for pair in zip(wanted, (high, wide), strict=True)]
    x = g.op("Pad", x, g.op("Concat", np.int64([0] * 6), *missing, axis=0), mode="constant")
    x = _unfolded(g, x, wanted) if g.script else _folded(g, x, g.listed(rows), g.listed(columns))
    cells = g.op("Mul", g.reshape(_spread(g, rows), -1, 1), float(GRID))
    cells = g.reshape(g.op("Add", cells, g.reshape(_spread(g, columns), 1, -1)), 1, -1, 1)
    shape = g.op("Shape", cells)
    return g.op("Concat", x, cells, g.op("Expand", float(scale), shape), g.op("Expand", 1.0, shape), axis=2)


def _spread(g, count):
    """Cells of the hash along an axis of some patches."""
    cells = g.op(
        "Reshape", g.cast(g.op("Range", np.int64(0), np.int64(GRID), np.int64(1)), FLOAT), np.int64([1, 1, -1])
    )
    nearest = {"coordinate_transformation_mode": "asymmetric", "mode": "nearest", "nearest_mode": "floor"}
    return g.op("Resize", cells, "", "", g.shape(1, 1, g.listed(count)), **nearest)


def _unfolded(g, x, sides):
    """Patches by look-up of rows and columns."""
    for axis, side in zip((2, 4), sides, strict=True):
        starts = g.op("Unsqueeze", g.op("Range", np.int64(0), side, np.int64(PATCH)), [0])
        x = g.op("Gather", x, g.op("Add", starts, np.arange(PATCH)[:, None]), axis=axis)
    return g.transpose(g.reshape(g.transpose(x, 0, 1, 2, 4, 3, 5), 1, 3 * PATCH * PATCH, -1), 0, 2, 1)


def _folded(g, x, rows, columns):
    x = g.transpose(g.reshape(x, 1, 3, rows, PATCH, columns, PATCH), 0, 2, 4, 1, 3, 5)
    return g.reshape(x, 1, -1, 3 * PATCH * PATCH)


def _score(g, patches):
    batch, count = g.size(patches, 0), g.size(patches, 1)
    cell, scale, real = (g.op("Gather", patches, np.int64(column), axis=2) for column in (-3, -2, -1))
    pixels = g.op("Slice", patches, [0], [-3], [2], [1])
    x = _stem(g, g.reshape(pixels, -1, 3, PATCH, PATCH))
    x = g.reshape(g.transpose(x, 0, 2, 3, 1), batch, count, 32 * (PATCH // 4) ** 2)
    x = g.linear(x, "emb")
    x = g.op("Add", x, _looked_up(g, "pos", cell))
    x = g.op("Add", x, _looked_up(g, "sc", scale))
    x = g.op("Concat", g.op("Tile", g.weight("cls"), g.shape(batch, 1, 1)), x, axis=1)
    real = g.op("Concat", g.cast(_ones(g, batch), BOOL), g.cast(real, BOOL), axis=1)
    hidden = _hidden_pairs(g, real, batch, x)
    for i in range(LAYERS):
        x = _block(g, x, hidden, f"blocks.{i}")
    first = g.op("Gather", g.layer_norm(x, "norm"), np.int64(0), axis=1)
    score = g.op("Gemm", first, g.weight("head.weight"), g.weight("head.bias"), alpha=1.0, beta=1.0, transB=1)
    return g.op("Squeeze", g.reduce_mean(g.reshape(score, batch, 1, -1), [1]), [1])


def _ones(g, batch):
    if g.script:
        return g.op("ConstantOfShape", g.shape(batch, 1), value=numpy_helper.from_array(np.float32([1.0])))
    return g.op("Expand", 1.0, g.shape(batch, 1))


def _looked_up(g, name, index):
    """Rows of a table; the two exporters write that differently."""
    table = g.weights[name][0]
    g.top.initializers[f"{name}_table"] = table
    index = g.cast(index, INT64)
    if g.script:
        return g.op("Gather", f"{name}_table", index, axis=0)
    return g.op("GatherND", f"{name}_table", g.op("Unsqueeze", index, [-1]), batch_dims=0)


def _standardised(g, name):
    """Weights less their mean, over their deviation: computed in the graph by TorchScript, folded by torch.export."""
    axes = [1, 2, 3]
    if not g.script:
        w = g.weights[f"{name}.weight"]
        w = w - w.mean((1, 2, 3), keepdims=True)
        g.top.initializers[f"{name}_div"] = w / (w.std((1, 2, 3), keepdims=True) + np.float32(1e-5))
        return f"{name}_div"
    centred = g.op("Sub", g.weight(f"{name}.weight"), g.reduce_mean(g.weight(f"{name}.weight"), axes))
    again = g.op("Sub", centred, g.reduce_mean(centred, axes))
    deviation = g.op("Sqrt", g.reduce_mean(g.op("Mul", again, again), axes))
    return g.op("Div", centred, g.op("Add", deviation, 1e-5))


def _pads(g, *sides):
    """Padding of left, right, top, bottom as ONNX wants it; TorchScript turns PyTorch's order round in the graph."""
    left, right, top, bottom = sides
    if not g.script:
        return g.constant(np.int64([0, 0, top, left, 0, 0, bottom, right]))
    zeros = g.op("ConstantOfShape", np.int64([4]), value=numpy_helper.from_array(np.int64([0])))
    pairs = g.op("Reshape", g.op("Concat", np.int64(sides), zeros, axis=0), np.int64([-1, 2]))
    turned = g.op("Slice", pairs, [-1], [-(2**63) + 1], [0], [-1])
    return g.cast(g.op("Reshape", g.transpose(turned, 1, 0), np.int64([-1])), INT64)


def _conv(g, x, name, pads=(0, 0, 0, 0), stride=1):
    shape = CONVOLUTIONS[name]
    before, inside = pads[::2], pads[1::2]
    if g.script:
        x = g.op("Pad", x, _pads(g, *pads), "", mode="constant")
        before = inside = (0, 0)
    sides = [before[1], before[0], inside[1], inside[0]]
    return g.op("Conv", x, _standardised(g, name), kernel_shape=shape[2:], pads=sides, strides=[stride] * 2)


def _group_norm(g, x, name, epsilon=1e-4):
    flat = g.op("Reshape", x, np.int64([0, GROUPS, -1]))
    flat = g.op("InstanceNormalization", flat, np.ones(GROUPS), np.zeros(GROUPS), epsilon=epsilon)
    x = g.op("Reshape", flat, g.op("Shape", x))
    x = g.op("Mul", x, g.weight(f"{name}.weight", vector=True))
    return g.op("Add", x, g.weight(f"{name}.bias", vector=True))


def _stem(g, x):
    x = _conv(g, x, "root", pads=(2, 3, 2, 3), stride=2)
    x = g.op("Relu", _group_norm(g, x, "gn", 1e-6))
    x = g.op("Pad", x, _pads(g, 0, 1, 0, 1), mode="constant")
    x = g.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=0)
    past = _group_norm(g, _conv(g, x, "block.p"), "block.gp")
    x = g.op("Relu", _group_norm(g, _conv(g, x, "block.c1"), "block.g1"))
    x = g.op("Relu", _group_norm(g, _conv(g, x, "block.c2", pads=(1, 1, 1, 1)), "block.g2"))
    return g.op("Relu", g.op("Add", _group_norm(g, _conv(g, x, "block.c3"), "block.g3"), past))


def _hidden_pairs(g, real, batch, x):
    """Pairs of places of which one is no patch."""
    count = g.size(x, 1)
    rows, columns = g.reshape(real, batch, 1, count, 1), g.reshape(real, batch, 1, 1, count)
    both = g.op("And", rows, columns)
    return g.op("Equal", g.cast(both, INT64), np.int64(0))


def _block(g, x, hidden, name):
    x = g.op("Add", x, _attention(g, g.layer_norm(x, f"{name}.n1"), hidden, f"{name}.a"))
    inside = g.gelu(g.linear(g.layer_norm(x, f"{name}.n2"), f"{name}.f1"))
    return g.op("Add", x, g.linear(inside, f"{name}.f2"))


def _attention(g, x, hidden, name):
    batch, count = g.size(x, 0), g.size(x, 1)
    query, key, value = (
        g.reshape(g.linear(x, f"{name}.{part}"), batch, count, HEADS, WIDTH // HEADS)
        for part in ("query", "key", "value")
    )
    product = g.op("MatMul", g.transpose(query, 0, 2, 1, 3), g.transpose(key, 0, 2, 3, 1))
    product = g.op("Where", hidden, -1000.0, g.op("Mul", product, (WIDTH // HEADS) ** -0.5))
    seen = g.op("MatMul", g.op("Softmax", product, axis=-1), g.transpose(value, 0, 2, 1, 3))
    return g.linear(g.reshape(g.transpose(seen, 0, 2, 1, 3), batch, count, WIDTH), f"{name}.out")
