"""The parts of the content check on their own: thumbnails, the monitor, the search, levels, clocks."""

import threading
from fractions import Fraction

import numpy as np
import pytest

from pairing import Clip, scene
from tinyvmaf.errors import MismatchError
from tinyvmaf.video.ahead import Ahead
from tinyvmaf.video.colour import convert_range
from tinyvmaf.video.levels import LevelMonitor
from tinyvmaf.video.sync import SyncMonitor, find_offset
from tinyvmaf.video.thumbnails import detail, direction, halve, shrink
from tinyvmaf.video.timing import PairClock, show_rate

VECTORS = [direction(shrink(frame, 8)) for frame in scene(60)]


def watch(references, distorted):
    monitor = SyncMonitor()
    found = next((s for pair in zip(references, distorted, strict=True) if (s := monitor.push(*pair))), None)
    return found or monitor.finish(), monitor


@pytest.mark.parametrize("width", [1, 7, 160, 321, 1920, 3841])
@pytest.mark.parametrize("height", [1, 47, 100])
def test_thumbnails_are_block_means(width, height):
    plane = np.random.default_rng(0).integers(0, 256, (height, width), dtype=np.uint8)
    small = shrink(plane, 8)
    assert small.shape[0] <= 48
    assert small.shape[1] < 2 * 160 or width < 160
    assert small.min() >= 0
    assert small.max() <= 255
    padded = np.pad(plane, ((0, 0), (0, 9)))[:, :width]
    assert np.array_equal(small, shrink(padded, 8))
    deep = plane.astype(np.uint16) << 8
    assert np.allclose(small, shrink(deep, 16))


