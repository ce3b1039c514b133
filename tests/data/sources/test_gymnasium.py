"""Environments of every kind of action, recorded and then played again by Gymnasium alone."""

import numpy as np
import pytest

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.pictures import resized
from oyster_jax.data.record import RecordConfig, record
from oyster_jax.data.sources.gymnasium import Gymnasium
from tests.data.synthetic import same

gymnasium = pytest.importorskip("gymnasium")

#: Of each kind of action one that exists, or where Gymnasium has none, the one below.
KINDS = {
    "Discrete": "CartPole-v1",
    "Box": "Pendulum-v1",
    "symbols": "minigrid:MiniGrid-Empty-5x5-v0",
    "MultiDiscrete": "tests/Canvas-v0",
    "MultiBinary": "tests/Canvas-buttons-v0",
}

SPACES = gymnasium.spaces


class Canvas(gymnasium.Env):
    """A picture in the colour of the action, with a clock of five ticks; it observes what it shows."""

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012

    def __init__(self, action_space=None, shape=(32, 48, 3), render_mode=None):
        self.render_mode = render_mode
        self.action_space = action_space or SPACES.MultiDiscrete([3, 2])
        self.observation_space = SPACES.Dict(
            {"place": SPACES.Discrete(2), "image": SPACES.Box(0, 255, shape, np.uint8)}
        )
        self.shape = shape

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.tick, self.shown = 0, self.np_random.integers(256, size=self.shape, dtype=np.uint8)
        return self.observation(), {}

    def step(self, action):
        assert self.action_space.contains(action)
        self.tick += 1
        self.shown = np.full(self.shape, 10 * self.tick + np.sum(action), np.uint8)
        return self.observation(), float(self.tick), self.tick == 5, False, {}

    def observation(self):
        return {"place": 0, "image": self.shown}

    def render(self):
        return self.shown


@pytest.fixture(autouse=True, scope="module")
def canvases():
    gymnasium.register("tests/Canvas-v0", Canvas)
    gymnasium.register("tests/Canvas-buttons-v0", Canvas, kwargs={"action_space": SPACES.MultiBinary(3)})
    gymnasium.register("tests/Canvas-text-v0", Canvas, kwargs={"action_space": SPACES.Text(3)})
    gymnasium.register("tests/Canvas-small-v0", Canvas, kwargs={"shape": (7, 7, 3)})
    yield
    for name in ("tests/Canvas-v0", "tests/Canvas-buttons-v0", "tests/Canvas-text-v0", "tests/Canvas-small-v0"):
        del gymnasium.registry[name]


def _config(source, **changes):
    return RecordConfig(**{"source": source, "frames": 60, "levels": (3, 40), "environments": 3} | changes)


def _shown(environment, observation, view):
    return environment.render() if view == "rendering" else observation["image"]


@pytest.mark.parametrize("name", KINDS.values(), ids=KINDS)
def test_recorded_actions_bring_about_recorded_frames(name, tmp_path):
    """Resetting to an episode's level and taking its actions shows its frames, and gives its rewards and ends."""
    source = Gymnasium(id=name)
    record(_config(source), tmp_path / "new")
    data = EpisodeDataset(tmp_path / "new")
    assert data.frames == 60
    assert data.manifest.provenance.source == f"gym:{name}"
    data.verify()
    view, values = source.options["view"], list(source.options["actions"].values())
    environment = gymnasium.make(name, render_mode="rgb_array", disable_env_checker=True)
    space = environment.action_space
    for episode in data:
        observation, _ = environment.reset(seed=episode.metadata["level"])
        assert episode.frames is not None
        assert 3 <= episode.metadata["level"] < 40
        for tick, action in enumerate(episode.actions):
            expected = resized(_shown(environment, observation, view), source.spec.frame.shape[:2])
            np.testing.assert_array_equal(episode.frames[tick], expected)
            given = np.asarray(values[action], space.dtype).reshape(space.shape)
            given = int(given) if isinstance(space, SPACES.Discrete) else given
            observation, reward, terminated, truncated, _ = environment.step(given)
            assert (episode.rewards[tick], episode.terminals[tick]) == (np.float32(reward), terminated)
            if terminated or truncated:
                assert tick == episode.ticks - 1
    environment.close()


