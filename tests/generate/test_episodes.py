import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.core.rollout import rollout
from oyster_jax.core.spec import UNLABELLED
from oyster_jax.core.state import Status
from oyster_jax.generate.devices import Blocks, of_blocks
from oyster_jax.generate.episodes import Kept, begin, play
from oyster_jax.generate.policies import make_policy
from oyster_jax.generate.starts import Dreams
from tests.generate.conftest import MODEL

POLICY = make_policy("sticky", MODEL.spec.action)


@pytest.fixture(scope="module")
def one(params):
    """Begins an episode, and plays it."""
    start = jax.jit(lambda index: begin(MODEL, params, POLICY, Dreams(), jnp.int32(3), index))

    @functools.partial(jax.jit, static_argnums=(1, 2))
    def go(playing, ticks, kept):
        return play(MODEL, params, POLICY, playing, ticks=ticks, kept=kept)

    return lambda index: start(jnp.int32(index)), go


def test_frames_are_those_of_a_rollout_under_the_actions(params, one):
    start, go = one
    playing = start(5)
    _, rows = go(playing, 8, Kept(beyond=True))
    last, frames = jax.jit(functools.partial(rollout, MODEL))(params, playing.world, rows["actions"])
    np.testing.assert_array_equal(rows["frames"][0], MODEL.render(params, playing.world))
    # Another program, whose last bits differ.
    np.testing.assert_allclose(rows["frames"][1:].astype(int), np.asarray(frames)[:-1].astype(int), atol=1)
    np.testing.assert_allclose(rows["rewards"][-1], MODEL.readouts(params, last)["reward"], rtol=1e-3)


def test_playing_on_equals_playing_at_once(one):
    start, go = one
    kept = Kept(beyond=True)
    end, whole = go(start(5), 32, kept)
    middle, first = go(start(5), 16, kept)
    other, second = go(middle, 16, kept)
    for name, array in whole.items():
        np.testing.assert_array_equal(array, np.concatenate([first[name], second[name]]))
    np.testing.assert_array_equal(end.world.latent, other.world.latent)
    assert int(end.tick) == int(other.tick) == 32


def test_an_episode_depends_on_seed_and_index_alone(params):
    blocks = Blocks(MODEL, params, POLICY, Dreams(), seed=3, kept=Kept(beyond=True))

    def played(indices):
        _, rows = blocks.play(blocks.begin(np.asarray([indices], np.int32)), 16)
        return {name: of_blocks(array)[0] for name, array in rows.items()}

    one, other = played([0, 1, 2, 3]), played([7, 3, 1, 9])
    for name in one:
        np.testing.assert_array_equal(one[name][[1, 3]], other[name][[2, 1]])
    assert (one["frames"][0] != one["frames"][1]).any()
    assert (one["actions"][0] != one["actions"][1]).any()


def test_what_lies_beyond_the_end_is_empty(one):
    start, go = one
    # The tiny world's first ends come early.
    played = [go(start(index), 24, Kept()) for index in range(4)]
    lengths = [int(playing.length) for playing, _ in played]
    assert min(lengths) < 24
    for length, (playing, rows) in zip(lengths, played, strict=True):
        rows = {name: np.asarray(array) for name, array in rows.items()}
        assert (rows["actions"][length:] == UNLABELLED).all()
        assert all(not array[length:].any() for name, array in rows.items() if name != "actions")
        assert (rows["actions"][:length] >= 0).all()
        if length < 24:
            assert rows["terminals"].sum() == rows["terminals"][length - 1] == 1
            assert int(playing.status) == Status.TERMINAL


def test_a_world_that_breaks_ends_its_episode(params, one):
    broken = jax.tree.map(lambda leaf: leaf * jnp.nan, params)
    playing = one[0](0)
    later, rows = play(MODEL, broken, POLICY, playing, ticks=4, kept=Kept(beyond=True))
    assert (int(later.length), int(later.status)) == (1, Status.NONFINITE)
    assert not rows["frames"][1:].any()
    assert not rows["terminals"].any()


def test_nothing_was_read_of_a_dreamt_first_frame(one):
    start, go = one
    _, rows = go(start(0), 4, Kept(beyond=True))
    assert not rows["entity_mask"][0].any()
    assert rows["entity_mask"][1:].any()
    assert not rows["entities"][~rows["entity_mask"]].any()
