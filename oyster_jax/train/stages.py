"""The stages of an experiment: record, tokenizer, latents, lattice, camera, dynamics, self-rollouts, judge, words."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.core.rollout import rollout
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.latents import cache_latents
from oyster_jax.data.manifest import MANIFEST
from oyster_jax.data.record import RecordConfig, record
from oyster_jax.data.scenes import Scenes, read_moments
from oyster_jax.data.sources.recorded import Recorded
from oyster_jax.frames import write_clip
from oyster_jax.models import dynamics, inverse_dynamics, painter, tokenizer
from oyster_jax.models.inverse_dynamics import JudgeConfig
from oyster_jax.models.world_model import WorldNetwork
from oyster_jax.parallel.distributed import on_host, once
from oyster_jax.train.camera import camera_stage
from oyster_jax.train.checkpoint import CheckpointError, Checkpoints
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.drafts import frame_encoder
from oyster_jax.train.dynamics import dynamics_stage
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.judge import judge_stage
from oyster_jax.train.lattice import lattice_stage
from oyster_jax.train.loop import Sample, Stage, fit
from oyster_jax.train.metrics import progress_bar
from oyster_jax.train.painter import painter_stage
from oyster_jax.train.self_rollout import self_rollout_stage
from oyster_jax.train.state import TrainState
from oyster_jax.train.tokenizer import tokenizer_stage
from oyster_jax.train.words import TrainedWords, train_words
from oyster_jax.tree import tree_digest
from oyster_jax.typing import Array, Params, PRNGKey

#: Recorded frames that a sample clip of the dynamics starts from, and ticks that it then goes on by itself.
SAMPLE_CONTEXT, SAMPLE_TICKS = 8, 32


def run(config: ExperimentConfig, folder: Path, data: Path | None = None, init_from: Params | None = None) -> Params:
    """Runs all stages, each from where it was left.

    Args:
      config: the experiment.
      folder: of the run; its stages keep their checkpoints, metrics and samples there.
      data: the recording; unless given, that of the experiment's source where it is `Recorded`, or else
        `folder / "data"`, which is made where it is not there.
      init_from: parameters of a finished world to begin with instead of random ones. What it has no part of, as a world
        without a camera has not, is drawn.

    Returns:
      The parameters of the finished world, averaged.

    Raises:
      StoppedError, DivergedError, CheckpointError, MeshError: see `fit`.
      DatasetError: the recording or the cached latents are damaged, or are another experiment's.
      ValueError: `init_from` has other shapes than the experiment.
    """
    dataset = recorded(config, data or data_folder(config, folder))
    trained = functools.partial(_trained, config, folder)
    params = trained(_begun(_tokenizer_stage(config, dataset), init_from, "tokenizer"), config.tokenizer_training)
    latents = cached(config, params, dataset, folder / "latents")
    stage = _begun(_dynamics_stage(config, latents, dataset, params), init_from, "dynamics")
    if config.camera is not None:
        walks = dataset if config.camera.recording is None else _recorded(config.camera.recording, folder / "walks")
        given = None if init_from is None else init_from["dynamics"]
        stage = _beginning(stage, "camera", _camera(config, folder, latents, walks, given))
    learned = trained(stage, config.dynamics_training)
    for rollouts in config.self_rollouts:
        sample = _sampler(config.network, dataset, params)
        stage = self_rollout_stage(
            config.network, params, learned, config.dynamics_loss, rollouts, latents, config.seed, sample
        )
        learned = trained(stage, rollouts.training)
    if config.judge is not None:
        trained(judge_stage(config.judge, dataset, config.seed), config.judge.training)
    world = {"tokenizer": params, "dynamics": learned}
    if config.painter is not None:
        scenery = _recorded(config.painter.recording, folder / "scenery")
        stage = painter_stage(config.painter.network, config.painter.training, scenery, config.seed)
        world["painter"] = trained(_begun(stage, init_from, "painter"), config.painter.training)
    return world


def words(config: ExperimentConfig, folder: Path, data: Path | None = None) -> TrainedWords | None:
    """Trains the words of an experiment, from where they were left; needs the recording's structure and nothing else.

    Returns:
      What was learned; None where the experiment has no words.

    Raises:
      ValueError: the experiment's source has no lexicon.
      DatasetError: the recording is damaged, or holds no structure.
      StoppedError, DivergedError, CheckpointError, MeshError: see `fit`.
    """
    lexicon = config.lexicon
    if config.words is None or lexicon is None:
        return None
    moments = read_moments(recorded(config, data or data_folder(config, folder)))
    scenes = Scenes.of(config.recording.source.spec, moments)
    return train_words(config.words, lexicon, moments, scenes, folder, config.seed, config.mesh)


def _camera(
    config: ExperimentConfig, folder: Path, latents: EpisodeDataset, walks: EpisodeDataset, init_from: Params | None
) -> Params:
    """Returns the camera of the dynamics, which has learned to read the lattice off latents, and to move from walks."""
    learning = config.camera
    assert learning is not None, "only experiments with a camera are asked"
    read = lattice_stage(config.dynamics, learning.reading, latents, config.seed)
    read = _begun(read, None if init_from is None else init_from.get("camera"), "lattice")
    lattice = _trained(config, folder, read, learning.reading)
    moving = _begun(camera_stage(config.dynamics, learning, walks, config.seed), init_from, "camera")
    return _trained(config, folder, _beginning(moving, "lattice", lattice), learning.training)


def _trained(config: ExperimentConfig, folder: Path, stage: Stage, training: TrainConfig) -> Params:
    """Returns the averaged parameters of a stage, for whatever follows on this host."""
    return on_host(fit(stage, training, folder / stage.name, config.seed, config.mesh).average)


def finished(config: ExperimentConfig, folder: Path) -> tuple[WorldNetwork, Params]:
    """Returns the world of a run as it stands: averaged parameters of the newest checkpoints of its furthest stages.

    Raises:
      CheckpointError: a stage has no checkpoint yet.
    """
    begun = [name for name in config.dynamics_stages if (folder / name / "checkpoints").is_dir()]
    last = begun[-1] if begun else "dynamics"
    first = functools.partial(tokenizer.init, config.tokenizer)
    second = functools.partial(dynamics.init, config.dynamics)
    params = {
        "tokenizer": restored(first, config.tokenizer_training, folder / "tokenizer"),
        "dynamics": restored(second, config.dynamics_stages[last], folder / last),
    }
    if config.painter is not None:
        third = functools.partial(painter.init, config.painter.network)
        params["painter"] = restored(third, config.painter.training, folder / "painter")
    return config.network, params


def finished_judge(config: ExperimentConfig, folder: Path) -> tuple[JudgeConfig, Params]:
    """Returns the judge of a run as it stands.

    Raises:
      CheckpointError: the run trains no judge, or has no checkpoint of it yet.
    """
    if config.judge is None:
        raise CheckpointError(f"The experiment {config.name} trains no judge; give it one in its configuration file.")
    init = functools.partial(inverse_dynamics.init, config.judge.network)
    return config.judge.network, restored(init, config.judge.training, folder / "judge")


def data_folder(config: ExperimentConfig, folder: Path) -> Path:
    """Returns where the recording of a run is unless one is given: where it came from, or inside the run."""
    source = config.recording.source
    return Path(source.folder) if isinstance(source, Recorded) else folder / "data"


def recorded(config: ExperimentConfig, folder: Path) -> EpisodeDataset:
    """Returns the training data in `folder`, recording it first where it is not there."""
    return _recorded(config.recording, folder)


def _recorded(recording: RecordConfig, folder: Path) -> EpisodeDataset:
    def make() -> None:
        with progress_bar("recording", recording.frames) as progress:
            record(recording, folder, progress)

    once((folder / MANIFEST).exists, make)
    return EpisodeDataset(folder)


def cached(config: ExperimentConfig, params: Params, dataset: EpisodeDataset, folder: Path) -> EpisodeDataset:
    """Returns the latents of `dataset` under a tokenizer, encoding them first where they are not there."""
    canvas, jitter = config.dynamics.map, config.map_jitter
    encode = frame_encoder(config.tokenizer, params, canvas, jitter=jitter, seed=config.seed)
    made_with = tree_digest(params) + (f" {canvas} {jitter}" if canvas else "")

    def make() -> None:
        with progress_bar("latents", dataset.frames) as progress:
            cache_latents(dataset, encode, made_with, folder, progress)

    once((folder / MANIFEST).exists, make)
    return cache_latents(dataset, encode, made_with, folder)


def _tokenizer_stage(config: ExperimentConfig, dataset: EpisodeDataset) -> Stage:
    return tokenizer_stage(config.tokenizer, config.tokenizer_loss, config.tokenizer_training, dataset, config.seed)


def _dynamics_stage(
    config: ExperimentConfig, latents: EpisodeDataset, dataset: EpisodeDataset, tokenizer_params: Params
) -> Stage:
    sample = _sampler(config.network, dataset, tokenizer_params)
    return dynamics_stage(config.dynamics, config.dynamics_loss, config.dynamics_training, latents, config.seed, sample)


def _sampler(network: WorldNetwork, dataset: EpisodeDataset, tokenizer_params: Params) -> Sample:
    """Returns what writes a clip of the longest episode: truth on the left, the model on the right."""

    @jax.jit
    def play(params: Params, frames: Array, actions: Array) -> Array:
        context = SAMPLE_CONTEXT
        state = network.encode(params, frames[:context], actions[: context - 1], jax.random.key(0))
        return rollout(network, params, state, actions[context - 1 :])[1]

    def sample(params: Params, path: Path) -> None:
        episode = dataset[int(np.argmax(dataset.lengths))]
        assert episode.frames is not None, "the tokenizer has just been trained on them"
        frames = episode.frames[: SAMPLE_CONTEXT + SAMPLE_TICKS]
        actions = jnp.asarray(episode.actions[: len(frames) - 1])
        drawn = play({"tokenizer": tokenizer_params, "dynamics": params}, jnp.asarray(frames), actions)
        pairs = np.concatenate([frames[SAMPLE_CONTEXT:], np.asarray(drawn)], axis=2)
        write_clip(path.with_suffix(".webp"), pairs, rate=network.spec.frame.rate, scale=4)

    return sample


def restored(init: Callable[[PRNGKey], Params], training: TrainConfig, folder: Path) -> Params:
    """Returns the averaged parameters of the newest checkpoint of the stage in `folder`.

    Raises:
      CheckpointError: it has none yet.
    """
    checkpoints = Checkpoints(folder / "checkpoints")
    try:
        begin = functools.partial(TrainState.begin, optimizer=training.optimizer.build(training.steps))
        shapes = jax.eval_shape(lambda key: begin(init(key), key=key), jax.random.key(0))
        here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
        restored = checkpoints.restore(jax.tree.map(lambda x: x.update(sharding=here), shapes))
    finally:
        checkpoints.close()
    if restored is None:
        raise CheckpointError(f"{folder} has no checkpoint yet; let this stage train first.")
    return restored.state.average


def _beginning(stage: Stage, name: str, params: Params) -> Stage:
    """Lets a stage begin with a part that has been trained before."""
    return dataclasses.replace(stage, init=lambda key: {**stage.init(key), name: params})


def _begun(stage: Stage, init_from: Params | None, part: str) -> Stage:
    """Lets a stage begin with a finished world's parameters of the modules that it has; others are drawn."""
    if init_from is None or part not in init_from:
        return stage
    shapes = jax.tree.map(jnp.shape, jax.eval_shape(stage.init, jax.random.key(0)))
    known = {name: module for name, module in init_from[part].items() if name in shapes}
    given = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), known)
    if shapes | jax.tree.map(jnp.shape, given) != shapes:
        raise ValueError(f"The {part} of the world to begin from has other shapes than this experiment's; match sizes.")
    return dataclasses.replace(stage, init=lambda key, init=stage.init: {**init(key), **given})
