import numpy as np
import pytest

from oyster_jax.data.errors import DatasetError
from oyster_jax.data.sources import procgen_state
from oyster_jax.data.sources.procgen import DISTRIBUTIONS, GAMES, Procgen
from tests.data.synthetic import tables

LEVELS = (0, 100)


@pytest.fixture
def simulator():
    """Four environments of plain CoinRun with entities."""
    pytest.importorskip("procgen_gym", reason="the simulator has no wheel for this Python")
    simulator = Procgen(entities=True).open(environments=4, levels=LEVELS, seed=5)
    yield simulator
    simulator.close()


def _agent(observation, *fields):
    columns = [procgen_state.FIELDS.index(field) for field in fields]
    return tables(observation)[0][:, 0, columns]


def test_actions_bear_the_names_of_their_keys():
    combos = pytest.importorskip("procgen_gym.env").KEY_COMBOS
    for game in GAMES:
        spec = Procgen(game=game).spec
        up = "jump" if game in ("coinrun", "ninja", "climber", "jumper") else "up"
        expected = ["+".join(key.lower() for key in combo).replace("up", up) or "noop" for combo in combos]
        assert list(spec.action.names) == expected
        assert (spec.action.idle, spec.name, spec.frame.rate) == ("noop", game, 15.0)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"game": "pong"}, "no game 'pong'; choose one of bigfish"),
        ({"distribution": "huge"}, "no distribution 'huge'"),
        ({"distribution": "memory"}, "not for coinrun"),
        ({"side": 100}, "64, 128 or 256 pixels a side, but 100"),
        ({"distribution": "exploration"}, "no distribution 'exploration'"),
        ({"game": "maze", "entities": True, "scenery": True}, "known of coinrun alone"),
        ({"scenery": True}, "with its entities; add --entities"),
    ],
)
def test_what_procgen_lacks_is_refused(options, sentence):
    with pytest.raises(DatasetError, match=sentence):
        Procgen(**options)


def test_levels_beyond_the_last_are_refused():
    pytest.importorskip("procgen_gym")
    with pytest.raises(DatasetError, match="levels end at"):
        Procgen().open(environments=1, levels=(2**31, 2**31 + 5), seed=0)


@pytest.mark.parametrize("game", GAMES)
def test_every_game_is_understood(game):
    """Header and entities of all 16 games: a wrong layout gives absurd numbers."""
    pytest.importorskip("procgen_gym")
    simulator = Procgen(game=game, entities=True).open(environments=2, levels=LEVELS, seed=1)
    generator = np.random.default_rng(0)
    simulator.observe()
    ticks = np.zeros(2, int)
    for _ in range(12):
        actions = generator.integers(15, size=2, dtype=np.int32)
        observation = simulator.step(actions)
        ticks = np.where(observation.ended, 0, ticks + 1)
        for index, state in enumerate(simulator.states()):
            header = procgen_state.parse_header(state)
            assert header.game == game
            assert header.timeout in (500, 1000, 4000, 6000)
            assert 0 < header.entities < 1000
            assert header.offset + 124 * header.entities <= len(state)
            assert header.tick == ticks[index]
            assert observation.ended[index] or header.action == actions[index]
        assert observation.frames.shape == (2, 64, 64, 3)
        entities, mask, _ = tables(observation)
        assert mask[:, 0].all()
        used = entities[mask]
        assert np.isfinite(used).all()
        size = used[:, [procgen_state.FIELDS.index("rx"), procgen_state.FIELDS.index("ry")]]
        assert (size >= 0).all()
        assert (size < 100).all()
    simulator.close()


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_every_distribution_runs(distribution):
    pytest.importorskip("procgen_gym")
    simulator = Procgen(game="dodgeball", distribution=distribution).open(environments=1, levels=LEVELS, seed=1)
    assert simulator.observe().frames.any()
    simulator.close()


def test_a_jump_in_coinrun_obeys_gravity(simulator):
    """The vertical speed falls by 0.2 tiles a tick each tick, and the height follows the speed."""
    simulator.observe()
    jump = np.full(4, Procgen().spec.action.parse("jump"), np.int32)
    flight = np.stack([_agent(simulator.step(jump), "y", "vy") for _ in range(8)])
    height, speed = flight[..., 0], flight[..., 1]
    np.testing.assert_allclose(speed[0], 1.5, atol=1e-5)
    np.testing.assert_allclose(np.diff(speed, axis=0), -0.2, atol=1e-5)
    np.testing.assert_allclose(np.diff(height, axis=0), speed[1:], atol=1e-4)