@pytest.mark.parametrize("shape", [(48, 160), (47, 161), (2, 3)])
def test_halves_are_means_of_four(shape):
    small = np.random.default_rng(0).random(shape, np.float32) * 255
    even = small[: shape[0] // 2 * 2, : shape[1] // 2 * 2]
    wanted = even.reshape(shape[0] // 2, 2, shape[1] // 2, 2).mean((1, 3))
    assert halve(small) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("shape", [(1, 9), (9, 1)])
def test_what_cannot_be_halved_stays(shape):
    small = np.ones(shape, np.float32)
    assert halve(small) is small


def test_directions_have_length_one_and_flat_pictures_none():
    small = shrink(scene(1)[0], 8)
    assert np.linalg.norm(direction(small)) == pytest.approx(1, abs=1e-5)
    assert direction(small * 0.5 + 30) @ direction(small) == pytest.approx(1, abs=1e-5)
    assert not direction(np.full_like(small, 80)).any()
    assert abs(detail(small) @ detail(shrink(scene(1, seed=5)[0], 8))) < 0.1


@pytest.mark.parametrize("offset", [-8, -3, -1, 1, 2, 8])
def test_the_monitor_names_the_shift(offset):
    start = 10
    found, _ = watch(VECTORS[start:50], VECTORS[start + offset : 50 + offset])
    assert found.offset == offset
    assert found.votes >= 3


def test_the_monitor_accepts_step_repeats_and_noise():
    noise = np.random.default_rng(1).normal(0, 0.5 / np.sqrt(VECTORS[0].size), (60, VECTORS[0].size))
    noisy = [(v + n).astype(np.float32) for v, n in zip(VECTORS, noise, strict=True)]
    assert watch(VECTORS, noisy)[0] is None
    repeated = [*VECTORS[:20], VECTORS[19], *VECTORS[21:]]
    found, monitor = watch(VECTORS, repeated)
    assert found is None
    assert monitor.repeated == [20]


def test_the_monitor_sees_a_shift_of_five_frames_in_a_long_clip():
    distorted = [*VECTORS[:30], *VECTORS[29:34], *VECTORS[35:]]
    found, _ = watch(VECTORS, distorted)
    assert found.offset == -1
    assert 29 <= found.first <= 31


@pytest.mark.parametrize("frames", [3, 4, 5])
@pytest.mark.parametrize("offset", [-1, 1])
def test_the_monitor_sees_a_shift_in_a_clip_of_a_few_frames(frames, offset):
    found, _ = watch(VECTORS[10 : 10 + frames], VECTORS[10 + offset : 10 + offset + frames])
    assert found.offset == offset


@pytest.mark.parametrize("late", [3, 4, 5])
def test_the_monitor_sees_a_frame_dropped_shortly_before_the_end(late):
    dropped = 40 - late
    found, _ = watch(VECTORS[:40], [*VECTORS[:dropped], *VECTORS[dropped + 1 : 41]])
    assert (found.offset, found.first) == (1, dropped)


@pytest.mark.parametrize("after", [3, 5])
def test_the_monitor_sees_a_dropped_frame_that_is_made_up_for(after):
    distorted = [*VECTORS[:20], *VECTORS[21 : 21 + after], VECTORS[20 + after], *VECTORS[21 + after : 40]]
    found, _ = watch(VECTORS[:40], distorted)
    assert (found.offset, found.first) == (1, 20)


@pytest.mark.parametrize("frozen", [2, 6])
def test_the_monitor_counts_frozen_frames_and_accepts_them(frozen):
    distorted = [*VECTORS[:20], *[VECTORS[20]] * (frozen + 1), *VECTORS[21 + frozen : 40]]
    found, monitor = watch(VECTORS[:40], distorted)
    assert found is None
    assert 21 in monitor.repeated


def test_the_monitor_accepts_swapped_neighbours_and_says_so():
    distorted = [*VECTORS[:20], VECTORS[21], VECTORS[20], *VECTORS[22:]]
    found, monitor = watch(VECTORS, distorted)
    assert found is None
    assert monitor.repeated == [20, 21]


def test_the_monitor_loses_what_is_out_of_reach():
    found, _ = watch(VECTORS[:40], VECTORS[:40][::-1])
    assert found is not None


@pytest.mark.parametrize("offset", [-25, -9, 0, 4, 25])
def test_the_search_finds_any_offset(offset):
    one = VECTORS[max(0, -offset) :][:35]
    other = VECTORS[max(0, offset) :][:35]
    found = find_offset(one, other, 30)
    assert (found.offset, found.moving) == (offset, True)


def test_the_search_refuses_still_unrelated_and_looping_clips():
    still = [VECTORS[0]] * 20
    assert find_offset(still, still, 10).moving is False
    unrelated = [direction(shrink(frame, 8)) for frame in scene(30, seed=8)]
    assert find_offset(VECTORS[:30], unrelated, 15).offset is None
    loop = [VECTORS[index % 6 * 4] for index in range(30)]
    assert find_offset(loop, loop, 15).offset == 0


def levels(one, other):
    monitor = LevelMonitor()
    for pair in zip(one, other, strict=True):
        monitor.push(*(shrink(frame, 8) for frame in pair))
    return monitor


LIMITED = [np.clip(frame, 16, 235) for frame in scene(4)]


def test_levels_name_the_scale():
    full = [convert_range(frame, 8, "limited", "full") for frame in LIMITED]
    assert levels(LIMITED, full).verdict() == "stretched"
    assert levels(full, LIMITED).verdict() == "squeezed"
    assert levels(LIMITED, LIMITED).verdict() is None
    black = [np.full((64, 64), 16, np.uint8)]
    assert levels(black, [np.zeros((64, 64), np.uint8)]).verdict() == "stretched"


@pytest.mark.parametrize(("gain", "pivot"), [(0.86, 128), (0.9, 113), (1.1, 113), (1.2, 128), (0.86, 60), (1, 0)])
def test_levels_leave_other_gradings_alone(gain, pivot):
    graded = [np.clip((frame - pivot) * gain + pivot, 0, 255).astype(np.uint8) for frame in LIMITED]
    assert levels(LIMITED, graded).verdict() is None


def test_levels_do_not_take_blur_for_a_squeeze():
    blurred = [np.kron(frame[::8, ::8], np.ones((8, 8), np.uint8)) for frame in LIMITED]
    assert levels(LIMITED, blurred).verdict() is None


def push_all(one, other, **facts):
    clock = PairClock.of(Clip(scene(1), **facts).facts, Clip(scene(1), **facts).facts, [], False)
    for index, pair in enumerate(zip(one, other, strict=True)):
        clock.push(index, *pair)
    clock.check_rates()
    return clock


@pytest.mark.parametrize("rate", [9.99, 15, 20000 / 1001, 24, 30, 48, 90, 111, 144, 240])
@pytest.mark.parametrize("frames", [2, 3, 5, 30])
def test_rounded_steps_that_happen_to_be_equal_are_no_other_rate(rate, frames):
    exact = [index / Fraction(rate).limit_denominator(1001) for index in range(frames)]
    rounded = [Fraction(round(time * 1000), 1000) for time in exact]
    stated = Fraction(rate).limit_denominator(1001)
    for one, other in ((exact, rounded), (rounded, exact), (rounded, rounded)):
        assert push_all(one, other, frame_rate=stated).by == "time"


def test_millisecond_rounding_is_no_difference():
    exact = [Fraction(index * 1001, 24000) for index in range(3000)]
    rounded = [Fraction(round(time * 1000), 1000) for time in exact]
    assert push_all(exact, rounded, frame_rate=Fraction(24000, 1001)).by == "time"


def test_slow_drift_is_a_difference():
    one = [Fraction(index * 1001, 60000) for index in range(1000)]
    other = [Fraction(round(Fraction(index, 60) * 1000), 1000) for index in range(1000)]
    with pytest.raises(MismatchError):
        push_all(one, other, frame_rate=Fraction(60))


def test_rates_are_shown_for_people():
    assert [show_rate(rate) for rate in (Fraction(25), Fraction(24000, 1001), None)] == [
        "25 fps",
        "23.976 fps",
        "an unknown rate",
    ]


def test_ahead_keeps_order_hands_over_errors_and_stops():
    def broken():
        yield 1
        raise ValueError("broken")

    ahead = Ahead(iter(range(100)))
    assert list(ahead) == list(range(100))
    ahead.close()
    ahead = Ahead(broken())
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="broken"):
        next(ahead)
    ahead.close()
    ahead = Ahead(iter(range(10**9)))
    assert next(ahead) == 0
    ahead.close()
    assert list(ahead) == []
    assert not [thread for thread in threading.enumerate() if thread.name == "tinyvmaf-decode"]
