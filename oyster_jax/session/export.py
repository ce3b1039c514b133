"""A session for others: a clip, with its actions written into it or not, a table of events, or plain arrays."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from oyster_jax.core.spec import ActionSpec
from oyster_jax.files import write_whole
from oyster_jax.frames import write_clip
from oyster_jax.session.branch import Branch
from oyster_jax.session.errors import SessionError
from oyster_jax.session.intervention import EVENT
from oyster_jax.session.replayer import Replayer

ENDINGS = (".mp4", ".webp", ".npz", ".jsonl")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Span:
    """Which ticks of a session.

    Attributes:
      branch: of the session; what it shares with those it comes from is its own here.
      start: the first tick.
      stop: the last tick.
    """

    branch: str
    start: int
    stop: int


def export(
    replayer: Replayer,
    span: Span,
    path: Path,
    *,
    actions: ActionSpec,
    rate: float,
    captions: bool = False,
    mark: str = "",
) -> None:
    """Writes a span of a session; the ending of `path` says as what.

    Clips and arrays say where they come from: world, weights, session, beginning and ticks, as JSON (`write_clip`).
    `.mp4` and `.webp` show it, `.npz` holds `frames` `[ticks + 1, height, width, 3]` and `actions` `[ticks]` exactly,
    `.jsonl` has a line for every tick, and for every event and intervention on the way to the end of the branch.

    Args:
      replayer: of the session.
      span: which ticks.
      path: where to; replaced once the new file is whole.
      actions: of the world, for their names.
      rate: ticks a second.
      captions: write each action into its frame, and beside it what was made to happen with it.
      mark: written into the upper right corner of every frame that people look at, nothing if empty.

    Raises:
      SessionError: the ending is none of these, or the span was not lived.
    """
    if path.suffix not in ENDINGS:
        raise SessionError(f"A session is exported to {', '.join(ENDINGS)}, but '{path.name}' ends in none of them.")
    replayer.owner(span.branch, span.stop)
    if not 0 <= span.start <= span.stop:
        raise SessionError(f"A span begins before it ends, but this one is from {span.start} to {span.stop}.")
    taken = replayer.actions(span.branch, span.start, span.stop)
    if path.suffix == ".jsonl":
        lines = [json.dumps(line) for line in _lines(replayer, span, taken, actions)]
        write_whole(path.parent, {path.name: ("\n".join(lines) + "\n").encode()})
        return
    frames = (moment.frame for moment in replayer.replay(span.branch, span.start, span.stop))
    if path.suffix == ".npz":
        write_clip(path, frames, rate=rate, actions=taken, start=span.start, about=_provenance(replayer, span))
        return
    names = ["", *_captions(replayer, span, taken, actions)]
    shown = (_written(frame, name if captions else "", mark) for frame, name in zip(frames, names, strict=True))
    write_clip(path, shown, rate=rate, about=_provenance(replayer, span))


def _provenance(replayer: Replayer, span: Span) -> str:
    manifest = replayer.archive.manifest
    names = ("world", "digest", "id", "seed", "prompt", "sentence", "entities")
    told = {name: manifest[name] for name in names if name in manifest}
    about = {"session" if name == "id" else name: value for name, value in told.items()} | vars(span)
    # Up to its end, from the beginning on: all that made what is shown.
    done = [{"tick": one.tick, one.kind: one.given} for one in replayer.interventions(span.branch, 0, span.stop)]
    return json.dumps(about | ({"interventions": done} if done else {}))


def _lines(replayer: Replayer, span: Span, taken: np.ndarray, actions: ActionSpec) -> Iterator[dict[str, object]]:
    for tick, action in enumerate(taken.tolist(), span.start + 1):
        branch = replayer.owner(span.branch, tick)
        yield {
            "tick": tick,
            "branch": branch.name,
            "action": action,
            "name": actions.names[action],
            "lived": branch.lived(tick),
            "frame": branch.digest(tick).hex(),
        }
    for branch, end, done in _way(replayer, span.branch):
        for event in branch.events:
            if event.tick <= end:
                yield {"branch": branch.name, **dataclasses.asdict(event)}
        for intervention in branch.interventions[:done]:
            yield {"branch": branch.name, **dataclasses.asdict(intervention)}


def _way(replayer: Replayer, name: str) -> list[tuple[Branch, int, int | None]]:
    """Returns a branch and those that it comes from, the oldest first: until which tick, and how many interventions."""
    branch = replayer.archive.branch(name)
    way: list[tuple[Branch, int, int | None]] = [(branch, branch.end, None)]
    while branch.parent is not None:
        branch, end, done = replayer.archive.branches[branch.parent], branch.at, branch.after
        way.append((branch, end, done))
    return way[::-1]


def _captions(replayer: Replayer, span: Span, taken: np.ndarray, actions: ActionSpec) -> Iterator[str]:
    happened: dict[int, str] = {}
    for one in replayer.interventions(span.branch, span.start, span.stop):
        if one.kind == EVENT:
            happened[one.tick] = f" · {one.text.replace('_', ' ')}"
    for tick, action in enumerate(taken.tolist(), span.start):
        yield actions.names[action] + happened.get(tick, "")


#: Every pixel of a clip becomes a square of this side.
_SCALE = 6


def _written(frame: np.ndarray, caption: str, mark: str) -> np.ndarray:
    from PIL import Image, ImageDraw, ImageFont

    image = Image.fromarray(frame.repeat(_SCALE, 0).repeat(_SCALE, 1))
    if not caption and not mark:
        return np.asarray(image)
    font = ImageFont.load_default(size=image.height // 16)
    draw = ImageDraw.Draw(image)
    style = {"font": font, "stroke_width": 2, "stroke_fill": "black"}
    draw.text((8, image.height - image.height // 10), caption, **style)
    draw.text((image.width - 8, 8), mark, anchor="ra", **style)
    return np.asarray(image)
