"""What travels between the server of sessions and its players, version 1; `PROTOCOL.md` tells the same to people.

A frame is binary: `FrameHeader`, then the picture. All else is JSON text: `ClientMessage` one way, `ServerMessage` the
other. What the REST interface takes and gives is in `resources.py`.
"""

import dataclasses
import enum
import math
import struct
from typing import Annotated, Any, ClassVar, Literal, Self

import msgspec
from msgspec import Meta

from oyster_jax.serve.resources import (
    BranchLine,
    Button,
    ExportSpan,
    Fault,
    Message,
    Name,
    Sentence,
    Status,
    Text,
    Tick,
    WorldCard,
)

VERSION = 1
SUBPROTOCOL = "oyster.v1"
#: Codes with which the server ends a stream (RFC 6455 leaves 4000 to 4999 to applications).
CLOSE_GONE, CLOSE_REPLACED, CLOSE_FULL, CLOSE_RATE, CLOSE_RESTART = 4404, 4409, 4429, 4408, 1012

_HEADER = struct.Struct("<2sBBHHIIIIdfffffffI")


class Kind(enum.IntEnum):
    """What follows a header."""

    JPEG = 1
    H264_KEY = 2
    H264_DELTA = 3


class Flag(enum.IntFlag):
    """What is particular to a frame.

    JUMPED says that it does not follow the last one: a rewind, a hop, another dream or a seek came between.
    """

    PAUSED = 1
    ENDED = 2
    JUMPED = 4
    TERMINAL = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrameHeader:
    """What a frame says of itself, 64 bytes in front of its picture.

    Attributes:
      kind: what the picture is.
      flags: what is particular to it.
      lane: 0 for the branch that is played, 1 for the one beside it.
      frame: its number in this stream, from 1; to be acknowledged.
      branch: number of its branch, as in the timeline.
      tick: of its branch.
      durable: the last tick of its branch that no crash of the server can take back.
      dropped: frames of this lane that were left out since the last one, because the stream was slow.
      echo: the client's own time of the newest input that this tick used, in ms; NaN before the first.
      waited: ms that this input waited at the server for the tick to begin.
      step: ms that the tick took to compute.
      encode: ms that its picture took to encode.
      server: ms from the beginning of the tick to the handing over to the socket.
      reward: that the world predicts, in the recording's units.
      terminal: probability that the world has ended.
      remaining: seconds of world time that the session has left.
    """

    SIZE: ClassVar[int] = 64
    MAGIC: ClassVar[bytes] = b"OY"

    kind: Kind
    flags: Flag
    lane: int
    frame: int
    branch: int
    tick: int
    durable: int
    dropped: int = 0
    echo: float = math.nan
    waited: float = 0.0
    step: float = 0.0
    encode: float = 0.0
    server: float = 0.0
    reward: float = 0.0
    terminal: float = 0.0
    remaining: float = 0.0

    def pack(self) -> bytes:
        """Returns the 64 bytes."""
        return _HEADER.pack(
            self.MAGIC, VERSION, self.kind, self.flags, self.lane, self.frame, self.branch, self.tick, self.durable,
            self.echo, self.waited, self.step, self.encode, self.server, self.reward, self.terminal, self.remaining,
            self.dropped,
        )  # fmt: skip

    @classmethod
    def unpack(cls, message: bytes) -> Self:
        """Reads the header in front of a frame.

        Raises:
          ValueError: the message is no frame of this version.
        """
        if len(message) < cls.SIZE:
            raise ValueError(f"A frame has a header of {cls.SIZE} bytes, but this message has {len(message)} in all.")
        magic, version, kind, flags, lane, frame, branch, tick, durable, echo, *rest, dropped = _HEADER.unpack_from(
            message
        )
        if magic != cls.MAGIC or version != VERSION:
            raise ValueError(f"A frame begins with {cls.MAGIC!r} and version {VERSION}, but this one does not.")
        names = ("waited", "step", "encode", "server", "reward", "terminal", "remaining")
        return cls(
            kind=Kind(kind), flags=Flag(flags), lane=lane, frame=frame, branch=branch, tick=tick, durable=durable,
            dropped=dropped, echo=echo, **dict(zip(names, rest, strict=True)),
        )  # fmt: skip


class Input(Message, frozen=True, tag="input"):
    """All buttons that are held now, and when that was, in the client's own ms; never what has changed."""

    held: Annotated[list[Button], Meta(max_length=32)]
    at: float


class Ack(Message, frozen=True, tag="ack"):
    """The newest frame that has been drawn."""

    frame: Annotated[int, Meta(ge=0, le=2**32 - 1)]


class Request(Message, frozen=True, tag="request"):
    """Asks for something; the answer carries the same id."""

    id: Annotated[int, Meta(ge=0, le=2**53 - 1)]
    method: Annotated[str, Meta(max_length=32)]
    params: dict[str, Any] = msgspec.field(default_factory=dict)


type ClientMessage = Input | Ack | Request


class NoParams(Message, frozen=True):
    """Of methods that need nothing: `pause`, `resume`, `step`, `reset`, `timeline`."""


class Rate(Message, frozen=True):
    """`rate`: ticks a second, as a multiple of the world's own."""

    factor: Annotated[float, Meta(ge=0.25, le=4)]


