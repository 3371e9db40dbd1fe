"""RAFT-Small: optical flow refined again and again from a correlation of all pairs of places.

Teed, Deng: "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow", ECCV 2020. Weights have torchvision's names.
"""

from __future__ import annotations

import numpy as np
from onnx import numpy_helper

from architectures.graphs import FLOAT, INT64, Graph, random_weights

LEVELS, RADIUS, STATE, CONTEXT, FEATURES = 2, 2, 12, 8, 16
"""Levels of the pyramid, reach of a look-up, channels of the state, of the context and of the features."""

SIDE = 2 * RADIUS + 1
LAYERS = (8, 8, 12, 16)
UPDATE = {
    "motion_encoder.convcorr1.0": (16, LEVELS * SIDE**2, 1, 1), "motion_encoder.convflow1.0": (12, 2, 7, 7),
    "motion_encoder.convflow2.0": (8, 12, 3, 3), "motion_encoder.conv.0": (12, 24, 3, 3),
    "flow_head.conv1": (16, STATE, 3, 3), "flow_head.conv2": (2, 16, 3, 3),
    **{f"recurrent_block.convgru1.conv{gate}": (STATE, STATE + CONTEXT + 14, 3, 3) for gate in "zrq"},
}  # fmt: skip
FAR = 1000.0
"""Flow beyond it is no flow: the model gives zeros."""


