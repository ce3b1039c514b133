"""Opening a world for a verb: loaded, with its sampler set, and with what JAX compiles kept on disk."""

import jax

from oyster_jax.cli.errors import UsageError
from oyster_jax.evaluate.held_out import cache_home
from oyster_jax.worlds.registry import load
from oyster_jax.worlds.world import World


def open_world(name: str, steps: int | None = None) -> World:
    """Loads a world by name or path; with `steps`, it denoises in that many steps a tick.

    Raises:
      WorldError: there is no such world, or it is damaged.
      UsageError: the sampler does not know that number of steps.
    """
    keep_compiled()
    world = load(name)
    if steps is None:
        return world
    try:
        return world.with_sampler(steps=steps)
    except ValueError as error:
        raise UsageError(str(error)) from error


def keep_compiled() -> None:
    """Lets JAX keep its programs in the user's cache folder, so that a verb starts fast the second time."""
    if jax.config.jax_compilation_cache_dir is None:  # pyright: ignore[reportAttributeAccessIssue]
        jax.config.update("jax_compilation_cache_dir", str(cache_home() / "xla"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
