"""Craftax-Classic with its structure and its words, on two CPU cores: the world that ships as `craftax`.

    oyster train configs/craftax_nano.py
    oyster eval --world craftax --quick

Cost on two cores of a Xeon (AMX), beside much other work: recording 4 minutes, tokenizer 19, latents 2, dynamics 40,
self-rollouts 14, words 14. Expected of `oyster eval --quick`: PSNR 25.4 dB after 1 tick (copy-last-frame + 5.6),
tokenizer 38.9 dB, tiles and creatures told and drawn above 99 %, 84 % of collected and made things counted right, 56 %
of events and 94 % of facts of unseen combinations come true. The card has all of them.

What was tried on the way, counted right after collecting, after making tools, and events that came about (32 and 24
moments a kind):

| dynamics | steps | collecting | tools | events |
|---|---|---|---|---|
| errors weighted by signal level (ramp 0.9), no level zero, all tokens alike | 1,020 | 6 % | 19 % | 27 % |
| half of the levels zero, no ramp, tokens weighted (`EmphasisConfig`) | 300 | 67 % | 50 % | 54 % |
| the same | 1,500 | 92 % | 92 % | 50 % |
| and self-rollouts of 8 ticks, creatures weighted 16 | 400 more | 90 % | 88 % | 56 % |

A token a tile (merge 1, 128 features) trained at 80 frames/s where nine tiles a token (merge 3, 256 features) did at
250, and had a loss of 0.32 after two minutes where the other had 0.18.
"""

import dataclasses
from typing import Any, Literal

from oyster_jax.data.record import RecordConfig
from oyster_jax.data.sources import craftax_events
from oyster_jax.data.sources.craftax import Craftax
from oyster_jax.diffusion.objective import ObjectiveConfig
from oyster_jax.models.presets import preset
from oyster_jax.models.structure import StructureConfig
from oyster_jax.models.world_model import SamplerConfig
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.dynamics import DynamicsLossConfig
from oyster_jax.train.emphasis import EmphasisConfig
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.train.tokenizer import TokenizerLossConfig
from oyster_jax.train.words import WordsTraining


def get_config(part: Literal["trunk", "fine", "whole"] = "whole") -> ExperimentConfig:
    """Returns the experiment; `trunk` is what the dynamics of `fine` begins with, and `fine` what the whole does."""
    source = Craftax(events=0.2)
    spec = source.spec
    tokenizer, dynamics = preset("nano")
    # A patch is a tile.
    structure = StructureConfig.of(spec, {"facing_x": 1.0, "facing_y": 1.0, "health": 9.0})
    tokenizer = dataclasses.replace(tokenizer, height=63, width=63, patch=7, features=128, heads=2, structure=structure)
    head: dict[str, Any] = {"head_depth": 2, "fine_head": 128}
    if part == "trunk":
        head = {"head_depth": 3, "posterior": True}
    dynamics = dataclasses.replace(
        dynamics, tokens=tokenizer.tokens, columns=tokenizer.columns, merge=3,
        actions=spec.action.count, events=len(craftax_events.EVENTS.names), **head,
    )  # fmt: skip
    trunk = OptimizerConfig(learning_rate=4e-3, warmup=60, decay=0.4)
    fine = OptimizerConfig(learning_rate=3e-3, warmup=40, decay=0.6)
    base = ExperimentConfig(
        name="craftax_nano",
        seed=0,
        recording=RecordConfig(
            source=source, frames=320_000, levels=(0, 200_000), seed=1, policy="scripted*5,explore*3,sticky,random"
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
            objective=ObjectiveConfig(ramp=0.0, zero=0.35, bootstrap=0.125),
            emphasis=EmphasisConfig(events=4.0),
            event_dropout=0.15,
        ),
        dynamics_training=TrainConfig(steps=3000, batch=12, window=25, average_decay=0.998, optimizer=trunk),
    )
    if part == "trunk":
        return base
    if part == "fine":
        training = dataclasses.replace(base.dynamics_training, steps=800, average_decay=0.996, optimizer=fine)
        return dataclasses.replace(base, dynamics_training=training)
    last = OptimizerConfig(learning_rate=1.5e-3, warmup=20, decay=0.8)
    even = EmphasisConfig(creatures=0.0, near=4.0, counts=4.0, events=4.0)
    return dataclasses.replace(
        base,
        dynamics_loss=dataclasses.replace(base.dynamics_loss, emphasis=even),
        dynamics_training=TrainConfig(steps=300, batch=12, window=25, average_decay=0.99, optimizer=last),
        sampler=SamplerConfig(steps=4),
        words=WordsTraining(),
    )
