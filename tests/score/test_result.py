"""Asking a result."""

import math

import numpy as np
import pytest

from tinyvmaf.errors import UnknownNameError, UsageError
from tinyvmaf.score.result import FrameScore, Result, RunInfo, ScoreInfo

INFO = ScoreInfo("vmaf", "vmaf_v0.6.1", "0" * 64, "svm")


def result(values, scores=(INFO,), times=None):
    numbers = np.arange(len(values)) * 2
    return Result(
        numbers, times, {"adm2": np.ones(len(values)), "vmaf": np.array(values)}, scores, 16, 16, RunInfo("1")
    )


def test_the_score_is_the_mean_of_the_first_model():
    assert result([80.0, 90.0]).score() == 85
    assert result([80.0, 90.0]).score("adm2") == 1
    assert math.isnan(result([80.0, math.nan]).score())
    with pytest.raises(UsageError, match="no score"):
        result([1.0], scores=()).score()


def test_unknown_columns_name_the_nearest():
    with pytest.raises(UnknownNameError, match=r"'vmav'.*Did you mean vmaf\?"):
        result([1.0]).pooled("vmav")


def test_worst_frames_come_worst_first_and_earlier_first_among_equals():
    worst = result([50.0, math.nan, 20.0, 20.0, 70.0], times=np.arange(5) / 25).worst(3)
    assert worst == (FrameScore(4, 0.08, 20.0), FrameScore(6, 0.12, 20.0), FrameScore(0, 0.0, 50.0))
    assert result([50.0]).worst(9) == (FrameScore(0, None, 50.0),)
    assert result([50.0]).worst(0) == ()
    with pytest.raises(UsageError, match="at least 0"):
        result([50.0]).worst(-1)


def test_speed_counts_frames_read():
    assert RunInfo("1", seconds=2.0, frames=100).fps == 50
    assert RunInfo("1", seconds=0.0, frames=100).fps is None
