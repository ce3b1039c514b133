"""What each part of the dynamics is worth: CoinRun dynamics that differ in one thing, trained with the same operations.

tools/ablate                                                   # all of them, on one recording, and the table
oyster train configs/coinrun_ablations.py:variant=fine-head    # one of them as a world of its own
"""

import dataclasses
from typing import Any

from oyster_jax.data.record import RecordConfig
from oyster_jax.data.sources.procgen import Procgen
from oyster_jax.diffusion.objective import ObjectiveConfig
from oyster_jax.models.presets import preset
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.dynamics import DynamicsLossConfig
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.train.tokenizer import TokenizerLossConfig

#: What is otherwise than in `plain`: of the dynamics, of its loss, and of its objective.
VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}, {}),
    "deep-head": ({"groups": 1, "head_depth": 4}, {}, {}),
    "shallow-head": ({"head_depth": 1}, {}, {}),
    "fine-head": ({"fine_head": 96}, {}, {}),
    "fine-head-current": ({"fine_head": 96, "fine_current": True}, {}, {}),
    "posterior": ({"posterior": True}, {}, {}),
    "memory": ({"memory_heads": 4}, {}, {}),
    "ring-4": ({"window": 4}, {}, {}),
    "tokens-64": ({"merge": 1}, {}, {}),
    "tokens-4": ({"merge": 4}, {}, {}),
    "clean-history": ({}, {"history_noise": 0.0}, {}),
    "levels-even": ({}, {}, {"zero": 0.0}),
    "ramp": ({}, {}, {"ramp": 0.9}),
    "one-size": ({}, {}, {"bootstrap": 0.0}),
}


def get_config(variant: str = "plain") -> ExperimentConfig:
    """Returns the experiment of one variant."""
    if variant not in VARIANTS:
        raise ValueError(f"there is no variant '{variant}', only {', '.join(VARIANTS)}")
    size, loss, objective = VARIANTS[variant]
    common = ObjectiveConfig(ramp=0.0, zero=0.5, bootstrap=0.125)
    tokenizer, dynamics = preset("nano")
    dynamics = dataclasses.replace(dynamics, features=160, space_layers=1, head_depth=2, memory_heads=0)
    return ExperimentConfig(
        name=f"coinrun_{variant}",
        seed=0,
        recording=RecordConfig(source=Procgen(game="coinrun"), frames=100_000, levels=(0, 200_000), seed=1),
        tokenizer=tokenizer,
        tokenizer_loss=TokenizerLossConfig(noise=0.05),
        tokenizer_training=TrainConfig(
            steps=2400,
            batch=32,
            window=4,
            average_decay=0.995,
            optimizer=OptimizerConfig(learning_rate=5e-3, warmup=50, decay=0.4),
        ),
        dynamics=dataclasses.replace(dynamics, **size),
        dynamics_loss=DynamicsLossConfig(objective=dataclasses.replace(common, **objective), **loss),
        dynamics_training=TrainConfig(
            steps=400,
            batch=12,
            window=16,
            average_decay=0.99,
            optimizer=OptimizerConfig(learning_rate=5e-3, warmup=25, decay=0.4),
        ),
    )
