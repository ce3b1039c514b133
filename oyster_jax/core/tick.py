"""One tick as a program: compiled ahead of time, parameters laid out once, the state donated if nobody keeps it."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from oyster_jax.core.layout import layout_of
from oyster_jax.core.model import WorldModel
from oyster_jax.core.rollout import Observe
from oyster_jax.core.state import WorldState
from oyster_jax.typing import Params


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
    def memory(self) -> Any:
        """What the compiler says of memory (`temp_size_in_bytes`, `alias_size_in_bytes`, …); None if it is silent."""
        return self._program.memory_analysis()


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
    look = observe or model.render

    def tick(params: Params, state: WorldState, action: Any) -> tuple[WorldState, Any]:
        state = model.advance(params, state, action)
        return state, look(params, state)

    state = jax.eval_shape(model.reset, params, jax.random.key(0))
    action = jax.ShapeDtypeStruct((), jnp.int32)
    donated = (1,) if donate else ()
    if not apart:
        program = jax.jit(tick, donate_argnums=donated).lower(params, state, action)
        return Tick(donates=donate, _program=program.compile(), _params=params)
    layout = layout_of(tick, params, state, action)

    def tick_apart(leaves: list[Any], state: WorldState, action: Any) -> tuple[WorldState, Any]:
        return tick(layout.together(leaves), state, action)

    leaves = layout.apart(params)
    program = jax.jit(tick_apart, donate_argnums=donated).lower(leaves, state, action)
    return Tick(donates=donate, _program=program.compile(), _params=leaves)
