"""A CoinRun-like world of 9.1 billion parameters, for a TPU slice; 64², 128² or 256² frames.

    oyster plan configs/xl.py --topology tpu7x:4x4x4
    oyster train configs/xl.py --cluster.pod      # on every host of the slice

Not trained yet. What it costs, at the least, is what `oyster plan` says.
"""

from oyster_jax.parallel.mesh import MeshConfig
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.sized import sized


def get_config(frame: int = 64) -> ExperimentConfig:
    """Returns the experiment for frames of `frame` pixels a side."""
    return sized(
        "xl",
        frame,
        frames=100_000_000,
        steps=150_000,
        batch=256,
        window=64,
        learning_rate=4e-4,
        mesh=MeshConfig(fsdp=64, tensor=4),
    )
