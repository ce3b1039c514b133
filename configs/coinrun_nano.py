"""CoinRun, plain look, on two CPU cores."""

from oyster_jax.data.record import RecordConfig
from oyster_jax.data.sources.procgen import Procgen
from oyster_jax.models.tokenizer import TokenizerConfig
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.loop import TrainConfig
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.train.tokenizer import TokenizerLossConfig


def get_config() -> ExperimentConfig:
    """Returns the experiment."""
    return ExperimentConfig(
        name="coinrun_nano",
        seed=0,
        recording=RecordConfig(source=Procgen(game="coinrun", entities=True), frames=600_000, levels=(0, 200_000), seed=1),
        tokenizer=TokenizerConfig(features=192, heads=3, encoder_depth=2, renderer_depth=2),
        tokenizer_loss=TokenizerLossConfig(noise=0.05),
        tokenizer_training=TrainConfig(
            steps=1200,
            batch=32,
            window=4,
            average_decay=0.995,
            optimizer=OptimizerConfig(learning_rate=5e-3, warmup=50, decay=0.4),
        ),
    )
