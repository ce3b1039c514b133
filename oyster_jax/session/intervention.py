"""What is done to a world that is being lived in, beside acting in it: an entry of the log like an action."""

import dataclasses
import json
import time
from collections.abc import Mapping
from typing import Any, Self

from oyster_jax.session.errors import SessionError
from oyster_jax.session.log import MAX_PAYLOAD, Entry

#: The kind of such an entry of a log.
INTERVENTION = 3
#: What can be done: something of the present changed, as `World.edit` has it; an event, by its name; a cut to another
#: beginning, as a manifest says how a session begins.
EDIT, EVENT, CUT = "edit", "event", "cut"
KINDS = (EDIT, EVENT, CUT)
#: Bytes of JSON that may be done at once; the rest of an entry is for the other fields.
LONGEST = MAX_PAYLOAD - 1024
#: Characters of it that people are shown.
SHOWN = 200


@dataclasses.dataclass(frozen=True, kw_only=True)
class Intervention:
    """Something that was done to the world at a tick, after the tick came and before the next action was taken.

    Attributes:
      kind: one of `KINDS`.
      tick: at which.
      given: what was done, of JSON's types.
      digest: of the frame afterwards, in hexadecimal digits.
      time: when, in seconds of the Unix epoch.
    """

    kind: str
    tick: int
    given: Any
    digest: str
    time: float

    @property
    def text(self) -> str:
        """What was done, for people; of what is long, the beginning."""
        given = opening_text(self.given) if self.kind == CUT else self.given
        text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"

    @classmethod
    def of(cls, kind: str, given: Any, tick: int, digest: bytes) -> Self:
        """Returns what is being done now, which has led to a frame of that digest."""
        return cls(kind=kind, tick=tick, given=given, digest=digest.hex(), time=time.time())

    @classmethod
    def read(cls, payload: bytes) -> Self:
        """Returns what an entry of a log says.

        Raises:
          ValueError, TypeError: it says something else.
        """
        found = cls(**json.loads(payload))
        if found.kind not in KINDS:
            raise ValueError(f"an intervention is of the unknown kind {found.kind!r}")
        return found

    def entry(self) -> Entry:
        """Returns the entry that stands for it in a log."""
        return Entry(kind=INTERVENTION, payload=json.dumps(dataclasses.asdict(self)).encode())


def opening_text(given: Mapping[str, Any]) -> str:
    """Returns, for people, where a world begins of which a manifest or a cut says this."""
    if (sentence := given.get("sentence")) is not None:
        return sentence
    if given.get("entities") is not None:
        return "what is described"
    if given.get("prompt") is None:
        return f"a dream of seed {given['seed']}"
    return "a picture" if given.get("frames") == 1 else "a recorded moment"


def plain(given: Any) -> Any:
    """Returns what is to be kept as it will be read again, so that a replay does the very same.

    Raises:
      SessionError: it is not of JSON's types, or too long.
    """
    try:
        text = json.dumps(given, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise SessionError(f"What a session keeps is of JSON's types, but this is not: {error}.") from error
    if len(text) > LONGEST:
        raise SessionError(f"This takes {len(text):,} bytes, but there are {LONGEST:,} for it; do it in several steps.")
    return json.loads(text)
