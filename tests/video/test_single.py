"""One video on its own: its frames in order, with what it states of itself."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tinyvmaf.errors import UnreadableVideoError, UsageError
from tinyvmaf.video.policy import PairingPolicy
from tinyvmaf.video.reader import open_arrays, open_video
from tinyvmaf.video.single import Single
from video_files import encode, moving, same, y4m_bytes


def single(count=6, **policy):
    frames = moving(32, 16, count=count)
    return frames, Single(open_arrays(frames), PairingPolicy(**policy))


def test_every_frame_is_paired_with_itself():
    frames, alone = single()
    pairs = list(alone)
    assert [pair.index for pair in pairs] == [0, 1, 2, 3, 4, 5]
    assert all(pair.reference is pair.distorted for pair in pairs)
    assert all(same(pair.distorted, planes) for pair, planes in zip(pairs, frames, strict=True))
    assert pairs[0].previous is None
    assert all(pair.previous is before.distorted for before, pair in pairwise(pairs))
    assert (alone.width, alone.height, alone.notes) == (32, 16, [])
    assert alone.facts() == {"frames": 6, "no_reference": True, "notes": []}


@pytest.mark.parametrize(
    ("policy", "numbers"),
    [
        ({"frame_skip_distorted": 2}, [2, 3, 4, 5]),
        ({"frame_limit": 3}, [0, 1, 2]),
        ({"frame_skip_distorted": 4, "frame_limit": 9}, [4, 5]),
        ({"frame_skip_reference": 4}, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_frames_to_skip_and_to_take(policy, numbers):
    _, alone = single(**policy)
    assert [pair.distorted.index for pair in alone] == numbers
    assert alone.facts()["frames"] == len(numbers)


def test_frames_are_expected_where_the_file_says_how_many(tmp_path):
    path = tmp_path / "clip.y4m"
    path.write_bytes(y4m_bytes(moving(32, 16, count=5)))
    for policy, expected in (({}, 5), ({"frame_skip_distorted": 3}, 2), ({"frame_limit": 4}, 4)):
        with Single(open_video(path), PairingPolicy(**policy)) as alone:
            assert alone.expected_count == expected
            assert len(list(alone)) == expected
    with Single(open_video(path), PairingPolicy(frame_skip_distorted=9)) as alone:
        assert alone.expected_count == 0
        with pytest.raises(UnreadableVideoError, match=r"At least one frame is needed, but .*clip\.y4m has none left"):
            list(alone)


def test_a_source_of_unknown_length():
    alone = Single(open_arrays(iter(moving(32, 16, count=3))), PairingPolicy())
    assert alone.expected_count is None
    assert len(list(alone)) == 3


def test_colours_are_what_the_stream_states(tmp_path):
    path = tmp_path / "clip.y4m"
    path.write_bytes(y4m_bytes(moving(32, 16, count=2), range="full"))
    with Single(open_video(path), PairingPolicy()) as alone:
        assert {(pair.colour.matrix, pair.colour.range) for pair in alone} == {(None, "full")}


def test_closing_closes_the_video_and_twice_is_fine(tmp_path):
    video = open_video(encode(tmp_path / "clip.mkv", moving(32, 16, count=2)))
    with Single(video, PairingPolicy()) as alone:
        assert np.array_equal(next(iter(alone)).distorted.luma, moving(32, 16, count=1)[0][0])
    alone.close()
    with pytest.raises(UsageError, match="only once"):
        iter(video)