def encoder_layers(out):
    """Name, kernel, stride and downsampling of every convolution of an encoder, in order."""
    yield "convnormrelu.0", (LAYERS[0], 3, 7, 7)
    for level in (1, 2, 3):
        before, after = LAYERS[level - 1], LAYERS[level]
        for block in (0, 1):
            name, first = f"layer{level}.{block}", before if block == 0 else after
            yield f"{name}.convnormrelu1.0", (after // 4, first, 1, 1)
            yield f"{name}.convnormrelu2.0", (after // 4, after // 4, 3, 3)
            yield f"{name}.convnormrelu3.0", (after, after // 4, 1, 1)
        if level > 1:
            yield f"layer{level}.0.downsample.0", (after, before, 1, 1)
    yield "conv", (out, LAYERS[3], 1, 1)


def weights(seed=0):
    """Random weights, named as in PyTorch."""
    kernels = {f"feature_encoder.{name}": kernel for name, kernel in encoder_layers(FEATURES)}
    kernels |= {f"context_encoder.{name}": kernel for name, kernel in encoder_layers(STATE + CONTEXT)}
    kernels |= {f"update_block.{name}": kernel for name, kernel in UPDATE.items()}
    shapes = {f"{name}.weight": kernel for name, kernel in kernels.items()}
    return random_weights(shapes | {f"{name}.bias": kernel[:1] for name, kernel in kernels.items()}, seed)


def inputs(height, width, seed=1):
    """Two frames in -1..1; the second is the first, moved by three and two pixels."""
    rng = np.random.default_rng(seed)
    frame = rng.uniform(-1.0, 1.0, (1, 3, height, width)).astype(np.float32)
    return {"image1": frame, "image2": np.roll(frame, (2, 3), (2, 3))}


def build(opset=17, style="script", form="loop", rounds=6, values=None):
    """The file of a network: two frames [1, 3, h, w] in, sides multiples of 8; flow [1, 2, h, w] in pixels out.

    form is "loop", a Loop with a constant number of rounds, "while", one that only its condition ends, or "unrolled".
    """
    g = Graph(values or weights(), opset, style)
    both = g.op("Concat", "image1", "image2", axis=0)
    features = _encoder(g, both, "feature_encoder", norm=True, checked=form == "loop")
    pyramid = _pyramid(g, *_halves(g, features))
    state, context = g.op(
        "Split", _encoder(g, "image1", "context_encoder"), np.int64([STATE, CONTEXT]), axis=1, outputs=2
    )
    state, context = g.op("Tanh", state), g.op("Relu", context)
    base = _places(g, state)

    def refine(graph, _, state, places):
        seen = _look_up(graph, pyramid, places)
        state, change = _update(graph, state, context, seen, graph.op("Sub", places, base))
        return state, graph.op("Add", places, change)

    places = base
    if form == "unrolled":
        for _ in range(rounds):
            state, places = refine(g, None, state, places)
    else:
        state, places = g.loop(np.int64(rounds), [state, places], refine, [FLOAT, FLOAT], counted=form == "loop")
    flow = _upsampled(g, _near(g, g.op("Sub", places, base)))
    frames = {name: (FLOAT, [1, 3, "h", "w"]) for name in ("image1", "image2")}
    return g.model(frames, {"flow": (flow, FLOAT, [1, 2, "h", "w"])})


def _encoder(g, x, name, norm=False, checked=False):
    x = _layer(g, x, f"{name}.convnormrelu", norm, checked, stride=2, pad=3)
    for level in (1, 2, 3):
        for block in (0, 1):
            stride = 2 if level > 1 and block == 0 else 1
            x = _residual(g, x, f"{name}.layer{level}.{block}", norm, checked, stride)
    return g.conv(x, f"{name}.conv")


def _residual(g, x, name, norm, checked, stride):
    y = _layer(g, x, f"{name}.convnormrelu1", norm, checked)
    y = _layer(g, y, f"{name}.convnormrelu2", norm, checked, stride, pad=1)
    y = _layer(g, y, f"{name}.convnormrelu3", norm, checked)
    if stride == 2:
        x = _layer(g, x, f"{name}.downsample", norm, checked, stride, active=False)
    return g.op("Relu", g.op("Add", x, y))


def _layer(g, x, name, norm, checked, stride=1, pad=0, active=True):
    x = g.conv(x, f"{name}.0", stride, pad)
    if norm:
        channels = len(g.weights[f"{name}.0.weight"])
        if checked and g.script:
            _count_places(g, x)
        x = g.op("InstanceNormalization", x, np.ones(channels), np.zeros(channels), epsilon=1e-5)
    return g.op("Relu", x) if active else x


def _count_places(g, x):
    """What TorchScript leaves of PyTorch's check that there is more than one place: a loop that nothing uses."""
    shape = g.op("Shape", x)
    trips = g.cast(g.op("Ceil", 2.0), INT64)

    def body(graph, number, product):
        axis = graph.op("Add", np.int64(2), graph.op("Mul", number, np.int64(1)))
        return (graph.op("Mul", product, graph.op("Gather", shape, axis, axis=0)),)

    g.loop(trips, [g.op("Gather", shape, np.int64(0), axis=0)], body, [INT64])


def _halves(g, x):
    if g.style == "dynamo":
        return g.op("Split", x, axis=0, outputs=2, **({"num_outputs": 2} if g.opset >= 18 else {}))
    half = g.op("Div", g.op("Add", g.scalar(x, 0), np.int64(1)), np.int64(2))
    end = g.listed(half)
    last = g.listed(g.op("Mul", half, np.int64(2)))
    return g.op("Slice", x, [0], end, [0]), g.op("Slice", x, end, last, [0])


def _pyramid(g, first, second):
    """Products of the features of all pairs of places, then their means over 2x2 places of the second frame."""
    batch, high, wide = (g.scalar(first, axis) for axis in (0, 2, 3))
    area = g.op("Mul", high, wide)
    rows = g.reshape(first, g.listed(batch), FEATURES, g.listed(area))
    columns = g.reshape(second, g.listed(batch), FEATURES, g.listed(area))
    pairs = g.op("MatMul", g.transpose(rows, 0, 2, 1), columns)
    pairs = g.reshape(pairs, g.listed(g.op("Mul", batch, area)), 1, g.listed(high), g.listed(wide))
    levels = [g.op("Div", pairs, float(np.sqrt(FEATURES)))]
    for _ in range(1, LEVELS):
        pool = {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 0, "count_include_pad": 1}
        levels.append(g.op("AveragePool", levels[-1], **pool))
    return levels


def _places(g, x):
    """Column and row of every place, [1, 2, h, w]."""
    high, wide = g.size(x, 2), g.size(x, 3)
    rows = g.op("Range", np.int64(0), g.cast(g.scalar(x, 2), INT64), np.int64(1))
    columns = g.op("Range", np.int64(0), g.cast(g.scalar(x, 3), INT64), np.int64(1))
    shape = g.shape(high, wide)
    rows = g.op("Expand", g.reshape(rows, -1, 1), shape)
    columns = g.op("Expand", g.reshape(columns, 1, -1), shape)
    grid = g.op("Concat", g.op("Unsqueeze", columns, [0]), g.op("Unsqueeze", rows, [0]), axis=0)
    grid = g.op("Unsqueeze", g.cast(grid, FLOAT), [0])
    return g.op("Tile", grid, g.shape(g.size(x, 0), 1, 1, 1))


def _look_up(g, pyramid, places):
    """Correlations round every place at every level, [1, levels * side * side, h, w]."""
    batch, high, wide = (g.scalar(places, axis) for axis in (0, 2, 3))
    area = g.listed(g.op("Mul", g.op("Mul", batch, high), wide))
    centres = g.reshape(g.transpose(places, 0, 2, 3, 1), area, 1, 1, 2)
    reach = np.linspace(-RADIUS, RADIUS, SIDE)
    around = np.stack(np.meshgrid(reach, reach, indexing="ij"), -1)[None]
    found = []
    for level in pyramid:
        grid = _normalised(g, g.op("Add", centres, around), level)
        mode = "linear" if g.opset >= 20 else "bilinear"
        values = g.op("GridSample", level, grid, align_corners=1, mode=mode, padding_mode="zeros")
        found.append(g.reshape(values, g.listed(batch), g.listed(high), g.listed(wide), SIDE**2))
        centres = g.op("Div", centres, 2.0)
    return g.transpose(g.op("Concat", *found, axis=-1), 0, 3, 1, 2)


def _normalised(g, grid, image):
    """Places in pixels to -1..1 as GridSample takes them."""
    scaled = []
    for part, axis in zip(g.op("Split", grid, np.int64([1, 1]), axis=-1, outputs=2), (3, 2), strict=True):
        last = g.cast(g.op("Sub", g.scalar(image, axis), np.int64(1)), FLOAT)
        scaled.append(g.op("Sub", g.op("Div", g.op("Mul", part, 2.0), last), 1.0))
    return g.op("Concat", *scaled, axis=-1)


def _update(g, state, context, seen, flow):
    """Next state and change of the flow: motion encoder, convolutional gated recurrent unit, head."""
    name = "update_block.motion_encoder"
    motion = g.op("Relu", g.conv(flow, f"{name}.convflow1.0", pad=3))
    motion = g.op("Relu", g.conv(motion, f"{name}.convflow2.0", pad=1))
    motion = g.op("Concat", g.op("Relu", g.conv(seen, f"{name}.convcorr1.0")), motion, axis=1)
    motion = g.op("Relu", g.conv(motion, f"{name}.conv.0", pad=1))
    x = g.op("Concat", context, motion, flow, axis=1)
    state = _gated(g, state, x, "update_block.recurrent_block.convgru1")
    change = g.op("Relu", g.conv(state, "update_block.flow_head.conv1", pad=1))
    return state, g.conv(change, "update_block.flow_head.conv2", pad=1)


def _gated(g, state, x, name):
    both = g.op("Concat", state, x, axis=1)
    update = g.op("Sigmoid", g.conv(both, f"{name}.convz", pad=1))
    reset = g.op("Sigmoid", g.conv(both, f"{name}.convr", pad=1))
    fresh = g.op("Concat", g.op("Mul", reset, state), x, axis=1)
    fresh = g.op("Tanh", g.conv(fresh, f"{name}.convq", pad=1))
    kept = g.op("Mul", g.op("Sub", 1.0, update), state)
    return g.op("Add", kept, g.op("Mul", update, fresh))


def _near(g, flow):
    """The flow, or zeros if it has run away."""
    largest = g.op("ReduceMax", g.op("Abs", flow), keepdims=0)
    zero = numpy_helper.from_array(np.float32([0.0]))
    return g.branch(
        g.op("Greater", largest, FAR),
        lambda inner: inner.op("ConstantOfShape", inner.op("Shape", flow), value=zero),
        lambda inner: inner.op("Identity", flow),
        FLOAT,
    )


def _upsampled(g, flow):
    sides = [g.listed(g.op("Mul", g.scalar(flow, axis), np.int64(8))) for axis in (2, 3)]
    first = g.op("Slice", g.op("Shape", flow), [0], [2], [0])
    sizes = g.op("Concat", first, *sides, axis=0)
    attributes = {"coordinate_transformation_mode": "align_corners", "mode": "linear", "nearest_mode": "floor"}
    return g.op("Mul", g.op("Resize", flow, "", "", sizes, cubic_coeff_a=-0.75, **attributes), 8.0)
