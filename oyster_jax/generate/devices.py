"""Episodes on many devices: each device plays a block of its own, and all of them run one program.

The block is as large whatever the number of devices: XLA may round the last bit differently for another batch size, but
the program of one device does not know of the others.
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int32

from oyster_jax.core.model import WorldModel
from oyster_jax.core.tick import COMPILER_OPTIONS
from oyster_jax.generate import episodes
from oyster_jax.generate.episodes import Kept, Playing
from oyster_jax.generate.policies import Policy
from oyster_jax.generate.starts import Starts
from oyster_jax.parallel import rules
from oyster_jax.parallel.batch import over_worlds, sharded
from oyster_jax.parallel.mesh import MeshConfig
from oyster_jax.typing import Array, Params


class Blocks:
    """Plays blocks of episodes, one a device.

    Args:
      model: the world's model.
      params: its parameters; copied to every device.
      policy: who acts.
      starts: where episodes begin.
      seed: of the study.
      kept: what is kept of every tick.
      devices: to compute on; those of this process unless given.
    """

    def __init__(
        self,
        model: WorldModel,
        params: Params,
        policy: Policy,
        starts: Starts,
        *,
        seed: int,
        kept: Kept,
        devices: Sequence[Any] | None = None,
    ) -> None:
        self.model, self.kept, self.seed = model, kept, seed
        self._mesh = MeshConfig().build(jax.local_devices() if devices is None else devices)
        self._whole = jax.device_put((params, policy, starts), rules.replicated(self._mesh))
        self._programs: dict[int, Any] = {}

    @property
    def count(self) -> int:
        """How many blocks are played at once."""
        return self._mesh.size

    def begin(self, indices: Int32[np.ndarray, "blocks episodes"]) -> Playing:
        """Begins `count` blocks of episodes; returns them one after the other, cut among the devices."""
        given = jax.device_put(indices.reshape(-1), rules.batch_sharding(self._mesh))
        return self._compiled(0, given)(self._whole, given)

    def play(self, playing: Playing, ticks: int) -> tuple[Playing, dict[str, Array]]:
        """Plays on for some ticks; `playing` is used up. See `episodes.play`."""
        return self._compiled(ticks, playing)(self._whole, playing)

    def shapes(self, episodes: int) -> tuple[Playing, dict[str, jax.ShapeDtypeStruct]]:
        """Returns shapes and dtypes of so many episodes and of what one tick of them gives `[episodes, 1, …]`."""
        indices = jax.ShapeDtypeStruct((episodes,), jnp.int32)
        playing = jax.eval_shape(functools.partial(over_worlds, self._begin), self._whole, indices)
        return jax.eval_shape(functools.partial(over_worlds, functools.partial(self._play, 1)), self._whole, playing)

    def _compiled(self, ticks: int, given: Any) -> Any:
        """Returns the program that plays so many ticks, or begins episodes where they are none."""
        if ticks not in self._programs:
            many = sharded(functools.partial(self._play, ticks) if ticks else self._begin, self._mesh)
            program = jax.jit(many, donate_argnums=1 if ticks else ())
            self._programs[ticks] = program.lower(self._whole, given).compile(COMPILER_OPTIONS)
        return self._programs[ticks]

    def _begin(self, whole: tuple[Params, Policy, Starts], index: Array) -> Playing:
        return episodes.begin(self.model, *whole, jnp.int32(self.seed), index)

    def _play(
        self, ticks: int, whole: tuple[Params, Policy, Starts], playing: Playing
    ) -> tuple[Playing, dict[str, Array]]:
        params, policy, _ = whole
        return episodes.play(self.model, params, policy, playing, ticks=ticks, kept=self.kept)


def of_blocks(array: Array) -> list[np.ndarray]:
    """Returns what each block has of an array, in their order; on a CPU nothing is copied."""
    shards = sorted(array.addressable_shards, key=lambda shard: shard.index[0].start or 0)
    return [np.asarray(shard.data) for shard in shards]
