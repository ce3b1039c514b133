"""What may be asked of a session over its stream, beside frames: one function a method of the protocol."""

import dataclasses
import functools
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from oyster_jax.serve import protocol
from oyster_jax.serve.engine import Engine
from oyster_jax.serve.errors import Refusal
from oyster_jax.serve.limits import Limits, Tier
from oyster_jax.serve.live import Live
from oyster_jax.serve.resources import BranchLine, Message, Status
from oyster_jax.serve.telling import Telling
from oyster_jax.session.errors import SessionError
from oyster_jax.worlds.errors import StoryError, WorldError
from oyster_jax.worlds.inside import beside, note, rest
from oyster_jax.worlds.rehearsal import rehearse
from oyster_jax.worlds.story import Story
from oyster_jax.worlds.story import parsed as parsed_story

#: What may be asked while a story is told; all else ends it.
_BESIDE_STORIES = frozenset({"pause", "resume", "timeline", "rate", "label", "extend", "edit", "event"})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Controls:
    """The buttons and levers of one session.

    Attributes:
      live: the session.
      engine: that steps it.
      limits: of the server.
      tier: of whoever uses them.
    """

    live: Live
    engine: Engine
    limits: Limits
    tier: Tier

    async def call(self, method: str, params: Message) -> Any:
        """Does what a request asks for, and returns what it is answered with.

        Args:
          method: one of those below.
          params: of that method, as `parsed` returns them.

        Raises:
          Refusal: it cannot be done now.
          SessionError: the session will not do it.
        """
        functions: dict[str, Callable[[Any], Awaitable[Any]]] = {
            "pause": self.pause, "resume": self.resume, "step": self.step, "reset": self.reset,
            "timeline": self.timeline, "rate": self.rate, "seek": self.seek, "branch": self.branch, "hop": self.hop,
            "label": self.label, "extend": self.extend, "compare": self.compare, "edit": self.edit, "event": self.event,
            "story": self.story,
        }  # fmt: skip
        if self.live.telling is not None and method not in _BESIDE_STORIES:
            await self.live.telling.stop()
        return await functions[method](params)

    async def pause(self, _: protocol.NoParams) -> Status:
        """Stops the clock."""
        await self.live.halt()
        return self.live.tell_status()

    async def resume(self, _: protocol.NoParams) -> Status:
        """Goes on."""
        if self.live.ended:
            raise Refusal(409, "ended", "The session has used up its time; extend it, or go back to live on.")
        await self.live.go()
        return self.live.tell_status()

    async def step(self, _: protocol.NoParams) -> Status:
        """Lives one tick under what is held, while paused."""
        live = self.live
        if not live.halted:
            raise Refusal(409, "running", "Single steps are for a session that is paused; pause it first.")
        action = live.action

        def step() -> None:
            for session in live.lanes:
                session.resume()
                try:
                    session.step(action)
                finally:
                    rest(session)

        await live.change(step)
        return await live.arrived()

    async def rate(self, params: protocol.Rate) -> Status:
        """Sets the ticks a second, as a multiple of the world's own."""
        self.live.set_rate(params.factor)
        return self.live.tell_status()

    async def seek(self, params: protocol.Seek) -> Status:
        """Goes to a tick that was lived, and pauses there."""
        self._check(params.branch)
        was_halted, self.live.halted = self.live.halted, True
        try:
            await self.live.change(lambda: self.live.session.seek(params.tick, branch=params.branch))
        except SessionError:
            self.live.halted = was_halted
            raise
        status = await self.live.arrived()
        await self.live.halt()
        return status

    async def hop(self, params: protocol.Hop) -> Status:
        """Goes to the end of another branch, and runs on if it ran."""
        self._check(params.branch)
        end = next((line.end for line in self.live.branches if line.name == params.branch), 0)
        await self.live.change(lambda: self.live.session.seek(end, branch=params.branch))
        return await self._arrived()

    async def reset(self, _: protocol.NoParams) -> Status:
        """Goes back to the beginning, without pausing."""
        self._check()
        await self.live.change(lambda: self.live.session.seek(0))
        return await self._arrived()

    async def branch(self, params: protocol.BranchOff) -> Status:
        """Makes a branch that leaves at a tick of the present one, and goes there."""
        self._check()
        live = self.live

        def leave() -> None:
            before = live.session
            live.lanes[0] = before.branch(params.at, name=params.name)
            before.close()
            if live.halted:
                rest(live.session)

        await live.change(leave)
        live.tell_timeline()
        return await self._arrived()

    async def label(self, params: protocol.Label) -> None:
        """Writes something beside a tick of the present branch."""
        live = self.live
        if sum(len(line.labels) for line in live.branches) >= self.limits.labels:
            raise Refusal(429, "too_many_labels", f"A session has at most {self.limits.labels} labels.")
        await live.change(
            lambda: live.session.label(live.session.tick if params.tick is None else params.tick, params.text)
        )
        live.tell_timeline()

    async def edit(self, params: protocol.Edit) -> Status:
        """Changes something of the present moment."""
        return await self._intervene(lambda: self.live.session.edit(params.document))

    async def event(self, params: protocol.Happen) -> Status:
        """Makes something happen with the next tick."""
        return await self._intervene(lambda: self.live.session.event(params.name))

    async def story(self, params: protocol.Tell) -> Status:
        """Tells a story from now on, in the place of one that is told; null ends that."""
        live, world = self.live, self.live.stage.world
        if params.text is None:
            return live.tell_status()
        if live.compared is not None:
            raise Refusal(409, "compared", "A story is told on one branch at a time; end comparing first.")
        try:
            story = parsed_story(params.text)
            if story.world != live.stage.name:
                raise StoryError(f"The story is of the world '{story.world}', but this is '{live.stage.name}'.")
            if files := [act.cut.file for _, act in story.turns if act.cut is not None and act.cut.file]:
                raise StoryError(f"A story told here names no files, as '{files[0]}'; cut to a prompt or a moment.")
            self._check_room(story)
            await live.change(lambda: rehearse(story, world, functools.partial(note, live.session)))
        except StoryError as error:
            raise Refusal(422, "story", str(error)) from error
        if live.telling is None:
            live.telling = Telling(live, story)
        await live.go()
        return live.tell_status()

    async def extend(self, params: protocol.Extend) -> Status:
        """Gives the session more world time, as far as its owner may have it."""
        live, longest = self.live, self.tier.duration
        if live.session.max_duration + params.seconds > longest:
            raise Refusal(422, "too_long", f"A session of yours lasts at most {longest:g} s, all extensions included.")
        await live.change(lambda: live.session.extend(params.seconds))
        if not live.halted:
            await live.go()
        return live.tell_status()

    async def compare(self, params: protocol.Compare) -> Status:
        """Runs another branch beside the present one, under the same buttons; null ends that."""
        live, branch = self.live, params.branch
        if branch is not None:
            if branch == live.session.branch_name:
                raise Refusal(409, "compared", f"'{branch}' is the branch that is played; name another.")
            self.engine.check(live, live.rate, 2)

        def change() -> None:
            while len(live.lanes) > 1:
                live.lanes.pop().close()
            if branch is not None:
                other = beside(live.session, branch)
                if live.halted:
                    rest(other)
                live.lanes.append(other)

        await live.change(change)
        return await self._arrived()

    async def timeline(self, _: protocol.NoParams) -> list[BranchLine]:
        """Returns branches and labels."""
        return self.live.branches

    def _check_room(self, story: Story) -> None:
        """Refuses a story that would make too much of something."""
        acts, lines, limits = [act for _, act in story.turns], self.live.branches, self.limits
        branches = len(lines) + 1 + sum(len(act.branches) for act in acts)
        labels = sum(len(line.labels) for line in lines) + sum(bool(act.label) for act in acts)
        done = sum(len(line.done) for line in lines) + sum(len(act.interventions) for act in acts)
        for name, count, most in (
            ("branches", branches, limits.branches), ("labels", labels, limits.labels),
            ("interventions", done, limits.interventions),
        ):  # fmt: skip
            if count > most:
                raise Refusal(429, f"too_many_{name}", f"With this story the session had more than {most} {name}.")

    async def _intervene(self, act: Callable[[], object]) -> Status:
        """Does something to the branch that is played, and shows it; the clock stands or runs on as it did."""
        live = self.live
        if sum(len(line.done) for line in live.branches) >= self.limits.interventions:
            raise Refusal(429, "too_many_interventions", f"A session has at most {self.limits.interventions} of these.")
        try:
            await live.change(act)
        except WorldError as error:
            raise Refusal(422, "impossible", str(error)) from error
        live.tell_timeline()
        return await live.arrived()

    async def _arrived(self) -> Status:
        """Shows where the session now is; one that had ended, and has time again, runs on."""
        await self.live.arrived()
        if not self.live.halted:
            await self.live.go()
        return self.live.tell_status()

    def _check(self, branch: str | None = None) -> None:
        """Refuses to go where living on would make one branch too many, or where another lane is."""
        if branch is not None and branch == self.live.compared:
            raise Refusal(409, "compared", f"'{branch}' runs beside this branch; end that first.")
        if len(self.live.branches) >= self.limits.branches:
            raise Refusal(429, "too_many_branches", f"A session has at most {self.limits.branches} branches.")


def parsed(method: str, params: dict[str, Any]) -> Message:
    """Returns the params of a request, checked.

    Raises:
      Refusal: there is no such method, or its params are wrong.
    """
    kind = protocol.METHODS.get(method)
    if kind is None:
        raise Refusal(404, "unknown_method", f"There is no method {method!r}; there are {', '.join(protocol.METHODS)}.")
    try:
        return msgspec.convert(params, kind)
    except msgspec.ValidationError as error:
        raise Refusal(400, "bad_params", f"The params of '{method}' are wrong: {error}.") from error
