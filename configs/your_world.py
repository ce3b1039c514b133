"""A world of your own, from a recording that `oyster import` or `oyster record` wrote; see docs/your-world.md.

    oyster train configs/your_world.py:data=FOLDER
    oyster train configs/your_world.py:data=FOLDER,steps=2000,size=small

Frames and actions are those of the recording.
"""

from oyster_jax.models.presets import Size
from oyster_jax.train.experiment import ExperimentConfig
from oyster_jax.train.own import own_world


def get_config(data: str, size: Size = "nano", steps: int = 400) -> ExperimentConfig:
    """Returns the experiment for the recording in the folder `data`."""
    return own_world(data, size=size, steps=steps)
