"""The sessions of a server: begun, found again after any end, put away when nobody watches, deleted.

Each is a folder under the server's data folder, named by an id that the server made; beside the files of the session
itself it holds `served.json`: whose it is, and what the list says of it. Names from clients never become paths.
"""

import asyncio
import dataclasses
import json
import logging
import re
import secrets
import shutil
import time
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np

from oyster_jax.files import write_whole
from oyster_jax.serve.engine import Engine
from oyster_jax.serve.errors import Refusal, missing
from oyster_jax.serve.limits import Limits
from oyster_jax.serve.live import Live
from oyster_jax.serve.resources import SessionInfo
from oyster_jax.serve.security import Owner
from oyster_jax.serve.stage import Stage
from oyster_jax.session.archive import Archive, is_session
from oyster_jax.session.errors import SessionError
from oyster_jax.worlds.inside import observer, remarks
from oyster_jax.worlds.moderator import RefusedError
from oyster_jax.worlds.session import Session

_LOG = logging.getLogger(__name__)

SERVED = "served.json"
#: Seconds after which a session that is not whole has been given up.
_UNFINISHED = 600.0
_IDENTITY = re.compile(r"[0-9a-f]{16}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Start:
    """How a session begins.

    Attributes:
      stage: the world.
      about: the same for people, as in `seed 7`.
      seed: of the dream, and of all that happens.
      prompt: frames and actions of a recorded moment or of an upload, a sentence, or None.
      entities: a description to begin from, or None.
      duration: seconds of world time.
    """

    stage: Stage
    about: str
    seed: int
    prompt: tuple[np.ndarray, np.ndarray] | str | None
    entities: dict[str, Any] | None
    duration: float


class Lobby:
    """All sessions of a server.

    Args:
      folder: of all of them; made if it is not there.
      stages: worlds by name.
      engine: that steps them.
      pool: of threads for what takes time.
      limits: of the server.
    """

    def __init__(self, folder: Path, stages: dict[str, Stage], *, engine: Engine, pool: Executor, limits: Limits):
        self.folder, self._stages, self._engine, self._pool, self._limits = folder, stages, engine, pool, limits
        folder.mkdir(parents=True, exist_ok=True)
        self._live: dict[str, Live] = {}
        # Whoever opens, closes or deletes one session waits for who does already.
        self._locks: dict[str, asyncio.Lock] = {}
        self._looking = asyncio.Semaphore(2)

    @property
    def live(self) -> list[Live]:
        """The sessions that are in memory."""
        return list(self._live.values())

    async def create(self, owner: Owner, start: Start) -> SessionInfo:
        """Begins a session.

        Raises:
          Refusal: the owner has too many.
          WorldError: the world cannot begin so, or its moderator refuses the sentence, which goes to the server's log.
        """
        if len(await self._run(lambda: self._owned(owner))) >= self._limits.sessions:
            raise Refusal(429, "too_many_sessions", f"You have {self._limits.sessions} sessions; delete some first.")
        identity = secrets.token_hex(8)
        about = {"owner": owner.id, "world": start.stage.name, "start": start.about, "created": time.time()}

        def create() -> Session:
            session = Session.create(
                self.folder / identity,
                start.stage.world,
                seed=start.seed,
                prompt=start.prompt,
                entities=start.entities,
                max_duration=start.duration,
                snapshot_bytes=self._limits.session_bytes,
            )
            self._write(identity, about | {"remarks": remarks(session)})
            return session

        try:
            session = await self._run(create)
        except RefusedError as error:
            # There is no session in whose log this could be.
            told = {"owner": owner.id, "world": start.stage.name} | error.decision.to_json()
            _LOG.warning("A beginning was refused: %s", json.dumps(told))
            raise
        self._live[identity] = self._served(identity, session, start.stage)
        return await self.info(owner, identity)

    async def find(self, owner: Owner, identity: str) -> Live:
        """Returns a session, opened where it was left if it is not in memory.

        Raises:
          Refusal: there is none, or it is somebody else's.
          SessionError: it cannot be opened.
        """
        async with self._lock(identity):
            about = await self._run(lambda: self._about(owner, identity))
            if identity not in self._live:
                stage = self._stages.get(about["world"])
                if stage is None:
                    raise Refusal(
                        409, "other_world", f"It is of the world '{about['world']}', which is not served now."
                    )

                def open_it() -> Session:
                    session = Session.open(self.folder / identity, stage.world)
                    # What the list says of it holds no longer, whatever ends the server.
                    self._write(identity, {name: about[name] for name in about if name not in ("ticks", "bytes")})
                    return session

                session = await self._run(open_it)
                self._live[identity] = self._served(identity, session, stage)
            live = self._live[identity]
            live.used = time.monotonic()
            return live

    async def info(self, owner: Owner, identity: str) -> SessionInfo:
        """Returns what the list says of a session.

        Raises:
          Refusal: there is none, or it is somebody else's.
        """
        return await self._run(lambda: self._info(identity, self._about(owner, identity)))

    async def owned_by(self, owner: Owner) -> list[SessionInfo]:
        """Returns the sessions of an owner, the newest first."""

        def find() -> list[SessionInfo]:
            found = [self._info(identity, about) for identity, about in self._owned(owner).items()]
            return sorted(found, key=lambda info: -info.created)

        return await self._run(find)

    async def frame(self, live: Live, branch: str, tick: int) -> np.ndarray:
        """Returns the frame of any tick of a session, uint8 `[height, width, 3]`, without going there.

        Raises:
          SessionError: it was never lived.
        """
        replayer = observer(live.session, self._engine.polite(live.stage.world))
        async with self._looking:
            return await self._run(lambda: replayer.at(branch, tick).frame)

    def is_settled(self, live: Live, branch: str, tick: int) -> bool:
        """Returns whether a tick will look as it does for ever: what ends a branch may still be edited.

        Raises:
          SessionError: there is no such branch.
        """
        return tick < observer(live.session, live.stage.world).archive.branch(branch).end

    async def delete(self, owner: Owner, identity: str) -> None:
        """Ends a session and removes all of its files.

        Raises:
          Refusal: there is none, or it is somebody else's.
        """
        async with self._lock(identity):
            await self._run(lambda: self._about(owner, identity))
            if (live := self._live.pop(identity, None)) is not None:
                await live.close("The session was deleted.")

            def remove() -> None:
                gone = self.folder / f".{identity}.gone"
                (self.folder / identity).rename(gone)
                shutil.rmtree(gone, ignore_errors=True)

            await self._run(remove)

    async def put_away(self, *, idle: float | None = None, code: int = 1000) -> None:
        """Closes sessions; they stay on the disk.

        Args:
          idle: only those that nobody has watched for so many seconds; all unless given.
          code: with which their streams end.
        """
        for live in self.live:
            if idle is not None and (live.is_watched or time.monotonic() - live.used < idle):
                continue
            async with self._lock(live.id):
                if self._live.get(live.id) is not live or (idle is not None and live.is_watched):
                    continue
                del self._live[live.id]
                try:
                    await live.close("The server ends; the session goes on when it is there again.", code)
                    await self._run(lambda identity=live.id: self._note(identity))
                except SessionError:
                    _LOG.exception("The session %s could not be closed", live.id)

    def clean(self) -> None:
        """Removes what a server that was killed had not finished removing or making."""
        for path in self.folder.iterdir():
            unfinished = _IDENTITY.fullmatch(path.name) is not None and not is_session(path)
            # Another server may be making one in the same folder just now.
            is_old = time.time() - path.stat().st_mtime > _UNFINISHED
            if path.is_dir() and (path.name.endswith(".gone") or (unfinished and is_old)):
                shutil.rmtree(path, ignore_errors=True)

    def _served(self, identity: str, session: Session, stage: Stage) -> Live:
        return Live(identity, session, stage, engine=self._engine, pool=self._pool, limits=self._limits)

    def _lock(self, identity: str) -> asyncio.Lock:
        # Made-up ids must leave nothing behind.
        if _IDENTITY.fullmatch(identity) is None or not (self.folder / identity).exists():
            raise missing("session")
        return self._locks.setdefault(identity, asyncio.Lock())

    def _about(self, owner: Owner, identity: str) -> dict[str, Any]:
        """Returns what is noted of a session, if it is the owner's."""
        if _IDENTITY.fullmatch(identity) is None or not is_session(self.folder / identity):
            raise missing("session")
        about = self._read(identity)
        if about["owner"] != owner.id and not owner.is_operator:
            raise missing("session")
        return about

    def _owned(self, owner: Owner) -> dict[str, dict[str, Any]]:
        names = (path.name for path in self.folder.iterdir() if _IDENTITY.fullmatch(path.name))
        found = {name: self._read(name) for name in names if is_session(self.folder / name)}
        return {name: about for name, about in found.items() if owner.is_operator or about["owner"] == owner.id}

    def _read(self, identity: str) -> dict[str, Any]:
        path = self.folder / identity
        try:
            return json.loads((path / SERVED).read_text("utf-8"))
        except (OSError, ValueError):
            # The server was killed between the two, or the session was put here by hand: it is the operator's.
            world = Archive(path, write=False).manifest["world"]
            return {"owner": "", "world": world, "start": "", "created": path.stat().st_mtime}

    def _write(self, identity: str, about: dict[str, Any]) -> None:
        write_whole(self.folder / identity, {SERVED: json.dumps(about).encode()})

    def _note(self, identity: str) -> dict[str, Any]:
        """Notes, and returns, what the list says of a session that is on the disk alone."""
        archive = Archive(self.folder / identity, write=False)
        ticks = max(branch.end for branch in archive.branches.values())
        about = self._read(identity) | {"ticks": ticks, "bytes": archive.disk_bytes}
        self._write(identity, about)
        return about

    def _info(self, identity: str, about: dict[str, Any]) -> SessionInfo:
        live = self._live.get(identity)
        if live is not None:
            ticks, size = live.session.ticks, live.session.disk_bytes
        else:
            if "ticks" not in about:
                about = self._note(identity)
            ticks, size = about["ticks"], about["bytes"]
        stage = self._stages.get(about["world"])
        return SessionInfo(
            id=identity,
            world=about["world"],
            start=about["start"],
            created=about["created"],
            ticks=ticks,
            world_time=ticks / (stage.world.spec.frame.rate if stage else 15.0),
            bytes=size,
            open=live is not None,
            running=live is not None and live.is_running,
            remarks=about.get("remarks", []),
        )

    async def _run(self, function: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function)
