"""One tick as a program: compiled ahead of time, parameters laid out once, the state donated if nobody keeps it.

So that one world alone and several together come out bit for bit alike, no program may compute in more precision than
its types say: where XLA may, it does so or not from one fusion to the next.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from oyster_jax.core.layout import layout_of
from oyster_jax.core.model import WorldModel
from oyster_jax.core.rollout import Observe
from oyster_jax.core.state import WorldState
from oyster_jax.typing import Array, Params

#: Of programs whose bits must not depend on how many worlds they compute.
COMPILER_OPTIONS = {"xla_allow_excess_precision": False}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tick:
    """A compiled tick: called with a state and an action, it returns the next state and what was observed of it.

    Attributes:
      donates: whether the state that it is given is used up; its buffers then become the next state's.
    """

    donates: bool
    _program: Any
    _params: Any

    def __call__(self, state: WorldState, action: Any) -> tuple[WorldState, Any]:
        """Returns the next state and the observation, both on the device.

        Args:
          state: of one world.
          action: int32, of NumPy or JAX; a bare int has another type.
        """
        return self._program(self._params, state, action)

    @property
    def params(self) -> Any:
        """The parameters as they are laid out for it."""
        return self._params

    @property
    def memory(self) -> Any:
        """What the compiler says of memory (`temp_size_in_bytes`, `alias_size_in_bytes`, …); None if it is silent."""
        return self._program.memory_analysis()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ticks:
    """A compiled tick of several worlds at once, each of which may come and go: their states are apart.

    Attributes:
      count: of worlds.
    """

    count: int
    _program: Any
    _params: Any

    def __call__(self, states: Sequence[WorldState], actions: Any) -> tuple[list[WorldState], Any]:
        """Returns the next states and what was observed of them, stacked; the states that it is given are used up.

        Args:
          states: `count` of them.
          actions: int32 `[count]`.
        """
        return self._program(self._params, list(states), actions)


def compile_tick(
    model: WorldModel, params: Params, *, observe: Observe | None = None, donate: bool = False, apart: bool = True
) -> Tick:
    """Compiles `advance` and `observe` into one program.

    Args:
      model: the world's model.
      params: its parameters.
      observe: what to return of each new state, `model.render` unless given.
      donate: use up the state that is given; for whoever keeps none but the newest.
      apart: lay parameters out for it (see `core.layout`), which holds most of them a second time.
    """
    tick, state, action = _tick(model, params, observe)
    donated = (1,) if donate else ()
    if not apart:
        program = jax.jit(tick, donate_argnums=donated).lower(params, state, action)
        return Tick(donates=donate, _program=program.compile(COMPILER_OPTIONS), _params=params)
    layout = layout_of(tick, params, state, action)

    def tick_apart(leaves: list[Any], state: WorldState, action: Any) -> tuple[WorldState, Any]:
        return tick(layout.together(leaves), state, action)

    leaves = layout.apart(params)
    program = jax.jit(tick_apart, donate_argnums=donated).lower(leaves, state, action)
    return Tick(donates=donate, _program=program.compile(COMPILER_OPTIONS), _params=leaves)


def compile_ticks(model: WorldModel, params: Params, count: int, *, alike: Tick | None = None) -> Ticks:
    """Compiles the tick of `count` worlds, rendered, into one program; it donates.

    Args:
      model: of the worlds.
      params: their parameters.
      count: of worlds.
      alike: a tick of one such world, whose parameters it shares.
    """
    tick, state, action = _tick(model, params, None)
    layout = layout_of(tick, params, state, action)
    leaves = layout.apart(params) if alike is None else alike.params

    def ticks(leaves: list[Any], states: list[WorldState], actions: Array) -> tuple[list[WorldState], Any]:
        params = layout.together(leaves)
        together = jax.tree.map(lambda *parts: jnp.stack(parts), *states)
        later, seen = jax.vmap(lambda state, action: tick(params, state, action))(together, actions)
        return [jax.tree.map(lambda leaf, row=row: leaf[row], later) for row in range(count)], seen

    program = jax.jit(ticks, donate_argnums=1).lower(leaves, [state] * count, jax.ShapeDtypeStruct((count,), jnp.int32))
    return Ticks(count=count, _program=program.compile(COMPILER_OPTIONS), _params=leaves)


def _tick(model: WorldModel, params: Params, observe: Observe | None) -> tuple[Any, Any, Any]:
    """Returns the function that is compiled, and what stands for a state and an action."""
    look = observe or model.render

    def tick(params: Params, state: WorldState, action: Any) -> tuple[WorldState, Any]:
        state = model.advance(params, state, action)
        return state, look(params, state)

    return tick, jax.eval_shape(model.reset, params, jax.random.key(0)), jax.ShapeDtypeStruct((), jnp.int32)
