"""Rollouts of a model's own in training: they are told what happened in the recording."""

import jax
import numpy as np

from oyster_jax.train.self_rollout import own_history
from tests.models.structured import moments, without
from tests.models.test_events import NETWORK, PARAMS

CONTEXT, TICKS = 3, 7


def batch(events):
    frames = np.stack([np.asarray(without(moments(TICKS, seed)).frame) for seed in range(2)])
    return {
        "frames": frames, "actions": np.ones((2, TICKS), np.int32), "events": events,
        "latents": np.zeros((2, TICKS, NETWORK.dynamics.tokens, NETWORK.dynamics.channels), np.float32),
    }  # fmt: skip


def history(events):
    given = jax.tree.map(jax.numpy.asarray, batch(events))
    return np.asarray(own_history(NETWORK, PARAMS, CONTEXT, given, jax.random.key(0))[0])


def test_a_rollout_is_told_of_events_at_their_tick():
    nothing = np.zeros((2, TICKS), np.int32)
    rain = nothing.copy()
    rain[0, 4] = 1
    plain, told = history(nothing), history(rain)
    np.testing.assert_array_equal(plain[1], told[1])
    np.testing.assert_array_equal(plain[0, :5], told[0, :5])
    assert not np.allclose(plain[0, 5], told[0, 5])
