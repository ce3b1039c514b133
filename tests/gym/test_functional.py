import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.gym.functional import functional
from oyster_jax.models.world_model import WorldNetwork


@pytest.fixture(scope="module")
def environment(world):
    return functional(world, starts=4, max_ticks=3)


@pytest.fixture(scope="module")
def begin(environment):
    reset = jax.jit(lambda environment, keys: jax.vmap(environment.reset)(keys))
    return lambda seed, count: reset(environment, jax.random.split(jax.random.key(seed), count))


def test_a_key_decides_over_an_episode(begin):
    one, again, other = begin(0, 6), begin(0, 6), begin(1, 6)
    np.testing.assert_array_equal(one[0], again[0])
    assert (one[0] != other[0]).any()
    assert one[0].shape == (6, 16, 16, 3)
    words = jax.random.key_data(one[1].world.key)
    assert len(np.unique(words, axis=0)) == 6


def test_ticks_are_those_of_the_world(environment, begin):
    _, states = begin(0, 2)
    state = jax.tree.map(lambda leaf: leaf[1], states)
    frame, later, reward, _, _ = jax.jit(lambda environment, state: environment.step_alone(state, jnp.int32(7)))(
        environment, state
    )
    world = environment.model.advance(environment.params, state.world, jnp.int32(7))
    shown = environment.model.render(environment.params, world)
    np.testing.assert_allclose(np.asarray(frame, int), np.asarray(shown, int), atol=1)
    said = environment.model.readouts(environment.params, world)["reward"]
    np.testing.assert_allclose(reward, said, rtol=1e-3, atol=1e-5)
    assert int(later.tick) == 1


def test_it_scans_and_begins_anew_where_an_episode_ends(environment, begin):
    @jax.jit
    def run(environment, states, keys):
        def tick(states, keys):
            frames, states, rewards, done, info = jax.vmap(environment.step)(keys, states, jnp.full(5, 8, jnp.int32))
            return states, (frames, rewards, done, info, states.tick)

        return jax.lax.scan(tick, states, keys)

    _, states = begin(2, 5)
    keys = jax.random.split(jax.random.key(9), (7, 5))
    _, (frames, rewards, done, info, ticks) = run(environment, states, keys)
    assert frames.shape == (7, 5, 16, 16, 3)
    assert rewards.shape == (7, 5)
    assert done.any(axis=0).all()
    np.testing.assert_array_equal(ticks == 0, done)
    assert (ticks <= 2).all()
    fresh, _ = jax.vmap(functools.partial(environment.reset))(keys[2])
    ended = np.asarray(done[2])
    np.testing.assert_array_equal(np.asarray(frames[2])[ended], np.asarray(fresh)[ended])
    np.testing.assert_array_equal(np.asarray(frames[2])[~ended], np.asarray(info["last"][2])[~ended])


def test_it_is_a_pytree_whose_leaves_are_arrays(environment):
    leaves, structure = jax.tree.flatten(environment)
    assert all(isinstance(leaf, jax.Array) for leaf in leaves)
    rebuilt = jax.tree.unflatten(structure, leaves)
    assert isinstance(rebuilt.model, WorldNetwork)
    assert rebuilt.actions == 15


def test_numbers_out_of_range_are_refused(world):
    with pytest.raises(ValueError, match="at least one start"):
        functional(world, starts=0)
