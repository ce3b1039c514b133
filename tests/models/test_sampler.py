"""How next latents are drawn."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.models.description import network_from_json, network_to_json
from oyster_jax.models.sampler import SamplerConfig
from oyster_jax.testing import tiny_model, tiny_params


def test_what_was_seen_is_expected_and_the_rest_is_drawn():
    params, moved = tiny_params(), jnp.array([8.0, 0.0])  # half a frame to the right
    frames = jax.random.randint(jax.random.key(2), (1, 16, 16, 3), 0, 256).astype(jnp.uint8)
    latents = {}
    for name, sampler in {"mixed": SamplerConfig(steps=2, known=1.0), "expected": SamplerConfig(steps=1)}.items():
        model = dataclasses.replace(tiny_model(), sampler=sampler)
        state = model.encode(params, frames, jnp.zeros((0,), jnp.int32), jax.random.key(3))
        latents[name] = np.asarray(model.advance(params, state, jnp.int32(1), moved).latent).reshape(4, 4, -1)
    as_expected = np.all(latents["mixed"] == latents["expected"], axis=-1)
    np.testing.assert_array_equal(as_expected, [[True, True, False, False]] * 4)


def test_a_world_goes_where_it_is_told_that_the_camera_goes():
    model, params = tiny_model(steps=1), tiny_params()
    frames = jnp.zeros((1, 16, 16, 3), jnp.uint8)
    state = model.encode(params, frames, jnp.zeros((0,), jnp.int32), jax.random.key(3))
    later = model.advance(params, state, jnp.int32(1), jnp.array([3.0, -2.0]))
    np.testing.assert_array_equal(model.readouts(params, later)["position"], [3.0, -2.0])


def test_the_share_that_counts_as_known_is_kept_with_a_world():
    model = dataclasses.replace(tiny_model(), sampler=SamplerConfig(steps=8, known=0.95))
    assert network_from_json(network_to_json(model), model.spec) == model
    assert "known" not in network_to_json(tiny_model())["sampler"]


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5])
def test_a_share_is_a_share(share: float):
    with pytest.raises(ValueError, match="above 0 up to 1"):
        SamplerConfig(known=share)
