import gymnasium
import jax
import numpy as np
import pytest
from gymnasium.utils import seeding
from gymnasium.utils.env_checker import check_env

from oyster_jax.core.state import Status
from oyster_jax.gym import programs
from oyster_jax.gym.environment import WorldEnv
from oyster_jax.gym.registration import MAX_TICKS
from tests.cli import tiny


def played(environment, seed, actions):
    frames, _ = environment.reset(seed=seed)
    steps = [environment.step(action) for action in actions]
    return [frames, *(step[0] for step in steps)], [step[1] for step in steps]


def test_gymnasium_s_checker_has_nothing_to_say(installed):
    environment = gymnasium.make(installed, render_mode="rgb_array")
    check_env(environment.unwrapped)
    environment.close()


def test_the_shipped_world_is_known():
    assert gymnasium.spec("oyster/coinrun-v0").max_episode_steps == MAX_TICKS


def test_frames_are_those_of_the_world(world):
    environment = WorldEnv(world)
    frames, rewards = played(environment, 5, [7, 8, 4])
    number = int(seeding.np_random(5)[0].integers(2**31))
    state = world.reset(key=jax.random.key(number))
    np.testing.assert_array_equal(frames[0], world.render(state))
    for action, frame, reward in zip([7, 8, 4], frames[1:], rewards, strict=True):
        state = world.step(state, action)
        np.testing.assert_allclose(frame.astype(int), world.render(state).astype(int), atol=1)
        np.testing.assert_allclose(reward, world.readouts(state)["reward"], rtol=1e-3, atol=1e-5)


def test_a_seed_repeats_and_episodes_differ(world):
    environment, actions = WorldEnv(world), [7, 7, 3]
    one, _ = played(environment, 1, actions)
    again, _ = played(WorldEnv(world), 1, actions)
    np.testing.assert_array_equal(one, again)
    next_one, _ = environment.reset()
    assert (next_one != one[0]).any()
    np.testing.assert_array_equal(one[0], again[0])  # What was returned is not written over.


def test_the_end_is_the_world_s_own(world):
    environment = WorldEnv(world)
    ends = 0
    for seed in range(4):
        environment.reset(seed=seed)
        for _ in range(10):
            _, _, terminated, truncated, info = environment.step(7)
            assert terminated == (info["status"] == Status.TERMINAL)
            assert not truncated
            ends += terminated
    assert ends


def test_the_clock_truncates(installed):
    environment = gymnasium.make(installed, max_episode_steps=2)
    environment.reset(seed=0)
    environment.step(7)
    assert environment.step(7)[3]


def test_episodes_begin_at_recorded_moments(world, tmp_path):
    recording = tiny.record(tmp_path / "noise")
    environment = WorldEnv(world, prompts=recording, context=3)
    first, _ = environment.reset(seed=0)
    dreamt, _ = WorldEnv(world).reset(seed=0)
    assert (first != dreamt).any()


def test_render_modes(world):
    environment = WorldEnv(world, render_mode="rgb_array")
    frame, _ = environment.reset(seed=0)
    np.testing.assert_array_equal(environment.render(), frame)
    assert WorldEnv(world).render() is None
    with pytest.raises(ValueError, match="not as 'human'"):
        WorldEnv(world, render_mode="human")


def test_mistakes_are_told_in_sentences(world):
    environment = WorldEnv(world)
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        environment.step(0)
    environment.reset(seed=0)
    with pytest.raises(ValueError, match="0 to 14"):
        environment.step(15)
    with pytest.raises(ValueError, match="no world 'nowhere'"):
        WorldEnv("nowhere")


def test_environments_of_a_world_share_its_programs(world):
    assert programs.ticking(world) is programs.ticking(world)
    assert programs.opened("tiny") is programs.opened("tiny")
