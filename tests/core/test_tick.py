import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.core.tick import compile_tick, compile_ticks
from oyster_jax.testing import tiny_model, tiny_params
from oyster_jax.tree import tree_bytes

MODEL = tiny_model()
ACTION = np.int32(7)


@pytest.fixture(scope="module")
def params():
    return tiny_params()


@pytest.fixture(scope="module")
def state(params):
    return jax.jit(MODEL.reset)(params, jax.random.key(3))


@pytest.fixture(scope="module")
def expected(params, state):
    return compile_tick(MODEL, params, apart=False)(state, ACTION)


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("donate", [False, True])
def test_every_form_of_a_tick_gives_the_same(params, state, expected, apart, donate):
    tick = compile_tick(MODEL, params, apart=apart, donate=donate)
    assert tick.donates == donate
    later, frame = tick(jax.tree.map(jnp.copy, state), ACTION)
    for one, other in zip(jax.tree.leaves((later, frame)), jax.tree.leaves(expected), strict=True):
        assert (one == other).all()
    assert np.asarray(frame).std() > 0


def test_a_state_is_used_up_only_if_it_is_donated(params, state):
    mine = jax.tree.map(jnp.copy, state)
    kept = compile_tick(MODEL, params)
    kept(mine, ACTION)
    kept(mine, ACTION)
    donated = compile_tick(MODEL, params, donate=True)
    assert donated.memory.alias_size_in_bytes >= tree_bytes(state) * 0.9
    assert kept.memory.alias_size_in_bytes == 0
    donated(mine, ACTION)
    with pytest.raises((RuntimeError, ValueError), match=r"deleted|donated"):
        donated(mine, ACTION)


def test_a_frame_outlives_the_state_that_it_was_drawn_from(params, state):
    tick = compile_tick(MODEL, params, donate=True)
    mine, frame = tick(jax.tree.map(jnp.copy, state), ACTION)
    views = [np.asarray(frame), np.asarray(jax.jit(MODEL.render)(params, mine))]
    expected = views[0].copy()
    newer = frame
    for _ in range(3):
        mine, newer = tick(mine, ACTION)
    assert not (np.asarray(newer) == expected).all()
    for view in (*views, np.asarray(frame)):
        assert (view == expected).all()


def test_an_observation_of_ones_own_is_compiled_with_the_tick(params, state):
    later, (step, reward) = compile_tick(
        MODEL, params, observe=lambda params, state: (state.step, MODEL.readouts(params, state)["reward"])
    )(state, ACTION)
    assert int(step) == int(later.step) == 1
    assert reward.shape == ()


def test_worlds_that_are_stepped_together_come_out_as_each_alone(params):
    states = [jax.jit(MODEL.reset)(params, jax.random.key(seed)) for seed in range(3)]
    actions = np.asarray([7, 1, 8], np.int32)
    tick = compile_tick(MODEL, params)
    alone = [tick(state, action) for state, action in zip(states, actions, strict=True)]
    later, frames = compile_ticks(MODEL, params, 3, alike=tick)(states, actions)
    for one, frame, (state, shown) in zip(later, np.asarray(frames), alone, strict=True):
        # Not always bit for bit; who needs that compares, as `worlds.together` does.
        assert np.abs(frame.astype(int) - np.asarray(shown)).max() <= 1
        np.testing.assert_allclose(one.latent, state.latent, atol=1e-4)
    with pytest.raises((RuntimeError, ValueError), match=r"deleted|donated"):
        tick(states[0], actions[0])
