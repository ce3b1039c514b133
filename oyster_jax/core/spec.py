"""What a world shows, accepts and contains: frames, actions and entities."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np

#: The action id of a tick whose action is unknown (recordings without labels).
UNLABELLED = -1

#: Ticks of a script of actions; more were a slip of the hand, and would fill the memory.
LONGEST = 10_000_000

#: Parts of a specification that there were not from the beginning.
_LATER = ("tiles", "quantities", "events")


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrameSpec:
    """Frames are uint8 RGB, `[height, width, 3]`.

    Attributes:
      height: pixels.
      width: pixels.
      rate: ticks of world time a second, in hertz.
    """

    height: int = 64
    width: int = 64
    rate: float = 15.0

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of one frame, `(height, width, 3)`."""
        return (self.height, self.width, 3)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ActionSpec:
    """A discrete set of named actions; a name joins the buttons held at one tick, as in `right+jump`.

    Attributes:
      names: one name an action; the index is the action's id.
      idle: the name of the action that presses nothing.
    """

    names: tuple[str, ...]
    idle: str

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"Action names must differ from each other, but were {', '.join(self.names)}.")
        if self.idle not in self.names:
            raise ValueError(f"The idle action '{self.idle}' is not one of the actions {', '.join(self.names)}.")

    @property
    def count(self) -> int:
        """The number of actions; ids run from 0 to one less."""
        return len(self.names)

    @property
    def buttons(self) -> tuple[str, ...]:
        """The single buttons that occur in the names, in order of first use."""
        names = (name for name in self.names if name != self.idle)
        return tuple(dict.fromkeys(button for name in names for button in name.split("+")))

    def parse(self, action: str | int) -> int:
        """Returns the id of an action given by name (buttons in any order) or by id.

        Raises:
          ValueError: there is no such action; the sentence lists the known ones.
        """
        if isinstance(action, str) and not action.strip().lstrip("-").isdigit():
            wanted = frozenset(action.strip().lower().split("+"))
            for index, name in enumerate(self.names):
                if frozenset(name.split("+")) == wanted:
                    return index
            raise ValueError(f"There is no action '{action.strip()}' in this world; it knows {', '.join(self.names)}.")
        index = int(action)
        if not 0 <= index < self.count:
            raise ValueError(f"Action {index} is out of range; this world has actions 0 to {self.count - 1}.")
        return index

    def held(self, buttons: Iterable[str]) -> int:
        """Returns the action that presses as many of the held `buttons` as possible and no other."""
        pressed = frozenset(buttons)
        fitting = [name for name in self.names if name == self.idle or pressed.issuperset(name.split("+"))]
        return self.names.index(max(fitting, key=lambda name: 0 if name == self.idle else len(name.split("+"))))

    def script(self, text: str) -> np.ndarray:
        """Parses `right*30,right+jump*6,4*10` into action ids; see `script_parts`.

        Returns:
          int32 `[ticks]`.

        Raises:
          ValueError: an action is unknown, a count is not a positive number, or there are more than `LONGEST` ticks.
        """
        ids = [action for name, ticks in script_parts(text) for action in [self.parse(name)] * ticks]
        if not ids:
            raise ValueError("The list of actions is empty; write it as in 'right*30,right+jump*6'.")
        return np.asarray(ids, np.int32)


@dataclasses.dataclass(frozen=True, kw_only=True)
class EntitySpec:
    """The things a recording's simulator knows of, as a table of at most `capacity` rows.

    Row 0 is the agent. Rows are sorted as the simulator sorts them; a mask says which are in use.

    Attributes:
      capacity: rows of the table.
      fields: names of the float32 columns, units in their documentation (positions in tiles, velocities in tiles/tick).
      types: what the numbers in the column `type` mean, where the recording says so.
      usual: type, field and value of what a thing of that type has when it comes; 0 unless given. For those who
        describe things: specifications that differ in it alone are equal.
    """

    capacity: int
    fields: tuple[str, ...]
    types: tuple[str, ...] = ()
    usual: tuple[tuple[str, str, float], ...] = dataclasses.field(default=(), compare=False)

    @property
    def named(self) -> tuple[str, ...]:
        """Types that have names, in order; a game may have numbers that stand for nothing."""
        return tuple(name for name in self.types if name)

    def usual_value(self, kind: str, field: str) -> float:
        """Returns what a thing of a type has in a field when it comes."""
        return next((value for name, own, value in self.usual if (name, own) == (kind, field)), 0.0)

    def column(self, field: str) -> int:
        """Returns the column that holds `field`.

        Raises:
          ValueError: there is no such field.
        """
        if field not in self.fields:
            raise ValueError(f"Entities of this world have no '{field}'; they have {', '.join(self.fields)}.")
        return self.fields.index(field)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TileSpec:
    """What the tiles are that a frame shows: a grid from its upper left corner on, whose cells are squares of pixels.

    Attributes:
      kinds: names of what a tile can be; recordings hold the index.
      rows: tiles from top to bottom.
      columns: tiles from left to right.
      side: of a tile, pixels.
      agent: row and column of the tile on which the agent stands in every frame; entities are placed by it.
      scrolls: frames are centred on the agent itself, wherever in its tile it is, and places are fractions of tiles.
        Then the tiles are those around the agent's, and the outer ones may lie beyond the frame.
    """

    kinds: tuple[str, ...]
    rows: int
    columns: int
    side: float
    agent: tuple[int, int]
    scrolls: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class QuantitySpec:
    """Numbers from 0 on that are the agent's or the whole world's: its health, what it carries, the light of day.

    Attributes:
      names: of the numbers.
      most: the largest value of each.
      places: row and column of the tile where the frame shows it, as a whole number; None where it has no place.
      usual: the value of each when an episode begins; 0 unless given.
    """

    names: tuple[str, ...]
    most: tuple[float, ...]
    places: tuple[tuple[int, int] | None, ...]
    usual: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.names) == len(self.most) == len(self.places):
            raise ValueError(
                f"Every quantity has a name, a largest value and a place, but there were {len(self.names)}, "
                f"{len(self.most)} and {len(self.places)} of these."
            )

    def column(self, name: str) -> int:
        """Returns the column that holds a quantity.

        Raises:
          ValueError: there is no such quantity.
        """
        if name not in self.names:
            raise ValueError(f"This world has no quantity '{name}'; it has {', '.join(self.names)}.")
        return self.names.index(name)


