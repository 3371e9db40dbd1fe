"""The networks once more, in NumPy and float64, from their papers: what their ONNX files have to compute."""

from __future__ import annotations

import math

import numpy as np

from architectures import musiq, raft_small, smolvlm

ERF = np.vectorize(math.erf)


def conv(x, w, bias=0.0, stride=1, pads=(0, 0, 0, 0)):
    """Convolution; pads are top, bottom, left, right."""
    x = np.pad(x, ((0, 0), (0, 0), pads[:2], pads[2:]))
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], (2, 3))[:, :, ::stride, ::stride]
    return np.einsum("bchwij,ocij->bohw", windows, w) + np.reshape(bias, (-1, 1, 1))


def normalise(x, axes, epsilon):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def relu(x):
    return np.maximum(x, 0.0)


def heads_of(x, count):
    """[b, n, c] to [b, heads, n, c / heads]."""
    return x.reshape(*x.shape[:2], count, -1).swapaxes(1, 2)


def attention(query, key, value, bias):
    """Attention of every head; what counts least is added to the products."""
    products = query @ key.swapaxes(-1, -2) / np.sqrt(query.shape[-1]) + bias
    mixed = softmax(products) @ value
    return mixed.swapaxes(1, 2).reshape(query.shape[0], query.shape[2], -1)


class Layers:
    """The layers that all three have, by the names of their weights."""

    def __init__(self, weights):
        self.w = {name: value.astype(np.float64) for name, value in weights.items()}

    def linear(self, x, name):
        return x @ self.w[f"{name}.weight"].T + self.w.get(f"{name}.bias", 0.0)

    def layer_norm(self, x, name):
        return normalise(x, -1, 1e-6) * self.w[f"{name}.weight"] + self.w[f"{name}.bias"]

    def conv(self, x, name, stride=1, pad=0):
        return conv(x, self.w[f"{name}.weight"], self.w[f"{name}.bias"], stride, (pad,) * 4)


def cubic(length, target):
    """Matrix of the cubic convolution (a = -3/4) of centres, its border repeated."""
    at = (np.arange(target) + 0.5) * length / target - 0.5
    matrix = np.zeros((target, length))
    for tap in range(-1, 3):
        index = np.floor(at) + tap
        d = np.abs(at - index)
        near, far = 1.25 * d**3 - 2.25 * d**2 + 1.0, -0.75 * (d**3 - 5.0 * d**2 + 8.0 * d - 4.0)
        np.add.at(matrix, (np.arange(target), np.clip(index, 0, length - 1).astype(int)), np.where(d <= 1.0, near, far))
    return matrix


