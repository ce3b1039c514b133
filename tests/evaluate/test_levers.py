import jax
import numpy as np
import pytest

from oyster_jax.evaluate import stepping
from oyster_jax.evaluate.levers import LEVERS, Lever, lever_figures
from oyster_jax.testing import tiny_model, tiny_params


def test_every_lever_takes_its_turns():
    model, params = tiny_model(steps=1), tiny_params()
    state = jax.jit(model.reset)(params, jax.random.key(0))
    found = lever_figures(model, params, state, np.full(10, 7, np.int32), rounds=2, conditions={"world": "tiny"})
    figures = {figure.name: figure for figure in found}
    assert list(figures) == [
        *(f"lever.{lever.name}.{what}" for lever in LEVERS for what in ("tick", "ratio")),
        "interactive.pipelined",
    ]
    assert figures[f"lever.{LEVERS[0].name}.ratio"].value == 1
    assert all(figure.value > 0 for figure in found)
    # Levers that use up their state have copies of it.
    assert int(state.step) == 0


def test_a_slower_lever_is_seen(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(stepping.time, "perf_counter", lambda: clock[0])

    def waiting(seconds):
        def step(state, action):
            clock[0] += seconds
            return state, np.zeros(1)

        return lambda model, params: step

    levers = tuple(
        Lever(name=name, make=waiting(seconds), about="") for name, seconds in (("plain", 0.001), ("slow", 0.003))
    )
    model, params = tiny_model(steps=1), tiny_params()
    state = jax.jit(model.reset)(params, jax.random.key(0))
    found = lever_figures(model, params, state, np.zeros(10, np.int32), rounds=5, conditions={}, levers=levers)
    figures = {figure.name: figure.value for figure in found}
    assert figures["lever.slow.tick"] == pytest.approx(3)
    assert figures["lever.slow.ratio"] == pytest.approx(3)
    assert figures["interactive.pipelined"] == pytest.approx(1000 / 3)
