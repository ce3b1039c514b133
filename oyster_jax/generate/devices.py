"""Episodes on many devices: each plays a block of its own, or a few share one, and all of them run one program.

The block is as large whatever the number of devices: XLA may round the last bit differently for another batch size, but
the program of one device does not know of the others.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Int32

from oyster_jax.core.model import WorldModel
from oyster_jax.core.tick import COMPILER_OPTIONS
from oyster_jax.generate import episodes
from oyster_jax.generate.episodes import Kept, Playing
from oyster_jax.generate.policies import Policy
from oyster_jax.generate.starts import Starts
from oyster_jax.nn.functional import LayersConfig, layered
from oyster_jax.parallel import rules
from oyster_jax.parallel.batch import sharded
from oyster_jax.parallel.mesh import MeshConfig, batch_ways
from oyster_jax.typing import Array, Params

#: What all episodes share.
type Whole = tuple[Params, Policy, Starts]


def beginning(model: WorldModel, mesh: Mesh, *, seed: int) -> Any:
    """Returns `begin(whole, indices) → playing`, jitted, of all episodes at once; for `whole` see `held`."""

    def begin(whole: Whole, index: Array) -> Playing:
        return episodes.begin(model, *whole, jnp.int32(seed), index)

    return sharded(begin, mesh)


def playing_on(model: WorldModel, mesh: Mesh, *, ticks: int, kept: Kept) -> Any:
    """Returns `play(whole, playing) → (playing, rows)`, jitted; it uses up what it is given. See `episodes.play`.

    Nothing here needs the devices of the mesh to exist: a plan lowers the same program for ones that nobody owns.
    """

    def play(whole: Whole, playing: Playing) -> tuple[Playing, dict[str, Array]]:
        params, policy, _ = whole
        return episodes.play(model, params, policy, playing, ticks=ticks, kept=kept)

    return sharded(play, mesh, donate=(0,))


def layers_on(mesh: Mesh) -> LayersConfig:
    """Returns how layers run: on TPUs in a loop, since a compiler that sees all of a large world takes hours."""
    return LayersConfig(unroll=mesh.devices.flat[0].platform != "tpu")


def held(mesh: Mesh, whole: Any) -> Any:
    """Returns where parameters, policy and starts lie: shardings of the first, one each for the others.

    All devices hold all of it, but devices that share worlds (`tensor`) cut parameters among them.

    Args:
      mesh: of the devices.
      whole: parameters, policy and starts, or shapes in their place.
    """
    everywhere = rules.replicated(mesh)
    return rules.param_shardings(mesh, whole[0], logical="heads"), everywhere, everywhere


class Blocks:
    """Plays blocks of episodes, one a device, or one for every few devices that share it.

    Args:
      model: the world's model.
      params: its parameters; see `held`.
      policy: who acts.
      starts: where episodes begin.
      seed: of the study.
      kept: what is kept of every tick.
      devices: to compute on; those of this process unless given.
      tensor: how many devices share a block, for worlds that are too large for one. Sums are then split, so that last
        bits differ.

    Raises:
      MeshError: the devices do not come out even.
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
        tensor: int = 1,
    ) -> None:
        self.model, self.kept, self.seed = model, kept, seed
        self._mesh = MeshConfig(tensor=tensor).build(jax.local_devices() if devices is None else devices)
        whole = (params, policy, starts)
        self._whole = jax.device_put(whole, held(self._mesh, whole))
        self._programs: dict[int, Any] = {}

    @property
    def count(self) -> int:
        """How many blocks are played at once."""
        return batch_ways(self._mesh)

    def begin(self, indices: Int32[np.ndarray, "blocks episodes"]) -> Playing:
        """Begins `count` blocks of episodes; returns them one after the other, cut among the devices."""
        given = jax.device_put(indices.reshape(-1), rules.batch_sharding(self._mesh))
        return self._compiled(0, given)(self._whole, given)

    def play(self, playing: Playing, ticks: int) -> tuple[Playing, dict[str, Array]]:
        """Plays on for some ticks; `playing` is used up. See `episodes.play`."""
        return self._compiled(ticks, playing)(self._whole, playing)

    def shapes(self, episodes: int) -> tuple[Playing, dict[str, jax.ShapeDtypeStruct]]:
        """Returns shapes and dtypes of so many episodes and of what one tick of them gives `[episodes, 1, …]`."""
        # A multiple of what the devices share: only the first axis tells how many there are.
        several = episodes * self.count
        indices = jax.ShapeDtypeStruct((several,), jnp.int32)
        playing = jax.eval_shape(beginning(self.model, self._mesh, seed=self.seed), self._whole, indices)
        one = playing_on(self.model, self._mesh, ticks=1, kept=self.kept)
        found = jax.eval_shape(one, self._whole, playing)
        return jax.tree.map(lambda x: jax.ShapeDtypeStruct((episodes, *x.shape[1:]), x.dtype), found)

    def lowered(self, ticks: int, given: Any) -> Any:
        """Returns the program that plays `given` for so many ticks, or begins episodes where they are none, lowered."""
        if ticks:
            program = playing_on(self.model, self._mesh, ticks=ticks, kept=self.kept)
        else:
            program = beginning(self.model, self._mesh, seed=self.seed)
        with layered(layers_on(self._mesh)):
            return program.lower(self._whole, given)

    def _compiled(self, ticks: int, given: Any) -> Any:
        if ticks not in self._programs:
            self._programs[ticks] = self.lowered(ticks, given).compile(COMPILER_OPTIONS)
        return self._programs[ticks]


def of_blocks(array: Array) -> list[np.ndarray]:
    """Returns what each block has of an array, in their order; on a CPU nothing is copied."""
    # Devices that share a block all hold it.
    shards = {shard.index[0].start or 0: shard for shard in array.addressable_shards}
    return [np.asarray(shards[start].data) for start in sorted(shards)]
