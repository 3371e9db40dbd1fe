"""SmolVLM: a SigLIP image encoder, a projection of its tokens, and a Llama decoder that reads them among words.

Marafioti et al.: "SmolVLM: Redefining small and efficient multimodal models", 2025. Weights have transformers' names.
"""

from __future__ import annotations

import numpy as np
from onnx import numpy_helper

from architectures.graphs import BOOL, FLOAT, INT64, Graph, random_weights

SIDE, PATCH, CELLS, WIDTH, LAYERS, HEADS = 32, 8, 4, 32, 2, 4
"""Side of an image and of a patch, patches per side, features, layers and heads of either transformer."""

SHUFFLE, KEY_HEADS, DEPTH, VOCABULARY, IMAGE_TOKEN = 2, 2, 8, 96, 90
"""Side of the patches joined to one token, heads of keys, features of a head, words, the word for an image token."""

IMAGE_TOKENS = (CELLS // SHUFFLE) ** 2
FREQUENCIES = 10000.0 ** -np.linspace(0.0, 0.75, DEPTH // 2)
MASKED = float(np.finfo(np.float32).min)
VISION, TEXT, CACHE = "model.vision_model", "model.text_model", ("k0", "v0", "k1", "v1")
VISION_LINEAR = {f"self_attn.{part}_proj": (WIDTH, WIDTH) for part in ("q", "k", "v", "out")}
VISION_LINEAR |= {"mlp.fc1": (64, WIDTH), "mlp.fc2": (WIDTH, 64)}
TEXT_LINEAR = {
    "self_attn.q_proj": (WIDTH, WIDTH), "self_attn.k_proj": (KEY_HEADS * DEPTH, WIDTH),
    "self_attn.v_proj": (KEY_HEADS * DEPTH, WIDTH), "self_attn.o_proj": (WIDTH, WIDTH),
    "mlp.gate_proj": (48, WIDTH), "mlp.up_proj": (48, WIDTH), "mlp.down_proj": (WIDTH, 48),
}  # fmt: skip


def weights(seed=0):
    """Random weights, named as in transformers."""
    tower, words = f"{VISION}.encoder.layers", f"{TEXT}.layers"
    biased = {f"{tower}.{i}.{name}": shape for i in range(LAYERS) for name, shape in VISION_LINEAR.items()}
    biased[f"{VISION}.embeddings.patch_embedding"] = (WIDTH, 3, PATCH, PATCH)
    biased |= {f"{tower}.{i}.layer_norm{n}": (WIDTH,) for i in range(LAYERS) for n in (1, 2)}
    biased[f"{VISION}.post_layernorm"] = (WIDTH,)
    shapes = {f"{name}.weight": shape for name, shape in biased.items()}
    shapes |= {f"{name}.bias": shape[:1] for name, shape in biased.items()}
    shapes |= {f"{words}.{i}.{name}.weight": shape for i in range(LAYERS) for name, shape in TEXT_LINEAR.items()}
    norms = [f"{words}.{i}.{place}_layernorm" for i in range(LAYERS) for place in ("input", "post_attention")]
    shapes |= {f"{name}.weight": (WIDTH,) for name in (*norms, f"{TEXT}.norm")}
    shapes["model.connector.modality_projection.proj.weight"] = (WIDTH, WIDTH * SHUFFLE**2)
    shapes[f"{VISION}.embeddings.position_embedding.weight"] = (CELLS**2, WIDTH)
    shapes |= {f"{TEXT}.embed_tokens.weight": (VOCABULARY, WIDTH), "lm_head.weight": (VOCABULARY, WIDTH)}
    return random_weights(shapes, seed, gain=1.5)


def images(batch, cut=0, seed=1):
    """Images in -1..1 and which of their pixels are no padding: all, or all but some columns at the right."""
    pixels = np.random.default_rng(seed).uniform(-1.0, 1.0, (batch, 3, SIDE, SIDE)).astype(np.float32)
    mask = np.broadcast_to(np.arange(SIDE) < SIDE - cut, (batch, SIDE, SIDE)).copy()
    return {"pixel_values": pixels, "pixel_attention_mask": mask}


def step_inputs(batch, new, past, padded=0, seed=1):
    """Embedded words, which words are no padding, their places, and the cache of the words before them."""
    rng = np.random.default_rng(seed)
    mask = np.broadcast_to(np.arange(past + new) >= padded, (batch, past + new)).astype(np.int64)
    places = np.broadcast_to(np.arange(past, past + new), (batch, new)).copy()
    given = {"inputs_embeds": rng.normal(size=(batch, new, WIDTH)), "attention_mask": mask, "position_ids": places}
    given |= {name: rng.normal(size=(batch, KEY_HEADS, past, DEPTH)) for name in CACHE}
    return {name: value.astype(np.float32) if value.dtype.kind == "f" else value for name, value in given.items()}


def question(words, seed=1):
    """An image and words, the image's tokens after the second of them."""
    ids = np.random.default_rng(seed).integers(3, 80, (1, words))
    ids[:, 2 : 2 + IMAGE_TOKENS] = IMAGE_TOKEN
    return {"pixel_values": images(1)["pixel_values"], "input_ids": ids}


def build_vision(opset=17, style="script", values=None):
    """Images [b, 3, 32, 32] and masks in, their tokens [b, 4, 32] out."""
    g = Graph(values or weights(), opset, style)
    tokens = _tokens(g, "pixel_values", _real_patches(g, "pixel_attention_mask"))
    taken = {"pixel_values": (FLOAT, ["b", 3, SIDE, SIDE]), "pixel_attention_mask": (BOOL, ["b", SIDE, SIDE])}
    return g.model(taken, {"image_features": (tokens, FLOAT, ["b", IMAGE_TOKENS, WIDTH])})


def build_step(opset=17, style="script", values=None):
    """One step of the decoder with a cache, as pipelines run it word by word."""
    g = Graph(values or weights(), opset, style)
    cache = [CACHE[2 * i : 2 * i + 2] for i in range(LAYERS)]
    logits, cache = _decoded(g, "inputs_embeds", "attention_mask", "position_ids", cache)
    taken = {"inputs_embeds": (FLOAT, ["b", "s", WIDTH]), "attention_mask": (INT64, ["b", "t"])}
    taken |= {"position_ids": (INT64, ["b", "s"])} | {name: (FLOAT, ["b", KEY_HEADS, "p", DEPTH]) for name in CACHE}
    given = {"logits": (logits, FLOAT, ["b", "s", VOCABULARY])}
    shape = ["b", KEY_HEADS, "t", DEPTH]
    given |= {f"present_{name}": (value, FLOAT, shape) for name, value in zip(CACHE, sum(cache, ()), strict=True)}
    return g.model(taken, given)


def build_answer(opset=17, style="script", count=8, values=None):
    """The whole model: an image and words in, the words and `count` more out, each the likeliest one."""
    g = Graph(values or weights(), opset, style)
    features = _tokens(g, "pixel_values", _all_patches(g, "pixel_values"))
    table = g.weight(f"{TEXT}.embed_tokens.weight")
    embedded = _merged(g, g.op("Gather", table, "input_ids", axis=0), features)

    def append(graph, _, ids, embeds):
        mask = _ones_like(graph, ids)
        places = graph.op("Unsqueeze", _counted(graph, graph.scalar(ids, 1)), [0])
        logits, _ = _decoded(graph, embeds, mask, places)
        last = graph.op("Gather", logits, np.int64(-1), axis=1)
        word = graph.op("ArgMax", last, axis=-1, keepdims=1, select_last_index=0)
        embeds = graph.op("Concat", embeds, graph.op("Gather", table, word, axis=0), axis=1)
        return graph.op("Concat", ids, word, axis=1), embeds

    ids, _ = g.loop(np.int64(count), ["input_ids", embedded], append, [INT64, FLOAT])
    taken = {"pixel_values": (FLOAT, [1, 3, SIDE, SIDE]), "input_ids": (INT64, [1, "s"])}
    return g.model(taken, {"tokens": (ids, INT64, [1, "t"])})


def _real_patches(g, mask):
    """Patches that hold a pixel of the image, [b, 4, 4]."""
    for axis in (1, 2):
        turn = (0, 2, 1) if axis == 1 else (0, 1, 3, 2)
        if g.script:
            cuts = [g.op("Slice", mask, [i * PATCH], [(i + 1) * PATCH], [axis]) for i in range(CELLS)]
            mask = g.op("Concat", *(g.op("Unsqueeze", g.transpose(cut, *turn), [axis]) for cut in cuts), axis=axis)
        else:
            cuts = g.op("Gather", mask, np.arange(SIDE).reshape(CELLS, PATCH), axis=axis)
            mask = g.transpose(cuts, *((0, 1, 3, 2) if axis == 1 else (0, 1, 2, 4, 3)))
    return g.op("Greater", g.op("ReduceSum", g.cast(mask, INT64), [-1, -2], keepdims=0), np.int64(0))


def _all_patches(g, pixels):
    return g.expand(True, g.size(pixels, 0), CELLS, CELLS)


def _ones_like(g, ids):
    if g.script:
        return g.op("ConstantOfShape", g.op("Shape", ids), value=numpy_helper.from_array(np.int64([1])))
    return g.op("Expand", np.int64(1), g.op("Shape", ids))


def _counted(g, length):
    return g.op("Range", np.int64(0), g.cast(length, INT64), np.int64(1))


def _tokens(g, pixels, real):
    name = f"{VISION}.embeddings"
    batch = g.size(pixels, 0)
    x = g.conv(pixels, f"{name}.patch_embedding", stride=PATCH)
    x = g.transpose(g.reshape(x, batch, WIDTH, CELLS**2), 0, 2, 1)
    rows, columns = (_bucket(g, _fractions(g, real, axis)) for axis in (1, 2))
    places = g.op("Mul", g.op("Unsqueeze", rows, [2]), np.int64(CELLS))
    places = g.reshape(g.op("Add", places, g.op("Unsqueeze", columns, [1])), batch, CELLS**2)
    real = g.reshape(real, batch, CELLS**2)
    places = g.op("Where", real, places, g.op("Expand", np.int64(0), g.shape(batch, CELLS**2)))
    x = g.op("Add", x, g.op("Gather", g.weight(f"{name}.position_embedding.weight"), places, axis=0))
    columns = g.op("Unsqueeze", np.arange(CELLS**2), [0, 1, 2])
    mask = g.op("Where", g.op("And", True, _keys(g, real, g.scalar(pixels, 0), columns)), 0.0, MASKED)
    for i in range(LAYERS):
        x = _vision_layer(g, x, mask, f"{VISION}.encoder.layers.{i}")
    return _joined(g, g.layer_norm(x, f"{VISION}.post_layernorm"), batch)


def _fractions(g, real, axis):
    """Where the patches of an image lie along an axis, in 0..1 of its own length."""
    along = g.cast(g.op("Gather", real, np.int64(0), axis=3 - axis), INT64)
    step = g.op("Reciprocal", g.cast(g.op("ReduceSum", along, [1], keepdims=0), FLOAT))
    end = g.cast(g.scalar(real, axis), FLOAT)
    numbers = g.op("Range", 0.0, end, 1.0) if g.script else np.arange(CELLS) * 1.0
    places = g.op("Mul", g.op("Unsqueeze", numbers, [0]), g.op("Unsqueeze", step, [1]))
    return g.op("Clip", places, "", 1.0 - 1e-6)


def _bucket(g, x):
    """Number of quarters that are not above a value: counted by TorchScript, searched for by torch.export."""
    edges = np.arange(1, CELLS) / CELLS
    if g.script:
        below = g.op(
            "Less", x, g.op("Expand", edges[:, None, None], g.op("Concat", [CELLS - 1], g.op("Shape", x), axis=0))
        )
        return g.op("ReduceSum", g.cast(g.op("Not", below), INT64), [0], keepdims=0)
    low = g.op("Expand", np.int64(0), g.op("Shape", x, start=0))
    high = g.op("Add", low, np.int64(CELLS - 1))
    for _ in range(2):
        open_ = g.op("Less", low, high)
        middle = g.op("Where", open_, g.op("Add", low, _half(g, g.op("Sub", high, low))), np.int64(0))
        above = g.op("Greater", g.op("GatherND", edges, g.op("Unsqueeze", middle, [-1]), batch_dims=0), x)
        low = g.op("Where", g.op("And", g.op("Not", above), open_), g.op("Add", middle, np.int64(1)), low)
        high = g.op("Where", g.op("And", above, open_), middle, high)
    return low


def _half(g, x):
    """x // 2 as torch.export writes a division that rounds down."""
    negative = g.op("Equal", g.op("Less", x, np.int64(0)), True)
    odd = g.cast(g.op("Mod", x, np.int64(2), fmod=0), BOOL)
    return g.op("Sub", g.op("Div", x, np.int64(2)), g.cast(g.op("And", negative, odd), INT64))


def _keys(g, real, batch, columns):
    """Which keys count, [b, 1, 1, t]: the mask [b, t] read at every pair of image and key."""
    rows = g.op("Unsqueeze", _counted(g, batch), [1, 2, 3])
    if g.script:
        flat = g.op("Reshape", real, np.int64([-1]))
        places = g.op("Add", columns, g.op("Mul", rows, g.op("Gather", g.op("Shape", real), [1], axis=0)))
        return g.op("Reshape", g.op("Gather", flat, places, axis=0), g.op("Shape", places))
    shape = g.op("Shape", g.op("Max", rows, columns), start=0)
    pairs = [g.op("Unsqueeze", g.op("Expand", part, shape), [-1]) for part in (rows, columns)]
    return g.op("GatherND", real, g.op("Concat", *pairs, axis=-1), batch_dims=0)


def _heads(g, x, name, depth, bias=True):
    shape = (g.size(x, 0), g.size(x, 1), -1, depth)
    return g.transpose(g.reshape(g.linear(x, name, bias), *shape), 0, 2, 1, 3)


def _attended(g, query, key, value, mask):
    """Attention; rows without any key, which PyTorch's kernel makes not-a-number, become zeros."""
    product = g.op("MatMul", query, g.transpose(key, 0, 1, 3, 2))
    share = g.op("Softmax", g.op("Add", g.op("Mul", product, DEPTH**-0.5), mask), axis=-1)
    share = g.op("Where", g.op("IsNaN", share), 0.0, share)
    x = g.transpose(g.op("MatMul", share, value), 0, 2, 1, 3)
    return g.reshape(x, g.size(x, 0), g.size(x, 1), WIDTH)


def _vision_layer(g, x, mask, name):
    y = g.layer_norm(x, f"{name}.layer_norm1")
    query, key, value = (_heads(g, y, f"{name}.self_attn.{part}_proj", DEPTH) for part in "qkv")
    x = g.op("Add", x, g.linear(_attended(g, query, key, value, mask), f"{name}.self_attn.out_proj"))
    y = g.gelu(g.linear(g.layer_norm(x, f"{name}.layer_norm2"), f"{name}.mlp.fc1"), "tanh")
    return g.op("Add", x, g.linear(y, f"{name}.mlp.fc2"))


def _joined(g, x, batch):
    """Features of 2x2 patches side by side, projected to the width of words."""
    half = CELLS // SHUFFLE
    x = g.reshape(g.reshape(x, batch, CELLS, CELLS, WIDTH), batch, CELLS, half, WIDTH * SHUFFLE)
    x = g.reshape(g.transpose(x, 0, 2, 1, 3), batch, half, half, WIDTH * SHUFFLE**2)
    x = g.reshape(g.transpose(x, 0, 2, 1, 3), batch, IMAGE_TOKENS, WIDTH * SHUFFLE**2)
    return g.linear(x, "model.connector.modality_projection.proj", bias=False)


def _merged(g, embedded, features):
    """Words with the image's tokens in the places that are kept for them."""
    kept = g.op("Unsqueeze", g.op("Equal", "input_ids", np.int64(IMAGE_TOKEN)), [2])
    kept = g.op("Expand", kept, g.op("Shape", embedded))
    places = g.transpose(g.op("NonZero", kept), 1, 0)
    values = g.op("Slice", g.op("Reshape", features, np.int64([-1])), [0], g.size(places, 0), [0])
    return g.op("ScatterND", embedded, places, values)


def _decoded(g, x, words, places, cache=None):
    """Logits of the next word after each word, and the cache with the keys and values of these words."""
    length = g.scalar(x, 1)
    past = None if cache is None else g.scalar(cache[0][0], 2)
    rows, total = _counted(g, length), length
    if past is not None:
        rows, total = g.op("Add", rows, past), g.op("Add", length, past)
    rows, columns = g.op("Unsqueeze", rows, [0, 1, 3]), g.op("Unsqueeze", _counted(g, total), [0, 1, 2])
    seen = g.op("And", True, g.op("LessOrEqual", columns, rows))
    seen = g.op("And", seen, _keys(g, g.cast(words, BOOL), g.scalar(x, 0), columns))
    mask = g.op("Where", g.expand(seen, g.size(x, 0), 1, g.listed(length), g.listed(total)), 0.0, MASKED)
    angles = g.op("Mul", g.cast(g.op("Unsqueeze", places, [2]), FLOAT), FREQUENCIES[None, None])
    angles = g.op("Concat", angles, angles, axis=-1)
    turn = tuple(g.op("Unsqueeze", g.op(kind, angles), [1]) for kind in ("Cos", "Sin"))
    kept = []
    for i in range(LAYERS):
        x, pair = _text_layer(g, x, mask, turn, f"{TEXT}.layers.{i}", cache[i] if cache else None)
        kept.append(pair)
    return g.linear(_rms_norm(g, x, f"{TEXT}.norm"), "lm_head", bias=False), kept


def _text_layer(g, x, mask, turn, name, cache):
    y = _rms_norm(g, x, f"{name}.input_layernorm")
    query, key, value = (_heads(g, y, f"{name}.self_attn.{part}_proj", DEPTH, bias=False) for part in "qkv")
    query, key = _turned(g, query, *turn), _turned(g, key, *turn)
    if cache is not None:
        key, value = g.op("Concat", cache[0], key, axis=-2), g.op("Concat", cache[1], value, axis=-2)
    y = _attended(g, query, _repeated(g, key), _repeated(g, value), mask)
    x = g.op("Add", x, g.linear(y, f"{name}.self_attn.o_proj", bias=False))
    y = _rms_norm(g, x, f"{name}.post_attention_layernorm")
    gate = g.linear(y, f"{name}.mlp.gate_proj", bias=False)
    y = g.op("Mul", g.op("Mul", gate, g.op("Sigmoid", gate)), g.linear(y, f"{name}.mlp.up_proj", bias=False))
    return g.op("Add", x, g.linear(y, f"{name}.mlp.down_proj", bias=False)), (key, value)


def _rms_norm(g, x, name):
    root = g.op("Sqrt", g.op("Add", g.reduce_mean(g.op("Pow", x, 2.0), [-1]), 1e-6))
    inverse = g.op("Div", 1.0, root) if g.script else g.op("Reciprocal", root)
    return g.op("Mul", g.weight(f"{name}.weight"), g.op("Mul", x, inverse))


def _turned(g, x, cosine, sine):
    """Rotary embedding: halves of the features turned by the angle of their place."""
    first, second = g.op("Slice", x, [0], [DEPTH // 2], [3], [1]), g.op("Slice", x, [DEPTH // 2], [2**63 - 1], [3], [1])
    crossed = g.op("Concat", g.op("Neg", second), first, axis=-1)
    return g.op("Add", g.op("Mul", x, cosine), g.op("Mul", crossed, sine))


def _repeated(g, x):
    """Heads of keys for every head of queries."""
    batch, length = g.size(x, 0), g.size(x, 2)
    times = HEADS // KEY_HEADS
    x = g.expand(g.op("Unsqueeze", x, [2]), batch, KEY_HEADS, times, length, DEPTH)
    return g.reshape(x, batch, HEADS, length, DEPTH)
