"""A CoinRun-like world of 8 million parameters, for two CPU cores; 64², 128² or 256² frames.

    oyster train configs/nano.py                  # 64²
    oyster train configs/nano.py:frame=128

What ships as `coinrun` is `configs/coinrun_nano.py` and then `configs/coinrun_camera.py`: this size with a map, a
camera and stages of self-rollouts. Cost and figures stand there.
"""

from oyster_jax.nn.functional import LayersConfig
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.sized import sized


def get_config(frame: int = 64) -> ExperimentConfig:
    """Returns the experiment for frames of `frame` pixels a side."""
    return sized(
        "nano", frame, frames=600_000, steps=2_000, batch=12, window=25, learning_rate=4e-3, layers=LayersConfig()
    )
