"""Tracking: where the newest frame lies on the map, how the camera came there, and where it goes next."""

import jax.numpy as jnp

from oyster_jax.core.state import WorldState
from oyster_jax.models import lattice, spatial_map
from oyster_jax.models.camera import Camera
from oyster_jax.models.spatial_map import MapConfig
from oyster_jax.typing import Action, Array, Float, Frame


def expected(state: WorldState) -> Float[Array, "2"]:
    """Returns where the newest frame of a state with a map is expected to lie, in pixels of the map."""
    return state.memory["position"] + state.memory["motion"]


def followed(
    config: MapConfig, camera: Camera | None, state: WorldState, shown: Frame, columns: int, action: Action, given: bool
) -> tuple[dict[str, Array], Float[Array, "2"], Float[Array, "2"] | None, spatial_map.Patch]:
    """Puts the newest frame on the map.

    Args:
      config: of the map.
      camera: says where it goes next; None where that is read off the trunk.
      state: of the world, in whose memory the map is.
      shown: the frame of its newest latent.
      columns: of the latent grid.
      action: taken now.
      given: whether the frame was given to the world, rather than drawn by it.

    Returns:
      What the state remembers then, how the camera moved to the frame, how it will move, None without a camera, and
      what the frame covered on the map.
    """
    if camera is None:
        trust = config.given_trust if given else config.drawn_trust
        pyramid = spatial_map.SEARCH if given else spatial_map.TOUCH
        canvas, near = state.memory["canvas"], expected(state)
        position = spatial_map.registered(canvas, near, shown, pyramid, trust, config.followed)
        memory, motion, covered = _put(config, state, shown, position)
        return memory, motion, None, covered
    read = camera.lattice(state.latent, columns, shown.shape[1] // columns)
    tile, share = camera.config.tile, 1.0 if given else camera.config.drawn
    # What was drawn lies where it was drawn for.
    position = _found(config, tile, state, shown, read) if given else expected(state)
    memory, motion, covered = _put(config, state, shown, position)
    memory["lattice"] = camera.config.keeps * memory["lattice"] + share * lattice.turned(read, -position / tile)
    place = lattice.between(memory["lattice"]) + position / tile
    return memory, motion, camera(shown, place, motion, action), covered


def _put(
    config: MapConfig, state: WorldState, shown: Frame, position: Array
) -> tuple[dict[str, Array], Array, spatial_map.Patch]:
    """Returns the memory with a frame on its map, how the camera moved to it, and what it covered."""
    canvas, covered = spatial_map.exchange(state.memory["canvas"], position, shown, config.changed)
    memory = {**state.memory, "canvas": canvas, "position": position}
    return memory, position - state.memory["position"], covered


def _found(config: MapConfig, tile: float, state: WorldState, shown: Frame, read: Array) -> Array:
    """Returns where a given frame lies: roughly by what it shows, exactly by how it lies between tiles."""
    known, near = state.memory, expected(state)
    found = spatial_map.registered(known["canvas"], near, shown, spatial_map.SEARCH, 1.0, config.followed)
    found = found + tile * lattice.apart(known["lattice"], lattice.turned(read, -found / tile))
    # How fast it goes is not known before the second frame; then what is expected comes to be worth more.
    trust = jnp.maximum(config.given_trust, 1 / jnp.maximum(state.step, 1).astype(jnp.float32))
    correction = found - near
    return near + jnp.where(jnp.max(jnp.abs(correction)) < 1.0, trust, 1.0) * correction
