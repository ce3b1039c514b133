import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.data.policies import sticky_weights
from oyster_jax.generate.errors import GenerateError
from oyster_jax.generate.policies import Network, Policy, Replay, View, make_policy, policy_digest
from tests.generate.conftest import MODEL

SPEC = MODEL.spec.action


def view(tick=0, reward=0.0):
    frame, latent = jnp.zeros(MODEL.spec.frame.shape, jnp.uint8), jnp.zeros((16, 4))
    return View(frame=frame, latent=latent, reward=jnp.float32(reward), tick=jnp.int32(tick))


def acted(policy, ticks, index=0, seed=0):
    """The actions of one episode."""

    def tick(state, number):
        key = jax.random.fold_in(jax.random.key(seed), number)
        return policy.act(state, view(number), key)

    state = policy.begin(jax.random.key(seed + 100), jnp.int32(index))
    return np.asarray(jax.lax.scan(tick, state, jnp.arange(ticks, dtype=jnp.int32))[1])


def test_random_draws_evenly():
    counts = np.bincount(acted(make_policy("random", SPEC), 6000), minlength=SPEC.count)
    assert np.abs(counts - 400).max() < 100


def test_sticky_keeps_its_action_and_leans_as_recordings_do():
    actions = acted(make_policy("sticky", SPEC), 20000)
    weights = sticky_weights(SPEC)
    shares = np.bincount(actions, minlength=SPEC.count) / len(actions)
    np.testing.assert_allclose(shares, weights, atol=0.03)
    changes = (actions[1:] != actions[:-1]).mean()
    assert abs(changes - 0.2 * (1 - (weights**2).sum())) < 0.02


def test_a_script_is_replayed_and_its_last_action_kept():
    policy = make_policy("right*2,jump", SPEC)
    np.testing.assert_array_equal(acted(policy, 5), [7, 7, 5, 5, 5])
    assert policy.name == "right*2,jump"


def test_recorded_actions_are_shared_out_by_index():
    policy = Replay(actions=jnp.asarray([[1, 2], [3, 4]], jnp.int32))
    assert [acted(policy, 2, index).tolist() for index in (0, 1, 2)] == [[1, 2], [3, 4], [1, 2]]


def test_functions_and_networks_act():
    def climbs(state, view, key):
        del key
        return state + 1, (state + view.tick) % 15

    def alternates(state, view, key):
        del key
        return state, jnp.where(view.tick % 2 == 0, 3, 4)

    assert acted(make_policy(alternates, SPEC), 4).tolist() == [3, 4, 3, 4]
    assert make_policy(climbs, SPEC).name == "climbs"

    def logits(params, view):
        return params["bias"] + view.reward

    network = Network(params={"bias": jnp.zeros(15).at[6].set(50.0)}, logits=logits)
    assert acted(network, 5).tolist() == [6] * 5
    assert acted(Network(params=network.params, logits=logits, greedy=True), 5).tolist() == [6] * 5
    assert isinstance(network, Policy)


def test_what_is_no_policy_is_refused():
    with pytest.raises(GenerateError, match="'sticky' or 'random', or actions"):
        make_policy("fly", SPEC)


def test_digests_tell_policies_apart(params):
    def stays(state, view, key):
        del view, key
        return state, 4

    def leaves(state, view, key):
        del view, key
        return state, 5

    def again(state, view, key):
        del view, key
        return state, 4

    policies = ["sticky", "random", "right*3", "right*4", stays, leaves]
    digests = [policy_digest(make_policy(policy, SPEC), MODEL, params) for policy in policies]
    assert len(set(digests)) == len(policies)
    assert policy_digest(make_policy(again, SPEC), MODEL, params) == digests[4]
    assert policy_digest(make_policy("sticky", SPEC), MODEL, params) == digests[0]
