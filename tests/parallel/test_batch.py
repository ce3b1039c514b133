"""Worlds on many devices: bit for bit what one device does with as many of them at a time, and what `pmap` does."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.parallel.batch import sharded
from oyster_jax.parallel.mesh import MeshConfig, MeshError
from oyster_jax.parallel.pmap import pmapped
from tests.parallel.devices import on_eight_devices


@pytest.fixture(scope="module")
def found():
    return on_eight_devices(
        """
        import functools
        import numpy as np
        from oyster_jax.core.rollout import rollout
        from oyster_jax.parallel import rules
        from oyster_jax.parallel.batch import over_worlds, sharded
        from oyster_jax.parallel.mesh import MeshConfig
        from oyster_jax.parallel.pmap import pmapped
        from oyster_jax.testing import tiny_without_map

        model, params = tiny_without_map(steps=1)
        keys = jax.random.split(jax.random.key(0), 16)
        actions = jax.random.randint(jax.random.key(1), (16, 5), 0, 15, "int32")

        def play(params, key, actions):
            return rollout(model, params, model.reset(params, key), actions)

        def same(one, other):
            return bool(jax.tree.all(jax.tree.map(lambda a, b: np.array_equal(raw(a), raw(b)), one, other)))

        def raw(x):
            return np.asarray(jax.random.key_data(x) if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key) else x)

        def difference(one, other):
            return float(np.abs(np.asarray(one[0].latent) - np.asarray(other[0].latent)).max())

        few = jax.jit(functools.partial(over_worlds, play))
        parts = [few(params, keys[first : first + 2], actions[first : first + 2]) for first in range(0, 16, 2)]
        joined = jax.tree.map(lambda *leaves: jax.numpy.concatenate(leaves), *parts)
        many = sharded(play, MeshConfig(data=2, fsdp=4).build())
        spread = many(params, keys, actions)
        text = many.lower(params, keys, actions).compile().as_text()
        mesh = MeshConfig(data=2, tensor=4).build()
        held = jax.device_put(params, rules.param_shardings(mesh, params, logical="heads"))
        split = sharded(play, mesh)(held, keys, actions)
        inward = held["dynamics"]["trunk"]["layers"]["first"]["inward"]["kernel"]
        found = {
            "devices": len(spread[1].sharding.device_set),
            "one device": same(spread, joined),
            "pmap": same(spread, pmapped(play)(params, keys, actions)),
            "words": [word for word in ("all-gather", "all-reduce", "all-to-all", "collective") if word in text],
            "cut": str(inward.sharding.spec),
            "tensor": difference(split, joined),
            "frames": list(split[1].shape),
        }
        """
    )


def test_a_device_does_what_one_device_alone_does(found):
    assert found["devices"] == 8
    assert found["one device"]


def test_pmap_does_the_same_to_the_last_bit(found):
    assert found["pmap"]


def test_nothing_crosses_between_devices(found):
    assert found["words"] == []


def test_devices_that_share_a_world_cut_its_layers(found):
    assert found["cut"] == "P(None, 'tensor', None)"
    assert found["frames"] == [16, 5, 16, 16, 3]
    # Sums are split; latents lie in (-1, 1).
    assert 0 < found["tensor"] < 1e-4


def later(params, state, action):
    """A state as large as before, and something to see of it."""
    state = jnp.sin(state + params) * action
    return state, state.sum()


def on_one_device(**options):
    return sharded(later, MeshConfig().build(jax.devices()[:1]), **options)


@pytest.mark.parametrize("many", [on_one_device, functools.partial(pmapped, later, jax.local_devices()[:1])])
def test_states_are_used_up_where_they_are_given_up(many):
    state, action = jnp.ones((4, 256)), jnp.arange(4.0)
    kept = many()(jnp.float32(1), state, action)
    assert not state.is_deleted()
    given = many(donate=(0,))(jnp.float32(1), state, action)
    assert state.is_deleted()
    assert not action.is_deleted()
    for one, other in zip(kept, given, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_rollout_that_gives_up_its_state_holds_it_once():
    given = (jnp.float32(1), jnp.ones((4, 256)), jnp.arange(4.0))
    shared = [
        on_one_device(donate=donate).lower(*given).compile().memory_analysis().alias_size_in_bytes
        for donate in ((), (0,))
    ]
    assert shared == [0, given[1].nbytes]


def test_worlds_come_out_even():
    with pytest.raises(MeshError, match="3 worlds do not come out even on 2 devices"):
        pmapped(lambda params, x: x, jax.local_devices() * 2)(None, np.zeros((3, 1)))
