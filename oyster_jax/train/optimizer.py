"""The optimizer: Muon or AdamW under a warm-up, stable, decay schedule."""

import dataclasses
from typing import Any, Literal

import jax
import optax
from optax import contrib

from oyster_jax.typing import Params


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """Muon (arXiv 2502.16982) for matrices and AdamW for the rest, or AdamW (arXiv 1711.05101) for all.

    Attributes:
      name: which of the two.
      learning_rate: at the plateau; Muon's updates are scaled to the size of AdamW's, so one range serves both.
      warmup: steps from zero to the plateau.
      decay: share of all steps, at the end, over which the rate falls linearly to zero (WSD, arXiv 2404.06395).
      weight_decay: decoupled, on matrices only.
      clip: global gradient norm above which gradients are scaled down.
      still: parts of the parameters that stay as they are, by the first part of their name. A camera is trained by
        itself, as what reads the lattice is before, and nothing of what they then are part of teaches them anything.
    """

    name: Literal["muon", "adamw"] = "muon"
    learning_rate: float = 2e-3
    warmup: int = 100
    decay: float = 0.3
    weight_decay: float = 0.05
    clip: float = 1.0
    still: tuple[str, ...] = ("camera", "lattice")

    def __post_init__(self) -> None:
        if not 0 <= self.decay <= 1:
            raise ValueError(f"The decay phase is a share of the run between 0 and 1, but was {self.decay}.")

    def schedule(self, steps: int) -> optax.Schedule:
        """Returns the learning rate as a function of the step."""
        decay = max(1, int(steps * self.decay))
        return optax.join_schedules(
            [
                optax.linear_schedule(0.0, self.learning_rate, max(1, self.warmup)),
                optax.constant_schedule(self.learning_rate),
                optax.linear_schedule(self.learning_rate, 0.0, decay),
            ],
            [self.warmup, max(self.warmup, steps - decay)],
        )

    def build(self, steps: int) -> optax.GradientTransformation:
        """Returns the transformation for a run of `steps` steps."""
        schedule = self.schedule(steps)
        if self.name == "muon":
            update = contrib.muon(
                schedule,
                weight_decay=self.weight_decay,
                adam_b2=0.99,
                consistent_rms=0.2,
                muon_weight_dimension_numbers=_matrices,
            )
        else:
            update = optax.adamw(schedule, b2=0.99, weight_decay=self.weight_decay, mask=_is_matrix)
        return optax.chain(optax.clip_by_global_norm(self.clip), update, *map(_held, self.still))


def _held(name: str) -> optax.GradientTransformation:
    """Leaves the parameters under one name as they are."""

    def chosen(params: Params) -> Any:
        return jax.tree_util.tree_map_with_path(
            lambda path, _: jax.tree_util.keystr(path[:1], simple=True) == name, params
        )

    return optax.masked(optax.set_to_zero(), chosen)


def _is_matrix(params: Params) -> Any:
    """Marks the kernels of dense layers, which may be stacked; embeddings, biases and gains are not."""
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: jax.tree_util.keystr(path[-1:], simple=True) == "kernel" and leaf.ndim >= 2, params
    )


def _matrices(params: Any) -> Any:
    """Tells Muon which axes are in and out; leading axes are stacked layers."""
    return jax.tree.map(
        lambda matrix, leaf: contrib.MuonDimensionNumbers(leaf.ndim - 2, leaf.ndim - 1) if matrix else None,
        _is_matrix(params),
        params,
    )
