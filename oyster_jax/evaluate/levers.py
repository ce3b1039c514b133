"""What each way to run the same tick gives: the levers of interactive speed, measured in turns on one machine.

Every lever is the same mathematics. They differ in where parameters live, whether the state is given away, and when the
program is compiled. The forms take turns of a few ticks, so that a machine that is busy for a while is so for all.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int32

from oyster_jax.core.model import WorldModel
from oyster_jax.core.state import WorldState
from oyster_jax.core.tick import compile_tick
from oyster_jax.evaluate.figure import Figure, median_figure
from oyster_jax.evaluate.stepping import Step, pipelined_rate, run_world
from oyster_jax.typing import Params

#: What the others are compared with.
PLAIN = "arguments"

#: Ticks of the shortest replay.
REPLAY = 50

#: Share of a turn that is not counted, for what the others left in the caches.
WARM = 0.2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lever:
    """One way to run a tick.

    Attributes:
      name: as in `apart.donated`.
      make: compiles it.
      about: what it does, for the figure's conditions.
    """

    name: str
    make: Callable[[WorldModel, Params], Step[WorldState]]
    about: str


def _lazily(model: WorldModel, params: Params) -> Step[WorldState]:
    def tick(params: Params, state: WorldState, action: Any) -> tuple[WorldState, Any]:
        state = model.advance(params, state, action)
        return state, model.render(params, state)

    return functools.partial(jax.jit(tick), params)


def _constants(model: WorldModel, params: Params) -> Step[WorldState]:
    @jax.jit
    def tick(state: WorldState, action: Any) -> tuple[WorldState, Any]:
        later = model.advance(params, state, action)
        return later, model.render(params, later)

    return tick


LEVERS = (
    Lever(name=PLAIN, make=_lazily, about="parameters are arguments, the state is kept, compiled on first use"),
    Lever(
        name="ahead",
        make=lambda model, params: compile_tick(model, params, apart=False),
        about="as arguments, compiled ahead of time",
    ),
    Lever(
        name="donated",
        make=lambda model, params: compile_tick(model, params, apart=False, donate=True),
        about="as ahead, and the state is donated",
    ),
    Lever(
        name="constants",
        make=_constants,
        about="parameters are constants of the program; its numbers differ in the last digits",
    ),
    Lever(
        name="apart",
        make=lambda model, params: compile_tick(model, params),
        about="as ahead, and parameters are cast and taken apart beforehand (core.layout)",
    ),
    Lever(
        name="apart.donated",
        make=lambda model, params: compile_tick(model, params, donate=True),
        about="as apart, and the state is donated",
    ),
)


def lever_figures(
    model: WorldModel,
    params: Params,
    state: WorldState,
    actions: Int32[np.ndarray, "ticks"],
    *,
    rounds: int,
    conditions: dict[str, Any],
    levers: tuple[Lever, ...] = LEVERS,
) -> list[Figure]:
    """Measures every lever: `lever.NAME.tick` in ms, and `lever.NAME.ratio` to the plain form in the same round.

    The last figure is `interactive.pipelined`, the rate of a replay with two ticks under way, with the last lever.

    Args:
      model: the world's model.
      params: its parameters.
      state: where every turn begins; it stays usable.
      actions: of one turn.
      rounds: turns of each lever.
      conditions: of the figures.
      levers: the plain one first.
    """

    def turn(step: Step[WorldState]) -> np.ndarray:
        times = run_world(step, jax.tree.map(jnp.copy, state), actions).times
        return times[int(WARM * len(times)) :]

    steps = {lever.name: lever.make(model, params) for lever in levers}
    for step in steps.values():
        turn(step)
    times: dict[str, list[np.ndarray]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            times[name].append(turn(step))
    medians = {name: np.median(turns, axis=1) for name, turns in times.items()}
    figures = []
    for lever in levers:
        about = conditions | {"lever": lever.about, "rounds": rounds, "ticks": len(actions)}
        figures += [
            median_figure(f"lever.{lever.name}.tick", np.concatenate(times[lever.name]), "ms", about),
            median_figure(
                f"lever.{lever.name}.ratio", medians[lever.name] / medians[levers[0].name], "of plain", about
            ),
        ]
    replay = np.resize(actions, max(REPLAY, rounds * len(actions)))
    copied = jax.tree.map(jnp.copy, state)
    figures.append(pipelined_rate(steps[levers[-1].name], copied, replay, depth=2, conditions=conditions))
    return figures
