"""What environments of one world share: the world, where its episodes begin, and its compiled programs."""

import functools
import os
from typing import Any

import jax
import numpy as np

from oyster_jax.core.state import Status, WorldState
from oyster_jax.core.tick import Tick, compile_tick
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.generate.starts import Dreams, Starts, recorded_moments
from oyster_jax.typing import Array, Params
from oyster_jax.worlds.registry import load
from oyster_jax.worlds.world import World


@functools.lru_cache(maxsize=8)
def loaded(world: str) -> World:
    """Returns a world by name or folder, read once for all environments of it."""
    return load(world)


def opened(world: World | str | os.PathLike[str]) -> World:
    """Returns a world given as it is, by name or by folder."""
    return world if isinstance(world, World) else loaded(os.fspath(world))


def starts_of(world: World, prompts: EpisodeDataset | str | os.PathLike[str] | None, context: int) -> Starts:
    """Returns where episodes begin: in dreams, or at moments of a recording."""
    if prompts is None:
        return Dreams()
    dataset = prompts if isinstance(prompts, EpisodeDataset) else EpisodeDataset(prompts)
    return recorded_moments(dataset, world.spec, context=context)


def seen(world: World, params: Params, state: WorldState) -> dict[str, Any]:
    """Returns what an environment tells of a state: `frame`, `reward`, `status`."""
    reward = world.model.readouts(params, state)["reward"]
    return {"frame": world.model.render(params, state), "reward": reward, "status": state.status}


@functools.lru_cache(maxsize=8)
def beginning(world: World) -> Any:
    """Returns the compiled `(params, starts, key, index) → (state, what is seen of it)`."""

    def begin(params: Params, starts: Starts, key: Array, index: Array) -> tuple[WorldState, dict[str, Any]]:
        state = starts.begin(world.model, params, key, index)
        return state, seen(world, params, state)

    return jax.jit(begin)


@functools.lru_cache(maxsize=8)
def ticking(world: World) -> Tick:
    """Returns the compiled tick of one environment, which uses its state up."""
    return compile_tick(world.model, world.params, observe=functools.partial(seen, world), donate=True)


@functools.lru_cache(maxsize=8)
def ticking_together(world: World) -> Any:
    """Returns the compiled `(params, states, actions) → (states, what is seen of them)`; it uses the states up."""

    def tick(params: Params, state: WorldState, action: Array) -> tuple[WorldState, dict[str, Any]]:
        state = world.model.advance(params, state, action)
        return state, seen(world, params, state)

    return jax.jit(jax.vmap(tick, (None, 0, 0)), donate_argnums=1)


def begun(world: World, starts: Starts, generator: np.random.Generator) -> tuple[WorldState, dict[str, Any]]:
    """Begins the next episode of an environment, whose generator it draws from; returns it and what is seen of it."""
    number = int(generator.integers(2**31))
    return beginning(world)(world.params, starts, jax.random.key(number), np.int32(number))


def ends(status: Any) -> tuple[Any, Any]:
    """Returns whether a status ends an episode: because the world said so, or because it broke."""
    return status == Status.TERMINAL, status == Status.NONFINITE
