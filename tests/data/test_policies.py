import numpy as np
import pytest

from oyster_jax.data.errors import DatasetError
from oyster_jax.data.policies import CHANGE_PROBABILITY, make_policy, sticky_weights
from oyster_jax.data.sources.procgen import Procgen

SPEC = Procgen(game="coinrun").spec.action
NOBODY = np.zeros(500, bool)


def _acted(name, ticks=200, seed=0, spec=SPEC):
    policy = make_policy(name, spec, len(NOBODY), seed)
    return np.stack([policy.act(NOBODY) for _ in range(ticks)])


def test_random_actions_are_uniform_and_independent():
    actions = _acted("random")
    shares = np.bincount(actions.ravel(), minlength=SPEC.count) / actions.size
    np.testing.assert_allclose(shares, 1 / SPEC.count, atol=0.005)
    assert abs((actions[1:] == actions[:-1]).mean() - 1 / SPEC.count) < 0.01


def test_sticky_actions_lean_to_the_right_and_stay():
    actions = _acted("sticky")
    weights = sticky_weights(SPEC)
    assert weights.sum() == pytest.approx(1)
    shares = np.bincount(actions.ravel(), minlength=SPEC.count) / actions.size
    np.testing.assert_allclose(shares, weights, atol=0.01)
    assert shares[SPEC.parse("right")] + shares[SPEC.parse("right+jump")] > 0.6
    assert (shares > 0).all()
    kept = 1 - CHANGE_PROBABILITY * (1 - (weights**2).sum())
    assert abs((actions[1:] == actions[:-1]).mean() - kept) < 0.01


def test_a_sticky_policy_begins_each_episode_anew():
    policy = make_policy("sticky", SPEC, len(NOBODY), 0)
    before = policy.act(NOBODY)
    after = policy.act(~NOBODY)
    assert (after == before).mean() < 0.35


def test_a_world_without_a_jump_is_explored_evenly():
    spec = Procgen(game="maze").spec.action
    np.testing.assert_allclose(sticky_weights(spec), 1 / spec.count)


@pytest.mark.parametrize("name", ["sticky", "random"])
def test_actions_follow_from_the_seed(name):
    assert (_acted(name, 20, seed=1) == _acted(name, 20, seed=1)).all()
    assert (_acted(name, 20, seed=1) != _acted(name, 20, seed=2)).any()
    assert _acted(name, 1).dtype == np.int32


def test_an_unknown_policy_is_refused():
    with pytest.raises(DatasetError, match="no policy 'greedy'; choose one of sticky, random"):
        make_policy("greedy", SPEC, 1, 0)
