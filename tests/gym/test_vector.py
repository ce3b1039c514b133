import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from oyster_jax.gym.environment import WorldEnv
from oyster_jax.gym.vector import WorldVectorEnv

ROWS = 3


def stepped(environment, steps, seed=3):
    frames, _ = environment.reset(seed=seed)
    yield frames, None
    actions = np.random.default_rng(0).integers(15, size=(steps, ROWS))
    for row in actions:
        yield environment.step(row), row


def test_it_is_made_by_gymnasium(installed):
    environment = gymnasium.make_vec(installed, num_envs=2, max_episode_steps=7)
    assert isinstance(environment, WorldVectorEnv)
    assert environment.max_episode_steps == 7
    frames, _ = environment.reset(seed=0)
    assert environment.observation_space.contains(frames)
    assert environment.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    environment.close()


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_it_does_what_gymnasium_s_own_does_with_single_ones(world, mode):
    """But for last bits, which a batch may round otherwise: so that both see the same ends, the clock makes them."""

    def single():
        return gymnasium.wrappers.TimeLimit(WorldEnv(world), 3)

    ours = WorldVectorEnv(world, ROWS, max_episode_steps=3, autoreset_mode=mode)
    theirs = gymnasium.vector.SyncVectorEnv([single] * ROWS, autoreset_mode=mode)
    for (one, _), (other, _) in zip(stepped(ours, 0), stepped(theirs, 0), strict=True):
        np.testing.assert_array_equal(one, other)
    actions = np.random.default_rng(0).integers(15, size=(8, ROWS))
    ended = np.zeros(ROWS, bool)
    for row in actions:
        if mode is AutoresetMode.DISABLED and ended.any():
            again = [environment.reset(options={"reset_mask": ended.copy()})[0] for environment in (ours, theirs)]
            np.testing.assert_allclose(again[0][ended], again[1][ended])
        one, other = ours.step(row), theirs.step(row)
        np.testing.assert_allclose(one[0].astype(int), other[0].astype(int), atol=1)
        np.testing.assert_allclose(one[1], other[1], rtol=1e-3, atol=1e-5)
        np.testing.assert_array_equal(one[2], other[2])
        np.testing.assert_array_equal(one[3], other[3])
        assert ("final_obs" in one[4]) == ("final_obs" in other[4])
        if "final_obs" in one[4]:
            np.testing.assert_array_equal(one[4]["_final_obs"], other[4]["_final_obs"])
            for mine, their in zip(one[4]["final_obs"], other[4]["final_obs"], strict=True):
                assert (mine is None) == (their is None)
                if mine is not None:
                    np.testing.assert_allclose(mine.astype(int), their.astype(int), atol=1)
        ended = one[2] | one[3]


def test_the_terminal_world_begins_anew(world):
    environment = WorldVectorEnv(world, ROWS)
    environment.reset(seed=0)
    before = np.zeros(ROWS, bool)
    seen = 0
    for _ in range(12):
        _, rewards, terminated, truncated, _ = environment.step(np.full(ROWS, 7))
        assert not (before & (terminated | truncated)).any()
        assert not rewards[before].any()
        seen += before.sum()
        before = terminated | truncated
    assert seen


def test_rows_are_rendered(world):
    environment = WorldVectorEnv(world, 2, render_mode="rgb_array")
    frames, _ = environment.reset(seed=0)
    np.testing.assert_array_equal(environment.render(), frames)
    assert WorldVectorEnv(world, 2).render() is None


@pytest.mark.parametrize(
    ("options", "named"),
    [({"num_envs": 0}, "at least one world"), ({"autoreset_mode": "Never"}, "Never"), ({"render_mode": "x"}, "not as")],
)
def test_options_out_of_range_are_refused(world, options, named):
    with pytest.raises(ValueError, match=named):
        WorldVectorEnv(world, **options)


def test_mistakes_are_told_in_sentences(world):
    environment = WorldVectorEnv(world, 2)
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        environment.step(np.zeros(2, int))
    with pytest.raises(ValueError, match="never begun"):
        environment.reset(options={"reset_mask": np.array([True, False])})
    with pytest.raises(ValueError, match="as many seeds"):
        environment.reset(seed=[1, 2, 3])
    environment.reset(seed=0)
    with pytest.raises(ValueError, match="a bool for each"):
        environment.reset(options={"reset_mask": np.zeros(2, bool)})
    with pytest.raises(ValueError, match="from 0 to 14 each"):
        environment.step(np.array([0, 15]))
