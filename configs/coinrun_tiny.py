"""CoinRun at a size that learns little, but fast: to try out a mesh, a cluster or a change.

    oyster train configs/coinrun_tiny.py
    oyster launch -n 4 -- train configs/coinrun_tiny.py --mesh.fsdp 2
    tools/torture meshes
    tools/torture launch

Cost: all stages in 75 s on one CPU device of a busy machine of two cores. Expected: the loss of the tokenizer falls
from 18.6 to 4.0, that of the dynamics from 0.28 to 0.14. Everything can be cut eight ways over a batch, and four ways
over heads.
"""

from oyster_jax.data.record import RecordConfig
from oyster_jax.data.sources.procgen import Procgen
from oyster_jax.models.dynamics import DynamicsConfig
from oyster_jax.models.tokenizer import TokenizerConfig
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.dynamics import DynamicsLossConfig
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.train.self_rollout import SelfRolloutConfig
from oyster_jax.train.tokenizer import TokenizerLossConfig


def training(steps: int, window: int, learning_rate: float) -> TrainConfig:
    """Returns how a stage trains: every step is logged, every tenth kept."""
    optimizer = OptimizerConfig(learning_rate=learning_rate, warmup=10)
    return TrainConfig(
        steps=steps, batch=8, window=window, optimizer=optimizer, log_every=1, checkpoint_every=10, sample_every=1000
    )


def get_config() -> ExperimentConfig:
    """Returns the experiment."""
    return ExperimentConfig(
        name="coinrun_tiny",
        seed=0,
        recording=RecordConfig(source=Procgen(game="coinrun"), frames=4000, levels=(0, 50), seed=1, environments=8),
        tokenizer=TokenizerConfig(
            patch=16, channels=8, features=32, heads=4, encoder_depth=1, renderer_depth=1, dtype="float32"
        ),
        tokenizer_loss=TokenizerLossConfig(),
        tokenizer_training=training(steps=200, window=2, learning_rate=3e-3),
        dynamics=DynamicsConfig(
            tokens=16,
            columns=4,
            channels=8,
            features=32,
            heads=4,
            head_depth=1,
            window=4,
            memory_heads=2,
            memory_features=8,
            dtype="float32",
        ),
        dynamics_loss=DynamicsLossConfig(),
        dynamics_training=training(steps=200, window=8, learning_rate=1e-3),
        self_rollouts=(SelfRolloutConfig(context=4, training=training(steps=20, window=8, learning_rate=1e-3)),),
    )
