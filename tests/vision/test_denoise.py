"""Temporal denoisers: which frames a graph sees, in which order results come, what of a graph is refused."""

from __future__ import annotations

import functools
import json
import threading

import numpy as np
import pytest
from onnx import TensorProto, helper

from architectures import fastdvdnet, twins
from clips import natural
from denoisers import CENTRE, FREE, MEAN, file_of, mix, port
from reference import denoise as reference
from tinyvmaf.errors import ContractError, InputShapeError, InputTypeError, UsageError
from tinyvmaf.models.runtime import open_bytes
from tinyvmaf.vision.denoise import TemporalDenoiser

RNG = np.random.default_rng(17)
WIDE = RNG.normal(0.0, 0.1, (1, 5, 9, 9)).astype(np.float32)
"""Reaches four rows beyond a frame: further than frames are padded."""


def opened(data, sidecar=None, **options):
    about = None if sidecar is None else json.dumps(sidecar).encode()
    return TemporalDenoiser(open_bytes(data, about, device="cpu", threads=1), **options)


def clip_of(count, height=12, width=20):
    return [RNG.random((height, width), np.float32) for _ in range(count)]


def denoised(denoiser, clip):
    stream = denoiser.stream()
    return [done for picture in clip for done in stream.push(picture)] + stream.finish()


def correlated(weights):
    return lambda frames: twins.conv(frames, weights.astype(np.float64), pads=(weights.shape[2] // 2,) * 4)


def same(found, wanted, atol=1e-5):
    assert [done.index for done in found] == list(range(len(wanted)))
    for done, want in zip(found, wanted, strict=True):
        assert (done.clean.dtype, done.clean.shape) == (np.float32, want.shape)
        np.testing.assert_allclose(done.clean, want, rtol=0, atol=atol)


@pytest.mark.parametrize("count", range(1, 9))
def test_ends_of_a_clip_are_mirrored(count):
    clip = clip_of(count)
    weights = np.array([0.01, 0.06, 0.13, 0.3, 0.5], np.float32)
    found = denoised(opened(mix(weights)), clip)
    same(found, reference.denoised(clip, correlated(weights.reshape(1, 5, 1, 1))))
    assert all(done.noisy is picture for done, picture in zip(found, clip, strict=True))


@pytest.mark.parametrize(("height", "width"), [(4, 4), (5, 7), (6, 21), (17, 30), (24, 16), (13, 4)])
def test_sides_become_whole_fours_by_mirrored_rows_and_columns(height, width):
    clip = clip_of(3, height, width)
    same(denoised(opened(mix(WIDE)), clip), reference.denoised(clip, correlated(WIDE)))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 9), (8, 3)])
def test_frames_smaller_than_their_padding_are_mirrored_again(height, width):
    clip = clip_of(2, height, width)
    found = denoised(opened(mix(CENTRE)), clip)
    assert all(np.array_equal(done.clean, picture) for done, picture in zip(found, clip, strict=True))


def test_a_frame_is_done_when_the_two_after_it_have_come():
    stream, clip = opened(mix([0, 0, 0, 0, 1.0])).stream(), clip_of(6)
    assert [[done.index for done in stream.push(picture)] for picture in clip] == [[], [], [0], [1], [2], [3]]
    last = stream.finish()
    assert [done.index for done in last] == [4, 5]
    assert [np.array_equal(done.clean, clip[t]) for done, t in zip(last, (4, 3), strict=True)] == [True, True]
    assert stream.finish() == []


def test_shots_do_not_see_each_other():
    denoiser, shots = opened(mix()), [clip_of(n, 8, 8 + 4 * n) for n in (4, 1, 3)]
    stream, found = denoiser.stream(), []
    for shot in shots:
        found += [done for picture in shot for done in stream.push(picture)] + stream.finish()
    alone = [done for shot in shots for done in denoised(denoiser, shot)]
    assert [done.index for done in found] == list(range(8))
    assert all(np.array_equal(one.clean, other.clean) for one, other in zip(found, alone, strict=True))


