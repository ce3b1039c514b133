"""Opening a world for a verb: loaded, with its sampler set, and with what JAX compiles kept on disk."""

import os

import jax

from oyster_jax.cli.errors import UsageError
from oyster_jax.evaluate.held_out import cache_home
from oyster_jax.evaluate.machine import DEVICES_FLAG, cores
from oyster_jax.worlds.errors import WorldError
from oyster_jax.worlds.registry import load
from oyster_jax.worlds.words import Scene
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


def told_scene(world: World, prompt: str, seed: int) -> Scene:
    """Returns the scene that a world draws from a sentence, having said what of it was understood.

    Raises:
      UsageError: the world knows no words, or nothing of the sentence, or refuses it.
    """
    try:
        scene = world.imagine(prompt, seed)
    except WorldError as error:
        raise UsageError(str(error)) from error
    print(f"Understood: {', '.join(fact.says for fact in scene.understood.facts)}.", flush=True)
    for remark in scene.remarks:
        print(remark, flush=True)
    return scene


def keep_compiled() -> None:
    """Lets JAX keep its programs in the user's cache folder, so that a verb starts fast the second time."""
    if jax.config.jax_compilation_cache_dir is None:  # pyright: ignore[reportAttributeAccessIssue]
        jax.config.update("jax_compilation_cache_dir", str(cache_home() / "xla"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def split_cpu(devices: int | None) -> None:
    """Takes the CPU for so many devices, one a core unless given: each then computes without waiting for the others.

    Raises:
      UsageError: the number is too small, or comes too late.
    """
    if devices is not None and devices < 1:
        raise UsageError(f"--devices must be at least 1, but was {devices}.")
    # Whoever tells XLA itself is not overruled, nor is a launcher.
    told = DEVICES_FLAG in os.environ.get("XLA_FLAGS", "") or "JAX_NUM_CPU_DEVICES" in os.environ
    if devices is None and told:
        return
    try:
        jax.config.update("jax_num_cpu_devices", devices or cores())
    except RuntimeError as error:
        # Of a program that calls this verb after it has computed something.
        if devices is not None and devices != jax.local_device_count():
            raise UsageError("--devices can be chosen only before anything is computed.") from error
