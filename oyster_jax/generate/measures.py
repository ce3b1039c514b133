"""What a study keeps of a rollout: pure functions that run where the rollout does, so that no frame need be stored.

A measure is given the rows of one rollout, `[ticks, …]` each as `episodes.play` returns them with the scalars `start`
and `seed`, and those of the study's first intervention under the same policy, start and seed. What no measure looks at
is not kept at all.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from oyster_jax.typing import Array

type Rows = Mapping[str, Array]

#: `function(rows, first)` → an array.
type Function = Callable[[Rows, Rows], Array]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measure:
    """A function with the names of its result's axes.

    Attributes:
      function: pure.
      dimensions: names of the axes of what it returns; one of the ticks is called `tick`.
      units: of the numbers.
      about: what they say.
      across: the function is given the rollouts of a whole block of seeds, `[seeds, …]`, and returns `[seeds, …]`.
        Those that only fill a block up live no tick.
    """

    function: Function
    dimensions: tuple[str, ...] = ()
    units: str = "1"
    about: str = ""
    across: bool = False

    def of(self, rows: Rows, first: Rows) -> Array:
        """Returns what it says of the rollouts of a block of seeds, rows `[seeds, …]`: an array `[seeds, …]`."""
        function = self.function if self.across else jax.vmap(self.function)
        return jnp.asarray(function(rows, first))


def alive(rows: Rows) -> Array:
    """Returns bool `[ticks]`, which of them were lived: beyond the end, actions are unlabelled."""
    return rows["actions"] >= 0


def total_reward(rows: Rows, first: Rows) -> Array:
    """Returns the sum of rewards, the return without discount."""
    del first
    return jnp.sum(rows["rewards"])


def survival(rows: Rows, first: Rows) -> Array:
    """Returns the ticks until the end."""
    del first
    return jnp.sum(alive(rows).astype(jnp.int32))


def ended(rows: Rows, first: Rows) -> Array:
    """Returns whether the world said that the episode ended."""
    del first
    return jnp.any(rows["terminals"])


def displacement(rows: Rows, first: Rows) -> Array:
    """Returns how far the camera got `[2]`, from the first tick to the last that was lived; y downwards."""
    del first
    last = jnp.maximum(survival(rows, rows) - 1, 0)
    return rows["camera"][last] - rows["camera"][0]


def trajectory(rows: Rows, first: Rows) -> Array:
    """Returns where the camera was `[ticks, 2]`; y downwards, NaN beyond the end."""
    del first
    return jnp.where(alive(rows)[:, None], rows["camera"], jnp.nan)


def entities(rows: Rows, first: Rows) -> Array:
    """Returns the tables of entities `[ticks, places, 5]` (type, x, y, vx, vy), NaN where there is none."""
    del first
    return jnp.where(rows["entity_mask"][:, :, None], rows["entities"], jnp.nan)


def rewards(rows: Rows, first: Rows) -> Array:
    """Returns the reward of every tick."""
    del first
    return rows["rewards"]


def actions(rows: Rows, first: Rows) -> Array:
    """Returns the action of every tick, -1 beyond the end."""
    del first
    return rows["actions"]


def spread(rows: Rows, first: Rows) -> Array:
    """Returns how far the latents are from the mean over their block's seeds `[seeds, ticks]`.

    Of n rollouts that are still lived: √(n / (n - 1) · mean square), so that the mean of its square over seeds is the
    variance, the world's own uncertainty; NaN for those that ended and where only one is left.
    """
    del first
    there = alive(rows)
    latents, weight = rows["latents"].astype(jnp.float32), there.astype(jnp.float32)[:, :, None, None]
    count = jnp.sum(weight, axis=0, keepdims=True)
    apart = latents - jnp.sum(latents * weight, axis=0, keepdims=True) / jnp.maximum(count, 1)
    squared = jnp.mean(jnp.square(apart), axis=(2, 3)) * (count / jnp.maximum(count - 1, 1))[:, :, 0, 0]
    return jnp.where(there & (count[:, :, 0, 0] > 1), jnp.sqrt(squared), jnp.nan)


def divergence(rows: Rows, first: Rows) -> Array:
    """Returns how far the latents are from those of the first intervention `[ticks]`, RMS, NaN where one has ended."""
    squared = jnp.square(rows["latents"].astype(jnp.float32) - first["latents"].astype(jnp.float32))
    return jnp.where(alive(rows) & alive(first), jnp.sqrt(jnp.mean(squared, axis=(1, 2))), jnp.nan)


#: Those that a study knows by name.
MEASURES: dict[str, Measure] = {
    "return": Measure(function=total_reward, units="reward", about="sum of rewards"),
    "survival": Measure(function=survival, units="ticks", about="ticks until the end"),
    "ended": Measure(function=ended, units="bool", about="whether the world ended the episode"),
    "displacement": Measure(
        function=displacement, dimensions=("axis",), units="pixels", about="how far the camera got; y downwards"
    ),
    "trajectory": Measure(
        function=trajectory, dimensions=("tick", "axis"), units="pixels", about="where the camera was; y downwards"
    ),
    "entities": Measure(
        function=entities,
        dimensions=("tick", "place", "field"),
        units="type; tiles from the frame's middle, y upwards; tiles/tick",
        about="entities that the world reads out of its frames",
    ),
    "rewards": Measure(function=rewards, dimensions=("tick",), units="reward", about="reward of every tick"),
    "actions": Measure(function=actions, dimensions=("tick",), units="id", about="action of every tick"),
    "divergence": Measure(
        function=divergence, dimensions=("tick",), units="1", about="RMS distance of latents to the first intervention"
    ),
    "spread": Measure(
        function=spread, dimensions=("tick",), units="1", about="RMS deviation of latents over seeds", across=True
    ),
}


def as_measures(given: str | Sequence[str] | Mapping[str, Any]) -> dict[str, Measure]:
    """Returns measures by name: those known, `Measure`s, or bare functions whose result has no axes.

    Args:
      given: names of known ones, or measures by name.

    Raises:
      ValueError: a name is unknown.
    """
    found = {}
    several = [given] if isinstance(given, str) else given
    named = several if isinstance(several, Mapping) else {name: name for name in several}
    for name, value in named.items():
        if isinstance(value, str):
            if value not in MEASURES:
                raise ValueError(f"There is no measure '{value}'; known are {', '.join(MEASURES)}.")
            value = MEASURES[value]
        found[name] = value if isinstance(value, Measure) else Measure(function=value)
    return found
