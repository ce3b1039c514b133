"""CoinRun, plain look, on two CPU cores: the world that ships as `coinrun`.

    oyster train configs/coinrun_nano.py

Cost: recording 4 minutes, tokenizer 15 to 25, latents 12, dynamics 40; 1.1 hours of training in all on two cores of a
Zen 4 EPYC, where dynamics trains at 210 to 260 frames/s. Expected of `oyster eval --world coinrun`: PSNR 28.1 dB after
1 tick (copy-last-frame + 11.4), 19.9 dB after 8 (+ 10.8), tokenizer 39.6 dB, ΔPSNR at 4 ticks 8.5 dB.

What was tried on the way:

- Dynamics with a learning rate of 2e-3 and two head layers, after 110 steps: loss 0.143; 4e-3 and one layer: 0.123. Two
  layers would also make the weights larger than 16 MB.
- Tokenizer with 2e-3 after 19,000 frames: 30.3 dB; 5e-3: 30.9 dB.
- Tokenizer without the norm before tanh: latents saturate (standard deviation 0.93) and act as bits.
"""

import dataclasses

from oyster_jax.data.record import RecordConfig
from oyster_jax.data.sources.procgen import Procgen
from oyster_jax.diffusion.objective import ObjectiveConfig
from oyster_jax.models.heads import HeadsConfig
from oyster_jax.models.presets import preset
from oyster_jax.models.spatial_map import MapConfig
from oyster_jax.train.dynamics import DynamicsLossConfig
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.judge import JudgeTraining
from oyster_jax.train.loop import TrainConfig
from oyster_jax.train.optimizer import OptimizerConfig
from oyster_jax.train.self_rollout import SelfRolloutConfig
from oyster_jax.train.tokenizer import TokenizerLossConfig


def self_rollout(ticks: int, steps: int) -> SelfRolloutConfig:
    """Returns a stage of rollouts of `ticks` of its own, after eight true frames."""
    optimizer = OptimizerConfig(learning_rate=1e-3, warmup=10, decay=0.5)
    training = TrainConfig(steps=steps, batch=12, window=8 + ticks, average_decay=0.99, optimizer=optimizer)
    return SelfRolloutConfig(context=8, training=training)


def get_config() -> ExperimentConfig:
    """Returns the experiment."""
    tokenizer, dynamics = preset("nano")
    dynamics = dataclasses.replace(
        dynamics,
        space_layers=1,
        head_depth=3,
        memory_heads=0,
        map=MapConfig(),
        # Agent, saws, enemies and crates, by the simulator's type ids.
        readouts=HeadsConfig(entity_types=(0, 2, 5, 20)),
    )
    return ExperimentConfig(
        name="coinrun_nano",
        seed=0,
        recording=RecordConfig(
            source=Procgen(game="coinrun", entities=True), frames=600_000, levels=(0, 200_000), seed=1
        ),
        tokenizer=tokenizer,
        tokenizer_loss=TokenizerLossConfig(noise=0.05),
        tokenizer_training=TrainConfig(
            steps=2400,
            batch=32,
            window=4,
            average_decay=0.995,
            optimizer=OptimizerConfig(learning_rate=5e-3, warmup=50, decay=0.4),
        ),
        dynamics=dynamics,
        dynamics_loss=DynamicsLossConfig(objective=ObjectiveConfig(ramp=0.0, zero=0.5, bootstrap=0.125)),
        dynamics_training=TrainConfig(
            steps=2000,
            batch=12,
            window=25,
            average_decay=0.998,
            optimizer=OptimizerConfig(learning_rate=4e-3, warmup=60, decay=0.4),
        ),
        self_rollouts=(self_rollout(ticks=4, steps=150), self_rollout(ticks=16, steps=200)),
        judge=JudgeTraining(),
    )