@dataclasses.dataclass(frozen=True, kw_only=True)
class EventSpec:
    """What can be made to happen in a world, beside what its actions do: night falls, a zombie appears.

    Attributes:
      names: one an event; its id is the index plus one, since 0 stands for a tick at which nothing is made to happen.
    """

    names: tuple[str, ...]

    def parse(self, event: str) -> int:
        """Returns the id of an event.

        Raises:
          ValueError: there is no such event; the sentence lists the known ones.
        """
        if event not in self.names:
            raise ValueError(f"There is no event '{event}' in this world; it knows {', '.join(self.names)}.")
        return self.names.index(event) + 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorldSpec:
    """Everything that a user must know of a world to step it and to look at it.

    Attributes:
      name: what the world is called, as in `coinrun`.
      frame: what it shows.
      action: what it accepts.
      entity: what it contains, where its recordings said so.
      tiles: what the tiles in its frames are, likewise.
      quantities: what it counts, likewise.
      events: what can be made to happen in it, likewise.
    """

    name: str
    frame: FrameSpec
    action: ActionSpec
    entity: EntitySpec | None = None
    tiles: TileSpec | None = None
    quantities: QuantitySpec | None = None
    events: EventSpec | None = None

    @property
    def structured(self) -> bool:
        """Whether recordings say more of a frame than which entities there are."""
        return self.tiles is not None or self.quantities is not None

    def to_json(self) -> dict[str, Any]:
        """Returns a JSON-ready dict; `from_json` is its inverse."""
        data = dataclasses.asdict(self)
        # What a world has not is left out, so that descriptions read as they did before there was such a thing.
        if self.tiles is not None and not self.tiles.scrolls:
            del data["tiles"]["scrolls"]
        for name in ("types", "usual"):
            if self.entity is not None and not getattr(self.entity, name):
                del data["entity"][name]
        return {name: value for name, value in data.items() if name not in _LATER or value is not None}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Rebuilds a spec from `to_json`.

        Raises:
          ValueError: a field is missing, unknown or of the wrong kind.
        """
        try:
            given = {name: _tuples(data.get(name)) for name in ("entity", *_LATER)}
            return cls(
                name=data["name"],
                frame=FrameSpec(**data["frame"]),
                action=ActionSpec(names=tuple(data["action"]["names"]), idle=data["action"]["idle"]),
                entity=EntitySpec(**given["entity"]) if given["entity"] else None,
                tiles=TileSpec(**given["tiles"]) if given["tiles"] else None,
                quantities=QuantitySpec(**given["quantities"]) if given["quantities"] else None,
                events=EventSpec(**given["events"]) if given["events"] else None,
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"This is not a world specification: {error!r}.") from error


def _tuples(data: Any) -> Any:
    """Returns JSON data with tuples in the place of its lists."""
    if isinstance(data, dict):
        return {name: _tuples(value) for name, value in data.items()}
    return tuple(_tuples(value) for value in data) if isinstance(data, list) else data


def script_parts(text: str) -> list[tuple[str, int]]:
    """Returns the actions of a script and how many ticks each is held, whatever a world calls its actions.

    Raises:
      ValueError: a count is not a positive number, or there are more than `LONGEST` ticks.
    """
    parts, total = [], 0
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, star, count = part.partition("*")
        if star and (not count.strip().isdigit() or int(count) < 1):
            raise ValueError(f"'{part}' is not an action with a count; write it as in 'right*30'.")
        ticks = int(count) if star else 1
        total += ticks
        if total > LONGEST:
            raise ValueError(f"'{part}' makes a list of more than {LONGEST:,} actions; give fewer.")
        parts.append((name, ticks))
    return parts


def as_action_ids(spec: ActionSpec, actions: str | Sequence[str | int] | np.ndarray) -> np.ndarray:
    """Returns int32 ids `[ticks]` of actions given as a script, as names or as ids.

    Raises:
      ValueError: an action is unknown to `spec`.
    """
    if isinstance(actions, str):
        return spec.script(actions)
    return np.asarray([spec.parse(a if isinstance(a, str) else int(a)) for a in actions], np.int32)
