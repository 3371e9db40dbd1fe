from __future__ import annotations

import gc

import numpy as np

from tinyvmaf.video.memory import PlaneMemory


def _address(plane):
    return plane.__array_interface__["data"][0]


def test_a_dropped_plane_is_used_again():
    memory = PlaneMemory()
    plane = memory.take((4, 6), np.uint8)
    assert plane.shape == (4, 6)
    assert plane.dtype == np.uint8
    assert plane.flags.writeable
    address = _address(plane)
    del plane
    assert _address(memory.take((4, 6), np.uint8)) == address


def test_a_view_keeps_its_memory():
    memory = PlaneMemory()
    view = memory.take((4, 6), np.uint16)[1:, ::2]
    view[:] = 7
    gc.collect()
    others = [memory.take((4, 6), np.uint16) for _ in range(8)]
    for other in others:
        other[:] = 9
    assert (view == 7).all()


def test_sizes_do_not_mix():
    memory = PlaneMemory()
    small = memory.take((2, 2), np.uint8)
    del small
    assert memory.take((4, 4), np.uint8).size == 16


def test_planes_outlive_their_memory_manager():
    plane = PlaneMemory().take((4, 6), np.uint8)
    gc.collect()
    plane[:] = 3
    assert plane.sum() == 72


def test_cleared_memory_serves_on():
    memory = PlaneMemory()
    plane = memory.take((4, 6), np.uint8)
    memory.clear()
    del plane
    assert memory.take((4, 6), np.uint8).shape == (4, 6)
