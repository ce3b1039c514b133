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


def test_several_policies_share_the_environments():
    """Each acts in its own environments as it would in them alone."""
    count = 12
    mixed = make_policy("sticky*2,random", SPEC, count, 4)
    shares = {"sticky": [0, 1, 3, 4, 6, 7, 9, 10], "random": [2, 5, 8, 11]}
    alone = {name: make_policy(name, SPEC, len(rows), 4) for name, rows in shares.items()}
    for _ in range(5):
        actions = mixed.act(np.zeros(count, bool))
        for name, rows in shares.items():
            np.testing.assert_array_equal(actions[rows], alone[name].act(np.zeros(len(rows), bool)))


def test_all_policies_mixed_are_those_that_there_are():
    class Still:
        def __init__(self, spec, environments, seed):
            self.count = environments

        def act(self, began, seen=None):
            return np.full(self.count, 4, np.int32)

    actions = make_policy("mixed", SPEC, 300, 0, {"still": Still}).act(np.zeros(300, bool))
    assert (actions[2::3] == 4).all()
    assert (actions[::3] != 4).any()


@pytest.mark.parametrize("name", ["sticky*0", "sticky*two", "random*"])
def test_shares_that_are_none_are_refused(name):
    with pytest.raises(DatasetError, match="is no share of a policy; write it as in 'sticky\\*2'"):
        make_policy(name, SPEC, 1, 0)


def test_an_unknown_policy_is_refused():
    with pytest.raises(DatasetError, match="no policy 'greedy'; choose one of sticky, random"):
        make_policy("greedy", SPEC, 1, 0)
