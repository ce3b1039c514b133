import dataclasses

import jax
import numpy as np
import pytest

from oyster_jax.core.rollout import rollout
from oyster_jax.core.state import Status
from oyster_jax.tree import tree_digest
from oyster_jax.worlds.errors import WorldError

SCRIPT = "right*3,right+jump*2,left"


def test_the_same_seed_dreams_the_same_world_and_another_a_different_one(world):
    assert tree_digest(world.reset(seed=4)) == tree_digest(world.reset(key=jax.random.key(4)))
    assert not np.array_equal(world.render(world.reset(seed=4)), world.render(world.reset(seed=5)))


def test_a_rollout_equals_steps_ticks_and_the_scan(world):
    begin = world.reset(seed=1)
    last, frames = world.rollout(begin, SCRIPT)
    assert frames.shape == (6, 16, 16, 3)
    assert frames.dtype == np.uint8
    stepped = ticked = begin
    for action, frame in zip(world.spec.action.script(SCRIPT), frames, strict=True):
        stepped = world.step(stepped, int(action))
        ticked, seen = world.tick(ticked, int(action))
        np.testing.assert_array_equal(world.render(stepped), frame)
        np.testing.assert_array_equal(seen, frame)
    assert tree_digest(stepped) == tree_digest(ticked) == tree_digest(last)
    scanned, seen = jax.jit(lambda params, state, ids: rollout(world.model, params, state, ids))(
        world.params, begin, world.spec.action.script(SCRIPT)
    )
    np.testing.assert_array_equal(seen, frames)
    np.testing.assert_array_equal(scanned.latent, last.latent)


def test_a_state_may_be_branched_from(world):
    begin = world.reset(seed=2)
    digest = tree_digest(begin)
    _, left = world.rollout(begin, "left*4")
    _, right = world.rollout(begin, "right*4")
    _, again = world.rollout(begin, "left*4")
    assert tree_digest(begin) == digest
    np.testing.assert_array_equal(left, again)
    assert not np.array_equal(left, right)


def test_a_state_that_is_donated_is_used_up_and_gives_the_same(world):
    begin = world.reset(seed=1)
    expected, frame = world.tick(begin, "right")
    given = world.reset(seed=1)
    later, seen = world.tick(given, "right", donate=True)
    np.testing.assert_array_equal(seen, frame)
    assert tree_digest(later) == tree_digest(expected)
    assert given.latent.is_deleted()
    assert not begin.latent.is_deleted()


def test_actions_are_taken_by_name_by_id_and_in_any_order_of_buttons(world):
    begin = world.reset()
    digests = {tree_digest(world.step(begin, action)) for action in ("right+jump", "jump+right", 8, np.int64(8), "8")}
    assert len(digests) == 1
    assert tree_digest(world.step(begin, "noop")) not in digests


@pytest.mark.parametrize("action", ["fly", "right+fly", 15, -1])
def test_an_unknown_action_is_refused(world, action):
    begin = world.reset()
    for verb in (world.step, world.tick):
        with pytest.raises(ValueError, match=r"no action 'fly'|no action 'right\+fly'|out of range"):
            verb(begin, action)
    with pytest.raises(ValueError, match=r"fly|out of range"):
        world.rollout(begin, [action])


def test_an_empty_rollout_is_refused(world):
    with pytest.raises(ValueError, match="at least one action"):
        world.rollout(world.reset(), [])


def test_verbs_are_compiled_once(world):
    world = dataclasses.replace(world)  # which has compiled nothing yet
    state = world.reset(seed=0)
    for seed, action in enumerate(["right", 3, np.int32(4), "noop"]):
        state = world.reset(seed)
        state = world.step(state, action)
        state, _ = world.tick(state, action)
        world.render(state)
    world.rollout(state, [0, 1])
    world.rollout(state, "right*7")
    for name in ("_reset", "_render"):
        assert getattr(world, name)._cache_size() == 1, name
    # Compiled ahead of time, these would refuse anything that has to be compiled anew.
    assert len(world._ticks) == 2


def test_observe_decides_what_a_rollout_returns(world):
    def observe(params, state):
        return {"step": state.step, "reward": world.model.readouts(params, state)["reward"]}

    last, seen = world.rollout(world.reset(), "right*5", observe=observe)
    np.testing.assert_array_equal(seen["step"], [1, 2, 3, 4, 5])
    np.testing.assert_allclose(seen["reward"][-1], world.readouts(last)["reward"], rtol=1e-5)


def test_a_prompt_leads_to_another_world_than_another_prompt(world):
    frames = np.random.default_rng(0).integers(0, 255, (2, 3, 16, 16, 3), np.uint8)
    first, second = (world.encode(prompt, "right*2", seed=1) for prompt in frames)
    assert int(first.step) == 2
    assert tree_digest(first) == tree_digest(world.encode(frames[0], [7, 7], seed=1))
    assert not np.array_equal(world.render(first), world.render(second))
    assert world.encode(frames[0, :1], []).latent.shape == first.latent.shape


@pytest.mark.parametrize(
    ("frames", "actions", "named"),
    [
        (np.zeros((3, 16, 16, 3), np.float32), "right*2", "float32"),
        (np.zeros((3, 64, 64, 3), np.uint8), "right*2", "64, 64"),
        (np.zeros((16, 16, 3), np.uint8), [], r"\[16, 16, 3\]"),
        (np.zeros((0, 16, 16, 3), np.uint8), [], r"\[0, 16, 16, 3\]"),
        (np.zeros((3, 16, 16, 3), np.uint8), "right*3", "need 2 actions"),
        (np.zeros((1, 16, 16, 3), np.uint8), "right", "need 0 actions"),
    ],
)
def test_a_prompt_that_does_not_fit_is_refused(world, frames, actions, named):
    with pytest.raises(WorldError, match=named):
        world.encode(frames, actions)


def test_the_sampler_can_be_changed(world):
    assert world.with_sampler(steps=4).model.sampler.steps == 4
    assert world.model.sampler.steps == 2
    with pytest.raises(ValueError, match="steps"):
        world.with_sampler(steps=3)


def test_the_status_is_told(world):
    state = world.reset()
    assert world.status(state) is Status.OK
    assert world.status(state.replace(status=np.int32(Status.NONFINITE))) is Status.NONFINITE
