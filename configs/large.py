"""A CoinRun-like world of 1.75 billion parameters, for a TPU slice; 64², 128² or 256² frames.

    oyster plan configs/large.py --topology v5p:4x4x8
    oyster train configs/large.py --cluster.pod   # on every host of the slice

Not trained yet. What it costs, at the least, is what `oyster plan` says.
"""

from oyster_jax.parallel.mesh import MeshConfig
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.sized import sized


def get_config(frame: int = 64) -> ExperimentConfig:
    """Returns the experiment for frames of `frame` pixels a side."""
    return sized(
        "large",
        frame,
        frames=50_000_000,
        steps=100_000,
        batch=512,
        window=64,
        learning_rate=7e-4,
        mesh=MeshConfig(fsdp=64, tensor=2),
    )
