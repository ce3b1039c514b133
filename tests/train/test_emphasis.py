"""Emphasis: it lies where creatures are, where counts change and where something happens, and adds nothing overall."""

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.diffusion.objective import ObjectiveConfig, shortcut_loss
from oyster_jax.train.emphasis import EmphasisConfig, emphasis
from tests.models.structured import SPEC

TICKS = 4


def batch():
    """One cow a tile to the right of the agent in the last two frames; wood is found between the first two."""
    entities = np.zeros((1, TICKS, 4, 4), np.float32)
    entities[:, :, 1] = [1, 1, 0, 3]
    mask = np.zeros((1, TICKS, 4), bool)
    mask[:, :, 0] = True
    mask[:, 2:, 1] = True
    quantities = np.tile(np.array([9, 0, 1], np.float32), (1, TICKS, 1))
    quantities[:, 1:, 1] = 1
    arrays = {"entities": entities, "entity_mask": mask, "quantities": quantities,
              "events": np.array([[0, 0, 1, 0]], np.int32)}  # fmt: skip
    return jax.tree.map(jnp.asarray, arrays)


def weights(**config):
    zero = {"creatures": 0.0, "near": 0.0, "counts": 0.0, "shown": 0.0, "events": 0.0}
    return np.asarray(emphasis(EmphasisConfig(**zero | config), SPEC, batch()))[0].reshape(TICKS - 1, 4, 4)


def test_creatures_count_where_they_are_and_were():
    found = weights(creatures=3.0)
    assert (found[1:, 1, 3] == 4 * found[1:, 0, 0]).all()
    assert len(np.unique(found[0])) == 1


def test_it_counts_where_creatures_can_be_after_they_were_seen():
    found = weights(near=3.0)
    # The cow is first seen in the third frame, which is not known when that is predicted.
    assert (found[:2] == found[0, 0, 0]).all()
    near = found[2] > found[2].min()
    assert np.argwhere(near).tolist() == [[row, column] for row in range(4) for column in range(1, 4)]
    np.testing.assert_allclose(found[2][near], 4 * found[2].min())


def test_counts_count_where_and_when_they_change():
    found = weights(counts=5.0)
    assert np.argwhere(found > found.min()).tolist() == [[0, 3, 1]]


def test_what_is_shown_counts_whether_it_changes_or_not():
    found = weights(shown=5.0)
    assert np.argwhere(found > found.min()).tolist() == [[tick, 3, column] for tick in range(3) for column in (0, 1)]
    np.testing.assert_allclose(found[:, 3, :2], 6 * found.min(), rtol=1e-6)


def test_events_count_everywhere_at_the_frame_that_follows_them():
    found = weights(events=2.0)
    assert (found[2] == 3 * found[0, 0, 0]).all()
    assert (found[:2] == found[0, 0, 0]).all()


def test_nothing_is_added_overall():
    np.testing.assert_allclose(weights(creatures=3.0, counts=5.0, events=2.0).mean(), 1.0, rtol=1e-6)


def test_an_even_emphasis_changes_no_loss():
    clean = jax.random.normal(jax.random.key(1), (4, 3, 16, 4))
    config = ObjectiveConfig(bootstrap=0.0)

    def loss(counts):
        return shortcut_loss(
            config, lambda choose: lambda noisy, _, __: 0.5 * choose(noisy), clean, jax.random.key(2), counts
        )

    np.testing.assert_allclose(loss(jnp.ones((4, 3, 16))), loss(None), rtol=1e-6)
    first = jnp.zeros((4, 3, 16)).at[:, :, 0].set(16.0)
    assert not np.allclose(loss(first), loss(None))
