"""Configuration of world models and the numbers they give back."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.core.model import WorldModel
from oyster_jax.core.spec import ActionSpec
from oyster_jax.evaluate.flops import matmul_flops
from oyster_jax.models import tokenizer
from oyster_jax.models.description import network_from_json, network_to_json
from oyster_jax.models.presets import preset
from oyster_jax.models.sampler import SamplerConfig
from oyster_jax.models.tokenizer import TokenizerConfig
from oyster_jax.models.world_model import WorldNetwork
from oyster_jax.testing import tiny_model, tiny_params


def test_it_follows_the_protocol_and_is_hashable() -> None:
    assert isinstance(tiny_model(), WorldModel)
    assert hash(tiny_model()) == hash(tiny_model())


def test_json_round_trip() -> None:
    model = tiny_model()
    assert network_from_json(network_to_json(model), model.spec) == model
    with pytest.raises(ValueError, match="not the description"):
        network_from_json({"tokenizer": {}}, model.spec)


def test_parts_that_do_not_fit_are_refused() -> None:
    model = tiny_model()
    spec = dataclasses.replace(model.spec, action=ActionSpec(names=("noop", "go"), idle="noop"))
    with pytest.raises(ValueError, match="number of actions: 15 against 2"):
        dataclasses.replace(model, spec=spec)
    with pytest.raises(ValueError, match="divide"):
        SamplerConfig(steps=3)
    with pytest.raises(ValueError, match="cannot be cut"):
        TokenizerConfig(height=60)
    with pytest.raises(ValueError, match="cannot be merged"):
        dataclasses.replace(model.dynamics, merge=3)


@pytest.mark.parametrize(
    ("size", "low", "high"),
    [("nano", 7e6, 8e6), ("small", 3e7, 1e8), ("base", 2e8, 4e8), ("large", 1.2e9, 2.2e9)],
)
def test_presets_have_the_sizes_they_say(size: str, low: float, high: float) -> None:
    model = tiny_model()
    first, second = preset(size)  # pyright: ignore[reportArgumentType]
    spec = dataclasses.replace(model.spec, frame=dataclasses.replace(model.spec.frame, height=64, width=64))
    network = WorldNetwork(spec=spec, tokenizer=first, dynamics=second)
    shapes = jax.eval_shape(network.init, jax.random.key(0))
    assert low < sum(leaf.size for leaf in jax.tree.leaves(shapes)) < high


def test_latents_stay_within_tanh_and_frames_within_bytes() -> None:
    model, params = tiny_model(), tiny_params()
    frames = jax.random.randint(jax.random.key(0), (3, 16, 16, 3), 0, 256).astype(jnp.uint8)
    latents = tokenizer.bind(model.tokenizer, params["tokenizer"]).encoder(frames)
    assert latents.shape == (3, 16, 4)
    assert float(jnp.max(jnp.abs(latents))) < 1
    np.testing.assert_array_equal(tokenizer.as_frames(tokenizer.normalized(frames)), frames)


def test_hidden_patches_change_the_latents_and_none_hidden_does_not() -> None:
    model, params = tiny_model(), tiny_params()
    encoder = tokenizer.bind(model.tokenizer, params["tokenizer"]).encoder
    frames = jax.random.randint(jax.random.key(0), (2, 16, 16, 3), 0, 256).astype(jnp.uint8)
    plain = encoder(frames)
    np.testing.assert_allclose(encoder(frames, jnp.zeros((2, 16), bool)), plain, rtol=1e-5)
    assert not np.allclose(encoder(frames, jnp.arange(32).reshape(2, 16) % 5 == 0), plain)


def test_a_state_with_a_map_holds_the_frame_of_its_latent() -> None:
    model, params = tiny_model(), tiny_params()
    dreamt = jax.jit(model.reset)(params, jax.random.key(0))
    frames = jax.random.randint(jax.random.key(1), (3, 16, 16, 3), 0, 256).astype(jnp.uint8)
    seen = jax.jit(model.encode)(params, frames, jnp.array([7, 8], jnp.int32), jax.random.key(0))
    renderer = tokenizer.bind(model.tokenizer, params["tokenizer"]).renderer
    advance = jax.jit(model.advance)
    for state in (dreamt, seen, advance(params, dreamt, jnp.int32(7)), advance(params, seen, jnp.int32(7))):
        shown = np.asarray(model.render(params, state), np.int32)
        # Compiled with the tick, a pixel between two values may fall to the other.
        assert np.abs(shown - np.asarray(tokenizer.as_frames(renderer(state.latent)))).max() <= 1
        assert shown.std() > 1


@pytest.mark.parametrize("mapped", [False, True])
def test_a_tick_renders_one_latent(mapped: bool) -> None:
    model = tiny_model()
    if not mapped:
        model = dataclasses.replace(model, dynamics=dataclasses.replace(model.dynamics, map=None))
    params = jax.eval_shape(model.init, jax.random.key(0))
    state = jax.eval_shape(model.reset, params, jax.random.key(0))
    action = jax.ShapeDtypeStruct((), jnp.int32)

    def tick(params, state, action):
        state = model.advance(params, state, action)
        return state, model.render(params, state)

    def rendered(params, latent):
        return tokenizer.bind(model.tokenizer, params["tokenizer"]).renderer(latent)

    once = matmul_flops(rendered, params, state.latent)
    assert once > 0
    advanced = matmul_flops(model.advance, params, state, action)
    assert matmul_flops(tick, params, state, action) == advanced + (0 if mapped else once)


def test_readouts_are_named_and_shaped() -> None:
    model, params = tiny_model(), tiny_params()
    state = jax.jit(model.advance)(params, jax.jit(model.reset)(params, jax.random.key(0)), jnp.int32(7))
    said = model.readouts(params, state)
    assert {name: value.shape for name, value in said.items()} == {
        "reward": (), "terminal": (), "entities": (16, 5), "entity_mask": (16,), "position": (2,),
    }  # fmt: skip
    assert 0 < float(said["terminal"]) < 1


def test_encode_needs_one_action_between_two_frames() -> None:
    model, params = tiny_model(), tiny_params()
    with pytest.raises(ValueError, match="3 frames need 2 actions"):
        model.encode(params, jnp.zeros((3, 16, 16, 3), jnp.uint8), jnp.zeros(3, jnp.int32), jax.random.key(0))
