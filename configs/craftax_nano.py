"""Craftax-Classic with its structure, on two CPU cores: frames, tiles, entities and quantities in one latent.

    oyster train configs/craftax_nano.py
    .venv/bin/python tools/structure_figures.py configs/craftax_nano.py RUN --data TRAINING --held-out HELD_OUT

Not trained to its end yet. After 105 steps of 32 frames of the tokenizer (100,000 recorded frames; 62 s of CPU time,
compiling included), on 512 moments of held-out levels, told by latents of frames alone and of structure alone:

| | tiles | creatures, F1 | error of place | quantities shown |
|---|---|---|---|---|
| frames | 96.5 % | 0.558 | 0.20 tiles | 100 % |
| structure | 98.2 % | 0.545 | 0.21 tiles | 100 % |
"""

import dataclasses

from oyster_jax.data.record import RecordConfig
from oyster_jax.data.sources import craftax_events
from oyster_jax.data.sources.craftax import Craftax
from oyster_jax.diffusion.objective import ObjectiveConfig
from oyster_jax.models.presets import preset
from oyster_jax.models.structure import StructureConfig
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.dynamics import DynamicsLossConfig
from oyster_jax.train.emphasis import EmphasisConfig
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.train.self_rollout import SelfRolloutConfig
from oyster_jax.train.tokenizer import TokenizerLossConfig
from oyster_jax.train.words import WordsTraining


def get_config() -> ExperimentConfig:
    """Returns the experiment."""
    source = Craftax(events=0.06)
    spec = source.spec
    tokenizer, dynamics = preset("nano")
    # A patch is a tile.
    structure = StructureConfig.of(spec, {"facing_x": 1.0, "facing_y": 1.0, "health": 9.0})
    tokenizer = dataclasses.replace(tokenizer, height=63, width=63, patch=7, features=128, heads=2, structure=structure)
    dynamics = dataclasses.replace(
        dynamics, tokens=tokenizer.tokens, columns=tokenizer.columns, merge=3,
        actions=spec.action.count, events=len(craftax_events.EVENTS.names), head_depth=2,
    )  # fmt: skip
    return ExperimentConfig(
        name="craftax_nano",
        seed=0,
        recording=RecordConfig(
            source=source, frames=240_000, levels=(0, 200_000), seed=1, policy="scripted*5,explore*3,sticky,random"
        ),
        tokenizer=tokenizer,
        tokenizer_loss=TokenizerLossConfig(noise=0.05),
        tokenizer_training=TrainConfig(
            steps=2000,
            batch=64,
            window=1,
            average_decay=0.995,
            optimizer=OptimizerConfig(learning_rate=5e-3, warmup=50, decay=0.4),
        ),
        dynamics=dynamics,
        dynamics_loss=DynamicsLossConfig(
            objective=ObjectiveConfig(ramp=0.0, zero=0.5, bootstrap=0.125), emphasis=EmphasisConfig()
        ),
        dynamics_training=TrainConfig(
            steps=1500,
            batch=12,
            window=25,
            average_decay=0.998,
            optimizer=OptimizerConfig(learning_rate=4e-3, warmup=60, decay=0.4),
        ),
        self_rollouts=(
            SelfRolloutConfig(
                context=8,
                training=TrainConfig(
                    steps=400,
                    batch=12,
                    window=16,
                    average_decay=0.99,
                    optimizer=OptimizerConfig(learning_rate=2.5e-3, warmup=20, decay=0.6),
                ),
                emphasis=EmphasisConfig(creatures=16.0, counts=16.0, events=2.0),
            ),
        ),
        words=WordsTraining(),
    )
