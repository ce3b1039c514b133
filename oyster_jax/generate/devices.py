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
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Int32

from oyster_jax.core.model import WorldModel
from oyster_jax.generate import episodes
from oyster_jax.generate.episodes import Kept, Playing
from oyster_jax.generate.policies import Policy
from oyster_jax.generate.starts import Starts
from oyster_jax.typing import Array, Params

_BLOCKS = "blocks"

#: As in `core.tick`: no program computes in more precision than its types say, so that all of them round alike.
_COMPILER_OPTIONS = {"xla_allow_excess_precision": False}


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
        devices = jax.local_devices() if devices is None else devices
        self.model, self.kept, self.seed = model, kept, seed
        self._mesh = Mesh(np.asarray(devices, object), (_BLOCKS,), axis_types=(AxisType.Auto,))
        self._whole = jax.device_put((params, policy, starts), NamedSharding(self._mesh, P()))
        self._programs: dict[int, Any] = {}

    @property
    def count(self) -> int:
        """How many blocks are played at once."""
        return self._mesh.size

    def begin(self, indices: Int32[np.ndarray, "blocks episodes"]) -> Playing:
        """Begins `count` blocks of episodes; returns them one after the other, cut among the devices."""
        given = jax.device_put(indices.reshape(-1), NamedSharding(self._mesh, P(_BLOCKS)))
        return self._compiled(0, given)(self._whole, given)

    def play(self, playing: Playing, ticks: int) -> tuple[Playing, dict[str, Array]]:
        """Plays on for some ticks; `playing` is used up. See `episodes.play`."""
        return self._compiled(ticks, playing)(self._whole, playing)

    def shapes(self, episodes: int) -> tuple[Playing, dict[str, jax.ShapeDtypeStruct]]:
        """Returns shapes and dtypes of so many episodes and of what one tick of them gives `[episodes, 1, …]`."""
        indices = jax.ShapeDtypeStruct((episodes,), jnp.int32)
        playing = jax.eval_shape(self._begin, self._whole, indices)
        return jax.eval_shape(functools.partial(self._play, 1), self._whole, playing)

    def _compiled(self, ticks: int, given: Any) -> Any:
        """Returns the program that plays so many ticks, or begins episodes where they are none."""
        if ticks not in self._programs:
            function = functools.partial(self._play, ticks) if ticks else self._begin
            cut = jax.shard_map(
                function, mesh=self._mesh, in_specs=(P(), P(_BLOCKS)), out_specs=P(_BLOCKS), check_vma=False
            )
            program = jax.jit(cut, donate_argnums=1 if ticks else ())
            self._programs[ticks] = program.lower(self._whole, given).compile(_COMPILER_OPTIONS)
        return self._programs[ticks]

    def _begin(self, whole: tuple[Params, Policy, Starts], indices: Array) -> Playing:
        params, policy, starts = whole
        seed = jnp.int32(self.seed)
        return jax.vmap(lambda index: episodes.begin(self.model, params, policy, starts, seed, index))(indices)

    def _play(
        self, ticks: int, whole: tuple[Params, Policy, Starts], playing: Playing
    ) -> tuple[Playing, dict[str, Array]]:
        params, policy, _ = whole
        one = functools.partial(episodes.play, self.model, params, policy, ticks=ticks, kept=self.kept)
        return jax.vmap(lambda playing: one(playing))(playing)


def of_blocks(array: Array) -> list[np.ndarray]:
    """Returns what each block has of an array, in their order; on a CPU nothing is copied."""
    shards = sorted(array.addressable_shards, key=lambda shard: shard.index[0].start or 0)
    return [np.asarray(shard.data) for shard in shards]
