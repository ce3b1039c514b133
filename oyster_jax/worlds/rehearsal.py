"""A rehearsal: whether a world can do what a story says, known before any of it is lived."""

import functools
from collections.abc import Callable

from oyster_jax.data.policies import POLICIES
from oyster_jax.session.errors import SessionError
from oyster_jax.worlds.directing import REFUSED, noted_event_of, noted_opening
from oyster_jax.worlds.edit import Edit
from oyster_jax.worlds.errors import StoryError, WorldError
from oyster_jax.worlds.story import Act, Story
from oyster_jax.worlds.world import World


def rehearse(story: Story, world: World, note: Callable[[str, str], None] | None = None) -> None:
    """Checks that a world knows all actions, cuts, events, edits and conditions of a story.

    Whether what is to be edited is there when its turn comes, nobody knows before.

    Args:
      story: all of it.
      world: that it is to be lived in.
      note: told which sentence was refused and why, as `noted_event_of` tells it.

    Raises:
      StoryError: it does not, or its moderator refuses a sentence; the text lists what the world knows.
    """
    for number, (branch, act) in enumerate(story.turns, 1):
        try:
            _check(act, world, story.seed, functools.partial(_note_refused, note))
        except (SessionError, ValueError) as error:
            raise StoryError(f"Act {number} of the story, on '{branch}': {error}") from error


def _note_refused(note: Callable[[str, str], None] | None, kind: str, text: str) -> None:
    # What is taken is noted when it is done.
    if note is not None and kind == REFUSED:
        note(kind, text)


def _check(act: Act, world: World, seed: int, note: Callable[[str, str], None]) -> None:
    if act.do and act.do not in POLICIES:
        world.spec.action.script(act.do)
    for condition in (act.when, act.until):
        if condition is not None:
            condition.check(world)
    if act.cut is not None:
        options = act.cut.options(world)
        seed = seed if act.cut.seed is None else act.cut.seed
        noted_opening(world, seed, options["prompt"], options["entities"], note)
    if act.event is not None:
        noted_event_of(world, act.event, note)
    if act.edit is not None:
        structure = world.model.tokenizer.structure
        if structure is None:
            raise WorldError(f"The world '{world.name}' knows frames only, and what is in them cannot be edited.")
        Edit.parse(world.spec, structure, act.edit)
