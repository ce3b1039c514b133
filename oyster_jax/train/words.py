"""What lets a world be made from a sentence: a text encoder and a scene model, each with its own short training."""

import dataclasses
import random
from collections.abc import Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import optax

from oyster_jax.core.facts import Moments, holds
from oyster_jax.data.captions import Lexicon
from oyster_jax.data.foreign import foreign_sentence, mistyped
from oyster_jax.data.scenes import Scenes
from oyster_jax.models import scene, text
from oyster_jax.models.scene import SceneConfig
from oyster_jax.models.text import TextConfig
from oyster_jax.parallel.distributed import on_host
from oyster_jax.parallel.mesh import MeshConfig
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.loop import BatchIterator, Stage, fit
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.train.sampled import Sampled
from oyster_jax.train.step import Batch
from oyster_jax.typing import Array, Params, PRNGKey


@dataclasses.dataclass(frozen=True, kw_only=True)
class WordsTraining:
    """How a world learns words.

    Attributes:
      text_features: width of the text encoder.
      text_depth: its layers.
      text: how it trains; a window is a sentence.
      scene_features: width of the scene model.
      scene_depth: its layers.
      scene: how it trains; a window is a moment.
      most: facts that are said of one scene in training.
      unsaid: share of scenes of which nothing is said, for guidance.
    """

    text_features: int = 64
    text_depth: int = 2
    text: TrainConfig = TrainConfig(
        steps=2500,
        batch=64,
        window=1,
        average_decay=0.99,
        optimizer=OptimizerConfig(learning_rate=5e-3, warmup=30, decay=0.4, weight_decay=0.01),
        log_every=50,
    )
    scene_features: int = 96
    scene_depth: int = 3
    scene: TrainConfig = TrainConfig(
        steps=2500,
        batch=64,
        window=1,
        average_decay=0.99,
        optimizer=OptimizerConfig(learning_rate=5e-3, warmup=30, decay=0.4),
        log_every=50,
    )
    most: int = 8
    unsaid: float = 0.12


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainedWords:
    """What was learned.

    Attributes:
      lexicon: what can be said.
      scenes: what the tokens of scenes mean.
      text: sizes of the text encoder.
      text_params: its parameters.
      scene: sizes of the scene model.
      scene_params: its parameters.
    """

    lexicon: Lexicon
    scenes: Scenes
    text: TextConfig
    text_params: Params
    scene: SceneConfig
    scene_params: Params


def train_words(
    config: WordsTraining, lexicon: Lexicon, moments: Moments, scenes: Scenes, folder: Path, seed: int,
    mesh: MeshConfig | None = None,
) -> TrainedWords:  # fmt: skip
    """Trains both, each going on from where it was left.

    Args:
      config: how.
      lexicon: what can be said.
      moments: structure of a recording.
      scenes: what its tokens mean.
      folder: of the run.
      seed: of parameters, sentences and scenes.
      mesh: of devices.

    Raises:
      StoppedError, DivergedError, CheckpointError, MeshError: see `fit`.
    """
    reads, draws = text_config(config, lexicon), scene_config(config, lexicon, scenes)
    learned = []
    for stage, training in (
        (text_stage(reads, lexicon, config.text.batch, seed), config.text),
        (scene_stage(config, draws, lexicon, moments, scenes, seed), config.scene),
    ):
        learned.append(on_host(fit(stage, training, folder / stage.name, seed, mesh).average))
    return TrainedWords(
        lexicon=lexicon, scenes=scenes, text=reads, text_params=learned[0], scene=draws, scene_params=learned[1]
    )


def text_config(config: WordsTraining, lexicon: Lexicon) -> TextConfig:
    """Returns the text encoder for a lexicon: a label for each fact, then one for each event."""
    labels = len(lexicon.facts) + len(lexicon.events)
    return TextConfig(labels=labels, features=config.text_features, depth=config.text_depth)


