import dataclasses
import json
from pathlib import Path

import jax
import numpy as np
import pytest

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.policies import make_policy
from oyster_jax.data.record import RecordConfig, record
from oyster_jax.data.sources import craftax_game, craftax_state
from oyster_jax.data.sources.craftax import ACHIEVEMENTS, ACTIONS, Craftax

ENTITY, TILES, QUANTITIES = craftax_state.ENTITIES, craftax_state.TILES, craftax_state.QUANTITIES
ENVIRONMENTS, TICKS = 8, 120


def facts(observation, index):
    assert observation.facts is not None
    return observation.facts[index]["achievements"]


def played(seed=5, levels=(0, 100), script=0, ticks=TICKS):
    """What is seen from the beginning on, and the actions between."""
    pytest.importorskip("craftax", reason="there is no simulator for this Python")
    simulator = Craftax().open(environments=ENVIRONMENTS, levels=levels, seed=seed)
    generator = np.random.default_rng(script)
    actions = generator.integers(len(ACTIONS), size=(ticks, ENVIRONMENTS), dtype=np.int32)
    seen = [simulator.observe(), *(simulator.step(row) for row in actions)]
    simulator.close()
    return seen, actions


@pytest.fixture(scope="module")
def play():
    return played()


def arrays(observation):
    return {name: value for name, value in vars(observation).items() if isinstance(value, np.ndarray)}


def test_names_are_those_of_the_simulator():
    constants = pytest.importorskip("craftax.craftax_classic.constants")
    assert list(ACTIONS) == [action.name.lower() for action in constants.Action]
    assert list(ACHIEVEMENTS) == [achievement.name.lower() for achievement in constants.Achievement]
    kinds = [kind.name.lower().replace("crafting_table", "table") for kind in constants.BlockType]
    assert list(TILES.kinds) == kinds


def test_an_episode_follows_from_seed_and_level(play):
    again, _ = played()
    for one, other in zip(play[0], again, strict=True):
        for name, array in arrays(one).items():
            np.testing.assert_array_equal(array, arrays(other)[name], name)


def test_a_level_is_the_same_world_whatever_the_seed():
    one, other = played(seed=1, levels=(7, 8), ticks=0)[0][0], played(seed=2, levels=(7, 8), ticks=0)[0][0]
    np.testing.assert_array_equal(one.frames, other.frames)
    assert (one.frames == one.frames[:1]).all()
    assert (one.tiles != played(levels=(8, 9), ticks=0)[0][0].tiles).any()


def test_the_same_actions_take_another_course_under_another_seed():
    quiet = np.zeros(ENVIRONMENTS, bool)
    one, other = played(seed=1, levels=(7, 8))[0][-1], played(seed=2, levels=(7, 8))[0][-1]
    assert (one.entities != other.entities).any()
    assert (one.ended == quiet).all()


def test_tiles_look_like_their_kind(play):
    """By day, where nothing stands on it, a tile is its kind's texture: one for all of its occurrences."""
    pictures = {}
    for observation in play[0]:
        frames = observation.frames[:, :49].reshape(ENVIRONMENTS, 7, 7, 9, 7, 3).swapaxes(2, 3)
        free = ~stood_on(observation)
        light = observation.quantities[:, QUANTITIES.column("daylight")] == 1
        light &= observation.quantities[:, QUANTITIES.column("sleeping")] == 0
        for kind in np.unique(observation.tiles):
            where = (observation.tiles == kind) & free & light[:, None, None]
            pictures.setdefault(kind, []).append(frames[where])
    several = 0
    for shown in (np.concatenate(parts) for parts in pictures.values()):
        assert (shown == shown[:1]).all()
        several += len(shown) > 1
    assert several >= 1


def stood_on(observation):
    """Bool `[environments, rows, columns]`, tiles on which the agent or something else stands."""
    table, mask = observation.entities, observation.entity_mask
    x, y = ENTITY.column("x"), ENTITY.column("y")
    covered = np.zeros(observation.tiles.shape, bool)
    for index in range(ENVIRONMENTS):
        for row in table[index][mask[index]]:
            column = int(row[x] - table[index, 0, x]) + TILES.agent[1]
            line = int(table[index, 0, y] - row[y]) + TILES.agent[0]
            if 0 <= line < TILES.rows and 0 <= column < TILES.columns:
                covered[index, line, column] = True
    return covered


def test_the_first_row_is_the_agent_and_moves_as_it_is_told(play):
    seen, actions = play
    x, y = ENTITY.column("x"), ENTITY.column("y")
    steps = {"left": (-1, 0), "right": (1, 0), "up": (0, 1), "down": (0, -1)}
    moved = 0
    for before, action, after in zip(seen, actions, seen[1:], strict=False):
        assert after.entity_mask[:, 0].all()
        for index in np.flatnonzero(~after.ended):
            asleep = before.quantities[index, QUANTITIES.column("sleeping")]
            step = after.entities[index, 0, [x, y]] - before.entities[index, 0, [x, y]]
            name = ACTIONS[action[index]]
            wanted = steps.get(name, (0, 0)) if not asleep else (0, 0)
            assert tuple(step) in {wanted, (0, 0)}
            assert tuple(after.entities[index, 0, [ENTITY.column("vx"), ENTITY.column("vy")]]) == tuple(step)
            facing = after.entities[index, 0, [ENTITY.column("facing_x"), ENTITY.column("facing_y")]]
            assert name not in steps or asleep or tuple(facing) == wanted
            moved += bool(step.any())
    assert moved > 50


