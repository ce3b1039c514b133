"""A painter learns to draw frames from what a recording says of them; a world with one begins from descriptions."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.record import RecordConfig, record
from oyster_jax.data.sources.procgen import Procgen
from oyster_jax.evaluate.sections import painting
from oyster_jax.evaluate.suite import Suite
from oyster_jax.models import painter
from oyster_jax.models.dynamics import DynamicsConfig
from oyster_jax.models.painter import PainterConfig
from oyster_jax.models.tokenizer import TokenizerConfig
from oyster_jax.models.world_model import WorldNetwork
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.loop import fit
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.train.painter import painter_stage
from oyster_jax.worlds.errors import WorldError
from oyster_jax.worlds.storage import read_world, save_world
from oyster_jax.worlds.structure import parse, pictured
from oyster_jax.worlds.world import World

SCENE = {
    "tiles": [["air"] * 15] * 8 + [["ground_top"] * 15] + [["ground"] * 15] * 6,
    "entities": [{"type": "crate", "x": 2, "y": 0}],
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    pytest.importorskip("procgen_gym", reason="the simulator has no wheel for this Python")
    folder = tmp_path_factory.mktemp("scenery") / "recording"
    source = Procgen(entities=True, scenery=True)
    # Held out, as the section asks.
    record(RecordConfig(source=source, frames=400, levels=(1_000_000, 1_000_050), seed=1, environments=8), folder)
    return EpisodeDataset(folder)


@pytest.fixture(scope="module")
def config(dataset):
    return PainterConfig.of(dataset.spec, features=8)


@pytest.fixture(scope="module")
def painted(dataset, config, tmp_path_factory):
    """Parameters of a painter that has learned for some seconds, and the figures of its steps."""
    training = TrainConfig(
        steps=60, batch=4, window=1, average_decay=0.9, log_every=20,
        optimizer=OptimizerConfig(name="adamw", learning_rate=1e-2, warmup=5),
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("painter")
    params = fit(painter_stage(config, training, dataset, 0), training, folder, 0).average
    return params, [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def world(config, painted):
    spec = Procgen().spec
    network = WorldNetwork(
        spec=spec,
        tokenizer=TokenizerConfig(
            patch=16, channels=4, features=16, heads=2, encoder_depth=1, renderer_depth=1, dtype="float32"
        ),
        dynamics=DynamicsConfig(
            tokens=16, columns=4, channels=4, actions=15, features=16, heads=2, head_depth=1, window=4,
            memory_heads=2, memory_features=4, dtype="float32",
        ),
        painter=config,
    )  # fmt: skip
    params = {**network.init(jax.random.key(0)), "painter": painted[0]}
    return World(model=network, params=params, record={"name": "tiny", "licence": "", "training": {}, "figures": {}})


def test_it_learns_to_draw(painted):
    figures = painted[1]
    assert figures[-1]["loss"] < figures[0]["loss"] / 2
    assert figures[-1]["psnr"] > 15


def test_a_recording_that_does_not_say_it_is_refused(config, tmp_path):
    pytest.importorskip("procgen_gym")
    record(RecordConfig(source=Procgen(), frames=20, levels=(0, 5), seed=1, environments=2), tmp_path / "plain")
    with pytest.raises(DatasetError, match="--entities --scenery"):
        painter_stage(config, TrainConfig(steps=1, batch=1, window=1), EpisodeDataset(tmp_path / "plain"), 0)


def test_a_moment_that_is_written_down_is_laid_out_as_it_was(dataset, config):
    episode = dataset[0]
    document = pictured(dataset.spec, episode.tiles[-1], episode.entities[-1][episode.entity_mask[-1]])
    told = parse(dataset.spec, json.loads(json.dumps(document)))
    whole = {name: getattr(episode, name)[-1] for name in ("tiles", "entities", "entity_mask")}
    one, other = (
        np.asarray(painter.laid_out(config, (64, 64), jax.tree.map(lambda leaf: leaf[None], seen)))
        for seen in (told, dataclasses.replace(told, **whole))
    )
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_what_is_described_is_where_it_was_said_to_be(dataset, config):
    size = (64, 64)

    def laid(**entity):
        seen = parse(dataset.spec, SCENE | {"entities": [entity]})
        return np.asarray(painter.laid_out(config, size, jax.tree.map(lambda leaf: leaf[None], seen)))[0]

    kinds, types = len(config.tiles.kinds), len(config.tiles.kinds) + 2
    still = laid(type="agent")
    # The ground begins half a tile below the middle; the agent covers the middle and nothing else does.
    np.testing.assert_array_equal(still[..., :kinds].sum(axis=-1), 1)
    assert still[32 + 4, 32, config.tiles.kinds.index("ground_top")] == 1
    assert still[32, 32, config.tiles.kinds.index("air")] == 1
    assert still[32, 32, types] == 1
    crate = types + config.types.index(config.entity.types.index("crate"))
    assert np.argwhere(laid(type="crate", x=2)[..., crate]).mean(axis=0) == pytest.approx(
        [31.5, 31.5 + 2 * 64 / 13], abs=1
    )
    # Half a tile to the right of its tile's middle, the agent sees all else half a tile further left.
    moved = laid(type="agent", x=0.4)
    assert not np.array_equal(moved[..., kinds], still[..., kinds])
    with pytest.raises(WorldError, match="less than half a tile off it"):
        laid(type="agent", x=0.7)


def test_a_world_begins_from_a_description(world, tmp_path):
    state = world.encode(entities=SCENE, seed=3)
    assert world.render(world.step(state, "right")).shape == (64, 64, 3)
    other = world.encode(entities={"tiles": "ground"}, seed=3)
    assert np.abs(np.asarray(other.latent) - np.asarray(state.latent)).max() > 1e-3
    for wrong, sentence in (
        ({"quantities": {"health": 3}}, "has tiles, entities, but no 'quantities'"),
        ({"entities": [{"type": ""}]}, "this world has agent, saw, enemy, crate, dust"),
    ):
        with pytest.raises(WorldError, match=sentence):
            world.encode(entities=wrong)
    with pytest.raises(WorldError, match="or none if it paints"):
        world.encode(np.zeros((1, 64, 64, 3), np.uint8), entities=SCENE)
    save_world(tmp_path / "tiny", world.model, world.params, world.record)
    again = read_world(tmp_path / "tiny")
    assert again.model == world.model
    latent = again.encode(entities=SCENE, seed=3).latent
    np.testing.assert_allclose(np.asarray(latent), np.asarray(state.latent), atol=0.05)


def test_a_session_begun_from_a_description_is_lived_again(world, tmp_path):
    with world.session(tmp_path / "session", entities=SCENE) as session:
        for _ in range(5):
            session.step("right")
        lived = session.frame
        session.rewind(0)
        for _ in range(5):
            session.step("right")
        np.testing.assert_array_equal(session.frame, lived)


def test_the_section_compares_it_with_the_truth(world, dataset):
    suite = Suite(
        model=world.model, params=world.params, name="tiny", recording=lambda: dataset, scenic=lambda: dataset,
        windows=6, quick=True,
    )  # fmt: skip
    figures = painting.run(suite).figures
    assert set(figures) == {"painted", "shown", "described", "pictured", "copied"}
    assert figures["painted"]["value"] > 15
    plain = dataclasses.replace(world.model, painter=None)
    with pytest.raises(DatasetError, match="paints no pictures"):
        painting.run(Suite(model=plain, params=world.params, name="tiny", recording=lambda: dataset))
