"""Reads entities out of Procgen's serialised state.

The state is little-endian: a header of numbers and strings, then one record of 31 four-byte fields an entity. Reading
the records as one array is what keeps this nearly as fast as the simulator.
"""

import ctypes
import dataclasses
import struct
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int32

from oyster_jax.data.errors import DatasetError

#: The simulator's own fields of an entity, in its order, with their kinds (f float32, i int32).
_LAYOUT = (
    ("f", "x y vx vy rx ry"),
    ("i", "type image_type image_theme render_z will_erase collides_with_entities"),
    ("f", "collision_margin rotation vrotation"),
    ("i", "is_reflected fire_time spawn_time life_time expire_time use_abs_coords"),
    ("f", "friction"),
    ("i", "smart_step avoids_collisions auto_erase"),
    ("f", "alpha health theta grow_rate alpha_decay climber_spawn_x"),
)
_RECORD = [(name, kind) for kind, names in _LAYOUT for name in names.split()]
_RECORD_BYTES = 4 * len(_RECORD)

#: The columns of the recorded table. Positions `x`, `y` (of the centre, `y` upwards) and half sizes `rx`, `ry` are in
#: tiles; `vx`, `vy` in tiles a tick; `rotation` in radians; times in ticks; the rest are the game's codes and flags.
FIELDS = (
    "x", "y", "vx", "vy", "rx", "ry", "rotation", "vrotation", "type", "image_type", "image_theme", "render_z",
    "is_reflected", "will_erase", "collides_with_entities", "alpha", "health", "fire_time", "life_time", "expire_time",
)  # fmt: skip

_NAMES = [name for name, _ in _RECORD]
_KINDS = dict(_RECORD)
_FLOATS = [(column, _NAMES.index(name)) for column, name in enumerate(FIELDS) if _KINDS[name] == "f"]
_INTEGERS = [(column, _NAMES.index(name)) for column, name in enumerate(FIELDS) if _KINDS[name] == "i"]
_TO_FLOATS, _FROM_FLOATS = (list(part) for part in zip(*_FLOATS, strict=True))
_TO_INTEGERS, _FROM_INTEGERS = (list(part) for part in zip(*_INTEGERS, strict=True))

_STATE_BYTES = 2**20
_STATE_VERSION = 0
_INTEGER = struct.Struct("<i")
# Behind the two random generators: f | i i | action | timeout, 4 i | i | f | i i | tick | i | grid size | entities.
_TAIL = struct.Struct("<fiiiiiiiiifiiiiii")
# Behind the entities: 20 numbers, a random generator as text, 9 numbers, then the grid: columns, rows, how many.
_BEFORE_GENERATOR, _BEFORE_GRID = 20 * 4, 9 * 4
_GRID = struct.Struct("<iii")


@dataclasses.dataclass(frozen=True, kw_only=True)
class StateHeader:
    """What a state says before its entities.

    Attributes:
      game: its name.
      action: the last action.
      timeout: ticks after which the episode is ended by the clock.
      tick: ticks since the episode began.
      entities: how many there are.
      offset: the byte at which their records begin.
    """

    game: str
    action: int
    timeout: int
    tick: int
    entities: int
    offset: int


def parse_header(state: Any) -> StateHeader:
    """Reads the header of a state (anything with the buffer protocol).

    Raises:
      DatasetError: the state is not laid out as expected.
    """
    try:
        (version,) = _INTEGER.unpack_from(state, 0)
        if version != _STATE_VERSION:
            raise DatasetError(f"Procgen's state has version {version}, but version {_STATE_VERSION} is understood.")
        (length,) = _INTEGER.unpack_from(state, 4)
        game = bytes(memoryview(state)[8 : 8 + length]).decode()
        # 17 options and a flag come before the first random generator, a flag before the second.
        offset = 8 + length + 18 * 4
        for gap in (4, 0):
            (length,) = _INTEGER.unpack_from(state, offset)
            offset += 4 + length + gap
        tail = _TAIL.unpack_from(state, offset)
    except (struct.error, UnicodeDecodeError) as error:
        raise DatasetError(f"Procgen's state cannot be read ({error}); install the pinned procgen-gym.") from error
    return StateHeader(
        game=game, action=tail[3], timeout=tail[4], tick=tail[13], entities=tail[16], offset=offset + _TAIL.size
    )


