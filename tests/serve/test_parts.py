"""The parts of a server alone: header and messages, pace and window, allowances, batches."""

import dataclasses
import math

import numpy as np
import pytest

from oyster_jax.core.tick import Ticks
from oyster_jax.serve import protocol
from oyster_jax.serve.limits import Allowance
from oyster_jax.serve.pacing import LARGEST, MEMORY, SMALLEST, Pace, Window
from oyster_jax.serve.pictures import jpeg
from oyster_jax.serve.protocol import Flag, FrameHeader, Kind
from oyster_jax.worlds.session import Session
from oyster_jax.worlds.together import REST, Together, threads


def test_a_header_is_64_bytes_and_comes_back_as_it_was():
    header = FrameHeader(
        kind=Kind.JPEG, flags=Flag.PAUSED | Flag.JUMPED, lane=1, frame=2**32 - 1, branch=3, tick=4, durable=2,
        dropped=7, echo=1234.5678, waited=1.5, step=2.5, encode=0.25, server=4.0, reward=-1.0, terminal=0.5,
        remaining=1799.5,
    )  # fmt: skip
    packed = header.pack()
    assert len(packed) == FrameHeader.SIZE == 64
    assert FrameHeader.unpack(packed + b"picture") == header
    # Where PROTOCOL.md says that things are.
    assert packed[:4] == b"OY\x01\x01"
    assert np.frombuffer(packed, "<f8", 1, 24)[0] == header.echo
    assert np.frombuffer(packed, "<u4", 1, 60)[0] == 7
    for wrong in (packed[:63], b"XX" + packed[2:], b"OY\x02" + packed[3:]):
        with pytest.raises(ValueError, match="A frame"):
            FrameHeader.unpack(wrong)


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "[]", "{}", '{"type": "inputs"}', '{"type": "ack"}', '{"type": "ack", "frame": -1}',
        '{"type": "ack", "frame": 1.5}', '{"type": "input", "held": "left", "at": 0}',
        '{"type": "input", "held": [1], "at": 0}', '{"type": "input", "held": [], "at": NaN}',
        '{"type": "request", "id": 1, "method": "pause", "more": 1}', "[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_message_is_refused(text):
    with pytest.raises((protocol.msgspec.DecodeError, RecursionError)):
        protocol.decode_client(text)


def test_a_tick_that_came_late_is_not_made_up_for():
    pace = Pace(10.0, now=0.0)
    assert pace.ticked(0.05)
    assert pace.due == pytest.approx(0.1)
    assert not pace.ticked(0.75)
    assert pace.due == 0.75
    pace.change(100.0, now=0.6)
    assert pace.due == pytest.approx(0.61)


def test_a_window_is_as_large_as_the_link_and_forgets_old_ones():
    window = Window(60.0)
    assert window.size == SMALLEST
    window.sent(1, 0.0)
    window.sent(2, 0.01)
    assert not window.has_room
    assert window.acknowledged(2, 0.11) == pytest.approx(0.1)
    assert window.under_way == 0
    assert window.size == math.ceil(0.1 * 60) + 1
    for unknown in (1, 2, 99):
        assert window.acknowledged(unknown, 0.2) is None
    # Frames that wait make later trips longer, which does not count; a link that has become slow does.
    window.sent(3, 1.0)
    window.acknowledged(3, 2.0)
    assert window.round_trip == pytest.approx(0.1)
    for frame in (4, 5):
        window.sent(frame, frame * (MEMORY + 1))
        window.acknowledged(frame, frame * (MEMORY + 1) + 5.0)
    assert window.round_trip == pytest.approx(5.0)
    assert window.size == LARGEST


def test_a_window_is_no_larger_than_what_a_client_draws():
    window = Window(60.0)
    for frame in range(1, 41):
        window.sent(frame, frame / 20)
        window.acknowledged(frame, frame / 20 + 0.1)
    assert window.size == math.ceil(0.1 * 20) + 1


def test_an_allowance_is_spent_and_comes_back():
    allowance = Allowance(2.0, 3.0)
    assert [allowance.take(10.0) for _ in range(4)] == [True, True, True, False]
    assert allowance.take(10.5)
    assert not allowance.take(10.5)


def test_a_frame_is_always_encoded_to_the_same_bytes():
    frame = np.random.default_rng(0).integers(256, size=(64, 64, 3), dtype=np.uint8)
    assert jpeg(frame) == jpeg(frame.copy())


def one_by_one(world):
    """A batch of two that computes the very bits of single ticks, which a compiled one may do on one machine only."""

    def program(params, states, actions):
        done = [world.tick(state, int(action), donate=True) for state, action in zip(states, actions, strict=True)]
        return [state for state, _ in done], np.stack([frame for _, frame in done])

    return Ticks(count=2, _program=program, _params=None)


def test_sessions_stepped_together_live_what_each_alone_would(stage, tmp_path, monkeypatch):
    world, together = stage.world, Together(stage.world)
    monkeypatch.setitem(world._together, 2, one_by_one(world))
    assert together.prepare(1)
    assert together.prepare(2)
    actions = np.random.default_rng(0).integers(15, size=(6, 3))
    alone = []
    for seed in range(3):
        state = world.reset(seed)
        for action in actions[:, seed]:
            state = world.step(state, int(action))
        alone.append(world.render(state))
    sessions = [Session.create(tmp_path / str(seed), world, seed=seed) for seed in range(3)]
    sessions[0].pause()
    refused = together.step(sessions, actions[0].tolist())[0]
    assert refused.frame is None
    assert "paused" in str(refused.error)
    sessions[0].resume()
    together.step(sessions[:1], actions[0, :1].tolist())
    stepped = [together.step(sessions, row.tolist()) for row in actions[1:]][-1]
    for session, one, frame in zip(sessions, stepped, alone, strict=True):
        assert (one.frame == frame).all()
        assert session.tick == 6
        assert (session.seek(6) == frame).all()
        session.close()


def test_a_batch_that_computes_other_bits_is_not_used(stage, monkeypatch):
    together = Together(stage.world)
    together.prepare(1)
    exact = one_by_one(stage.world)

    def program(params, states, actions):
        later, frames = exact(states, actions)
        return [later[0].replace(latent=later[0].latent + 1e-6), *later[1:]], frames

    monkeypatch.setitem(stage.world._together, 2, dataclasses.replace(exact, _program=program))
    assert not together.prepare(2)
    assert together.unequal == {2}
    assert together.size_for(5) == 1
    assert together.cost(10) == pytest.approx(10 * together.cost(1))


def test_batches_are_chosen_by_what_they_cost(stage):
    together = Together(stage.world)
    together.workers = 2
    together.seconds = {1: 1.0, 2: 1.5, 4: 2.0, 8: 6.0}
    assert [together.size_for(count) for count in (1, 2, 3, 4, 5, 7, 9)] == [1, 2, 4, 4, 4, 4, 8]
    assert together.cost(5) == pytest.approx(1.5 + 5 * REST / threads())
