"""The package `craftax` behind four compiled functions: begin an episode, step many, put one into many, intervene.

Its own environments are left aside: they begin each episode anew inside the step, which generates a world every tick.
Its textures too: to load them it prints, makes two sizes that nobody asked for and writes them into its own folder,
where a process that is killed leaves half a file that no later one can read. Here one size is made, in memory.
"""

import contextlib
import functools
import importlib.metadata
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from oyster_jax.data.errors import DatasetError
from oyster_jax.data.sources import craftax_events, craftax_state
from oyster_jax.typing import Array


class Game(NamedTuple):
    """Compiled functions over Craftax's states.

    Attributes:
      begin: `begin(seed, level) → (state, shown)`: a new episode; `shown` are the arrays of a `TimeStep` by name.
      step: `step(states, actions) → (states, outcome)`: many of them, a tick; `outcome` is what is shown then, and
        `ended`, `terminals` and `achievements`, bool. The memory of the states that are given is given up.
      replace: `replace(states, index, state) → states`: another episode for one of them; likewise.
      intervene: `intervene(states, events) → (states, happened)`: makes events happen, see `craftax_events`; likewise.
    """

    begin: Callable[..., Any]
    step: Callable[..., Any]
    replace: Callable[..., Any]
    intervene: Callable[..., Any]


def version() -> str:
    """Returns the version of the simulator.

    Raises:
      DatasetError: it is not installed.
    """
    try:
        return importlib.metadata.version("craftax")
    except importlib.metadata.PackageNotFoundError as error:
        raise DatasetError(
            "Recording craftax: needs the package craftax, for Python 3.12 and 3.13; install it with "
            "`pip install oyster-jax[envs]`."
        ) from error


@functools.cache
def game() -> Game:
    """Returns the compiled game.

    Raises:
      DatasetError: the simulator is not installed.
    """
    version()
    from craftax.craftax_classic.envs.craftax_state import EnvParams, StaticEnvParams
    from craftax.craftax_classic.game_logic import craftax_step, is_game_over
    from craftax.craftax_classic.world_gen import generate_world

    rules, sizes = EnvParams(), StaticEnvParams()
    draw = _renderer()

    def begin(seed: Array, level: Array) -> Any:
        with _lenient():
            key = jax.random.key(level)
            state = _settled(generate_world(jax.random.key_data(key), rules, sizes))
            origin = jax.random.key_data(jax.random.fold_in(jax.random.key(seed), level))
            return (origin, state), _shown(draw, state, state)

    def step(episode: Any, action: Array) -> Any:
        with _lenient():
            origin, state = episode
            key = jax.random.fold_in(jax.random.wrap_key_data(origin), state.timestep)
            after, _ = craftax_step(jax.random.key_data(key), state, action, rules, sizes)
            after = _settled(after)
            ended = is_game_over(after, rules)
            outcome = {
                "ended": ended,
                # A clock that ran out is no end of the world.
                "terminals": ended & (after.timestep < rules.max_timesteps),
                "achievements": after.achievements & ~state.achievements,
            }
            return (origin, after), _shown(draw, state, after) | outcome

    def replace(episodes: Any, index: Array, episode: Any) -> Any:
        return jax.tree.map(lambda many, one: many.at[index].set(one), episodes, episode)

    def intervene(episode: Any, event: Array) -> Any:
        with _lenient():
            origin, state = episode
            after, happened = craftax_events.happen(state, event)
            return (origin, after), happened

    return Game(
        begin=jax.jit(begin),
        step=jax.jit(jax.vmap(step), donate_argnums=0),
        replace=jax.jit(replace, donate_argnums=0),
        intervene=jax.jit(jax.vmap(intervene), donate_argnums=0),
    )


def _shown(draw: Callable[[Any], Array], before: Any, state: Any) -> dict[str, Array]:
    table, mask = craftax_state.entities(before, state)
    return {
        "frames": jnp.clip(jnp.round(draw(state)), 0, 255).astype(jnp.uint8),
        "entities": table,
        "entity_mask": mask,
        "tiles": craftax_state.tiles(state),
        "quantities": craftax_state.quantities(state),
    }


def _renderer() -> Callable[[Any], Array]:
    """Returns Craftax's own renderer, for tiles of 7 pixels: float pixels `[63, 63, 3]`, 0 to 255."""
    from craftax.craftax_classic import constants, renderer

    side = int(craftax_state.TILES.side)
    with _lenient():
        textures = constants.load_all_textures_given_size(side)
    loads = renderer.load_all_textures
    renderer.load_all_textures = lambda: {side: textures}
    try:
        return renderer.make_craftax_pixel_renderer(side)
    finally:
        renderer.load_all_textures = loads


def _settled(state: Any) -> Any:
    """Returns a state whose leaves have dtypes of their own: Python's numbers would compile everything twice."""
    return jax.tree.map(lambda leaf: jax.lax.convert_element_type(leaf, jnp.asarray(leaf).dtype), state)


@contextlib.contextmanager
def _lenient() -> Iterator[None]:
    """Lets dtypes and ranks mix, as Craftax does; our own arithmetic is strict in tests."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield
