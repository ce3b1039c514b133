"""Scenes hold only what is allowed; the same key draws the same; guidance follows what is said."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from oyster_jax.models import scene
from oyster_jax.models.scene import SceneConfig
from tests.models.structured import shaken

CONFIG = SceneConfig(
    tiles=6, symbols=4, agent=2, standing=(1, 3), levels=(5, 2), facts=3, said=2, features=16, depth=1, summary=2,
    dtype="float32",
)  # fmt: skip


def test_drawn_scenes_hold_only_what_is_allowed():
    params = shaken(scene.init(CONFIG, jax.random.key(0)))
    said = jnp.array([[1, 0], [2, 3], [0, 0]] * 20, jnp.int32)
    drawn = np.asarray(scene.draw(CONFIG, params, said, jax.random.key(1), steps=5, guidance=3.0))
    allowed = CONFIG.allowed
    assert allowed[np.arange(8)[None], drawn].all()
    assert set(drawn[:, 2]) <= {1, 3}
    assert (drawn[:, 6] < 5).all()
    assert (drawn[:, 7] < 2).all()
    again = scene.draw(CONFIG, params, said, jax.random.key(1), steps=5, guidance=3.0)
    np.testing.assert_array_equal(drawn, again)
    other = np.asarray(scene.draw(CONFIG, params, said, jax.random.key(2), steps=5, guidance=3.0))
    assert (drawn != other).any()


def test_what_is_hidden_is_not_seen():
    params = shaken(scene.init(CONFIG, jax.random.key(0)))
    model = scene.bind(CONFIG, params)
    hidden = jnp.zeros((1, 8), bool).at[0, 3].set(True)
    one, other = jnp.ones((1, 8), jnp.int32), jnp.ones((1, 8), jnp.int32).at[0, 3].set(2)
    nothing = jnp.zeros((1, 2), jnp.int32)
    np.testing.assert_array_equal(model(one, hidden, nothing), model(other, hidden, nothing))
    seen = jnp.zeros((1, 8), bool)
    assert np.abs(np.nan_to_num(np.asarray(model(one, seen, nothing) - model(other, seen, nothing)))).max() > 1e-4


def test_it_learns_what_is_said():
    """Fact 1: all tiles are 1; fact 2: all are 3; nothing said: either."""
    generator = np.random.default_rng(0)
    optimizer = optax.adam(1e-2)
    params = scene.init(CONFIG, jax.random.key(0))
    state = optimizer.init(params)

    @jax.jit
    def step(params, state, tokens, said, key):
        (value, _), gradient = jax.value_and_grad(
            lambda params: scene.loss(CONFIG, params, tokens, said, key), has_aux=True
        )(params)
        with jax.numpy_dtype_promotion("standard"):
            updates, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, value

    for number in range(120):
        which = generator.integers(0, 2, 32)
        tokens = np.zeros((32, 8), np.int32)
        tokens[:, :6] = np.where(which, 3, 1)[:, None]
        said = np.stack([np.where(generator.random(32) < 0.2, 0, which + 1), np.zeros(32)], 1).astype(np.int32)
        params, state, _ = step(params, state, tokens, said, jax.random.key(number))
    said = jnp.array([[1, 0]] * 16 + [[2, 0]] * 16, jnp.int32)
    drawn = np.asarray(scene.draw(CONFIG, params, said, jax.random.key(0), steps=6))
    assert (drawn[:16, :6] == 1).mean() > 0.95
    assert (drawn[16:, :6] == 3).mean() > 0.95
