"""The gated delta rule."""

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.nn.recurrence import NORM_LIMIT, delta_step, read, unit

HEADS, FEATURES = 2, 4


def _pair(seed: int, writers: int = 1) -> tuple[jax.Array, jax.Array]:
    key, value = jax.random.split(jax.random.key(seed))
    shape = (writers, HEADS, FEATURES)
    return unit(jax.random.normal(key, shape)), jax.random.normal(value, shape)


def test_what_was_written_is_read_again_and_overwritten() -> None:
    memory = jnp.zeros((HEADS, FEATURES, FEATURES))
    key, value = _pair(0)
    full, keep = jnp.ones((1, HEADS)), jnp.ones(HEADS)
    memory = delta_step(memory, key, value, full, keep)
    np.testing.assert_allclose(read(memory, key), value, rtol=1e-4, atol=1e-5)
    memory = delta_step(memory, key, -value, full, keep)
    np.testing.assert_allclose(read(memory, key), -value, rtol=1e-4, atol=1e-5)


def test_decay_forgets() -> None:
    key, value = _pair(0)
    memory = delta_step(jnp.zeros((HEADS, FEATURES, FEATURES)), key, value, jnp.ones((1, HEADS)), jnp.ones(HEADS))
    later = delta_step(memory, key, value, jnp.zeros((1, HEADS)), jnp.full(HEADS, 0.5))
    np.testing.assert_allclose(later, 0.5 * memory, rtol=1e-6)


def test_it_cannot_blow_up_however_much_is_written() -> None:
    memory = jnp.zeros((HEADS, FEATURES, FEATURES))
    key, _ = _pair(1, writers=3)
    key = jnp.broadcast_to(key[:1], key.shape)  # all writers write to one place: the worst case

    def tick(memory: jax.Array, seed: jax.Array) -> tuple[jax.Array, None]:
        value = 100 * jax.random.normal(jax.random.key(seed), (3, HEADS, FEATURES))
        return delta_step(memory, key, value, jnp.ones((3, HEADS)), jnp.ones(HEADS)), None

    memory, _ = jax.lax.scan(tick, memory, jnp.arange(500))
    assert np.all(np.sqrt(np.sum(np.square(memory), axis=(-2, -1))) <= NORM_LIMIT * 1.001)
