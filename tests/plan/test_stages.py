"""What a plan takes for a batch of each stage is what the stage's own loader gives."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oyster_jax.core.spec import EntitySpec, EventSpec, WorldSpec
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.episode import Episode
from oyster_jax.data.latents import cache_latents
from oyster_jax.data.manifest import Provenance
from oyster_jax.data.record import RecordConfig
from oyster_jax.data.sources.recorded import Recorded
from oyster_jax.data.writer import DatasetWriter
from oyster_jax.models.spatial_map import MapConfig
from oyster_jax.plan.stages import planned_stage
from oyster_jax.testing import tiny_model
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.drafts import frame_encoder
from oyster_jax.train.dynamics import DynamicsLossConfig, dynamics_stage
from oyster_jax.train.emphasis import EmphasisConfig
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.tokenizer import TokenizerLossConfig, tokenizer_stage
from tests.models import structured

TICKS, ROWS, WINDOW = 20, 3, 6
TRAINING = TrainConfig(steps=10, batch=ROWS, window=WINDOW)

#: A world whose recordings hold everything, and one whose hold frames and actions alone.
EVENTFUL = dataclasses.replace(structured.SPEC, events=EventSpec(names=("rain", "snow")))
PLAIN = dataclasses.replace(structured.SPEC, entity=None, tiles=None, quantities=None)
#: One whose camera is known, for a map.
FOLLOWED = dataclasses.replace(
    tiny_model().spec, name="coinrun", entity=EntitySpec(capacity=3, fields=("type", "x", "y", "vx", "vy"))
)


def episode(spec: WorldSpec) -> Episode:
    """An episode with all that the specification tells of."""
    seen = jax.device_get(structured.moments(TICKS)) if spec.tiles is not None else None
    table = None if spec.entity is None else np.zeros((TICKS, spec.entity.capacity, len(spec.entity.fields)), "float32")
    return Episode(
        actions=np.zeros(TICKS, np.int32),
        rewards=np.zeros(TICKS, np.float32),
        terminals=np.zeros(TICKS, bool),
        frames=np.zeros((TICKS, *spec.frame.shape), np.uint8),
        entities=table,
        entity_mask=None if table is None else np.ones(table.shape[:2], bool),
        tiles=None if seen is None else seen.tiles,
        quantities=None if seen is None else seen.quantities,
        events=None if spec.events is None else np.zeros(TICKS, np.int32),
    )


def recorded(folder, spec: WorldSpec) -> EpisodeDataset:
    about = Provenance(
        spec=spec, split="training", levels=None, source="tests:planned", options={}, policy="none", seed=0,
        licence="Apache-2.0",
    )  # fmt: skip
    with DatasetWriter(folder, about) as writer:
        writer.add(episode(spec))
    return EpisodeDataset(folder)


def experiment(dataset: EpisodeDataset) -> ExperimentConfig:
    """One that learns the world of a recording, with every part that the recording has something for."""
    spec = dataset.spec
    if spec.name == FOLLOWED.name:
        tokenizer = tiny_model().tokenizer
        dynamics = dataclasses.replace(tiny_model().dynamics, map=MapConfig(rows=40, columns=48))
    else:
        structure = None if spec.tiles is None else structured.CONFIG
        tokenizer = dataclasses.replace(structured.TOKENIZER, structure=structure)
        events = 0 if spec.events is None else len(spec.events.names)
        dynamics = dataclasses.replace(structured.network().dynamics, events=events)
    return ExperimentConfig(
        name=spec.name,
        seed=0,
        recording=RecordConfig(source=Recorded(folder=str(dataset.folder)), frames=TICKS, levels=(0, 1)),
        tokenizer=tokenizer,
        tokenizer_loss=TokenizerLossConfig(),
        tokenizer_training=TRAINING,
        dynamics=dynamics,
        dynamics_loss=DynamicsLossConfig(emphasis=EmphasisConfig() if spec.events else None),
        dynamics_training=TRAINING,
    )


@pytest.fixture(scope="module", params=[EVENTFUL, PLAIN, FOLLOWED], ids=["everything", "frames alone", "a map"])
def world(request, tmp_path_factory) -> tuple[ExperimentConfig, EpisodeDataset]:
    dataset = recorded(tmp_path_factory.mktemp("planned") / "data", request.param)
    return experiment(dataset), dataset


def shapes(batch):
    return {name: (array.shape, jnp.dtype(array.dtype)) for name, array in batch.items()}


def latents(one: ExperimentConfig, dataset: EpisodeDataset) -> EpisodeDataset:
    params = one.network.init(jax.random.key(0))["tokenizer"]
    encode = frame_encoder(one.tokenizer, params, one.dynamics.map, jitter=0.0, seed=0)
    return cache_latents(dataset, encode, "of a test", dataset.folder.parent / "latents")


def test_batches_of_the_dynamics(world):
    one, dataset = world
    stage = dynamics_stage(one.dynamics, one.dynamics_loss, TRAINING, latents(one, dataset), seed=0)
    planned = planned_stage(one, "dynamics").batch_shapes(ROWS, WINDOW)
    assert shapes(next(stage.batches(None))) == shapes(planned)


def test_batches_of_the_tokenizer(world):
    one, dataset = world
    stage = tokenizer_stage(one.tokenizer, one.tokenizer_loss, TRAINING, dataset, seed=0)
    planned = planned_stage(one, "tokenizer").batch_shapes(ROWS, WINDOW)
    assert shapes(next(stage.batches(None))) == shapes(planned)


@pytest.mark.parametrize("name", ["tokenizer", "dynamics"])
def test_the_loss_takes_what_is_planned(world, name):
    one, _ = world
    planned = planned_stage(one, name)
    params = jax.eval_shape(planned.init, jax.random.key(0))
    loss, _ = jax.eval_shape(planned.loss, params, planned.batch_shapes(ROWS, WINDOW), jax.random.key(0))
    assert loss.shape == ()


def test_events_are_part_of_the_planned_step(tmp_path):
    """Whoever plans without them plans another program: it has fewer operations, and one array less."""
    one = experiment(recorded(tmp_path, EVENTFUL))
    planned = planned_stage(one)
    batch = planned.batch_shapes(ROWS, WINDOW)
    params = jax.eval_shape(planned.init, jax.random.key(0))

    def operations(batch):
        return str(jax.make_jaxpr(planned.loss)(params, batch, jax.random.key(0))).count("\n")

    without = {name: array for name, array in batch.items() if name != "events"}
    assert operations(batch) > operations(without)
