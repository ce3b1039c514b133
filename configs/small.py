"""A CoinRun-like world of 67 million parameters, for one accelerator; 64², 128² or 256² frames.

    oyster train configs/small.py                 # 64²
    oyster plan configs/small.py --topology v5e:2x2

Not trained yet. What it costs on a TPU, at the least, is what `oyster plan` says.
"""

from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.sized import sized


def get_config(frame: int = 64) -> ExperimentConfig:
    """Returns the experiment for frames of `frame` pixels a side."""
    return sized("small", frame, frames=4_000_000, steps=20_000, batch=64, window=48, learning_rate=2e-3)
