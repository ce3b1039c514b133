import jax.numpy as jnp
import numpy as np

from oyster_jax.evaluate import stopwatch, training_speed
from oyster_jax.evaluate.figure import Figure


def test_training_figures_follow_from_the_time_of_a_step(monkeypatch):
    clock = iter(np.arange(100.0))
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: next(clock))
    peak = Figure(name="matmul.peak", value=8.0, unit="GFLOP/s", spread=None)
    steps = []

    def step(state):
        steps.append(state)
        return state + 1, {"loss": jnp.zeros(())}

    figures = training_speed.training_figures(
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
    figure = training_speed.matmul_peak(size=64, repeats=3)
    assert figure.spread is not None
    assert 0 < figure.spread[0] <= figure.value <= figure.spread[1] < 1e6
