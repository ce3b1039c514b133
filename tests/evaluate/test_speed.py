import json

import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.evaluate import speed


def by_name(figures):
    return {figure.name.partition(".")[2]: figure for figure in figures}


def test_every_tick_is_timed_with_its_own_action_from_its_own_state():
    seen = []

    def tick(state, action):
        seen.append((state, action))
        return state + 1, jnp.zeros((2, 2, 3), jnp.uint8)

    times = speed.step_times(tick, 0, np.asarray([3, 1, 2], np.int32))
    assert seen == [(0, 3), (1, 1), (2, 2)]
    assert times.shape == (3,)
    assert (times > 0).all()


def test_the_figures_of_a_run_leave_its_warm_up_out():
    times = np.r_[np.full(speed.WARM_UP, 900.0), np.full(98, 10.0), 20.0, 20.0]
    figures = by_name(speed.stepping_figures(times, {"world": "toy"}))
    assert figures["tick.p50"].value == 10
    assert figures["tick.p50"].spread == (10, 10)
    assert 19 < figures["tick.p99"].value <= 20
    assert figures["rate"].value == pytest.approx(1000 / 10.2)
    assert figures["rate"].conditions == {"world": "toy", "ticks": 120, "warm_up": 20}
    assert "flatness" not in figures
    with pytest.raises(ValueError, match="longer than its 20 ticks"):
        speed.stepping_figures(times[:20], {})


def test_a_run_that_slows_down_is_not_flat():
    steady = by_name(speed.stepping_figures(np.full(5100, 8.0), {}))["flatness"]
    slower = by_name(speed.stepping_figures(np.linspace(8.0, 9.0, 5100), {}))["flatness"]
    assert steady.value == 1
    assert slower.value == pytest.approx((8 + 5000 / 5100) / (8 + 500 / 5100), abs=1e-3)


def test_training_figures_follow_from_the_time_of_a_step(monkeypatch):
    clock = iter(np.arange(100.0))
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(clock))
    peak = speed.Figure(name="matmul.peak", value=8.0, unit="GFLOP/s", spread=None)
    steps = []

    def step(state):
        steps.append(state)
        return state + 1, {"loss": jnp.zeros(())}

    figures = speed.training_figures(
        "toy", step, 0, steps=3, frames=64, flops=2 * 10**9, peak=peak, conditions={"batch": 4}
    )
    assert steps == [0, 1, 2, 3, 4]
    # Each step takes one tick of the clock.
    assert {figure.name: figure.value for figure in figures} == {
        "train.toy.frames": 64,
        "train.toy.matmul": 2,
        "train.toy.share": 0.25,
    }


def test_the_peak_is_a_plausible_rate():
    figure = speed.matmul_peak(size=64, repeats=3)
    assert figure.spread is not None
    assert 0 < figure.spread[0] <= figure.value <= figure.spread[1] < 1e6


def test_lines_come_back_and_are_compared(tmp_path):
    def figure(name, value):
        return speed.Figure(name=name, value=value, unit="ms", spread=(1.0, 2.0), conditions={"world": "toy"})

    about = speed.surroundings()
    lines = [speed.as_line(figure(*given), about) for given in (("a", 2.0), ("b", 3.0))]
    assert {"name", "value", "unit", "spread", "machine", "versions"} <= json.loads(lines[0]).keys()
    (tmp_path / "before").write_text("\n".join(lines))
    (tmp_path / "after").write_text(speed.as_line(figure("b", 6.0), about) + "\n")
    before, after = (speed.read_lines(tmp_path / name) for name in ("before", "after"))
    assert [(old.name, ratio) for old, _, ratio in speed.compare(before, after)] == [("b", 2.0)]


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "lines"
    path.write_text('{"name": "a"}\n')
    with pytest.raises(ValueError, match=r"Line 1 of .* is not a figure"):
        speed.read_lines(path)
