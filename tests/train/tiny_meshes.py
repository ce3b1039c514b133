"""`configs/coinrun_tiny.py`, smaller still and without self-rollouts: a run of seconds that can be cut eight ways."""

import dataclasses
from pathlib import Path

from oyster_jax.cli.train import load_experiment
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.optimizer import OptimizerConfig

_TINY = Path(__file__).resolve().parents[2] / "configs" / "coinrun_tiny.py"


def get_config() -> ExperimentConfig:
    """Returns the experiment."""
    tiny = load_experiment(_TINY)
    small = {"features": 16, "heads": 2}
    # Muon takes longer to compile than all the rest, and has tests of its own on other meshes.
    training = dataclasses.replace(
        tiny.dynamics_training,
        window=4,
        checkpoint_every=20,
        optimizer=OptimizerConfig(name="adamw", learning_rate=1e-3, warmup=2),
    )
    return dataclasses.replace(
        tiny,
        tokenizer=dataclasses.replace(tiny.tokenizer, patch=32, **small),
        tokenizer_training=dataclasses.replace(training, steps=2),
        dynamics=dataclasses.replace(tiny.dynamics, tokens=4, columns=2, groups=1, memory_heads=0, **small),
        dynamics_training=dataclasses.replace(training, steps=40),
        self_rollouts=(),
    )