def scene_config(config: WordsTraining, lexicon: Lexicon, scenes: Scenes) -> SceneConfig:
    """Returns the scene model for what a recording holds."""
    tiles = scenes.spec.tiles
    assert tiles is not None
    return SceneConfig(
        tiles=tiles.rows * tiles.columns,
        symbols=len(scenes.symbols),
        agent=tiles.agent[0] * tiles.columns + tiles.agent[1],
        standing=scenes.standing,
        levels=scenes.levels,
        facts=len(lexicon.facts),
        features=config.scene_features,
        depth=config.scene_depth,
    )


def text_stage(config: TextConfig, lexicon: Lexicon, batch: int, seed: int) -> Stage:
    """Returns the stage that trains a text encoder on sentences of the grammar, and on such that say nothing."""

    def loss(params: Params, batch: Batch, key: PRNGKey) -> tuple[Array, dict[str, Array]]:
        del key
        logits = text.bind(config, params)(batch["text"])
        each = optax.sigmoid_binary_cross_entropy(logits, batch["labels"]) * batch["counted"]
        right = jnp.all(((logits > 0) == (batch["labels"] > 0)) | (batch["counted"] == 0), axis=-1)
        return jnp.sum(each) / len(logits), {"right": jnp.mean(right.astype(jnp.float32))}

    def make(number: int) -> dict[str, np.ndarray]:
        generator = random.Random(seed * 1_000_003 + number)
        rows = [_sentence(lexicon, generator) for _ in range(batch)]
        return {
            "text": np.stack([text.tokens(config, row[0]) for row in rows]),
            "labels": np.stack([row[1] for row in rows]),
            "counted": np.stack([row[2] for row in rows]),
        }

    def batches(rows: Sequence[int] | None = None) -> BatchIterator:
        return Sampled(make, rows)

    return Stage(name="text", init=lambda key: text.init(config, key), loss=loss, batches=batches)


def _sentence(lexicon: Lexicon, generator: random.Random) -> tuple[str, np.ndarray, np.ndarray]:
    """Returns a text, the labels that it says, and which labels it tells of at all.

    What may happen and what may be are said alike ("a zombie to the left"), so each tells of its own labels only.
    """
    facts, events = len(lexicon.facts), list(lexicon.events)
    labels, counted = np.zeros((2, facts + len(events)), np.float32)
    what = generator.random()
    if what < 0.65:
        counted[:facts] = 1
        chosen = lexicon.choose(np.arange(facts), generator.randint(1, 6), generator)
        labels[chosen] = 1
        said = lexicon.caption(chosen, generator)
        if generator.random() < 0.15:
            said = f"{said}, {foreign_sentence(generator)}"
    elif what < 0.9:
        counted[facts:] = 1
        event = generator.randrange(len(events))
        labels[facts + event] = 1
        said = lexicon.event(events[event], generator)
    else:
        counted[:] = 1
        said = foreign_sentence(generator)
    return mistyped(said, generator), labels, counted


def scene_stage(
    config: WordsTraining, sizes: SceneConfig, lexicon: Lexicon, moments: Moments, scenes: Scenes, seed: int
) -> Stage:
    """Returns the stage that trains a scene model on moments of which some facts are said."""
    tokens, held = scenes.tokens(moments), holds(scenes.spec, lexicon.facts, moments)

    def loss(params: Params, batch: Batch, key: PRNGKey) -> tuple[Array, dict[str, Array]]:
        return scene.loss(sizes, params, batch["scene"], batch["said"], key)

    def make(number: int) -> dict[str, np.ndarray]:
        generator = random.Random(seed * 1_000_003 + number)
        rows = [generator.randrange(len(tokens)) for _ in range(config.scene.batch)]
        said = np.zeros((len(rows), sizes.said), np.int32)
        for place, row in enumerate(rows):
            if generator.random() >= config.unsaid:
                count = generator.randint(1, config.most)
                chosen = lexicon.choose(np.flatnonzero(held[row]), count, generator)
                said[place, : len(chosen)] = np.array(chosen, np.int32) + 1
        return {"scene": tokens[rows], "said": said}

    def batches(rows: Sequence[int] | None = None) -> BatchIterator:
        return Sampled(make, rows)

    return Stage(name="scene", init=lambda key: scene.init(sizes, key), loss=loss, batches=batches)