def parse_entities(state: Any, header: StateHeader) -> Float32[np.ndarray, "entities fields"]:
    """Returns the entities of a state with the columns `FIELDS`, in the simulator's order (row 0 is the agent)."""
    records = np.frombuffer(state, np.int32, header.entities * len(_RECORD), header.offset).reshape(-1, len(_RECORD))
    table = np.empty((len(records), len(FIELDS)), np.float32)
    table[:, _TO_FLOATS] = records.view(np.float32)[:, _FROM_FLOATS]
    table[:, _TO_INTEGERS] = records[:, _FROM_INTEGERS]
    return table


def parse_grid(state: Any, header: StateHeader) -> Int32[np.ndarray, "rows columns"]:
    """Returns the game's codes of what each tile of the level is, the lowest row first.

    Raises:
      DatasetError: the state is not laid out as expected.
    """
    offset = header.offset + header.entities * _RECORD_BYTES + _BEFORE_GENERATOR
    try:
        (length,) = _INTEGER.unpack_from(state, offset)
        offset += 4 + length + _BEFORE_GRID
        columns, rows, count = _GRID.unpack_from(state, offset)
        if columns * rows != count:
            raise DatasetError(f"Procgen's state has {count} tiles where {columns} times {rows} were expected.")
        return np.frombuffer(state, np.int32, count, offset + _GRID.size).reshape(rows, columns)
    except (struct.error, ValueError) as error:
        raise DatasetError(f"Procgen's tiles cannot be read ({error}); install the pinned procgen-gym.") from error


class StateReader:
    """Reads the states of a `ProcgenVecEnv` through one buffer of its own.

    The environment's own `get_state` allocates and copies a mebibyte an environment.
    """

    def __init__(self, environment: Any) -> None:
        self._environment = environment
        self._buffer = ctypes.create_string_buffer(_STATE_BYTES)

    def header(self, index: int) -> StateHeader:
        """Returns the header of one environment's state."""
        self._fetch(index)
        return parse_header(self._buffer)

    def state(self, index: int) -> bytes:
        """Returns a copy of one environment's state."""
        return ctypes.string_at(self._buffer, self._fetch(index))

    def tables(
        self, capacity: int
    ) -> tuple[
        Float32[np.ndarray, "environments capacity fields"],
        Bool[np.ndarray, "environments capacity"],
        Int32[np.ndarray, "environments"],
    ]:
        """Returns every environment's entities, which rows are in use, and how many entities did not fit."""
        count = self._environment.num_envs
        tables = np.zeros((count, capacity, len(FIELDS)), np.float32)
        mask = np.zeros((count, capacity), bool)
        lost = np.zeros(count, np.int32)
        for index in range(count):
            self._fetch(index)
            header = parse_header(self._buffer)
            kept = min(header.entities, capacity)
            tables[index, :kept] = parse_entities(self._buffer, header)[:kept]
            mask[index, :kept] = True
            lost[index] = header.entities - kept
        return tables, mask, lost

    def grid(self, index: int) -> Int32[np.ndarray, "rows columns"]:
        """Returns the tiles of one environment's level; see `parse_grid`."""
        self._fetch(index)
        return parse_grid(self._buffer, parse_header(self._buffer)).copy()

    def _fetch(self, index: int) -> int:
        # The package offers no public way to a state that does not copy a mebibyte.
        library = self._environment._clib  # noqa: SLF001
        return library.call_c_func("get_state", index, self._buffer, _STATE_BYTES)
