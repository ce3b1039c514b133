"""Exported spans of sessions: made in the background, kept under names of the server's own, the oldest going first."""

import asyncio
import dataclasses
import json
import re
import secrets
import time
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from oyster_jax.files import write_whole
from oyster_jax.serve.engine import Engine
from oyster_jax.serve.errors import Refusal, missing
from oyster_jax.serve.limits import Limits
from oyster_jax.serve.live import Live
from oyster_jax.serve.resources import ExportSpan, Recording
from oyster_jax.serve.security import Owner
from oyster_jax.session.export import Span, export
from oyster_jax.worlds.inside import observer

MEDIA_TYPES = {"mp4": "video/mp4", "jsonl": "application/x-ndjson", "npz": "application/octet-stream"}
_IDENTITY = re.compile(r"[0-9a-f]{16}")
_ABOUT = ".json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class File:
    """A recording on the disk.

    Attributes:
      path: where.
      name: to save it under.
      media_type: of its content.
    """

    path: Path
    name: str
    media_type: str


class Recordings:
    """All recordings of a server.

    Args:
      folder: of all of them; made if it is not there.
      engine: whose ticks go first.
      pool: of threads to make them on.
      limits: of the server.
    """

    def __init__(self, folder: Path, *, engine: Engine, pool: Executor, limits: Limits):
        self.folder, self._engine, self._pool, self._limits = folder, engine, pool, limits
        folder.mkdir(parents=True, exist_ok=True)
        # One at a time: each computes every tick of its span again, beside those that are played.
        self._one = asyncio.Semaphore(1)
        self._waiting = 0

    async def make(self, owner: Owner, live: Live, span: ExportSpan) -> Recording:
        """Makes a recording of a span of a session.

        Raises:
          Refusal: it is too long, or too many wait for theirs.
          SessionError: the span was not lived.
        """
        branch = span.branch or live.session.branch_name
        if span.branch is None:
            stop = live.session.tick if span.stop is None else span.stop
        else:
            end = next((line.end for line in live.branches if line.name == branch), 0)
            stop = end if span.stop is None else span.stop
        ticks, most = stop - span.start, self._limits.recorded_ticks
        if ticks > most and span.format != "jsonl":
            raise Refusal(
                422,
                "too_long",
                f"A recording has at most {most} ticks, not {ticks}.",
            )
        if self._waiting >= self._limits.waiting:
            raise Refusal(429, "busy", "Many recordings are being made; try again in a minute.")
        self._waiting += 1
        try:
            async with self._one:
                part = Span(branch=branch, start=span.start, stop=stop)
                return await self._run(lambda: self._make(owner, live, span, part))
        finally:
            self._waiting -= 1

    async def owned_by(self, owner: Owner) -> list[Recording]:
        """Returns the recordings of an owner, the newest first."""
        return await self._run(lambda: [_listed(about) for about in self._owned(owner)])

    async def find(self, owner: Owner, identity: str) -> File:
        """Returns a recording's file.

        Raises:
          Refusal: there is none, or it is somebody else's.
        """
        return await self._run(lambda: self._find(owner, identity))

    async def delete(self, owner: Owner, identity: str) -> None:
        """Removes a recording.

        Raises:
          Refusal: there is none, or it is somebody else's.
        """

        def delete() -> None:
            self._find(owner, identity)
            self._remove(identity)

        await self._run(delete)

    def _make(self, owner: Owner, live: Live, asked: ExportSpan, span: Span) -> Recording:
        identity, world = secrets.token_hex(8), live.stage.world
        path = self.folder / f"{identity}.{asked.format}"
        export(
            observer(live.session, self._engine.polite(world)),
            span,
            path,
            actions=world.spec.action,
            rate=world.spec.frame.rate,
            captions=asked.captions,
            mark=owner.tier.mark,
        )
        about = {
            "id": identity,
            "owner": owner.id,
            "session": live.id,
            "format": asked.format,
            "bytes": path.stat().st_size,
            "created": time.time(),
            "name": f"{world.name}-{live.id}-{span.branch}-{span.start}-{span.stop}.{asked.format}",
        }
        write_whole(self.folder, {identity + _ABOUT: json.dumps(about).encode()})
        for old in self._owned(owner)[self._limits.recordings :]:
            self._remove(old["id"])
        return _listed(about)

    def _owned(self, owner: Owner) -> list[dict[str, Any]]:
        found = [json.loads(path.read_text("utf-8")) for path in self.folder.glob(f"*{_ABOUT}")]
        own = [about for about in found if owner.is_operator or about["owner"] == owner.id]
        return sorted(own, key=lambda about: -about["created"])

    def _find(self, owner: Owner, identity: str) -> File:
        path = self.folder / f"{identity}{_ABOUT}"
        if _IDENTITY.fullmatch(identity) is None or not path.exists():
            raise missing("recording")
        about = json.loads(path.read_text("utf-8"))
        if about["owner"] != owner.id and not owner.is_operator:
            raise missing("recording")
        kind = about["format"]
        return File(path=self.folder / f"{identity}.{kind}", name=about["name"], media_type=MEDIA_TYPES[kind])

    def _remove(self, identity: str) -> None:
        # What is told of it goes first: a recording without its file would be listed.
        for path in (self.folder / f"{identity}{_ABOUT}", *self.folder.glob(f"{identity}.*")):
            path.unlink(missing_ok=True)

    async def _run(self, function: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function)


def _listed(about: dict[str, Any]) -> Recording:
    return Recording(
        id=about["id"],
        session=about["session"],
        format=about["format"],
        url=f"/v1/recordings/{about['id']}",
        bytes=about["bytes"],
        created=about["created"],
    )
