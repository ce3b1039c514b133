"""A story that is told in a session while people watch: tick by tick, at the session's own pace."""

import asyncio
import logging
import time

from oyster_jax.serve.engine import Ticked
from oyster_jax.serve.live import Live
from oyster_jax.serve.protocol import ActLine, Flag, StoryEvent, StoryPhase
from oyster_jax.session.errors import SessionError
from oyster_jax.worlds.director import Beat, tell
from oyster_jax.worlds.errors import StoryError
from oyster_jax.worlds.inside import rest
from oyster_jax.worlds.story import Story

_LOG = logging.getLogger(__name__)

#: Seconds after which it looks again whether a session that stands runs on.
_WAIT = 0.05


class Telling:
    """Tells a story from where a session is now; the buttons that are held do nothing meanwhile.

    While the session pauses the story does. At its end the session pauses on the last branch; a story that is stopped
    leaves it where it is.

    Args:
      live: the session, of one lane.
      story: that its world can do.
    """

    def __init__(self, live: Live, story: Story):
        self._live, self._origin, self._beats = live, live.session, tell(live.session, story)
        self._acts = [ActLine(branch=branch, label=act.label, does=act.sentence) for branch, act in story.turns]
        self._told: list[int] = []
        self._phase: StoryPhase = "telling"
        self._sentence, self._stopping, self._ended = "The story is being told.", False, False
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def event(self) -> StoryEvent:
        """How it stands."""
        return StoryEvent(phase=self._phase, sentence=self._sentence, acts=self._acts, told=list(self._told))

    async def stop(self) -> None:
        """Ends it before the next tick, and returns when the session is the players' again."""
        self._stopping = True
        await asyncio.wait({self._task})

    async def _run(self) -> None:
        try:
            await self._tell()
            if self._stopping:
                self._end("stopped", "The story was stopped.")
            else:
                self._end("told", "The story is at its end.")
        except (StoryError, SessionError) as error:
            self._end("failed", str(error))
        except Exception:  # noqa: BLE001  # The session must not be lost with the story.
            _LOG.exception("A story could not be told")
            self._end("failed", "Something went wrong at the server; its log says what.")
        live = self._live
        try:
            await live.change(self._return)
            live.telling = None
            live.tell_timeline()
            await live.arrived()
            if not self._stopping:
                await live.halt()
            elif live.is_running:
                await live.go()
        except SessionError:
            _LOG.exception("A session could not go on where its story ended")
        finally:
            live.telling = None
        live.tell(self.event)
        live.tell_status()

    async def _tell(self) -> None:
        due = time.monotonic()
        while not self._stopping:
            ticked: list[tuple[Beat, Ticked]] = []
            if self._live.is_running:
                await self._live.change(lambda found=ticked: found.extend(self._advance()))
            if self._ended:
                return
            if not ticked:
                await asyncio.sleep(_WAIT)
                due = time.monotonic()
            for beat, shown in ticked:
                self._show(beat, shown)
                if beat.ticked:
                    due = max(time.monotonic(), due + 1 / self._live.rate)
                    await asyncio.sleep(due - time.monotonic())

    def _advance(self) -> list[tuple[Beat, Ticked]]:
        """Tells the next beat, if the session runs; on a thread that has the session to itself."""
        if not self._live.is_running:
            return []
        began, session = time.monotonic(), self._live.session
        session.resume()
        if (beat := next(self._beats, None)) is None:
            self._ended = True
            return []
        self._live.lanes[0] = session = beat.session
        frame, readouts = session.frame, session.readouts
        seconds = time.monotonic() - began
        return [(beat, Ticked(frame=frame, readouts=readouts, error=None, began=began, seconds=seconds))]

    def _show(self, beat: Beat, ticked: Ticked) -> None:
        if not beat.ticked:
            self._told.append(beat.turn)
            self._live.tell_timeline()
            self._live.tell_status()
            self._live.tell(self.event)
        # An act may begin elsewhere, and with the world changed.
        self._live.show(0, ticked, Flag(0) if beat.ticked else Flag.JUMPED)

    def _end(self, phase: StoryPhase, sentence: str) -> None:
        self._phase, self._sentence = phase, sentence

    def _return(self) -> None:
        """Gives the session back, at the place where the story has come to; its branches' own sessions are closed."""
        last = self._live.session
        self._beats.close()
        self._live.lanes[0] = self._origin
        if last is not self._origin:
            self._origin.seek(last.tick, branch=last.branch_name)
        if not self._live.is_running:
            rest(self._origin)
