"""A loaded world: what people reset, step, roll out and look at."""

import dataclasses
import functools
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import UInt8

from oyster_jax.core.rollout import Observe
from oyster_jax.core.spec import EventSpec, WorldSpec, as_action_ids
from oyster_jax.core.state import Status, WorldState
from oyster_jax.core.tick import Tick, Ticks, compile_tick, compile_ticks
from oyster_jax.models.world_model import WorldNetwork
from oyster_jax.session.intervention import EDIT, EVENT
from oyster_jax.tree import tree_digest
from oyster_jax.typing import Frame, Params, PRNGKey
from oyster_jax.worlds.errors import WorldError
from oyster_jax.worlds.moderator import Moderator, WordModerator, admit

if TYPE_CHECKING:
    from oyster_jax.worlds.session import Session
    from oyster_jax.worlds.words import Scene, Words

type Action = str | int | np.integer
type Actions = str | Sequence[str | int] | np.ndarray


def _nothing(params: Params, state: WorldState) -> tuple[()]:
    """Observes nothing: the tick that remains is compiled as all others are, and so gives the same numbers."""
    del params, state
    return ()


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class World:
    """A learned world with its parameters. Its verbs are pure: a state may be kept, stepped twice, branched from.

    Every verb is compiled on its first use, once; actions are named by `spec.action` and accepted as ids too.

    Attributes:
      model: the world's model, without parameters.
      params: its parameters.
      record: what `world.json` says: training, figures, licence and more.
      words: what understands sentences and draws scenes, where the world has learned any.
      folder: that it was loaded from, with what comes with it; None of a world that is nowhere on the disk.
    """

    model: WorldNetwork
    params: Params
    record: Mapping[str, Any]
    words: "Words | None" = None
    folder: Path | None = None

    @property
    def name(self) -> str:
        """What the world is called, as in `coinrun`."""
        return self.record.get("name", self.spec.name)

    @functools.cached_property
    def digest(self) -> str:
        """The digest over all weights, as `world.json` gives it and as a session checks it."""
        return self.record.get("digest") or tree_digest(self.params)

    @functools.cached_property
    def params_digest(self) -> str:
        """The digest over the parameters as they are in memory, whatever `record` says of them."""
        return tree_digest(self.params)

    @property
    def spec(self) -> WorldSpec:
        """What the world shows and accepts."""
        return self.model.spec

    def with_sampler(self, **changes: Any) -> Self:
        """Returns this world with other sampler settings, as in `with_sampler(steps=4)`.

        Raises:
          ValueError: the sampler does not allow the value.
        """
        return dataclasses.replace(
            self, model=dataclasses.replace(self.model, sampler=dataclasses.replace(self.model.sampler, **changes))
        )

    def reset(self, seed: int = 0, *, key: PRNGKey | None = None, prompt: str | None = None) -> WorldState:
        """Dreams a world from nothing, or from a sentence; the same seed (or key) gives the same world.

        Args:
          seed: of what is not said, and of all that will happen.
          key: instead of the seed, where there is no sentence.
          prompt: what there is to be, as in `a lake to the north, two cows, dusk`. A warning tells what of it was not
            understood or could not be had; `imagine` gives both.

        Raises:
          WorldError: the world knows no words, or nothing of the sentence, or its moderator refuses it.
        """
        if prompt is not None:
            scene = self.imagine(prompt, seed)
            for remark in scene.remarks:
                warnings.warn(remark, stacklevel=2)
            return self.encode(entities=scene.document, seed=seed)
        return self._reset(self.params, jax.random.key(seed) if key is None else key)

    def imagine(self, prompt: str, seed: int = 0, *, moderator: Moderator | None = None) -> "Scene":
        """Returns a scene drawn from a sentence; `encode(entities=scene.document)` makes a living world of it.

        Args:
          prompt: the sentence.
          seed: of what is not said.
          moderator: decides whether the sentence is taken; the world's own unless given.

        Raises:
          WorldError: the world knows no words, or nothing of the sentence, or the moderator refuses it.
        """
        if self.words is None:
            raise WorldError(f"The world '{self.name}' has learned no words; begin from a seed, frames or entities.")
        admit(moderator or self.moderator, "prompt", prompt)
        return self.words.draw(prompt, seed)

    def encode(
        self,
        frames: np.ndarray | None = None,
        actions: Actions = (),
        seed: int = 0,
        *,
        entities: Mapping[str, Any] | None = None,
    ) -> WorldState:
        """Returns the state of a world in which `frames` have been seen, or which begins as `entities` describes it.

        Args:
          frames: uint8 `[ticks, height, width, 3]`, oldest first; each number of ticks is compiled once.
          actions: `[ticks - 1]`, those between the frames.
          seed: of all that will happen from there on.
          entities: tiles, entities and quantities by their names, as `worlds.structure` has them; with one frame both
            are taken together.

        Raises:
          WorldError: the frames are not this world's, the actions do not fit them, or what is described is not.
          ValueError: an action is unknown.
        """
        if entities is not None:
            return self._spawned(frames, actions, seed, entities)
        frames, shape = np.asarray(frames), self.spec.frame.shape
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[1:] != shape or len(frames) == 0:
            raise WorldError(
                f"World '{self.name}' is prompted with uint8 frames [ticks, {', '.join(map(str, shape))}], but these "
                f"are {frames.dtype} {list(frames.shape)}."
            )
        ids = as_action_ids(self.spec.action, actions) if len(frames) > 1 or len(actions) else np.zeros(0, np.int32)
        if len(ids) != len(frames) - 1:
            raise WorldError(
                f"{len(frames)} frames need {len(frames) - 1} actions between them, but {len(ids)} were given."
            )
        return self._encode(self.params, frames, ids, jax.random.key(seed))

    def step(self, state: WorldState, action: Action) -> WorldState:
        """Returns the state one tick later, after `action`.

        Raises:
          ValueError: there is no such action; the sentence lists the known ones.
        """
        return self._observed(_nothing)(state, self._id(action))[0]

    def render(self, state: WorldState) -> UInt8[np.ndarray, "height width 3"]:
        """Returns the frame that the state shows."""
        return np.asarray(self._render(self.params, state))

    def tick(self, state: WorldState, action: Action, *, donate: bool = False) -> tuple[WorldState, Frame]:
        """Returns the state one tick later and its frame, in one compiled call; the frame stays on the device.

        Args:
          state: of now.
          action: its name or id.
          donate: use `state` up, so that nothing of it is copied; for whoever keeps none but the newest.

        Raises:
          ValueError: there is no such action.
        """
        return self._observed(None, donate)(state, self._id(action))

    def ticks(self, count: int) -> Ticks:
        """Returns the compiled tick of `count` such worlds together; it uses their states up."""
        if count not in self._together:
            self._together[count] = compile_ticks(
                self.model, self.params, count, alike=self._observed(None, donate=True)
            )
        return self._together[count]

    def stream(
        self, state: WorldState, actions: Actions, *, observe: Observe | None = None
    ) -> Iterator[tuple[WorldState, Any]]:
        """Yields, for each action, the state after it and what `observe` saw, both still on the device.

        Args:
          state: where to begin.
          actions: a script as in `right*30,right+jump*6`, or names or ids.
          observe: a pure function of parameters and state that is compiled with the step; `render` unless given.

        Raises:
          ValueError: an action is unknown.
        """
        tick = self._observed(observe)
        for action in as_action_ids(self.spec.action, actions):
            state, seen = tick(state, action)
            yield state, seen

    def rollout(self, state: WorldState, actions: Actions, *, observe: Observe | None = None) -> tuple[WorldState, Any]:
        """Advances the world under `actions`; equals stepping it one action at a time.

        One compiled tick serves rollouts of any length; for a scan on the device use `core.rollout.rollout`.

        Args:
          state: where to begin; it stays usable.
          actions: a script as in `right*30,right+jump*6`, or names or ids.
          observe: a pure function of parameters and state, `render` unless given.

        Returns:
          The last state, and NumPy observations stacked over a leading ticks axis: uint8 frames
          `[ticks, height, width, 3]` unless `observe` says otherwise.

        Raises:
          ValueError: an action is unknown, or there is none.
        """
        seen = []
        for later, observation in self.stream(state, actions, observe=observe):
            state = later
            seen.append(observation)
        if not seen:
            raise ValueError("A rollout needs at least one action, but none was given.")
        return state, jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *seen)

    def session(self, path: str | os.PathLike[str], **options: Any) -> "Session":
        """Begins a session, which keeps all that is lived in it in the folder `path`; see `Session.create`.

        Args:
          path: of the folder; it must not hold anything yet.
          **options: `seed`, `prompt` or `entities` to begin from, `max_duration`, `respawn`, `snapshot_bytes`.

        Raises:
          SessionError: the folder is not empty, or an option is out of range.
        """
        from oyster_jax.worlds.session import Session

        return Session.create(path, self, **options)

    def status(self, state: WorldState) -> Status:
        """Returns how the world is doing."""
        return Status(int(state.status))

    def readouts(self, state: WorldState) -> dict[str, np.ndarray]:
        """Returns what the heads say of the last tick: `reward`, `terminal` (probability), entities where trained."""
        return jax.tree.map(np.asarray, self._readouts(self.params, state))

    def entities(self, state: WorldState) -> dict[str, Any]:
        """Returns tiles, entities and quantities as the state tells them, by their names; `encode` takes them again.

        Raises:
          WorldError: the world was not trained to tell them.
        """
        from oyster_jax.worlds.structure import described

        config = self.model.tokenizer.structure
        if config is None:
            raise WorldError(f"The world '{self.name}' knows frames only, and cannot tell what is in them.")
        return described(self.spec, config, jax.device_get(self._told(self.params, state)))

    @property
    def events(self) -> EventSpec:
        """What can be made to happen; raises a `WorldError` where nothing can."""
        if self.spec.events is None or not self.model.dynamics.events:
            raise WorldError(f"Nothing can be made to happen in the world '{self.name}', which knows no events.")
        return self.spec.events

    @functools.cached_property
    def moderator(self) -> Moderator:
        """Decides over what a world with words is told; reads its list of blocked words once."""
        assert self.words is not None, "only a world with words is told anything in sentences"
        return WordModerator(self.words.unknown)

    def edit(self, state: WorldState, document: Mapping[str, Any]) -> WorldState:
        """Returns the state with what a document says changed, and nothing else: the past stays as it was.

        Only the latent tokens at which something is to be otherwise are exchanged; all others keep their bits.

        Args:
          state: of now.
          document: what is to be removed, moved, added and set, as `worlds.edit` has it.

        Raises:
          WorldError: there is something wrong with it, an entity is not there, or the world was not trained to tell.
        """
        return self.intervened(state, EDIT, document)

    def event(self, state: WorldState, name: str) -> WorldState:
        """Returns the state with an event that is made to happen with its next tick; see `EventSpec`.

        Args:
          state: of now.
          name: of the event; it takes the place of one that was waiting.

        Raises:
          WorldError: there is no such event, or nothing can be made to happen in this world.
        """
        try:
            return self.model.with_event(state, self.events.parse(name))
        except ValueError as error:
            raise WorldError(str(error)) from error

    def intervened(self, state: WorldState, kind: str, given: Any, *, lenient: bool = False) -> WorldState:
        """Returns the state after something that sessions keep: an edit or an event.

        Args:
          state: that it is done to.
          kind: `EDIT` or `EVENT` of `session.intervention`; a cut takes nothing of the state.
          given: what is done, as the verb of that name takes it.
          lenient: do it whatever stands in its way, as it has been done once.

        Raises:
          WorldError: as that verb.
        """
        if kind == EVENT:
            return self.event(state, given)
        from oyster_jax.worlds.edit import Edit, touched

        config = self.model.tokenizer.structure
        if config is None:
            raise WorldError(f"The world '{self.name}' knows frames only, and what is in them cannot be edited.")
        edit, before = Edit.parse(self.spec, config, given), jax.device_get(self._known(self.params, state))
        after = edit.applied(before, lenient=lenient)
        return self._exchanged(self.params, state, after, touched(before, after))

    def _spawned(
        self, frames: np.ndarray | None, actions: Actions, seed: int, entities: Mapping[str, Any]
    ) -> WorldState:
        from oyster_jax.worlds.structure import parse

        if self.model.scenery is None:
            raise WorldError(f"The world '{self.name}' knows frames only, and cannot begin from entities.")
        seen = parse(self.model.scenery, entities)
        if frames is not None:
            if self.model.painter or np.shape(frames) != (1, *self.spec.frame.shape) or len(actions):
                raise WorldError("Beside entities a world is shown one frame, or none if it paints, and no actions.")
            seen = dataclasses.replace(seen, frame=jnp.asarray(frames[0], jnp.uint8))
        return self._spawn(self.params, seen, jax.random.key(seed))

    def _id(self, action: Action) -> np.int32:
        # Of NumPy's int32, for a bare int would be weakly typed and compiled once more.
        return np.int32(self.spec.action.parse(action if isinstance(action, str) else int(action)))

    @functools.cached_property
    def _reset(self) -> Any:
        return jax.jit(self.model.reset)

    @functools.cached_property
    def _encode(self) -> Any:
        return jax.jit(self.model.encode)

    @functools.cached_property
    def _spawn(self) -> Any:
        return jax.jit(self.model.spawn)

    @functools.cached_property
    def _told(self) -> Any:
        return jax.jit(self.model.told)

    @functools.cached_property
    def _known(self) -> Any:
        return jax.jit(self.model.known)

    @functools.cached_property
    def _exchanged(self) -> Any:
        return jax.jit(self.model.edited)

    @functools.cached_property
    def _render(self) -> Any:
        return jax.jit(self.model.render)

    @functools.cached_property
    def _readouts(self) -> Any:
        return jax.jit(self.model.readouts)

    @functools.cached_property
    def _ticks(self) -> dict[tuple[Observe | None, bool], Tick]:
        return {}

    @functools.cached_property
    def _together(self) -> dict[int, Ticks]:
        return {}

    def _observed(self, observe: Observe | None, donate: bool = False) -> Tick:
        """Returns the compiled step with `observe`, kept for the next call with the same function."""
        if (observe, donate) not in self._ticks:
            self._ticks[observe, donate] = compile_tick(self.model, self.params, observe=observe, donate=donate)
        return self._ticks[observe, donate]
