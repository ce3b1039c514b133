"""What a file says is to be, or to become, of a world; what is wrong in it is told with its name."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from oyster_jax.cli.errors import UsageError
from oyster_jax.worlds.errors import WorldError

if TYPE_CHECKING:
    from oyster_jax.core.state import WorldState
    from oyster_jax.worlds.world import World


def edited(world: "World", state: "WorldState", path: Path) -> "WorldState":
    """Returns a state with what a file says changed.

    Raises:
      UsageError: the file cannot be read, or that cannot be done.
    """
    try:
        return world.edit(state, document(path))
    except WorldError as error:
        raise named(path, error) from error


def document(path: Path) -> dict[str, Any]:
    """Returns the JSON object in a file.

    Raises:
      UsageError: there is none.
    """
    from oyster_jax.worlds.structure import read_structure

    try:
        return read_structure(path)
    except WorldError as error:
        raise UsageError(str(error)) from error


def named(path: Path, error: WorldError) -> UsageError:
    """Returns an error that says which file it is about."""
    return UsageError(f"{path}: {error}")
