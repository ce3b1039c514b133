"""How one stage trains."""

import dataclasses

from oyster_jax.nn.functional import LayersConfig
from oyster_jax.train.optimizer import OptimizerConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How long and how one stage trains.

    Attributes:
      steps: updates.
      batch: windows a step.
      window: ticks a window.
      average_decay: of the exponential moving average of the parameters.
      optimizer: what updates them.
      accumulate: parts in which a batch goes through the model, one after the other, for one update.
      layers: what of the layers is kept for the gradient.
      log_every: steps between lines of metrics.
      checkpoint_every: steps between checkpoints.
      sample_every: steps between sample clips.
      wandb_project: also log to Weights & Biases under this name.
    """

    steps: int
    batch: int
    window: int
    average_decay: float = 0.999
    optimizer: OptimizerConfig = OptimizerConfig()
    accumulate: int = 1
    layers: LayersConfig = LayersConfig()
    log_every: int = 10
    checkpoint_every: int = 200
    sample_every: int = 500
    wandb_project: str | None = None

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"A stage trains for at least one step, but {self.steps} were asked for.")
        if self.accumulate < 1 or self.batch % self.accumulate:
            raise ValueError(
                f"A batch of {self.batch} windows cannot go through the model in {self.accumulate} equal parts; choose "
                "a number that divides it."
            )
