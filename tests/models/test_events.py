"""Events in a model: they reach one tick, change it, and leave worlds without events as they were."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.core.spec import EventSpec
from oyster_jax.models.description import network_from_json, network_to_json
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


GUIDED = dataclasses.replace(NETWORK, sampler=dataclasses.replace(NETWORK.sampler, guidance=3.0))


BEGUN_GUIDED = GUIDED.reset(PARAMS, jax.random.key(1))


def begun(network):
    return BEGUN_GUIDED if network == GUIDED else BEGUN


def test_guidance_leads_further_at_an_event_and_nowhere_else():
    def ahead(network, event):
        return network.advance(PARAMS, network.with_event(begun(network), event), jnp.int32(1))

    np.testing.assert_array_equal(ahead(GUIDED, 0).latent, ahead(NETWORK, 0).latent)
    none, told, guided = (one.latent for one in (ahead(NETWORK, 0), ahead(NETWORK, 1), ahead(GUIDED, 1)))
    assert float(jnp.linalg.norm(guided - none)) > 1.2 * float(jnp.linalg.norm(told - none))
    # What the trunk remembers is what happened, and no more than that.
    for name in ("ring", "previous", "event"):
        np.testing.assert_array_equal(ahead(GUIDED, 1).cache[name], ahead(NETWORK, 1).cache[name])


def edited(network):
    """The first two tokens say something else."""
    known = jax.tree.map(lambda leaf: leaf.at[:2].set(1 - leaf[:2]), network.known(PARAMS, begun(network)))
    return network.edited(PARAMS, begun(network), known, jnp.arange(16) < 2)


def test_it_leads_further_from_what_was_before_an_edit_and_once():
    none, told, guided = (
        network.advance(PARAMS, state, jnp.int32(1))
        for network, state in ((NETWORK, BEGUN), (NETWORK, edited(NETWORK)), (GUIDED, edited(GUIDED)))
    )
    np.testing.assert_array_equal(edited(GUIDED).latent, edited(NETWORK).latent)
    assert float(jnp.linalg.norm(guided.latent - none.latent)) > 1.2 * float(jnp.linalg.norm(told.latent - none.latent))
    assert not guided.cache["edited"]
    later = NETWORK.advance(PARAMS, told.replace(latent=guided.latent), jnp.int32(1))
    np.testing.assert_allclose(GUIDED.advance(PARAMS, guided, jnp.int32(1)).latent, later.latent, atol=1e-6)


def test_two_edits_are_led_away_from_what_was_before_both():
    twice = GUIDED.edited(PARAMS, edited(GUIDED), GUIDED.known(PARAMS, edited(GUIDED)), jnp.arange(16) == 5)
    np.testing.assert_array_equal(twice.cache["unedited"][0], BEGUN_GUIDED.latent)
    nothing = GUIDED.edited(PARAMS, BEGUN_GUIDED, GUIDED.known(PARAMS, BEGUN_GUIDED), jnp.zeros(16, bool))
    assert not nothing.cache["edited"]


def test_of_a_batch_those_are_guided_in_which_something_happens():
    states = jax.vmap(lambda event: GUIDED.with_event(BEGUN_GUIDED, event))(jnp.arange(3))
    together = jax.vmap(lambda state: GUIDED.advance(PARAMS, state, jnp.int32(1)))(states)
    alone = [GUIDED.advance(PARAMS, GUIDED.with_event(BEGUN_GUIDED, event), jnp.int32(1)).latent for event in range(3)]
    np.testing.assert_allclose(together.latent, np.stack(alone), atol=1e-5)


def test_guidance_is_told_of_in_descriptions_where_there_is_any():
    assert "guidance" not in network_to_json(NETWORK)["sampler"]
    assert network_from_json(network_to_json(GUIDED), GUIDED.spec) == GUIDED
    with pytest.raises(ValueError, match="factor from 1 on"):
        dataclasses.replace(GUIDED.sampler, guidance=0.5)
    with pytest.raises(ValueError, match="guides nothing"):
        dataclasses.replace(PLAIN, sampler=GUIDED.sampler)


def test_worlds_without_events_are_described_as_before():
    assert "events" not in network_to_json(PLAIN)["dynamics"]
    assert "event" not in PLAIN.reset(PLAIN.init(jax.random.key(0)), jax.random.key(1)).cache
    assert network_from_json(network_to_json(NETWORK), NETWORK.spec) == NETWORK


def test_network_and_specification_agree_on_events():
    with pytest.raises(ValueError, match="number of events"):
        dataclasses.replace(NETWORK, spec=PLAIN.spec)
