"""Moderation: every prompt and every event is decided upon before a world takes it, and each decision is on record.

What is taken is in the log or the manifest of its session, and what is refused while a session lives in its log too.
What is refused before there is a session is in the `RefusedError` that is raised, and in the log of a server.
"""

import dataclasses
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from oyster_jax.worlds.errors import WorldError

#: Characters of a text, at most.
LONGEST = 300

#: Of these, a sentence about a refusal shows so many.
_SHOWN = 60

#: The list of words that nothing may hold, which comes with the package.
BLOCKED = Path(__file__).parent / "blocked.txt"

type Kind = Literal["prompt", "event"]

#: What stands for letters.
_LETTERS = str.maketrans("013457@$!|", "oieastasii")

_PUNCTUATION = frozenset(" .,;:!?'\"()-–—…’&/+%")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decision:
    """What was decided of a text.

    Attributes:
      kind: what the text is for.
      text: that was looked at.
      allowed: whether the world may take it.
      rule: which rule refused it: `length`, `characters`, `blocked` or `vocabulary`; empty where none did.
      reason: a sentence for whoever wrote it; empty where it is allowed.
    """

    kind: Kind
    text: str
    allowed: bool
    rule: str = ""
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Returns it for a log."""
        return dataclasses.asdict(self)


class RefusedError(WorldError):
    """A text is refused; the message says which, by what rule and why.

    Args:
      decision: on the text, all of it.
    """

    def __init__(self, decision: Decision) -> None:
        text = decision.text if len(decision.text) <= _SHOWN else decision.text[: _SHOWN - 1] + "…"
        super().__init__(f"{text!r} is refused ({decision.rule}): {decision.reason}")
        self.decision = decision


@runtime_checkable
class Moderator(Protocol):
    """Decides what a world may be told."""

    def decide(self, kind: Kind, text: str) -> Decision:
        """Returns what is decided of a text; never raises."""
        ...


def admit(moderator: Moderator, kind: Kind, text: str) -> None:
    """Returns if a moderator allows a text.

    Raises:
      RefusedError: it does not.
    """
    decision = moderator.decide(kind, text)
    if not decision.allowed:
        raise RefusedError(decision)


class WordModerator:
    """Refuses what is too long, holds strange characters or blocked words, or no word that the world knows.

    Args:
      unknown: returns the words of a text that the world does not know; see `Words.unknown`.
      blocked: the list of blocked words.

    Raises:
      OSError: the list cannot be read.
    """

    def __init__(self, unknown: Callable[[str], tuple[str, ...]], blocked: Path = BLOCKED) -> None:
        self._unknown = unknown
        lines = (line.strip() for line in blocked.read_text("utf-8").splitlines())
        words = [line for line in lines if line and not line.startswith("#")]
        patterns = [
            _squeezed(word.rstrip("*")).replace(" ", " +") + (r"\w*" if word.endswith("*") else "") for word in words
        ]
        self._blocked = re.compile(rf"\b(?:{'|'.join(patterns)})\b") if patterns else None

    def decide(self, kind: Kind, text: str) -> Decision:
        """See `Moderator.decide`."""
        rule, reason = self._fault(kind, text)
        return Decision(kind=kind, text=text, allowed=not rule, rule=rule, reason=reason)

    def _fault(self, kind: Kind, text: str) -> tuple[str, str]:
        if not text.strip():
            return "length", f"The {kind} is empty; say something of this world."
        if len(text) > LONGEST:
            return "length", f"The {kind} has {len(text)} characters; at most {LONGEST} are read, so say less."
        strange = next((sign for sign in text if not (sign.isalnum() or sign in _PUNCTUATION)), None)
        if strange is not None:
            return "characters", f"The {kind} holds the character {strange!r}; write it in letters, digits and commas."
        if self._blocked is not None and self._blocked.search(_squeezed(text)):
            return "blocked", f"The {kind} holds a word that is not accepted here; say it in another way."
        words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", text.lower())
        if words and len(self._unknown(text)) == len(set(words)):
            return "vocabulary", f"The {kind} holds no word that this world knows; say something of what it has."
        return "", ""


def _squeezed(text: str) -> str:
    """Returns a text in lower case, without accents or doubled letters, with letters for what stands for them."""
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(sign))
    return re.sub(r"(\w)\1+", r"\1", re.sub(r"[\s\-–—_.]+", " ", plain.translate(_LETTERS)))
