"""A painter: draws the frame that a description of scrolling tiles and things stands for.

Where frames scroll by fractions of a tile, a tile lies across several patches of the tokenizer, so that structure has
no place in its latents (see `structure`). A world then begins from a description by its picture: what lies at the
middle of each pixel is laid out, and a few convolutions make colours of it.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from oyster_jax.core.observation import Observation
from oyster_jax.core.spec import EntitySpec, TileSpec, WorldSpec
from oyster_jax.nn import functional
from oyster_jax.nn.convolution import Convolution
from oyster_jax.typing import Array, Float, Frames, Params, PRNGKey

#: Fields of entities that tell how one looks, beside its type, its place and its half sizes `rx` and `ry`, with what
#: each is divided by.
LOOKS = (("vx", 0.5), ("vy", 0.5), ("is_reflected", 1.0), ("alpha", 1.0))

#: How many themes a thing may be drawn in.
THEMES = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class PainterConfig:
    """What is drawn, and by how much.

    Attributes:
      tiles: what tiles there are around the agent, in frames that scroll.
      entity: what things there are; types without a name are not drawn.
      features: of a pixel, between convolutions of 3×3 pixels.
    """

    tiles: TileSpec
    entity: EntitySpec
    features: int = 32

    def __post_init__(self) -> None:
        if not self.tiles.scrolls or not self.entity.types:
            raise ValueError("A painter draws tiles that scroll, and things whose types have names.")

    @classmethod
    def of(cls, spec: WorldSpec, features: int = 32) -> "PainterConfig":
        """Returns the painter of what recordings of a specification say of their frames.

        Raises:
          ValueError: they say nothing of tiles that scroll and of things with names.
        """
        if spec.tiles is None or spec.entity is None:
            raise ValueError(f"The world '{spec.name}' has no tiles and entities to draw.")
        return cls(tiles=spec.tiles, entity=spec.entity, features=features)

    @classmethod
    def from_json(cls, data: dict[str, Any] | None, spec: WorldSpec) -> "PainterConfig | None":
        """Rebuilds a configuration from its fields, None of None, in a world of a specification."""
        if data is None:
            return None
        described = WorldSpec.from_json(spec.to_json() | {name: data[name] for name in ("tiles", "entity")})
        return cls.of(described, data["features"])

    def spec(self, world: WorldSpec) -> WorldSpec:
        """Returns the specification of a world, with tiles and entities as descriptions of it have them."""
        return dataclasses.replace(world, tiles=self.tiles, entity=self.entity)

    @property
    def types(self) -> tuple[int, ...]:
        """Numbers of the types that are drawn."""
        return tuple(number for number, name in enumerate(self.entity.types) if name)

    @property
    def inputs(self) -> int:
        """Numbers of a pixel: what tile, where in it; what things, where in them, and how they look."""
        return len(self.tiles.kinds) + 2 + len(self.types) + 2 + len(LOOKS) + 1 + THEMES


class Painter(nnx.Module):
    """See `PainterConfig`."""

    def __init__(self, config: PainterConfig, rngs: nnx.Rngs):
        self.first = Convolution(config.inputs, config.features, rngs=rngs)
        self.second = Convolution(config.features, config.features, rngs=rngs)
        self.third = Convolution(config.features, config.features, rngs=rngs)
        self.out = Convolution(config.features, 3, rngs=rngs)

    def __call__(self, laid: Float[Array, "batch height width inputs"]) -> Float[Array, "batch height width 3"]:
        """Returns colours, 0 to 1."""
        for layer in (self.first, self.second, self.third):
            laid = jax.nn.relu(layer(laid))
        return jax.nn.sigmoid(self.out(laid))


def init(config: PainterConfig, key: PRNGKey) -> Params:
    """Draws the parameters of a painter."""
    return functional.init(Painter, config, key)


def bind(config: PainterConfig, params: Params) -> Painter:
    """Returns the painter with `params` in it, for use inside a traced function."""
    return functional.bind(Painter, config, params)


def laid_out(
    config: PainterConfig, size: tuple[int, int], seen: Observation
) -> Float[Array, "batch height width inputs"]:
    """Lays out what is known of moments; what is not, is air.

    Args:
      config: of the painter.
      size: height and width of the frame, pixels.
      seen: tiles and entities `[batch, …]`; places count from anywhere, and tell by their fractions where in its tile
        the agent is.
    """
    batch = seen.batch
    if seen.entities is None or seen.entity_mask is None:
        entities = jnp.zeros((*batch, 1, len(config.entity.fields)))
        seen = dataclasses.replace(seen, entities=entities, entity_mask=jnp.zeros((*batch, 1), bool))
    if seen.tiles is None:
        seen = dataclasses.replace(seen, tiles=jnp.zeros((*batch, config.tiles.rows, config.tiles.columns), jnp.uint8))
    with jax.numpy_rank_promotion("allow"):
        return jax.vmap(lambda one: _laid_out(config, size, one))(seen)


def _laid_out(config: PainterConfig, size: tuple[int, int], seen: Observation) -> Array:
    assert seen.entities is not None
    assert seen.tiles is not None
    field = {name: seen.entities[:, column] for column, name in enumerate(config.entity.fields)}
    # Where the middles of rows and columns of pixels lie, in tiles from the agent, to the right and upwards.
    right, up = (
        (np.arange(pixels, dtype=np.float32) + (1 - pixels) / 2) / config.tiles.side * sign
        for pixels, sign in ((size[1], 1), (size[0], -1))
    )
    within = [field[name][0] - jnp.floor(field[name][0]) for name in ("x", "y")]
    across, upwards = right + within[0], up + within[1]
    column = jnp.clip(config.tiles.agent[1] + jnp.floor(across).astype(jnp.int32), 0, config.tiles.columns - 1)
    row = jnp.clip(config.tiles.agent[0] - jnp.floor(upwards).astype(jnp.int32), 0, config.tiles.rows - 1)
    kinds = jax.nn.one_hot(seen.tiles[row][:, column], len(config.tiles.kinds))
    inside = jnp.stack(jnp.broadcast_arrays((across % 1)[None, :], (upwards % 1)[:, None]), axis=-1) - 0.5
    return jnp.concatenate([kinds, inside, _things(config, field, seen, right, up)], axis=-1)


def _things(
    config: PainterConfig, field: dict[str, Array], seen: Observation, right: np.ndarray, up: np.ndarray
) -> Array:
    """Returns for each pixel what things lie over it, as sums over these."""
    assert seen.entity_mask is not None
    from_left = (right - (field["x"] - field["x"][0])[:, None]) / jnp.maximum(field["rx"], 0.1)[:, None]
    from_below = (up - (field["y"] - field["y"][0])[:, None]) / jnp.maximum(field["ry"], 0.1)[:, None]
    columns = (jnp.abs(from_left) <= 1).astype(jnp.float32)
    rows = (jnp.abs(from_below) <= 1).astype(jnp.float32) * seen.entity_mask.astype(jnp.float32)[:, None]
    kinds = (field["type"][:, None] == np.array(config.types, np.float32)).astype(jnp.float32)
    parity = (field["image_type"] % 2)[:, None]
    themes = jax.nn.one_hot(field["image_theme"].astype(jnp.int32), THEMES)
    looks = jnp.stack([field[name] / scale for name, scale in LOOKS], axis=-1)
    own = jnp.concatenate([kinds, looks, parity, themes], axis=-1) * kinds.sum(axis=-1, keepdims=True)
    drawn = kinds.sum(axis=-1)[:, None]
    return jnp.concatenate(
        [
            jnp.einsum("nr,nc,nf->rcf", rows, columns, own),
            jnp.einsum("nr,nc->rc", rows * drawn, columns * from_left)[..., None],
            jnp.einsum("nr,nc->rc", rows * drawn * from_below, columns)[..., None],
        ],
        axis=-1,
    )


def painted(config: PainterConfig, params: Params, size: tuple[int, int], seen: Observation) -> Frames:
    """Returns uint8 frames `[batch, height, width, 3]` of moments `[batch, …]`."""
    colours = bind(config, params)(laid_out(config, size, seen))
    return jnp.round(255 * colours).astype(jnp.uint8)
