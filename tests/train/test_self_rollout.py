"""Rollouts of a model's own in training: they are told what happened in the recording."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.cli.train import load_experiment
from oyster_jax.testing import tiny_model, tiny_params
from oyster_jax.train.self_rollout import own_history
from tests.models.structured import moments, without
from tests.models.test_events import NETWORK, PARAMS

ROOT = Path(__file__).resolve().parents[2]

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


@pytest.fixture(name="mapped", scope="module")
def _mapped():
    model = tiny_model(steps=1)
    params = tiny_params()
    params["dynamics"]["motion"] = jax.tree.map(jnp.zeros_like, params["dynamics"]["motion"])  # all goes on as it went
    keys = iter(jax.random.split(jax.random.key(1), 4))
    tokens, features = model.dynamics.tokens, model.dynamics.draft_channels
    # Nothing moves in the context; then the camera goes right by a whole frame, and stands still.
    motion = jnp.zeros((2, TICKS, 2)).at[:, CONTEXT].set(jnp.array([16.0, 0.0]))
    frame = jax.random.randint(next(keys), (2, 1, 16, 16, 3), 0, 256).astype("uint8")
    return model, params, {
        "frames": jnp.tile(frame, (1, TICKS, 1, 1, 1)),
        "actions": np.ones((2, TICKS), np.int32), "motion": motion,
        "latents": jax.random.normal(next(keys), (2, TICKS, tokens, model.dynamics.channels)),
        "drafts": jnp.zeros((2, TICKS, tokens, features)),
    }  # fmt: skip


def test_who_is_led_goes_where_the_camera_went_and_sees_what_comes_into_view(mapped):
    model, params, given = mapped
    seen, drafts, told = own_history(model, params, CONTEXT, given, jax.random.key(0), led=True)
    assert drafts is not None
    assert told is not None
    # Where its frames lie on its map is for it to find, to less than a pixel; how it moves on is not.
    np.testing.assert_allclose(told[:, CONTEXT], given["motion"][:, CONTEXT], atol=0.5)
    np.testing.assert_array_equal(seen[:, CONTEXT], given["latents"][:, CONTEXT])
    assert np.all(np.asarray(drafts)[:, CONTEXT, :, model.dynamics.channels :] < 0.2)
    # A tick later it stands, nearly, in places that it has seen, and goes on from what it made of them itself.
    shown = np.all(np.asarray(seen)[:, CONTEXT + 1] == given["latents"][:, CONTEXT + 1], axis=-1)
    assert np.mean(~shown) > 0.4


def test_who_is_not_led_is_shown_nothing(mapped):
    model, params, given = mapped
    other = {**given, **{name: given[name].at[:, CONTEXT:].set(7.0) for name in ("motion", "latents")}}
    both = [own_history(model, params, CONTEXT, batch, jax.random.key(0)) for batch in (given, other)]
    jax.tree.map(np.testing.assert_array_equal, *both)


def test_only_who_has_a_map_is_led():
    experiment = load_experiment(ROOT / "configs" / "coinrun_camera.py")
    with pytest.raises(ValueError, match="leave `led` out"):
        dataclasses.replace(experiment, dynamics=dataclasses.replace(experiment.dynamics, map=None, camera=None))
