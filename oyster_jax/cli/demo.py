"""Ten scripted seconds over the real server: for machines without a screen, and to see that all works."""

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from oyster_jax.cli import serve
from oyster_jax.cli.beginning import Beginning
from oyster_jax.cli.script import scripted
from oyster_jax.client import Client, ClientError, Frame, Stream
from oyster_jax.serve.services import ServeConfig

if TYPE_CHECKING:
    from oyster_jax.core.spec import ActionSpec
    from oyster_jax.serve.stage import Stage

SECONDS = 10.0
SCALE = 6
#: Height of the lines below the picture, in pixels of the clip.
_BAND = 48


def demo(name: str, steps: int | None, seed: int, out: Path | None, beginning: Beginning | None = None) -> None:
    """Plays, writes the clip with what the player's display shows, and prints what was measured."""
    from oyster_jax.frames import write_clip

    (stage,) = serve.opened((name,), steps)
    path = out or Path(f"oyster-{stage.name}.mp4")
    print("Compiling (takes some seconds, less the next time) …", flush=True)
    with tempfile.TemporaryDirectory(prefix="oyster-") as folder:
        server = serve.made(ServeConfig(data=Path(folder)), [stage], lambda: None)
        bound = serve.bind("127.0.0.1", 0)
        with server.beside(bound), Client(serve.address("127.0.0.1", bound)) as client:
            print(f"A script plays {SECONDS:g} seconds …", flush=True)
            played = _play(client, stage, seed, beginning or Beginning())
    rate = stage.world.spec.frame.rate
    write_clip(path, _drawn(played, stage.world.spec.action), rate=rate)
    _tell(path, played, stage)


def _play(client: Client, stage: "Stage", seed: int, beginning: Beginning) -> list[tuple[Frame, int]]:
    """Returns the frames that came, each with the id of the action that was held when it did."""
    spec = stage.world.spec
    actions = scripted(spec, round(SECONDS * spec.frame.rate))
    beginning.check(stage.world, seed)
    session = beginning.session(client, seed)
    played: list[tuple[Frame, int]] = []
    with client.play(session) as stream:
        begin, held = time.monotonic(), -1
        while (index := int((time.monotonic() - begin) * spec.frame.rate)) < len(actions):
            if actions[index] != held:
                held = actions[index]
                stream.hold(*_buttons(spec.action, held))
            if (frame := _next(stream, 0.5 / spec.frame.rate)) is not None:
                played.append((frame, held))
    return played


def _next(stream: Stream, patience: float) -> Frame | None:
    try:
        return stream.frame(patience)
    except ClientError as error:
        if error.code != "timeout":
            raise
        return None


def _buttons(spec: "ActionSpec", action: int) -> list[str]:
    name = spec.names[action]
    return [] if name == spec.idle else name.split("+")


def _drawn(played: list[tuple[Frame, int]], spec: "ActionSpec") -> list[np.ndarray]:
    """Returns the pictures of the clip: each frame, enlarged, with two lines below it."""
    font, small = ImageFont.load_default(size=18), ImageFont.load_default(size=14)
    pictures, arrivals = [], [frame.received for frame, _ in played]
    for index, (frame, action) in enumerate(played):
        header = frame.header
        since = arrivals[max(0, index - 15) : index + 1]
        speed = 1000 * (len(since) - 1) / (since[-1] - since[0]) if len(since) > 1 else 0.0
        shown = frame.picture.repeat(SCALE, 0).repeat(SCALE, 1)
        image = Image.fromarray(np.pad(shown, ((0, _BAND + shown.shape[0] % 2), (0, shown.shape[1] % 2), (0, 0))))
        draw, top = ImageDraw.Draw(image), shown.shape[0]
        draw.text((8, top + 3), f"tick {header.tick}   {spec.names[action]}", font=font, fill="white")
        figures = f"{speed:.1f} fps   {header.step:.1f} ms a tick   {header.remaining:.0f} s left"
        draw.text((8, top + 26), figures, font=small, fill=(170, 180, 190))
        pictures.append(np.asarray(image))
    return pictures


def _tell(path: Path, played: list[tuple[Frame, int]], stage: "Stage") -> None:
    frames = [frame for frame, _ in played]
    echoes: dict[float, float] = {}
    for frame in frames:
        if not np.isnan(frame.header.echo):
            echoes.setdefault(frame.header.echo, frame.received - frame.header.echo)
    span = (frames[-1].received - frames[0].received) / 1000
    step, slow = np.quantile([frame.header.step for frame in frames[1:]], [0.5, 0.95])
    print(
        f"Wrote {path}: {len(frames)} frames of {stage.name} at {(len(frames) - 1) / span:.1f} a second (its own pace "
        f"is {stage.world.spec.frame.rate:g}); {step:.1f} ms a tick, 95 % of them under {slow:.1f} ms; "
        f"{sum(frame.header.dropped for frame in frames)} frames dropped."
    )
    if echoes:
        answer, slow = np.quantile(list(echoes.values()), [0.5, 0.95])
        print(f"From a press to the frame that it made: {answer:.1f} ms, 95 % of {len(echoes)} under {slow:.1f} ms.")
