"""A CoinRun-like world of 340 million parameters, for a TPU slice; 64², 128² or 256² frames.

    oyster plan configs/base.py --topology v5e:16x16
    oyster plan configs/base.py:frame=256 --topology v5e:16x16 --slices 2
    oyster train configs/base.py --cluster.pod    # on every host of the slice

Not trained yet. What it costs, at the least, is what `oyster plan` says.
"""

from oyster_jax.parallel.mesh import MeshConfig
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.sized import sized


def get_config(frame: int = 64) -> ExperimentConfig:
    """Returns the experiment for frames of `frame` pixels a side."""
    return sized(
        "base",
        frame,
        frames=20_000_000,
        steps=50_000,
        batch=1024,
        window=64,
        learning_rate=1e-3,
        mesh=MeshConfig(fsdp=16),
    )
