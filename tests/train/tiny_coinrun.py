"""CoinRun at a size for tests: all stages in seconds.

oyster train tests/train/tiny_coinrun.py --run RUN
"""

from typing import Any

from oyster_jax.data.record import RecordConfig
from oyster_jax.data.sources.procgen import Procgen
from oyster_jax.models.camera import CameraConfig
from oyster_jax.models.dynamics import DynamicsConfig
from oyster_jax.models.heads import HeadsConfig
from oyster_jax.models.sampler import SamplerConfig
from oyster_jax.models.spatial_map import MapConfig
from oyster_jax.models.tokenizer import TokenizerConfig
from oyster_jax.train.camera import CameraTraining
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.dynamics import DynamicsLossConfig
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.train.self_rollout import SelfRolloutConfig
from oyster_jax.train.tokenizer import TokenizerLossConfig

_OFTEN: dict[str, Any] = {"log_every": 1, "checkpoint_every": 4, "sample_every": 1000}


def get_config() -> ExperimentConfig:
    """Returns the experiment."""
    return ExperimentConfig(
        name="tiny_coinrun",
        seed=3,
        recording=RecordConfig(
            source=Procgen(entities=True), frames=2000, levels=(0, 50), seed=1, environments=8
        ),
        tokenizer=TokenizerConfig(
            patch=16, channels=4, features=16, heads=2, encoder_depth=1, renderer_depth=1, dtype="float32"
        ),
        tokenizer_loss=TokenizerLossConfig(patch_dropout=0.3),
        tokenizer_training=TrainConfig(
            steps=14, batch=4, window=2, optimizer=OptimizerConfig(name="adamw", learning_rate=3e-3, warmup=2), **_OFTEN
        ),
        dynamics=DynamicsConfig(
            tokens=16, columns=4, channels=4, merge=2, features=16, heads=2, groups=1, head_depth=1, registers=2,
            window=4, memory_heads=2, memory_features=4, map=MapConfig(),
            camera=CameraConfig(tile=64 / 13, features=16, depth=2, reader=8),
            readouts=HeadsConfig(entity_types=(0, 2, 5)), dtype="float32",
        ),
        camera=CameraTraining(
            training=TrainConfig(
                steps=6, batch=4, window=6, optimizer=OptimizerConfig(learning_rate=1e-3, warmup=1), **_OFTEN
            ),
            reading=TrainConfig(
                steps=4, batch=4, window=2, optimizer=OptimizerConfig(learning_rate=1e-3, warmup=1), **_OFTEN
            ),
            recording=RecordConfig(source=Procgen(entities=True), frames=400, levels=(0, 50), seed=2, environments=4),
        ),
        dynamics_loss=DynamicsLossConfig(),
        dynamics_training=TrainConfig(
            steps=14, batch=4, window=6, optimizer=OptimizerConfig(learning_rate=3e-3, warmup=2), **_OFTEN
        ),
        self_rollouts=(
            SelfRolloutConfig(
                context=2, training=TrainConfig(
                    steps=4, batch=4, window=5, optimizer=OptimizerConfig(learning_rate=1e-3, warmup=1), **_OFTEN
                ), sampler=SamplerConfig(steps=2),
            ),
        ),
    )  # fmt: skip
