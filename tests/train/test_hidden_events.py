"""Hidden events: the trunk is not told, what comes of them at once is not asked for, all else is as it was."""

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.train.dynamics import DynamicsLossConfig, shown_events

EVENTS = jnp.tile(jnp.array([[0, 2, 0, 1, 3]], jnp.int32), (64, 1))


def test_without_dropout_all_are_told_and_asked_for():
    told, known = shown_events(DynamicsLossConfig(), {"events": EVENTS}, jax.random.key(0))
    np.testing.assert_array_equal(told, EVENTS)
    assert (np.asarray(known) == 1).all()


def test_what_is_hidden_is_not_asked_for():
    told, known = shown_events(DynamicsLossConfig(event_dropout=0.5), {"events": EVENTS}, jax.random.key(0))
    hidden = np.asarray(told != EVENTS)
    assert (np.asarray(told)[hidden] == 0).all()
    assert 0.3 < hidden[:, [1, 3, 4]].mean() < 0.7
    np.testing.assert_array_equal(np.asarray(known) == 0, hidden[:, :-1])


def test_a_world_without_events_hides_none():
    told, known = shown_events(DynamicsLossConfig(event_dropout=0.5), {}, jax.random.key(0))
    assert told is None
    assert (np.asarray(known) == 1).all()
