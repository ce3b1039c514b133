"""Events in a model: they reach one tick, change it, and leave worlds without events as they were."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.core.spec import EventSpec
from oyster_jax.models.world_model import WorldNetwork
from tests.models.structured import network, shaken

PLAIN = network()
NETWORK = dataclasses.replace(
    PLAIN,
    spec=dataclasses.replace(PLAIN.spec, events=EventSpec(names=("rain", "snow"))),
    dynamics=dataclasses.replace(PLAIN.dynamics, events=2),
)
PARAMS = shaken(NETWORK.init(jax.random.key(0)))
BEGUN = NETWORK.reset(PARAMS, jax.random.key(1))


def after(state, action=1):
    return NETWORK.advance(PARAMS, state, jnp.int32(action))


def test_an_event_changes_the_next_tick_and_each_another_way():
    none, rain, snow = (after(NETWORK.with_event(BEGUN, event)).latent for event in (0, 1, 2))
    np.testing.assert_array_equal(none, after(BEGUN).latent)
    assert not np.allclose(rain, none)
    assert not np.allclose(rain, snow)


def test_an_event_happens_once():
    state = after(NETWORK.with_event(BEGUN, 2))
    assert int(state.cache["event"]) == 0
    np.testing.assert_array_equal(after(state).latent, after(NETWORK.with_event(state, 0)).latent)


def test_a_state_keeps_its_shapes():
    kinds = [jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), state)
             for state in (BEGUN, NETWORK.with_event(BEGUN, 1), after(NETWORK.with_event(BEGUN, 1)))]  # fmt: skip
    assert kinds[0] == kinds[1] == kinds[2]


def test_worlds_without_events_are_described_as_before():
    assert "events" not in PLAIN.to_json()["dynamics"]
    assert "event" not in PLAIN.reset(PLAIN.init(jax.random.key(0)), jax.random.key(1)).cache
    assert WorldNetwork.from_json(NETWORK.to_json(), NETWORK.spec) == NETWORK


def test_network_and_specification_agree_on_events():
    with pytest.raises(ValueError, match="number of events"):
        dataclasses.replace(NETWORK, spec=PLAIN.spec)
