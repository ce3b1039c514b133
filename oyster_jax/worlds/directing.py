"""What is said to a living world while it runs: decided upon, understood as one of its events, and noted."""

from collections.abc import Callable

from oyster_jax.worlds.errors import WorldError
from oyster_jax.worlds.moderator import Moderator
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
    decision = (moderator or world.moderator).decide("event", text)
    if not decision.allowed:
        raise WorldError(decision.reason)
    return world.words.understand_event(text)


def noted_event_of(world: World, text: str, note: Callable[[str, str], None]) -> str:
    """Returns the same, having told `note` what was decided: a kind, and the text with what it was taken for.

    Raises:
      WorldError: as `event_of`.
    """
    try:
        name = event_of(world, text)
    except WorldError as error:
        note(REFUSED, f"{text}: {error}")
        raise
    if name != text:
        note(DIRECTED, f"{text}: {name}")
    return name