def test_the_tiles_around_the_agent_are_those_that_the_frame_shows():
    """Where the middle of a tile falls on a pixel with nothing before it, air is black and ground is not."""
    pytest.importorskip("procgen_gym")
    source = Procgen(entities=True, scenery=True)
    simulator, tiles = source.open(environments=8, levels=LEVELS, seed=5), source.spec.tiles
    shown = simulator.observe()
    for _ in range(20):
        shown = simulator.step(np.full(8, 8, np.int32))
    table, mask, _ = tables(shown)
    assert tiles is not None
    assert shown.tiles is not None
    x, y, rx, ry = (table[..., procgen_state.FIELDS.index(name)] for name in ("x", "y", "rx", "ry"))
    compared = 0
    for world in range(8):
        for row, column in np.ndindex(tiles.rows, tiles.columns):
            place = np.floor([x[world, 0], y[world, 0]]) + 0.5 + [column - tiles.agent[1], tiles.agent[0] - row]
            across, down = (place - [x[world, 0], y[world, 0]]) * [1, -1] * tiles.side + 32
            near = (abs(x[world] - place[0]) < rx[world] + 1) & (abs(y[world] - place[1]) < ry[world] + 1)
            kind = tiles.kinds[shown.tiles[world, row, column]]
            if 0 <= across < 64 and 0 <= down < 64 and kind in ("air", "ground") and not (near & mask[world]).any():
                pixel = shown.frames[world, int(down), int(across)]
                assert (pixel.max() > 60) == (kind == "ground")
                compared += 1
    assert compared > 500
    simulator.close()


def test_a_restored_state_shows_the_same_entities_and_frames(simulator):
    generator = np.random.default_rng(0)
    script = generator.integers(15, size=(40, 4), dtype=np.int32)
    simulator.observe()
    for actions in script[:20]:
        simulator.step(actions)
    states = simulator.states()
    first = [simulator.step(actions) for actions in script[20:]]
    simulator.restore(states)
    assert simulator.states() == states
    second = [simulator.step(actions) for actions in script[20:]]
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.frames, other.frames)
        np.testing.assert_array_equal(one.entities, other.entities)
        np.testing.assert_array_equal(one.terminals, other.terminals)


def test_our_reading_of_the_state_is_the_simulators(simulator):
    """Our reader returns what the simulator's own (slow) one does."""
    simulator.observe()
    for _ in range(5):
        simulator.step(np.full(4, 7, np.int32))
    assert simulator.states() == simulator._environment.get_state()


def test_entities_that_do_not_fit_are_counted():
    pytest.importorskip("procgen_gym")
    whole, cut = (
        Procgen(game="fruitbot", entities=True, capacity=capacity).open(environments=2, levels=LEVELS, seed=1)
        for capacity in (256, 4)
    )
    everything, everywhere, nothing_lost = tables(whole.observe())
    few, used, lost = tables(cut.observe())
    assert not nothing_lost.any()
    assert (lost > 0).all()
    np.testing.assert_array_equal(everywhere.sum(1), used.sum(1) + lost)
    np.testing.assert_array_equal(everything[:, :4], few)
    whole.close()
    cut.close()


def test_a_clock_that_runs_out_is_no_terminal():
    """A maze that nobody walks is ended by the clock after 500 ticks."""
    pytest.importorskip("procgen_gym")
    simulator = Procgen(game="maze").open(environments=1, levels=LEVELS, seed=1)
    simulator.observe()
    idle = np.full(1, 4, np.int32)
    observations = [simulator.step(idle) for _ in range(500)]
    assert [bool(o.ended[0]) for o in observations] == [False] * 499 + [True]
    assert not any(o.terminals[0] for o in observations)
    simulator.close()


def test_bytes_that_are_no_state_are_refused():
    for state in (b"", b"\1\0\0\0" + b"\0" * 400, b"\0\0\0\0\xff\xff\0\0"):
        with pytest.raises(DatasetError, match="Procgen's state"):
            procgen_state.parse_header(state)


@pytest.mark.parametrize("side", [128, 256])
def test_larger_frames_show_the_same_places(side):
    small, large = (Procgen(side=pixels).open(environments=2, levels=(0, 5), seed=1) for pixels in (64, side))
    try:
        actions = np.full(2, 7, np.int32)
        for _ in range(2):
            small.step(actions)
            large.step(actions)
        one, other = small.step(actions), large.step(actions)
        assert other.frames.shape == (2, side, side, 3)
        size = side // 64
        means = other.frames.reshape(2, 64, size, 64, size, 3).astype(float).mean((2, 4))
        # They are drawn apart from each other, and people's pictures are smoother.
        assert np.abs(means - one.frames).mean() < 12
    finally:
        small.close()
        large.close()


def test_the_look_tells_of_frames_of_another_size_only():
    assert "side" not in Procgen().options
    assert Procgen(side=128).options["side"] == 128
    assert Procgen(side=128).spec.frame.shape == (128, 128, 3)
