"""The smallest world that can be planned: oyster plan tests/plan/tiny_world.py --topology v5e:2x2."""

from oyster_jax.data.record import RecordConfig
from oyster_jax.data.sources.procgen import Procgen
from oyster_jax.models.dynamics import DynamicsConfig
from oyster_jax.models.tokenizer import TokenizerConfig
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.dynamics import DynamicsLossConfig
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.train.sized import DEEP
from oyster_jax.train.tokenizer import TokenizerLossConfig


def get_config() -> ExperimentConfig:
    """Returns the experiment."""
    training = TrainConfig(steps=100, batch=16, window=8, optimizer=OptimizerConfig(name="adamw"), layers=DEEP)
    return ExperimentConfig(
        name="tiny",
        seed=0,
        recording=RecordConfig(source=Procgen(), frames=1, levels=(0, 10), environments=8),
        tokenizer=TokenizerConfig(features=128, heads=2, encoder_depth=1, renderer_depth=1),
        tokenizer_loss=TokenizerLossConfig(),
        tokenizer_training=training,
        dynamics=DynamicsConfig(features=128, heads=2, groups=2, space_layers=1, head_depth=2, window=8),
        dynamics_loss=DynamicsLossConfig(),
        dynamics_training=training,
    )