def test_creatures_go_at_most_a_tile_a_tick(play):
    kinds = [ENTITY.types.index(name) for name in ("zombie", "cow", "skeleton")]
    speed = [ENTITY.column("vx"), ENTITY.column("vy")]
    seen = 0
    for observation in play[0]:
        used = observation.entities[observation.entity_mask]
        creatures = used[np.isin(used[:, 0], kinds)]
        assert (np.abs(creatures[:, speed]).sum(axis=1) <= 1).all()
        assert (creatures[:, ENTITY.column("health")] > 0).all()
        assert not observation.entities[~observation.entity_mask].any()
        seen += len(creatures)
    assert seen > 100


def test_quantities_stay_within_their_range(play):
    most = np.asarray(QUANTITIES.most, np.float32)
    for observation in play[0]:
        assert ((observation.quantities >= 0) & (observation.quantities <= most)).all()
        health = observation.quantities[:, QUANTITIES.column("health")]
        np.testing.assert_array_equal(health, observation.entities[:, 0, ENTITY.column("health")])


def test_rewards_count_what_was_achieved(play):
    total = np.zeros(ENVIRONMENTS)
    for observation in play[0][1:]:
        total += observation.rewards
        for index in np.flatnonzero(~observation.ended):
            assert len(facts(observation, index)) == total[index]
        total[observation.ended] = 0
    assert any(observation.rewards.any() for observation in play[0])


def test_an_episode_that_ends_begins_anew():
    """Whoever never drinks dies; the frame after that is the beginning of another world."""
    pytest.importorskip("craftax")
    simulator = Craftax().open(environments=ENVIRONMENTS, levels=(0, 1000), seed=0)
    levels = simulator.observe().levels
    stay = np.zeros(ENVIRONMENTS, np.int32)
    ended = 0
    for _ in range(600):
        observation = simulator.step(stay)
        for index in np.flatnonzero(observation.ended):
            ended += 1
            assert observation.terminals[index]
            assert observation.quantities is not None
            assert observation.quantities[index, QUANTITIES.column("health")] == 9
            _, shown = simulator._game.begin(np.uint32(0), observation.levels[index])
            fresh = jax.device_get(shown)
            np.testing.assert_array_equal(observation.frames[index], fresh["frames"])
            assert observation.levels[index] != levels[index]
        levels = observation.levels
    assert ended >= ENVIRONMENTS


def test_loading_it_prints_and_writes_nothing(play, capfd):
    package = pytest.importorskip("craftax.craftax_classic.constants")
    craftax_game._renderer()
    assert capfd.readouterr() == ("", "")
    assert not Path(package.TEXTURE_CACHE_FILE).exists()


def test_what_there_is_not_is_refused():
    with pytest.raises(DatasetError, match="only classic can be recorded, not 'full'"):
        Craftax(game="full")
    with pytest.raises(DatasetError, match="levels end at"):
        Craftax().open(environments=1, levels=(2**31, 2**31 + 1), seed=0)


def test_the_specification_survives_json():
    spec = Craftax().spec
    assert type(spec).from_json(spec.to_json()) == spec
    assert type(spec).from_json(json.loads(json.dumps(spec.to_json()))) == spec
    plain = dataclasses.replace(spec, tiles=None, quantities=None)
    assert "tiles" not in plain.to_json()


def test_creatures_come_with_the_health_that_the_game_gives_them():
    pytest.importorskip("craftax")
    from craftax.craftax_classic.envs.craftax_state import EnvParams

    again = type(Craftax().spec).from_json(json.loads(json.dumps(Craftax().spec.to_json()))).entity
    assert again is not None
    for kind in ("zombie", "cow", "skeleton"):
        assert again.usual_value(kind, "health") == getattr(EnvParams(), f"{kind}_health")
    assert again.usual_value("plant", "health") == again.usual_value("cow", "age") == 0
    bare = dataclasses.replace(ENTITY, usual=())
    assert bare == ENTITY
    assert "usual" not in dataclasses.replace(Craftax().spec, entity=bare).to_json()["entity"]


def test_the_script_achieves_what_random_play_does_not(tmp_path):
    """Within 150 ticks it has tools; what was recorded tells so, tick by tick."""
    pytest.importorskip("craftax")
    achieved = {}
    for policy in ("scripted", "random"):
        config = RecordConfig(
            source=Craftax(), frames=150 * ENVIRONMENTS, levels=(0, 50), policy=policy, environments=ENVIRONMENTS
        )
        record(config, tmp_path / policy)
        dataset = EpisodeDataset(tmp_path / policy)
        assert dataset.spec == Craftax().spec
        achieved[policy] = 0
        for episode in dataset:
            unlocked = episode.metadata["achievements"]
            achieved[policy] += len(unlocked)
            np.testing.assert_array_equal(
                episode.rewards, np.bincount(list(unlocked.values()), minlength=episode.ticks).astype(np.float32)
            )
            wood = episode.arrays["quantities"][:, QUANTITIES.column("wood")]
            if (tick := unlocked.get("collect_wood")) is not None and tick + 1 < episode.ticks:
                assert wood[tick] < wood[tick + 1]
    assert achieved["scripted"] > 2 * achieved["random"]


def test_policies_that_look_say_so_in_a_learned_world():
    policy = make_policy("scripted", Craftax().spec.action, 1, 0, Craftax().policies)
    with pytest.raises(DatasetError, match="cannot act in a learned world"):
        policy.act(np.ones(1, bool))
