"""What the REST interface takes and gives, and what the stream shares with it."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from oyster_jax.worlds.familiarity import Verdict

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
WorldName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Identity = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$", max_length=16)]
Tick = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Button = Annotated[str, Meta(min_length=1, max_length=32)]
Sentence = Annotated[str, Meta(min_length=1, max_length=300)]
Text = Annotated[str, Meta(min_length=1, max_length=500)]


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the protocol: unknown fields are refused."""


class Fault(Message, frozen=True):
    """What went wrong: a code for programs, a sentence for people."""

    code: str
    message: str


class ExportSpan(Message, frozen=True):
    """`export`: makes a recording of a span of a branch; the present branch, whole, unless given."""

    format: Literal["mp4", "jsonl", "npz"] = "mp4"
    branch: Name | None = None
    start: Tick = 0
    stop: Tick | None = None
    captions: bool = False


class LabelLine(Message, frozen=True):
    """Something that was written beside a tick."""

    tick: int
    text: str


class DoneLine(Message, frozen=True):
    """An `edit`, `event` or `cut` that was done after a tick and before the next; `text` is how what it was begins."""

    tick: int
    kind: str
    text: str


class BranchLine(Message, frozen=True):
    """A branch: its number never changes, its parent is another's name, at is the tick at which it left that."""

    number: int
    name: str
    parent: str | None
    at: int
    end: int
    created: float
    labels: list[LabelLine]
    done: list[DoneLine]


class Status(Message, frozen=True):
    """How a session is doing."""

    phase: Literal["running", "paused", "ended"]
    sentence: str
    branch: str
    number: int
    tick: int
    ticks: int
    rate: float
    remaining: float
    duration: float
    compared: str | None
    players: int
    spectators: int


class WorldCard(Message, frozen=True):
    """A world that can be played: its spec, and what its card says.

    `actions` are the sets of buttons that mean something together; `pictures` are addresses, the first a square one;
    `view` is how many tiles the frame is across, null where no entities are read; `entity_types` names their types;
    `events` can be made to happen; `examples` are sentences to begin with, none where the world knows no words.
    """

    name: str
    title: str
    card: str
    buttons: list[str]
    actions: list[str]
    height: int
    width: int
    rate: float
    parameters: int
    bytes: int
    licence: str
    figures: dict[str, Any]
    pictures: list[str]
    prompts: int
    view: float | None
    entity_types: dict[str, str]
    events: list[str]
    examples: list[str]


class Prompt(Message, frozen=True):
    """A recorded moment that a session can begin from."""

    name: str
    world: str
    title: str
    ticks: int
    picture: str


class SessionInfo(Message, frozen=True):
    """A session as the list shows it; `remarks` are on the sentence that it began with, where something was amiss."""

    id: str
    world: str
    start: str
    created: float
    ticks: int
    world_time: float
    bytes: int
    open: bool
    running: bool
    remarks: list[str]


class CreateSession(Message, frozen=True):
    """Begins a session: from a seed, a recorded moment (its name), an upload (its id), a sentence or a description."""

    world: WorldName
    seed: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    prompt: Name | None = None
    image: Identity | None = None
    sentence: Sentence | None = None
    entities: dict[str, Any] | None = None
    duration: Annotated[float, Meta(gt=0, le=86_400)] | None = None


class Upload(Message, frozen=True):
    """A picture, as a world sees it: how well that world can show it, beside what it was trained on."""

    id: str
    world: str
    picture: str
    shown: str
    psnr: float
    usual: float
    verdict: Verdict
    sentence: str


class Recording(Message, frozen=True):
    """An exported span of a session."""

    id: str
    session: str
    format: str
    url: str
    bytes: int
    created: float