def test_results_are_clipped():
    low, high = (denoised(opened(mix([0, 0, factor, 0, 0])), clip_of(1))[0].clean for factor in (-1.0, 9.0))
    assert not low.any()
    assert high.max() == 1.0


def test_threads_share_a_graph_and_no_frames():
    denoiser = opened(mix(WIDE))
    clips = [clip_of(7, 16, 12 + 4 * n) for n in range(4)]
    wanted = [denoised(denoiser, clip) for clip in clips]
    found = [None] * 4

    def work(n):
        found[n] = denoised(denoiser, clips[n])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(found, wanted, strict=True):
        assert all(np.array_equal(a.clean, b.clean) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("level", [[], [1], [1, 1, 1, 1], [1, 1, *FREE], ["n", 1, None, None]])
@pytest.mark.parametrize("sigma", [0.0, 25.0, 51.0])
def test_the_noise_level_goes_in_as_one_number_or_as_a_map(level, sigma):
    denoiser, clip = opened(mix(CENTRE, level=level), sigma=sigma), clip_of(2, 7, 10)
    assert denoiser.takes_sigma
    same(denoised(denoiser, clip), [np.clip(picture + sigma / 255, 0.0, 1.0) for picture in clip], 1e-6)


def test_a_noise_level_needs_an_input_and_a_range():
    assert not opened(mix()).takes_sigma
    with pytest.raises(UsageError, match=r"model has none for 10\. Leave sigma out"):
        opened(mix(), sigma=10)
    for sigma in (-1.0, 256.0, float("nan")):
        with pytest.raises(UsageError, match="sigma is between 0 and 255"):
            opened(mix(level=[]), sigma=sigma)


def test_half_precision_is_served():
    clip = clip_of(3, 9, 9)
    found = denoised(opened(mix(kind="float16", level=[1])), clip)
    same(found, [np.clip(window.mean(0) + 25 / 255, 0.0, 1.0) for window in reference.windows(clip)], 2e-3)


def test_a_graph_of_one_size_takes_what_pads_to_it_and_its_own():
    for size in ((12, 20), (11, 18)):
        clip = clip_of(2, 11, 18)
        same(denoised(opened(mix(size=size)), clip), [window.mean(0) for window in reference.windows(clip)], 1e-6)
    for height, width in ((12, 21), (8, 18)):
        with pytest.raises(
            ContractError, match=rf"one size, 'frames' float32 \[1, 5, 12, 20\], not {width} x {height}"
        ):
            denoised(opened(mix(size=(12, 20))), clip_of(1, height, width))


def test_a_sidecar_may_ask_for_larger_multiples():
    frame = {"colour": "luma", "window": 5, "multiple": 16}
    weights = np.ones((1, 5, 1, 1), np.float32) / 5
    clip, shapes = clip_of(1, 17, 9), []
    denoiser = opened(mix(weights), {"frame": frame})
    run = denoiser.session.run
    denoiser.session.run = lambda feed: shapes.append(feed["frames"].shape) or run(feed)
    same(denoised(denoiser, clip), clip, 1e-6)
    assert shapes == [(1, 5, 32, 16)]


@pytest.mark.parametrize(
    "sidecar",
    [
        {"frame": {"colour": "rgb", "window": 5}},
        {"frame": {"colour": "luma"}},
        {"frame": {"colour": "luma", "window": 5, "value_range": [0, 255]}},
        {"frame": {"colour": "luma", "window": 5}, "normalization": {"mean": [0.5], "std": [0.2]}},
    ],
)
def test_a_sidecar_that_asks_for_something_else_is_refused(sidecar):
    with pytest.raises(ContractError, match=r"takes luma in 0\.\.1 of 5 frames as it is, but the sidecar of model"):
        opened(mix(), sidecar)


def bent(inputs, output, *nodes):
    """A graph with ports of other shapes; without nodes it means the frames over their axis."""
    mean = helper.make_node("ReduceMean", ["frames"], ["denoised"], axes=[1], keepdims=1)
    return file_of(nodes or [mean], inputs, [output], **{"twice": np.float32([1, 1, 2, 2])} if nodes else {})


FRAMES, RESULT = port("frames", [1, 5, *FREE]), port("denoised", [1, 1, *FREE])
LARGER = helper.make_node("Resize", ["frames", "", "twice"], ["denoised"], mode="nearest")
TAKES = {
    "three frames": bent([port("frames", [1, 3, *FREE])], RESULT),
    "RGB": bent([port("frames", [1, 15, *FREE])], RESULT),
    "a batch": bent([port("frames", [2, 5, *FREE])], port("denoised", [2, 1, *FREE])),
    "float64": bent([port("frames", [1, 5, *FREE], "float64")], port("denoised", [1, 1, *FREE], "float64")),
    "five axes": bent([port("frames", [1, 5, 1, *FREE])], port("denoised", [1, 1, 1, *FREE])),
    "a level of float64": bent([FRAMES, port("sigma", [1], "float64")], RESULT),
    "a vector besides": mix(level=[3]),
    "maps of three": bent([FRAMES, port("sigma", [1, 3, *FREE])], RESULT),
    "two levels": bent([FRAMES, port("sigma", [1]), port("strength", [1])], RESULT),
}
WHOLE = helper.make_node("Cast", ["frames"], ["denoised"], to=TensorProto.INT32)
GIVES = {
    "all frames": bent([FRAMES], port("denoised", None), helper.make_node("Relu", ["frames"], ["denoised"])),
    "a larger frame": bent([FRAMES], port("denoised", None), LARGER),
    "integers": bent([FRAMES], port("denoised", None, "int32"), WHOLE),
}


@pytest.mark.parametrize("name", TAKES)
def test_graphs_that_take_something_else_are_refused(name):
    with pytest.raises(ContractError, match=r"takes luma of 5 frames, float32 \[1, 5, H, W\], .* but model takes '"):
        opened(TAKES[name])


@pytest.mark.parametrize("name", GIVES)
def test_graphs_that_give_something_else_are_refused(name):
    with pytest.raises(ContractError, match=r"gives one frame \[1, 1, 64, 64\] for five of that size, but model gives"):
        opened(GIVES[name])


def test_results_that_are_no_numbers_are_an_error():
    mean = helper.make_node("ReduceMean", ["frames"], ["mean"], axes=[1], keepdims=1)
    denoiser = opened(bent([FRAMES], RESULT, mean, helper.make_node("Log", ["mean"], ["denoised"])))
    with pytest.raises(ContractError, match=r"picture \[1, 1, 4, 4\] .* but model gave NaN in it"):
        denoised(denoiser, [np.full((4, 4), -1.0, np.float32)])


def test_frames_are_checked():
    stream = opened(mix(MEAN)).stream()
    with pytest.raises(InputTypeError, match=r"float32 in 0\.\.1, not uint8"):
        stream.push(np.zeros((8, 8), np.uint8))
    with pytest.raises(InputShapeError, match=r"not shape \[1, 8, 8\]"):
        stream.push(np.zeros((1, 8, 8), np.float32))
    stream.push(np.zeros((8, 8), np.float32))
    with pytest.raises(InputShapeError, match=r"but \[8, 9\] came after \[8, 8\]"):
        stream.push(np.zeros((8, 9), np.float32))


@functools.cache
def published():
    """A clip of an odd size, and what NumPy makes of it in float64, borders and padding included."""
    clip = [planes[0].astype(np.float32) / 255 for planes in natural("mdn_flower", 13, 9, 2)]
    return clip, reference.denoised(clip, fastdvdnet.twin)


@pytest.mark.parametrize(("opset", "style"), [(17, "script"), (20, "dynamo")])
def test_fastdvdnet_with_random_weights(opset, style):
    clip, wanted = published()
    assert 0.05 < np.mean(np.abs(wanted[1] - clip[1])) < 0.5
    same(denoised(opened(fastdvdnet.build(opset, style)), clip), wanted)


def test_fastdvdnet_is_of_the_published_size():
    assert sum(value.size for value in fastdvdnet.weights().values()) == 2_477_642
