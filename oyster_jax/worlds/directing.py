"""What is said to a living world while it runs: decided upon, understood as one of its events, and noted."""

from collections.abc import Callable
from typing import Any

from oyster_jax.worlds.beginning import Described, Prompt, opening
from oyster_jax.worlds.errors import WorldError
from oyster_jax.worlds.moderator import Moderator, RefusedError, admit
from oyster_jax.worlds.world import World

#: Kinds of what is noted: a sentence that was taken as an event, and one that was not, with the reason.
DIRECTED, REFUSED = "directed", "refused"


def event_of(world: World, text: str, moderator: Moderator | None = None) -> str:
    """Returns the name of the event that a text asks for: the name itself, or a sentence where the world has words.

    Args:
      world: that is directed.
      text: as in `night_falls`, `night falls` or `it gets dark`.
      moderator: decides whether a sentence is taken; the world's own unless given.

    Raises:
      WorldError: the world knows no such event or no events at all, or the moderator refuses the text.
    """
    known = world.events
    if (name := "_".join(text.lower().split())) in known.names:
        return name
    if world.words is None:
        raise WorldError(f"There is no event '{text}' in this world; it knows {', '.join(known.names)}.")
    admit(moderator or world.moderator, "event", text)
    return world.words.understand_event(text)


def noted_event_of(world: World, text: str, note: Callable[[str, str], None]) -> str:
    """Returns the same, having told `note` what was decided: a kind, and the text with what it was taken for.

    Raises:
      WorldError: as `event_of`.
    """
    try:
        name = event_of(world, text)
    except WorldError as error:
        note(REFUSED, _refusal(text, error))
        raise
    if name != text:
        note(DIRECTED, f"{text}: {name}")
    return name


def noted_opening(
    world: World,
    seed: int,
    prompt: Prompt,
    entities: Described,
    note: Callable[[str, str], None],
) -> tuple[dict[str, Any], bytes | None]:
    """Returns where a cut goes, as `opening`, having told `note` of a sentence that is not taken.

    Raises:
      SessionError, WorldError, ValueError: as `opening`.
    """
    try:
        return opening(world, seed, prompt, entities)
    except WorldError as error:
        if isinstance(prompt, str):
            note(REFUSED, _refusal(prompt, error))
        raise


def _refusal(text: str, error: WorldError) -> str:
    """Returns what is noted of a refusal: all of the text, and why."""
    return f"{text}: {error.decision.reason if isinstance(error, RefusedError) else error}"
