import dataclasses

import jax
import numpy as np
import pytest

from oyster_jax.evaluate import batch_speed
from tests.evaluate import toy


def test_the_rate_counts_the_ticks_of_all_worlds(monkeypatch):
    frames = []

    def call_times(call, repeats):
        frames.extend(call() for _ in range(3))
        return np.full(repeats, 0.5)

    monkeypatch.setattr(batch_speed, "call_times", call_times)
    figure = batch_speed.batch_figure(toy.Exact(), {}, batch=4, ticks=6, rounds=2, seed=0, conditions={"world": "toy"})
    assert (figure.name, figure.unit, figure.value) == ("batch.4.rate", "ticks/s", 4 * 6 / 0.5)
    assert figure.conditions == {"world": "toy", "batch": 4, "ticks": 6, "rounds": 2}
    assert [shown.shape for shown in frames] == [(4, 6, 16, 16, 3)] * 3
    # Worlds differ, for their actions do; and each rollout goes on where the last one ended.
    assert len({shown[-1].tobytes() for shown in frames[0]}) > 1
    assert (frames[0] != frames[1]).any()


def test_every_world_has_a_key_of_its_own():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Noisy(toy.Exact):
        def advance(self, params, state, action):
            place = jax.random.randint(jax.random.fold_in(state.key, state.step), (), 0, toy.SIZE)
            return state.replace(step=state.step + 1, latent=place.astype(state.latent.dtype)[None, None])

    figure = batch_speed.batch_figure(Noisy(), {}, batch=3, ticks=2, rounds=2, seed=0, conditions={})
    assert figure.value > 0
    assert figure.spread is not None
    assert figure.spread[0] <= figure.value <= figure.spread[1]


@pytest.mark.parametrize("batch", [1, 2])
def test_small_batches_are_measured_too(batch):
    assert batch_speed.batch_figure(toy.Exact(), {}, batch=batch, ticks=1, rounds=1, seed=0, conditions={}).value > 0
