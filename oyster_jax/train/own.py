"""An experiment for a recording of one's own: frames and actions come from it, all else from one dial for size."""

import dataclasses
from pathlib import Path

import numpy as np

from oyster_jax.core.spec import FrameSpec
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.manifest import HELD_OUT
from oyster_jax.data.record import RecordConfig
from oyster_jax.data.sources.recorded import Recorded
from oyster_jax.models.dynamics import DynamicsConfig
from oyster_jax.models.presets import Size, preset
from oyster_jax.models.tokenizer import TokenizerConfig
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.dynamics import DynamicsLossConfig
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.train.self_rollout import SelfRolloutConfig
from oyster_jax.train.tokenizer import TokenizerLossConfig

#: Ticks of the windows that the dynamics learns from, where episodes are long enough.
WINDOW = 16

#: Of its own frames, of which the last stage makes so many after so many true ones.
CONTEXT, OWN = 8, 8

#: Windows of the dynamics may be no shorter: half of one is context, and samples show eight frames before they go on.
SHORTEST = 8


def own_world(data: str, *, size: Size = "nano", steps: int = 400) -> ExperimentConfig:
    """Returns an experiment that learns the world of a recording.

    Args:
      data: folder of the recording.
      size: of the networks.
      steps: updates of the dynamics, and of the tokenizer; a quarter as many follow on its own frames.

    Raises:
      DatasetError: there is no recording, it is held out, or its episodes are too short.
      ValueError: there is no such size, or the frames cannot be cut into patches.
    """
    dataset = EpisodeDataset(data)
    about = dataset.manifest.provenance
    if about.split == HELD_OUT:
        raise DatasetError(f"{data} is held out for evaluation; give a recording that may be trained on.")
    window = _window(dataset)
    tokenizer, dynamics = _networks(size, about.spec.frame)
    optimizer = OptimizerConfig(learning_rate=4e-3, warmup=max(10, steps // 20), decay=0.4)
    context = min(CONTEXT, window // 2)

    def training(steps: int, batch: int, window: int, optimizer: OptimizerConfig) -> TrainConfig:
        return TrainConfig(steps=steps, batch=batch, window=window, average_decay=0.99, optimizer=optimizer)

    return ExperimentConfig(
        name=about.spec.name,
        seed=0,
        # Of these figures nothing is recorded: the recording is there.
        recording=RecordConfig(source=Recorded(folder=str(Path(data).resolve())), frames=dataset.frames, levels=(0, 1)),
        tokenizer=tokenizer,
        tokenizer_loss=TokenizerLossConfig(noise=0.05),
        tokenizer_training=training(steps, 16, min(4, window), optimizer),
        dynamics=dataclasses.replace(dynamics, actions=about.spec.action.count),
        dynamics_loss=DynamicsLossConfig(),
        dynamics_training=training(steps, 12, window, optimizer),
        self_rollouts=(
            SelfRolloutConfig(
                context=context,
                training=training(
                    max(1, steps // 4),
                    12,
                    min(window, context + OWN),
                    dataclasses.replace(optimizer, learning_rate=1e-3),
                ),
            ),
        ),
    )


def _networks(size: Size, frame: FrameSpec) -> tuple[TokenizerConfig, DynamicsConfig]:
    """Returns the networks of a preset for frames of any size that its patches can be laid on."""
    side = 64 if frame.height * frame.width <= 128**2 else 256
    tokenizer, dynamics = preset(size, side)
    tokenizer = dataclasses.replace(tokenizer, height=frame.height, width=frame.width)
    merge = dynamics.merge if not (tokenizer.rows % dynamics.merge or tokenizer.columns % dynamics.merge) else 1
    grid = {"tokens": tokenizer.tokens, "columns": tokenizer.columns, "merge": merge}
    return tokenizer, dataclasses.replace(dynamics, **grid)


def _window(dataset: EpisodeDataset) -> int:
    """Returns how long windows may be so that three quarters of all ticks lie in episodes that have them."""
    lengths = np.sort(dataset.lengths)[::-1]
    enough = lengths[np.searchsorted(np.cumsum(lengths), 0.75 * lengths.sum())]
    window = int(min(WINDOW, enough, lengths[0] - 1))
    if window < SHORTEST:
        raise DatasetError(
            f"The episodes of {dataset.folder} are too short to learn from: most of their ticks lie in episodes of "
            f"{enough} or fewer, but {SHORTEST + 1} are needed. Record longer ones."
        )
    return window