@pytest.mark.parametrize("name", ["CartPole-v1", "tests/Canvas-v0"])
def test_the_same_seed_gives_the_same_episodes(name, tmp_path):
    for folder in ("one", "other"):
        record(_config(Gymnasium(id=name), seed=5), tmp_path / folder)
    one, other = EpisodeDataset(tmp_path / "one"), EpisodeDataset(tmp_path / "other")
    assert all(same(*pair) for pair in zip(one, other, strict=True))
    record(_config(Gymnasium(id=name), seed=6), tmp_path / "third")
    assert not same(one[0], EpisodeDataset(tmp_path / "third")[0])


@pytest.mark.parametrize(
    ("name", "actions", "idle"),
    [
        ("CartPole-v1", ("left", "right"), "left"),
        ("Acrobot-v1", ("left", "noop", "right"), "noop"),
        ("Pendulum-v1", ("noop", "left", "right"), "noop"),
        ("minigrid:MiniGrid-Empty-5x5-v0", ("left", "right", "forward", "pickup", "drop", "toggle", "done"), "done"),
        ("tests/Canvas-v0", ("noop", "c1.1", "c0.1", "c0.1+c1.1", "c0.2", "c0.2+c1.1"), "noop"),
        ("tests/Canvas-buttons-v0", ("noop", "b2", "b1", "b1+b2", "b0", "b0+b2", "b0+b1", "b0+b1+b2"), "noop"),
    ],
)
def test_actions_have_names(name, actions, idle):
    spec = Gymnasium(id=name).spec.action
    assert (spec.names, spec.idle) == (actions, idle)


def test_frames_rates_and_actions_can_be_chosen():
    source = Gymnasium(id="CartPole-v1", size="32x48", rate=10.0, actions="right=1,left=0")
    assert source.spec.frame.shape == (32, 48, 3)
    assert source.spec.frame.rate == 10.0
    assert source.options["actions"] == {"right": [1.0], "left": [0.0]}
    assert Gymnasium(id="CartPole-v1").spec.frame.rate == 50.0


def test_observations_are_frames_only_where_they_are_pictures():
    assert Gymnasium(id="tests/Canvas-v0").options["view"] == "observation"
    assert Gymnasium(id="tests/Canvas-v0", view="rendering").options["view"] == "rendering"
    assert Gymnasium(id="tests/Canvas-small-v0").options["view"] == "rendering"
    assert Gymnasium(id="minigrid:MiniGrid-Empty-5x5-v0").options["view"] == "rendering"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"id": ""}, "Which environment"),
        ({"id": "Nothing-v0"}, "doesn't exist"),
        ({"id": "no_such_module:Nothing-v0"}, "no_such_module"),
        ({"id": "CartPole-v1", "view": "observation"}, "observes no picture"),
        ({"id": "CartPole-v1", "view": "window"}, "not from 'window'"),
        ({"id": "CartPole-v1", "rate": 0.0}, "some ticks a second"),
        ({"id": "CartPole-v1", "size": "64"}, "HEIGHTxWIDTH"),
        ({"id": "CartPole-v1", "actions": "a,b,c"}, "2.0 of --actions is not in"),
        ({"id": "Pendulum-v1", "actions": "left=-1:0"}, "-1.0:0.0 of --actions is not in"),
        ({"id": "tests/Canvas-text-v0"}, "cannot be named"),
    ],
)
def test_what_cannot_be_recorded_is_refused_in_a_sentence(options, sentence, tmp_path):
    with pytest.raises(DatasetError, match=sentence):
        record(_config(Gymnasium(**options)), tmp_path / "new")
    assert not (tmp_path / "new").exists()