def patches_of(x, scale):
    """Patches, row by row, with the cell of the hash that each falls into, its scale and 1."""
    patch, rows, columns = musiq.PATCH, -(-x.shape[2] // musiq.PATCH), -(-x.shape[3] // musiq.PATCH)
    x = np.pad(x[0], ((0, 0), (0, rows * patch - x.shape[2]), (0, columns * patch - x.shape[3])))
    found = []
    for i, j in np.ndindex(rows, columns):
        cell = i * musiq.GRID // rows * musiq.GRID + j * musiq.GRID // columns
        pixels = x[:, i * patch : (i + 1) * patch, j * patch : (j + 1) * patch]
        found.append(np.concatenate([pixels.ravel(), [cell, scale, 1.0]]))
    return np.stack(found)[None]


class Musiq(Layers):
    def score(self, patches):
        patches = patches.astype(np.float64)
        pixels, cell, scale, real = patches[..., :-3], *np.moveaxis(patches[..., -3:], -1, 0)
        b, n, _ = pixels.shape
        x = self.stem(pixels.reshape(b * n, 3, musiq.PATCH, musiq.PATCH))
        x = self.linear(x.transpose(0, 2, 3, 1).reshape(b, n, -1), "emb")
        x = x + self.w["pos"][0, cell.astype(int)] + self.w["sc"][0, scale.astype(int)]
        x = np.concatenate([np.repeat(self.w["cls"], b, 0), x], 1)
        real = np.concatenate([np.ones((b, 1)), real], 1)
        for i in range(musiq.LAYERS):
            x = self.block(x, real[:, None, :, None] * real[:, None, None, :], f"blocks.{i}")
        return self.linear(self.layer_norm(x, "norm")[:, 0], "head")

    def image_score(self, image):
        """Score of an image in 0..1, of its patches at all scales."""
        whole = 2.0 * (image.astype(np.float64) - 0.5)
        scales = [patches_of(whole, 0)]
        for number, share in enumerate(musiq.SHARES, 1):
            rows, columns = (cubic(side, side * share // 64) for side in image.shape[2:])
            scales.append(patches_of(rows @ whole @ columns.T, number))
        return self.score(np.concatenate(scales, 1))

    def standardised_conv(self, x, name, stride=1, pads=(0, 0, 0, 0)):
        w = self.w[f"{name}.weight"]
        w = (w - w.mean((1, 2, 3), keepdims=True)) / (w.std((1, 2, 3), keepdims=True) + 1e-5)
        return conv(x, w, stride=stride, pads=pads)

    def group_norm(self, x, name, epsilon=1e-4):
        groups = x.reshape(len(x), musiq.GROUPS, -1)
        x = normalise(groups, -1, epsilon).reshape(x.shape)
        return x * self.w[f"{name}.weight"][:, None, None] + self.w[f"{name}.bias"][:, None, None]

    def stem(self, x):
        x = relu(self.group_norm(self.standardised_conv(x, "root", 2, (2, 3, 2, 3)), "gn", 1e-6))
        x = np.pad(x, ((0, 0), (0, 0), (0, 1), (0, 1)))
        x = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3))[:, :, ::2, ::2].max((-1, -2))
        past = self.group_norm(self.standardised_conv(x, "block.p"), "block.gp")
        for name, pad in (("1", 0), ("2", 1), ("3", 0)):
            x = self.group_norm(self.standardised_conv(x, f"block.c{name}", pads=(pad,) * 4), f"block.g{name}")
            x = relu(x) if name != "3" else relu(x + past)
        return x

    def block(self, x, both, name):
        y = self.layer_norm(x, f"{name}.n1")
        query, key, value = (
            heads_of(self.linear(y, f"{name}.a.{part}"), musiq.HEADS) for part in ("query", "key", "value")
        )
        products = query @ key.swapaxes(-1, -2) / np.sqrt(query.shape[-1])
        y = softmax(np.where(both, products, -1000.0)) @ value
        x = x + self.linear(y.swapaxes(1, 2).reshape(x.shape), f"{name}.a.out")
        y = self.linear(self.layer_norm(x, f"{name}.n2"), f"{name}.f1")
        return x + self.linear(y * 0.5 * (1.0 + ERF(y / np.sqrt(2.0))), f"{name}.f2")


def sample(image, x, y):
    """Values of images [n, h, w] between pixels, x and y [n, ...]; zeros lie outside."""
    total = 0.0
    number = np.arange(len(image)).reshape(-1, *([1] * (x.ndim - 1)))
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        i, j = np.floor(y) + row, np.floor(x) + column
        inside = (i >= 0) & (i < image.shape[1]) & (j >= 0) & (j < image.shape[2])
        share = (1.0 - np.abs(y - i)) * (1.0 - np.abs(x - j))
        value = image[
            number, np.clip(i, 0, image.shape[1] - 1).astype(int), np.clip(j, 0, image.shape[2] - 1).astype(int)
        ]
        total = total + np.where(inside, value * share, 0.0)
    return total


def stretched(length, factor):
    """Matrix of the linear interpolation that keeps first and last."""
    at = np.linspace(0.0, length - 1.0, length * factor)
    return np.maximum(0.0, 1.0 - np.abs(at[:, None] - np.arange(length)))


class RaftSmall(Layers):
    def flow(self, first, second, rounds):
        first, second = first.astype(np.float64), second.astype(np.float64)
        features = [self.encoder(frame, "feature_encoder", norm=True)[0] for frame in (first, second)]
        volume = np.einsum("cij,ckl->ijkl", *features) / np.sqrt(raft_small.FEATURES)
        both = self.encoder(first, "context_encoder")
        state, context = np.tanh(both[:, : raft_small.STATE]), relu(both[:, raft_small.STATE :])
        flow = np.zeros((1, 2, *state.shape[2:]))
        for _ in range(rounds):
            state, change = self.update(state, context, self.look_up(volume, flow), flow)
            flow = flow + change
        if np.abs(flow).max() > raft_small.FAR:
            flow = np.zeros_like(flow)
        return 8.0 * (stretched(flow.shape[2], 8) @ flow @ stretched(flow.shape[3], 8).T)

    def encoder(self, x, name, norm=False):
        def layer(x, part, stride=1, pad=0):
            x = self.conv(x, f"{name}.{part}.0", stride, pad)
            return normalise(x, (2, 3), 1e-5) if norm else x

        x = relu(layer(x, "convnormrelu", 2, 3))
        for level in (1, 2, 3):
            for block in (0, 1):
                part, stride = f"layer{level}.{block}", 2 if level > 1 and block == 0 else 1
                y = relu(layer(x, f"{part}.convnormrelu1"))
                y = relu(layer(y, f"{part}.convnormrelu2", stride, 1))
                y = relu(layer(y, f"{part}.convnormrelu3"))
                x = relu(y + (layer(x, f"{part}.downsample", stride) if stride == 2 else x))
        return self.conv(x, f"{name}.conv")

    def look_up(self, volume, flow):
        """Correlations round the place that each pixel has come to; dy is the slow axis, as torchvision has it."""
        high, wide = volume.shape[:2]
        rows, columns = np.mgrid[:high, :wide]
        x, y = (columns + flow[0, 0]).ravel(), (rows + flow[0, 1]).ravel()
        reach = np.arange(-raft_small.RADIUS, raft_small.RADIUS + 1)
        level, found = volume.reshape(high * wide, high, wide), []
        for _ in range(raft_small.LEVELS):
            found.append(sample(level, x[:, None, None] + reach[:, None], y[:, None, None] + reach))
            x, y = x / 2.0, y / 2.0
            h, w = level.shape[1] // 2, level.shape[2] // 2
            level = level[:, : 2 * h, : 2 * w].reshape(-1, h, 2, w, 2).mean((2, 4))
        return np.stack(found, 1).reshape(1, high, wide, -1).transpose(0, 3, 1, 2)

    def update(self, state, context, seen, flow):
        name = "update_block.motion_encoder"
        motion = relu(self.conv(relu(self.conv(flow, f"{name}.convflow1.0", pad=3)), f"{name}.convflow2.0", pad=1))
        motion = np.concatenate([relu(self.conv(seen, f"{name}.convcorr1.0")), motion], 1)
        motion = relu(self.conv(motion, f"{name}.conv.0", pad=1))
        x, name = np.concatenate([context, motion, flow], 1), "update_block.recurrent_block.convgru1"
        both = np.concatenate([state, x], 1)
        update, reset = (sigmoid(self.conv(both, f"{name}.conv{gate}", pad=1)) for gate in "zr")
        fresh = np.tanh(self.conv(np.concatenate([reset * state, x], 1), f"{name}.convq", pad=1))
        state = (1.0 - update) * state + update * fresh
        change = relu(self.conv(state, "update_block.flow_head.conv1", pad=1))
        return state, self.conv(change, "update_block.flow_head.conv2", pad=1)


class SmolVlm(Layers):
    def tokens(self, pixels, mask):
        """Image tokens [b, 4, 32] of images [b, 3, 32, 32] and of which of their pixels count."""
        b, cells, patch = len(pixels), smolvlm.CELLS, smolvlm.PATCH
        name = f"{smolvlm.VISION}.embeddings"
        x = (
            self.conv(pixels.astype(np.float64), f"{name}.patch_embedding", patch)
            .reshape(b, -1, cells**2)
            .swapaxes(1, 2)
        )
        real = mask.reshape(b, cells, patch, cells, patch).any((2, 4))
        rows, columns = (
            np.floor(np.minimum(np.arange(cells) / real.any(axis).sum(1, keepdims=True), 1 - 1e-6) * cells)
            for axis in (2, 1)
        )
        places = np.where(real, rows[:, :, None] * cells + columns[:, None], 0).reshape(b, -1).astype(int)
        x = x + self.w[f"{name}.position_embedding.weight"][places]
        bias = np.where(real.reshape(b, 1, 1, -1), 0.0, smolvlm.MASKED)
        for i in range(smolvlm.LAYERS):
            x = self.vision_layer(x, bias, f"{smolvlm.VISION}.encoder.layers.{i}")
        x = self.layer_norm(x, f"{smolvlm.VISION}.post_layernorm").reshape(b, cells // 2, 2, cells // 2, 2, -1)
        return self.linear(
            x.swapaxes(2, 3).reshape(b, (cells // 2) ** 2, -1), "model.connector.modality_projection.proj"
        )

    def vision_layer(self, x, bias, name):
        y = self.layer_norm(x, f"{name}.layer_norm1")
        parts = (heads_of(self.linear(y, f"{name}.self_attn.{part}_proj"), smolvlm.HEADS) for part in "qkv")
        x = x + self.linear(attention(*parts, bias), f"{name}.self_attn.out_proj")
        y = self.linear(self.layer_norm(x, f"{name}.layer_norm2"), f"{name}.mlp.fc1")
        y = 0.5 * y * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (y + 0.044715 * y**3)))
        return x + self.linear(y, f"{name}.mlp.fc2")

    def logits(self, x, mask, places, cache=None):
        """Logits [b, s, words] of embedded words, and the cache as (keys, values) of every layer."""
        x = x.astype(np.float64)
        cache = cache or [(np.zeros((len(x), smolvlm.KEY_HEADS, 0, smolvlm.DEPTH)),) * 2] * smolvlm.LAYERS
        past = cache[0][0].shape[2]
        seen = np.tri(x.shape[1], past + x.shape[1], past, dtype=bool) & mask.astype(bool)[:, None, None]
        bias, kept = np.where(seen, 0.0, smolvlm.MASKED), []
        for i in range(smolvlm.LAYERS):
            x, pair = self.text_layer(x, bias, places, cache[i], f"{smolvlm.TEXT}.layers.{i}")
            kept.append(pair)
        return self.linear(self.rms_norm(x, f"{smolvlm.TEXT}.norm"), "lm_head"), kept

    def rms_norm(self, x, name):
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * self.w[f"{name}.weight"]

    def text_layer(self, x, bias, places, cache, name):
        y = self.rms_norm(x, f"{name}.input_layernorm")
        counts = (smolvlm.HEADS, smolvlm.KEY_HEADS, smolvlm.KEY_HEADS)
        query, key, value = (
            heads_of(self.linear(y, f"{name}.self_attn.{part}_proj"), n) for part, n in zip("qkv", counts, strict=True)
        )
        query, key = turned(query, places), np.concatenate([cache[0], turned(key, places)], 2)
        value = np.concatenate([cache[1], value], 2)
        times = smolvlm.HEADS // smolvlm.KEY_HEADS
        y = attention(query, np.repeat(key, times, 1), np.repeat(value, times, 1), bias)
        x = x + self.linear(y, f"{name}.self_attn.o_proj")
        y = self.rms_norm(x, f"{name}.post_attention_layernorm")
        gate = self.linear(y, f"{name}.mlp.gate_proj")
        y = gate * sigmoid(gate) * self.linear(y, f"{name}.mlp.up_proj")
        return x + self.linear(y, f"{name}.mlp.down_proj"), (key, value)

    def answer(self, pixels, ids, count):
        """The words and the likeliest next ones."""
        table = self.w[f"{smolvlm.TEXT}.embed_tokens.weight"]
        x = table[ids]
        every = np.ones((1, smolvlm.SIDE, smolvlm.SIDE), bool)
        x[ids == smolvlm.IMAGE_TOKEN] = self.tokens(pixels, every)[0]
        for _ in range(count):
            places = np.arange(ids.shape[1])[None]
            logits, _ = self.logits(x, np.ones_like(ids), places)
            ids = np.concatenate([ids, logits[:, -1:].argmax(-1)], 1)
            x = np.concatenate([x, table[ids[:, -1:]]], 1)
        return ids


def turned(x, places):
    """Rotary embedding, by complex numbers whose parts lie half the features apart."""
    half = smolvlm.DEPTH // 2
    angles = places[:, None, :, None] * 10000.0 ** (-np.arange(half) / half)
    z = (x[..., :half] + 1j * x[..., half:]) * np.exp(1j * angles)
    return np.concatenate([z.real, z.imag], -1)
