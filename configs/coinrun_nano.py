"""CoinRun, plain look, on two CPU cores."""

import dataclasses

from oyster_jax.data.record import RecordConfig
from oyster_jax.data.sources.procgen import Procgen
from oyster_jax.diffusion.objective import ObjectiveConfig
from oyster_jax.models.heads import HeadsConfig
from oyster_jax.models.presets import preset
from oyster_jax.train.dynamics import DynamicsLossConfig
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.loop import TrainConfig
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.train.tokenizer import TokenizerLossConfig


def get_config() -> ExperimentConfig:
    """Returns the experiment."""
    tokenizer, dynamics = preset("nano")
    # Agent, saws, enemies and crates, by the simulator's type ids.
    dynamics = dataclasses.replace(dynamics, readouts=HeadsConfig(entity_types=(0, 2, 5, 20)))
    return ExperimentConfig(
        name="coinrun_nano",
        seed=0,
        recording=RecordConfig(
            source=Procgen(game="coinrun", entities=True), frames=600_000, levels=(0, 200_000), seed=1
        ),
        tokenizer=tokenizer,
        tokenizer_loss=TokenizerLossConfig(noise=0.05),
        tokenizer_training=TrainConfig(
            steps=1200,
            batch=32,
            window=4,
            average_decay=0.995,
            optimizer=OptimizerConfig(learning_rate=5e-3, warmup=50, decay=0.4),
        ),
        dynamics=dynamics,
        dynamics_loss=DynamicsLossConfig(objective=ObjectiveConfig(ramp=0.0, zero=0.5)),
        dynamics_training=TrainConfig(
            steps=1800,
            batch=12,
            window=25,
            average_decay=0.998,
            optimizer=OptimizerConfig(learning_rate=4e-3, warmup=60, decay=0.4),
        ),
    )
