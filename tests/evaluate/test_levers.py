import time

import jax
import numpy as np

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


def test_a_slower_lever_is_seen():
    class Clocked:
        """Does nothing, for a while."""

        def __init__(self, seconds):
            self.seconds = seconds

        def __call__(self, state, action):
            end = time.perf_counter() + self.seconds
            while time.perf_counter() < end:
                pass
            return state, np.zeros(1)

    levers = tuple(
        Lever(name=name, make=lambda model, params, seconds=seconds: Clocked(seconds), about="")
        for name, seconds in (("plain", 0.001), ("slow", 0.003))
    )
    model, params = tiny_model(steps=1), tiny_params()
    state = jax.jit(model.reset)(params, jax.random.key(0))
    found = lever_figures(model, params, state, np.zeros(10, np.int32), rounds=5, conditions={}, levers=levers)
    ratio = {figure.name: figure.value for figure in found}["lever.slow.ratio"]
    assert 2 < ratio < 4
