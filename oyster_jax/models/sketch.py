"""Structure of a moment that is being changed, thing by thing, before a world's latent is made of it.

What the simulator holds together is held together here. A thing whose type is also the last word of a kind of tile, as
a plant is, is that tile: where it goes, the ground around it is left, and a tile that becomes another takes it along.
"""

import dataclasses

import jax.numpy as jnp
import numpy as np

from oyster_jax.core.spec import WorldSpec
from oyster_jax.models.structure import Cells, StructureConfig

_NAMES = tuple(field.name for field in dataclasses.fields(Cells))


class Sketch:
    """Cells `[tokens, …]` that may be written to.

    Attributes:
      kinds, types, attributes, levels, free: NumPy arrays, see `Cells`.
    """

    def __init__(self, spec: WorldSpec, config: StructureConfig, known: Cells) -> None:
        assert spec.tiles is not None
        assert spec.entity is not None
        self._spec, self._config = spec.entity, config
        self.kinds, self.types, self.attributes, self.levels, self.free = (
            np.array(getattr(known, name)) for name in _NAMES
        )
        words = [kind.split("_")[-1] for kind in spec.tiles.kinds]
        #: By type, the kinds of tiles that things of it are.
        self._solid = [[number for number, word in enumerate(words) if word == name] for name in spec.entity.types]

    def usual(self, kind: int) -> np.ndarray:
        """Returns the attributes, over their scales, of a thing of type `kind` of which nothing is said."""
        name = self._spec.types[kind]
        own = [self._spec.usual_value(name, self._spec.fields[column]) for column in self._config.columns[3:]]
        return np.array(own, np.float32) / np.array(self._config.scales, np.float32)

    def take(self, token: int, kind: int) -> np.ndarray:
        """Takes away a thing of type `kind` that stands at `token`; returns its attributes, over their scales."""
        own = self.attributes[token].copy()
        self._leave(token, kind)
        if self.kinds[token].argmax() in self._solid[kind]:
            self._pave(token, self._ground(token))
        return own

    def put(self, token: int, kind: int, attributes: np.ndarray) -> None:
        """Puts a thing of type `kind` at `token`, in the place of what stands there."""
        self._stand(token, kind, attributes)
        if self._solid[kind]:
            self._pave(token, self._solid[kind][0])

    def tile(self, token: int, kind: int) -> None:
        """Makes the tile at `token` one of `kind`."""
        for thing, solid in enumerate(self._solid):
            there = self.types[token, thing]
            if kind in solid and not there:
                self._stand(token, thing, self.usual(thing))
            elif solid and kind not in solid and there:
                self._leave(token, thing)
        self._pave(token, kind)

    def level(self, token: int, value: int) -> None:
        """Sets the quantity that is shown at `token`."""
        self.levels[token], self.levels[token, value] = 0, 1

    def cells(self) -> Cells:
        """Returns the structure as it now is."""
        return Cells(**{name: jnp.asarray(getattr(self, name)) for name in _NAMES})

    def _stand(self, token: int, kind: int, attributes: np.ndarray) -> None:
        self.types[token] = 0
        self.types[token, kind], self.attributes[token] = 1, attributes

    def _leave(self, token: int, kind: int) -> None:
        self.types[token, kind] = 0
        # They are told once a tile, and stay with whoever is left there.
        self.attributes[token] *= self.types[token].any()

    def _pave(self, token: int, kind: int) -> None:
        self.kinds[token], self.kinds[token, kind] = 0, 1

    def _ground(self, token: int) -> int:
        """Returns the kind of most tiles around `token` that are no things; its own where there is none."""
        rows, columns = self._config.tiles
        row, column = divmod(token, self._config.grid[1])
        around = self.kinds.reshape(*self._config.grid, -1)[
            max(row - 1, 0) : min(row + 2, rows), max(column - 1, 0) : min(column + 2, columns)
        ].sum(axis=(0, 1))
        around[[kind for solid in self._solid for kind in solid]] = 0
        return int(around.argmax() if around.any() else self.kinds[token].argmax())