class Seek(Message, frozen=True):
    """`seek`: goes to a tick that was lived, and pauses there; what is lived from there on is a branch of its own."""

    tick: Tick
    branch: Name | None = None


class BranchOff(Message, frozen=True):
    """`branch`: makes a branch that leaves at a tick (now unless given) of the present one, and goes there."""

    at: Tick | None = None
    name: Name | None = None


class Hop(Message, frozen=True):
    """`hop`: goes to the end of another branch; runs on if it ran."""

    branch: Name


class Label(Message, frozen=True):
    """`label`: writes something beside a tick of the present branch, the present one unless given."""

    text: Text
    tick: Tick | None = None


class Edit(Message, frozen=True):
    """`edit`: changes something of the present moment of lane 0; the document is that of `World.edit`."""

    document: dict[str, Any]


class Happen(Message, frozen=True):
    """`event`: makes something happen with lane 0's next tick: an event, by its name or in a sentence."""

    name: Sentence


class Tell(Message, frozen=True):
    """`story`: tells a story, the text of a file as `oyster direct` takes it, from now on; null ends the one told."""

    text: Annotated[str, Meta(min_length=1, max_length=12_000)] | None


class Extend(Message, frozen=True):
    """`extend`: gives the session more world time, in seconds, as far as its owner may have it."""

    seconds: Annotated[float, Meta(gt=0, le=86_400)]


class Readouts(Message, frozen=True):
    """`readouts`: whether every frame is followed by an event that says what the world's heads read."""

    on: bool


class Compare(Message, frozen=True):
    """`compare`: runs another branch beside the present one, under the same buttons; null ends that."""

    branch: Name | None


class ChooseCodec(Message, frozen=True):
    """`codec`: what pictures are sent as."""

    codec: Literal["jpeg", "h264"]


#: What a stream's requests may ask for, and with which params.
METHODS: dict[str, type[Message]] = {
    "pause": NoParams, "resume": NoParams, "step": NoParams, "reset": NoParams, "timeline": NoParams,
    "rate": Rate, "seek": Seek, "branch": BranchOff, "hop": Hop, "label": Label, "extend": Extend,
    "edit": Edit, "event": Happen, "story": Tell,
    "readouts": Readouts, "compare": Compare, "codec": ChooseCodec, "export": ExportSpan,
}  # fmt: skip
#: Those of them that a spectator may use: they change nothing but what is sent.
SPECTATOR_METHODS = frozenset({"timeline", "readouts", "codec"})


class Response(Message, frozen=True, tag="response"):
    """The answer to a request that was met."""

    id: int
    result: Any


class ErrorAnswer(Message, frozen=True, tag="error"):
    """The answer to a request that was not; without an id, to a message that was none."""

    id: int | None
    error: Fault


class Hello(Message, frozen=True, tag="hello", tag_field="event"):
    """The first message of every stream."""

    protocol: int
    session: str
    role: Literal["player", "spectator"]
    world: WorldCard
    codecs: list[str]
    status: Status
    branches: list[BranchLine]
    type: Literal["event"] = "event"


class StatusEvent(Message, frozen=True, tag="status", tag_field="event"):
    """Sent when something has changed beside the tick."""

    status: Status
    type: Literal["event"] = "event"


class TimelineEvent(Message, frozen=True, tag="timeline", tag_field="event"):
    """Sent when a branch or a label has been made, or something was done beside acting."""

    branches: list[BranchLine]
    type: Literal["event"] = "event"


class ReadoutsEvent(Message, frozen=True, tag="readouts", tag_field="event"):
    """What the world's heads read at a tick, sent just before its frame.

    Rows of `entities` are type, x, y, vx, vy (tiles from the middle of the frame, y upwards; tiles a tick) and the
    probability that something is there; only those of more than 0.3. `position` is where the camera stands, in pixels.
    """

    lane: int
    branch: int
    tick: int
    reward: float
    terminal: float
    entities: list[list[float]]
    position: list[float] | None
    type: Literal["event"] = "event"


type StoryPhase = Literal["telling", "told", "stopped", "failed"]


class ActLine(Message, frozen=True):
    """An act of a story: the branch that the story tells it on, its label, and what it does."""

    branch: str
    label: str
    does: str


class StoryEvent(Message, frozen=True, tag="story", tag_field="event"):
    """How a story stands: sent whenever an act begins, and at its end.

    `told` are the numbers of the acts that took place, counted from 0, the last one being that of now; others before it
    were left out because something was not so.
    """

    phase: StoryPhase
    sentence: str
    acts: list[ActLine]
    told: list[int]
    type: Literal["event"] = "event"


class ClosedEvent(Message, frozen=True, tag="closed", tag_field="event"):
    """The last message of a stream that the server ends; the close code follows."""

    code: str
    message: str
    type: Literal["event"] = "event"


type Event = Hello | StatusEvent | TimelineEvent | ReadoutsEvent | StoryEvent | ClosedEvent
type ServerMessage = Response | ErrorAnswer | Event

decode_client = msgspec.json.Decoder(Input | Ack | Request).decode
encode = msgspec.json.Encoder().encode
