"""Small exports of three architectures pass the guard, and compute what NumPy computes."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from architectures import musiq, raft_small, smolvlm, twins
from tinyvmaf.dnn import guard
from tinyvmaf.dnn.session import Session
from tinyvmaf.errors import RunLimitError

EXPORTERS = [(17, "script"), (20, "script"), (18, "dynamo"), (20, "dynamo")]
ROUNDS, WORDS = 6, 8
TOLERANCE = 1e-4
MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Case:
    """A file to build, inputs of several sizes, and what comes of them."""

    build: Any
    inputs: tuple[dict[str, np.ndarray], ...]
    twin: Any


@functools.cache
def _twin(kind, module):
    return kind(module.weights())


def _score(patches):
    return [_twin(twins.Musiq, musiq).score(patches)]


def _image_score(image):
    return [_twin(twins.Musiq, musiq).image_score(image)]


def _flow(image1, image2):
    return [_twin(twins.RaftSmall, raft_small).flow(image1, image2, ROUNDS)]


def _tokens(pixel_values, pixel_attention_mask):
    return [_twin(twins.SmolVlm, smolvlm).tokens(pixel_values, pixel_attention_mask)]


def _step(inputs_embeds, attention_mask, position_ids, k0, v0, k1, v1):
    cache = [(k0, v0), (k1, v1)]
    logits, cache = _twin(twins.SmolVlm, smolvlm).logits(inputs_embeds, attention_mask, position_ids, cache)
    return [logits, *cache[0], *cache[1]]


def _answer(pixel_values, input_ids):
    return [_twin(twins.SmolVlm, smolvlm).answer(pixel_values, input_ids, WORDS)]


def _raft(form):
    return functools.partial(raft_small.build, form=form, rounds=ROUNDS)


FRAMES = (raft_small.inputs(32, 48), raft_small.inputs(48, 40))
CASES = {
    "musiq": Case(musiq.build, (musiq.inputs(2, 20, 3), musiq.inputs(1, 33, 5)), _score),
    "musiq-image": Case(musiq.build_image, (musiq.image(64, 96), musiq.image(90, 77)), _image_score),
    "raft-loop": Case(_raft("loop"), FRAMES, _flow),
    "raft-unrolled": Case(_raft("unrolled"), FRAMES, _flow),
    "smolvlm-vision": Case(smolvlm.build_vision, (smolvlm.images(2), smolvlm.images(3, cut=8)), _tokens),
    "smolvlm-step": Case(
        smolvlm.build_step, (smolvlm.step_inputs(2, 3, 5), smolvlm.step_inputs(1, 4, 7, padded=2)), _step
    ),
    "smolvlm-answer": Case(smolvlm.build_answer, (smolvlm.question(9), smolvlm.question(13)), _answer),
}
BOTH = pytest.mark.parametrize(("opset", "style"), EXPORTERS, ids=[f"{style}-{opset}" for opset, style in EXPORTERS])
EVERY = pytest.mark.parametrize("name", CASES)


@functools.cache
def _file(name, opset, style):
    return CASES[name].build(opset, style)


@EVERY
@BOTH
def test_an_export_passes_the_guard_and_computes_what_numpy_computes(name, opset, style):
    verdict = guard.check(_file(name, opset, style))
    assert verdict.accepted, verdict.reason
    with Session(_file(name, opset, style), device="cpu", verdict=verdict) as session:
        for given in CASES[name].inputs:
            got = list(session.run(given).values())
            wanted = CASES[name].twin(**given)
            assert [array.shape for array in got] == [array.shape for array in wanted]
            for array, other in zip(got, wanted, strict=True):
                np.testing.assert_allclose(array, other, rtol=0, atol=TOLERANCE)


@EVERY
def test_a_run_gives_the_same_bits_again(name):
    with Session(_file(name, *EXPORTERS[0]), device="cpu", threads=1) as session:
        first, second = (session.run(CASES[name].inputs[0]) for _ in range(2))
    for output, array in first.items():
        assert array.tobytes() == second[output].tobytes()


@EVERY
@BOTH
def test_exports_are_small(name, opset, style):
    assert len(_file(name, opset, style)) < MAX_BYTES


EMITTED = """
    And ArgMax Ceil Cos Equal GatherND Greater GridSample If IsNaN Less LessOrEqual Loop Mod NonZero Not Range ScatterND
    Sin Split Tile Where
"""
"""What PyTorch 2.13 writes for these networks beside layers and shapes, by both exporters together."""


def test_the_three_architectures_hold_the_operators_that_pytorch_writes_for_them():
    reports = [guard.check(_file(name, *exporter)).require() for name in CASES for exporter in EXPORTERS]
    held = {operator for report in reports for operator in report.operators}
    assert set(EMITTED.split()) <= held


def test_loops_are_named_in_the_report():
    script, export = (guard.check(_file("raft-loop", *exporter)).require() for exporter in (EXPORTERS[0], EXPORTERS[2]))
    norms = sum(name != "conv" for name, _ in raft_small.encoder_layers(1))
    assert len(script.loops) == norms + 1
    assert len(export.loops) == 1
    assert str(ROUNDS) in export.loops[0]
    assert guard.check(_file("raft-unrolled", *EXPORTERS[0])).require().loops == ()


def test_work_grows_with_the_rounds_of_the_loop():
    few, many = (guard.check(raft_small.build(form="loop", rounds=n)).require().work for n in (6, 12))
    start = 2 * few - many
    unrolled = guard.check(raft_small.build(form="unrolled", rounds=6)).require().work
    assert 0 < start < few
    assert few == pytest.approx(unrolled, rel=0.02)


@pytest.mark.parametrize("rounds", [guard.DEFAULT.trip_count + 1, -1])
def test_a_loop_outside_the_limit_is_refused(rounds):
    verdict = guard.check(raft_small.build(form="loop", rounds=rounds))
    assert not verdict.accepted
    assert str(rounds) in verdict.reason


@pytest.mark.parametrize("style", ["script", "dynamo"])
def test_a_loop_that_only_its_condition_ends_is_refused(style):
    verdict = guard.check(raft_small.build(18, style, form="while"))
    assert not verdict.accepted
    assert "Loop" in verdict.reason


def test_frames_whose_correlation_would_not_fit_are_refused_before_the_run():
    verdict = guard.check(_file("raft-loop", *EXPORTERS[0]))
    assert verdict.admit({name: (1, 3, 240, 320) for name in ("image1", "image2")}).work > verdict.require().work
    with pytest.raises(RunLimitError):
        verdict.admit({name: (1, 3, 4096, 4096) for name in ("image1", "image2")})
