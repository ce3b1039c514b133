import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.evaluate import stepping
from oyster_jax.evaluate.stepping import EARLY, Run

MEGABYTE = 2**20


def run_of(times, resident=()):
    return Run(times=np.asarray(times, float), resident=np.asarray(resident, np.int64), early=None, last=None)


def by_name(figures):
    return {figure.name.removeprefix("interactive."): figure for figure in figures}


def test_every_tick_is_timed_with_its_own_action_from_its_own_state():
    seen = []

    def tick(state, action):
        seen.append((int(state), int(action)))
        return state + 1, jnp.zeros((2, 2, 3), jnp.uint8)

    run = stepping.run_world(tick, jnp.int32(0), np.asarray([3, 1, 2], np.int32))
    assert seen == [(0, 3), (1, 1), (2, 2)]
    assert run.times.shape == (3,)
    assert (run.times > 0).all()
    assert run.early is None
    assert int(run.last) == 3


def test_a_long_run_keeps_its_early_state_and_looks_at_its_memory():
    told = []
    run = stepping.run_world(
        lambda state, action: (state + 1, state), jnp.int32(0), np.zeros(250, np.int32), lambda *done: told.append(done)
    )
    assert run.early is not None
    assert int(run.early) == EARLY
    assert int(run.last) == 250
    assert told == [(100, 250), (200, 250)]
    assert len(run.resident) == 2
    assert run.resident.min() > MEGABYTE


def test_a_latency_ends_when_the_frame_is_on_the_host(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(stepping.time, "perf_counter", lambda: clock[0])

    class Frame:
        def __array__(self, dtype=None, copy=None):
            clock[0] += 0.005
            return np.zeros(1, np.uint8)

    def tick(state, action):
        clock[0] += 0.002
        return state, Frame()

    assert stepping.run_world(tick, 0, np.zeros(3, np.int32)).times == pytest.approx([7, 7, 7])


def test_the_figures_of_a_run_leave_its_warm_up_out():
    times = np.r_[np.full(stepping.WARM_UP, 900.0), np.full(98, 10.0), 20.0, 20.0]
    figures = by_name(stepping.stepping_figures(run_of(times), {"world": "toy"}))
    assert figures.keys() == {"tick.p50", "tick.p99", "rate"}
    assert figures["tick.p50"].value == 10
    assert figures["tick.p50"].spread == (10, 10)
    assert 19 < figures["tick.p99"].value <= 20
    assert figures["rate"].value == pytest.approx(1000 / 10.2)
    assert figures["rate"].conditions == {"world": "toy", "ticks": 120, "warm_up": 20}
    with pytest.raises(ValueError, match="longer than its 20 ticks"):
        stepping.stepping_figures(run_of(times[:20]), {})


def test_a_run_that_slows_down_is_not_flat():
    steady = by_name(stepping.flatness_figures(np.full(27_000, 8.0), {}))
    slower = by_name(stepping.flatness_figures(np.linspace(8.0, 9.0, 27_000), {}))
    for name in ("flatness", "trend"):
        assert steady[name].value == pytest.approx(1)
        # From the middle of the first thousand ticks to that of the last.
        assert slower[name].value == pytest.approx((9 - 517 / 27_000) / (8 + 617 / 27_000), rel=1e-3)
    assert steady["flatness"].conditions["early"] == [100, 1_135]
    assert steady["flatness"].conditions["late"] == [25_966, 27_000]
    assert len(steady["trend"].conditions["medians"]) == 26
    assert stepping.flatness_figures(np.full(499, 8.0), {}) == []
    assert len(stepping.flatness_figures(np.full(500, 8.0), {})) == 2


def test_one_busy_minute_of_the_machine_does_not_move_the_trend():
    times = np.full(27_000, 8.0)
    times[-2_000:] = 16.0
    figures = by_name(stepping.flatness_figures(times, {}))
    assert figures["flatness"].value == 2
    assert figures["trend"].value == pytest.approx(1, abs=0.01)


def test_memory_that_grows_is_seen():
    held = 500 * MEGABYTE + np.arange(20) * MEGABYTE
    growth, late, resident = stepping.growth_figures(held, {})
    assert (growth.name, growth.value, growth.unit) == ("memory.growth", 19, "MB")
    assert (late.name, late.value) == ("memory.growth.late", 9)
    assert resident.value == 509.5
    assert stepping.growth_figures(np.full(20, MEGABYTE), {})[0].value == 0
    assert stepping.growth_figures(held[:1], {}) == []


def test_two_moments_are_compared_in_turns(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(stepping.time, "perf_counter", lambda: clock[0])

    def tick(state, action):
        # Later states are slower by a tenth; and the machine gets busier and busier, for both alike.
        clock[0] += (1.1 if int(state) > 1_000 else 1.0) * (1 + clock[0] / 100)
        return state + 1, np.zeros(1)

    figure = stepping.paired_flatness(
        tick, jnp.int32(0), jnp.int32(2_000), np.zeros(5, np.int32), rounds=10, conditions={}
    )
    assert figure.name == "interactive.flatness.paired"
    assert figure.spread is not None
    # In every second round the later moment comes second, when the machine is busier, in the others first.
    assert figure.spread[0] < 1.1 < figure.spread[1]
    assert figure.value == pytest.approx(1.1, abs=0.02)


def test_a_replay_is_timed_by_what_arrives(monkeypatch):
    clock, order = [0.0], []
    monkeypatch.setattr(stepping.time, "perf_counter", lambda: clock[0])

    class Frame:
        def __init__(self, index):
            self.index = index

        def __array__(self, dtype=None, copy=None):
            order.append(f"fetched {self.index}")
            clock[0] += 0.01
            return np.zeros(1)

    def tick(state, action):
        order.append(f"begun {state}")
        return state + 1, Frame(state)

    figure = stepping.pipelined_rate(tick, 0, np.zeros(40, np.int32), depth=2, conditions={})
    assert order[:5] == ["begun 0", "begun 1", "fetched 0", "begun 2", "fetched 1"]
    assert figure.value == pytest.approx(100)
    with pytest.raises(ValueError, match="at least 22 actions, but had 21"):
        stepping.pipelined_rate(tick, 0, np.zeros(21, np.int32), depth=2, conditions={})
