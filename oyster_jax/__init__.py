"""Oyster learns a world from recordings and then simulates it in real time under your actions."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oyster_jax.worlds.generation import generate_rollouts as generate_rollouts
    from oyster_jax.worlds.generation import render_rollouts as render_rollouts
    from oyster_jax.worlds.registry import load as load
    from oyster_jax.worlds.session import Session as Session
    from oyster_jax.worlds.study import Study as Study
    from oyster_jax.worlds.world import World as World

_LAZY = {
    "generate_rollouts": "oyster_jax.worlds.generation",
    "render_rollouts": "oyster_jax.worlds.generation",
    "load": "oyster_jax.worlds.registry",
    "Session": "oyster_jax.worlds.session",
    "Study": "oyster_jax.worlds.study",
    "World": "oyster_jax.worlds.world",
}


def __getattr__(name: str) -> Any:
    """Imports the façade on first use, so that `import oyster_jax` costs milliseconds and not a whole JAX start."""
    if name == "__version__":
        from importlib.metadata import version

        return version("oyster-jax")
    if name not in _LAZY:
        raise AttributeError(f"module 'oyster_jax' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)
