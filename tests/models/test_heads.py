"""Laying entities onto the grid and reading them off again."""

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.models import heads
from oyster_jax.models.heads import HeadsConfig

CONFIG = HeadsConfig(entity_types=(0, 2, 5), view=13.0)
COLUMNS, TOKENS = 8, 64


def test_what_is_laid_onto_the_grid_is_read_off_again() -> None:
    relative = jnp.array([[0.0, 0.0, 0.5, -0.2], [3.0, -2.0, 0.0, 0.1], [-6.0, 6.0, 0.0, 0.0], [20.0, 0.0, 0.0, 0.0]])
    kinds, mask = jnp.array([0, 5, 2, 2]), jnp.array([True, True, False, True])
    classes, values = heads.entity_targets(CONFIG, COLUMNS, TOKENS, relative, kinds, mask)
    assert int(jnp.sum(classes > 0)) == 2, "what is out of sight or masked does not count"
    logits = 20.0 * jax.nn.one_hot(classes, 4)
    places = jnp.concatenate([logits, values], axis=-1)
    table, probability = heads.entities(CONFIG, jnp.concatenate([jnp.zeros(2), places.reshape(-1)]), COLUMNS)
    found = np.asarray(table)[np.asarray(probability) > 0.5]
    found = found[np.argsort(found[:, 0])]
    np.testing.assert_allclose(found, [[0, 0, 0, 0.5, -0.2], [5, 3, -2, 0, 0.1]], atol=1e-4)


def test_a_higher_entity_is_in_a_higher_row_of_the_frame() -> None:
    relative = jnp.array([[0.0, 5.0, 0.0, 0.0]])
    classes, _ = heads.entity_targets(CONFIG, COLUMNS, TOKENS, relative, jnp.array([0]), jnp.array([True]))
    assert int(jnp.argmax(classes)) // COLUMNS == 0


def test_an_unknown_type_is_not_laid() -> None:
    classes, _ = heads.entity_targets(CONFIG, COLUMNS, TOKENS, jnp.zeros((1, 4)), jnp.array([59]), jnp.array([True]))
    assert not np.any(classes)


def test_reward_and_terminal_are_undone() -> None:
    readout = jnp.array([heads.symlog(jnp.float32(10.0)), 0.0])
    np.testing.assert_allclose(heads.reward(readout), 10.0, rtol=1e-5)
    np.testing.assert_allclose(heads.terminal(readout), 0.5)


def test_before_the_first_tick_nothing_is_said() -> None:
    silent = heads.silence(CONFIG, TOKENS)
    assert silent.shape == (2 + TOKENS * CONFIG.place_outputs,)
    assert float(heads.reward(silent)) == 0
    assert float(heads.terminal(silent)) < 1e-6
    assert float(jnp.max(heads.entities(CONFIG, silent, COLUMNS)[1])) < 1e-6
    assert heads.silence(HeadsConfig(), TOKENS).shape == (2,)
