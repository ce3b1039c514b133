"""Structure on the grid of a tokenizer: tiles, entities and quantities as features of the patches where they are seen.

Where a tile is as large as a patch, what is known of it can be said at its patch; so structure needs no tokens of its
own, and a latent means the same whether a frame or its structure was encoded.
"""

import dataclasses
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.core.observation import Observation
from oyster_jax.core.spec import WorldSpec
from oyster_jax.typing import Array, Float

#: What a world's structure consists of; any part may be unknown.
PARTS = ("tiles", "entities", "quantities")


@dataclasses.dataclass(frozen=True, kw_only=True)
class StructureConfig:
    """What of a world's structure is read and told; `of` takes it from a specification.

    Attributes:
      grid: rows and columns of the tokens.
      tiles: rows and columns of the tiles, which lie in the grid's upper left corner.
      agent: row and column of the agent's tile.
      kinds: how many kinds of tiles there are.
      types: how many types of entities there are.
      columns: of the entity table: `type`, `x`, `y`, then those of the attributes.
      scales: largest size of each attribute.
      most: largest value of each quantity.
      places: row and column of each quantity in the grid, None where it has none.
    """

    grid: tuple[int, int]
    tiles: tuple[int, int]
    agent: tuple[int, int]
    kinds: int
    types: int
    columns: tuple[int, ...]
    scales: tuple[float, ...]
    most: tuple[float, ...]
    places: tuple[tuple[int, int] | None, ...]

    @classmethod
    def of(cls, spec: WorldSpec, attributes: dict[str, float]) -> Self:
        """Returns what a specification has.

        Args:
          spec: of a world with tiles, quantities and entities with names.
          attributes: fields of entities beside type and place, with their largest size.

        Raises:
          ValueError: the world has no such structure, or its tiles do not fill its frames.
        """
        if spec.tiles is None or spec.quantities is None or spec.entity is None or not spec.entity.types:
            raise ValueError(f"The world '{spec.name}' has no tiles, quantities and entities to learn structure from.")
        side = int(spec.tiles.side)
        if spec.tiles.scrolls or spec.frame.height % side or spec.frame.width % side:
            raise ValueError(
                f"Frames of {spec.frame.height}×{spec.frame.width} pixels cannot be cut into tiles of "
                f"{spec.tiles.side:g}, the agent on one of them."
            )
        return cls(
            grid=(spec.frame.height // side, spec.frame.width // side),
            tiles=(spec.tiles.rows, spec.tiles.columns),
            agent=spec.tiles.agent,
            kinds=len(spec.tiles.kinds),
            types=len(spec.entity.types),
            columns=tuple(spec.entity.column(name) for name in ("type", "x", "y", *attributes)),
            scales=tuple(attributes.values()),
            most=spec.quantities.most,
            places=spec.quantities.places,
        )

    @classmethod
    def from_json(cls, data: dict[str, Any] | None) -> "StructureConfig | None":
        """Rebuilds a configuration from its fields, in which lists may stand for tuples; None of None."""
        return None if data is None else cls(**{name: _tuples(value) for name, value in data.items()})

    @property
    def tokens(self) -> int:
        """Tokens of the grid."""
        return self.grid[0] * self.grid[1]

    @property
    def levels(self) -> int:
        """Values that a quantity with a place may have: 0 to the largest of all."""
        return int(max((most for most, place in zip(self.most, self.places, strict=True) if place), default=0)) + 1

    @property
    def placed(self) -> tuple[int, ...]:
        """Columns of the quantities that have a place."""
        return tuple(column for column, place in enumerate(self.places) if place)

    @property
    def free(self) -> tuple[int, ...]:
        """Columns of those that have none."""
        return tuple(column for column, place in enumerate(self.places) if not place)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers at a token: kinds, types, attributes, levels, quantities without a place."""
        return self.kinds, self.types, len(self.scales), self.levels, len(self.free)

    @property
    def spots(self) -> np.ndarray:
        """Float32 `[quantities with a place, tokens]`, one where each is shown."""
        spots = np.zeros((len(self.placed), self.tokens), np.float32)
        for row, place in enumerate(place for place in self.places if place):
            spots[row, place[0] * self.grid[1] + place[1]] = 1
        return spots

    def on_tiles(self, array: Any) -> Any:
        """Returns of `[*batch, tokens, features]` the tokens that are tiles, `[*batch, rows, columns, features]`."""
        laid = array.reshape(*array.shape[:-2], *self.grid, array.shape[-1])
        return laid[..., : self.tiles[0], : self.tiles[1], :]

    @property
    def tiled(self) -> np.ndarray:
        """Bool `[tokens]`, where there are tiles."""
        tiled = np.zeros(self.grid, bool)
        tiled[: self.tiles[0], : self.tiles[1]] = True
        return tiled.reshape(-1)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Cells:
    """Structure laid onto the grid.

    Attributes:
      kinds: `[*batch, tokens, kinds]`, one for the kind of the tile there; zero beside the tiles.
      types: `[*batch, tokens, types]`, how many entities of a type stand there.
      attributes: `[*batch, tokens, attributes]`, theirs, each over its scale.
      levels: `[*batch, tokens, levels]`, one for the value of the quantity there; zero where there is none.
      free: `[*batch, free quantities]`, each over its largest value.
    """

    kinds: Float[Array, "*batch tokens kinds"]
    types: Float[Array, "*batch tokens types"]
    attributes: Float[Array, "*batch tokens attributes"]
    levels: Float[Array, "*batch tokens levels"]
    free: Float[Array, "*batch free"]


def nothing(config: StructureConfig, batch: tuple[int, ...]) -> Cells:
    """Returns cells in which nothing is known."""
    kinds, types, attributes, levels, free = config.sizes
    blank = {"kinds": kinds, "types": types, "attributes": attributes, "levels": levels}
    tokens = {name: jnp.zeros((*batch, config.tokens, size)) for name, size in blank.items()}
    return Cells(**tokens, free=jnp.zeros((*batch, free)))


def cells(config: StructureConfig, seen: Observation) -> Cells:
    """Lays out what is known; what is not is zero."""
    found: dict[str, Array] = {}
    if seen.tiles is not None:
        kinds = jax.nn.one_hot(seen.tiles, config.kinds)
        beyond = [(0, 0)] * (kinds.ndim - 3)
        below = (config.grid[0] - config.tiles[0], config.grid[1] - config.tiles[1])
        kinds = jnp.pad(kinds, [*beyond, (0, below[0]), (0, below[1]), (0, 0)])
        found["kinds"] = kinds.reshape(*kinds.shape[:-3], config.tokens, config.kinds)
    if seen.entities is not None and seen.entity_mask is not None:
        found["types"], found["attributes"] = _entities(config, seen.entities, seen.entity_mask)
    if seen.quantities is not None:
        value = jnp.round(seen.quantities[..., np.array(config.placed, int)]).astype(jnp.int32)
        found["levels"] = jnp.einsum("...ql,qt->...tl", jax.nn.one_hot(value, config.levels), jnp.asarray(config.spots))
        most = np.array([config.most[column] for column in config.free], np.float32)
        given = seen.quantities[..., np.array(config.free, int)]
        found["free"] = given / most.reshape((1,) * (given.ndim - 1) + (-1,))
    return dataclasses.replace(nothing(config, seen.batch), **found)


def _entities(config: StructureConfig, entities: Array, mask: Array) -> tuple[Array, Array]:
    x, y = entities[..., config.columns[1]], entities[..., config.columns[2]]
    column = jnp.round(x - x[..., :1]).astype(jnp.int32) + config.agent[1]
    row = jnp.round(y[..., :1] - y).astype(jnp.int32) + config.agent[0]
    inside = mask & (row >= 0) & (row < config.tiles[0]) & (column >= 0) & (column < config.tiles[1])
    # An index of -1 is no token.
    where = jax.nn.one_hot(jnp.where(inside, row * config.grid[1] + column, -1), config.tokens)
    kind = jax.nn.one_hot(entities[..., config.columns[0]].astype(jnp.int32), config.types)
    own = entities[..., np.array(config.columns[3:], int)]
    own = own / np.array(config.scales, np.float32).reshape((1,) * (own.ndim - 1) + (-1,))
    laid = jnp.einsum("...nt,...nf->...tf", where, jnp.concatenate([kind, own], axis=-1))
    return laid[..., : config.types], laid[..., config.types :]


def features(
    config: StructureConfig, known: Cells, present: dict[str, Array]
) -> Float[Array, "*batch tokens features"]:
    """Returns numbers for an encoder: what is known at each token, and which parts are known at all.

    Args:
      config: sizes.
      known: of the structure.
      present: float `[*batch]` of each of `PARTS`, one where it is known and may be told.
    """
    free = jnp.repeat(known.free[..., None, :], config.tokens, axis=-2)
    owned = {
        "tiles": (known.kinds,),
        "entities": (known.types, known.attributes),
        "quantities": (known.levels, free),
    }
    found = [part * present[name][..., None, None] for name, parts in owned.items() for part in parts]
    flags = jnp.stack([present[name] for name in PARTS], axis=-1)
    return jnp.concatenate([*found, jnp.repeat(flags[..., None, :], config.tokens, axis=-2)], axis=-1)


def inputs(config: StructureConfig) -> int:
    """Returns how many `features` a token has."""
    return sum(config.sizes) + len(PARTS)


def outputs(config: StructureConfig) -> int:
    """Returns how many numbers a token tells."""
    return sum(config.sizes)


def told(config: StructureConfig, numbers: Float[Array, "*batch tokens outputs"]) -> Cells:
    """Returns what tokens tell: logits of kinds, of each type and of levels, attributes, and free quantities."""
    ends = np.cumsum(config.sizes)[:-1].tolist()
    kinds, types, attributes, levels, free = jnp.split(numbers, ends, axis=-1)
    return Cells(kinds=kinds, types=types, attributes=attributes, levels=levels, free=jnp.mean(free, axis=-2))


def settled(config: StructureConfig, said: Cells) -> Cells:
    """Returns what `told` means as it is laid out by `cells`: what most likely is so, and nothing in between."""
    column = (1,) * (said.kinds.ndim - 2) + (config.tokens, 1)
    tiled, shown = (mask.astype(np.float32).reshape(column) for mask in (config.tiled, config.spots.sum(axis=0)))
    types = (said.types > 0).astype(jnp.float32) * tiled
    return Cells(
        kinds=jax.nn.one_hot(jnp.argmax(said.kinds, axis=-1), config.kinds) * tiled,
        types=types,
        attributes=said.attributes * jnp.max(types, axis=-1, keepdims=True),
        levels=jax.nn.one_hot(jnp.argmax(said.levels, axis=-1), config.levels) * shown,
        free=jnp.clip(said.free, 0, 1),
    )


def reading(config: StructureConfig, said: Cells) -> dict[str, Array]:
    """Returns what `told` means.

    Returns:
      `tiles` int32 `[*batch, rows, columns]`; `types` `[*batch, tokens, types]`, the probability that an entity of each
      type stands there; `attributes` `[*batch, tokens, attributes]` in their units; `quantities` `[*batch,
      quantities]`.
    """
    batch = said.free.shape[:-1]
    kinds = jnp.argmax(said.kinds, axis=-1).reshape(*batch, *config.grid)
    levels = jnp.argmax(said.levels, axis=-1).astype(jnp.float32)
    values = [jnp.zeros(batch)] * len(config.most)
    for column in config.placed:
        place = config.places[column]
        assert place is not None
        values[column] = levels[..., place[0] * config.grid[1] + place[1]]
    for number, column in enumerate(config.free):
        values[column] = jnp.clip(said.free[..., number], 0, 1) * config.most[column]
    scales = np.array(config.scales, np.float32).reshape((1,) * (said.attributes.ndim - 1) + (-1,))
    tiled = config.tiled.astype(np.float32).reshape((1,) * len(batch) + (config.tokens, 1))
    return {
        "tiles": kinds[..., : config.tiles[0], : config.tiles[1]].astype(jnp.int32),
        "types": jax.nn.sigmoid(said.types) * tiled,
        "attributes": said.attributes * scales,
        "quantities": jnp.stack(values, axis=-1),
    }


def _tuples(value: Any) -> Any:
    return tuple(_tuples(inner) for inner in value) if isinstance(value, list | tuple) else value
