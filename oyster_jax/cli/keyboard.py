"""Keys of a terminal: what bytes mean, and which keys are held although most terminals never say so."""

import dataclasses
import re
from typing import Literal

from oyster_jax.core.spec import ActionSpec

#: Most terminals repeat a held key after about half a second, then some 30 times a second, and tell of no release. So
#: a key counts as held for this long after its first press, and for this long after each repeat, in seconds.
FIRST_HOLD = 0.5
REPEAT_HOLD = 0.25

#: Asks for key releases (https://sw.kovidgoyal.net/kitty/keyboard-protocol); terminals that know nothing of it ignore
#: this, and those that do confirm it.
ASK_FOR_RELEASES = "\x1b[>11u\x1b[?u"
END_RELEASES = "\x1b[<u"

_ARROWS = {"A": "up", "B": "down", "C": "right", "D": "left"}
_NAMES = {" ": "space", "\x1b": "escape", "\r": "enter", "\n": "enter", "\x03": "ctrl+c"}
_SEQUENCE = re.compile(
    r"\x1b(?:\[(?P<code>[0-9?]*)(?:;(?P<modifiers>\d*)(?::(?P<kind>\d))?)?[0-9;:]*|O)(?P<end>[A-Za-z~])"
)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-9?;:]*|O)?$")
_KINDS: dict[str | None, Literal["press", "release"]] = {"3": "release"}
_CONTROL = 4
_OPPOSITES = {"left": "right", "right": "left", "up": "down", "down": "up"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Key:
    """A key that went down, was repeated, or (where the terminal tells) was let go."""

    name: str
    kind: Literal["press", "release"] = "press"


class Decoder:
    """Turns what a terminal sends into keys.

    Attributes:
      tells_releases: the terminal has confirmed that it does.
    """

    def __init__(self) -> None:
        self.tells_releases = False
        self._pending = ""

    def decode(self, data: bytes) -> list[Key]:
        """Returns the keys in `data`; a sequence that is cut off waits for its rest, which is never later than next."""
        text, waited = self._pending + data.decode(errors="ignore"), bool(self._pending)
        self._pending = ""
        keys, position = [], 0
        while position < len(text):
            if match := _SEQUENCE.match(text, position):
                keys += self._sequence(match)
                position = match.end()
            elif _UNFINISHED.match(text, position) and not (waited and not data):
                self._pending = text[position:]
                break
            else:
                keys.append(Key(name=_named(text[position])))
                position += 1
        return keys

    def _sequence(self, match: re.Match[str]) -> list[Key]:
        code, end = match["code"] or "", match["end"]
        if code.startswith("?"):
            self.tells_releases |= end == "u" and code not in ("?", "?0")
            return []
        kind = _KINDS.get(match["kind"], "press")
        if end in _ARROWS:
            return [Key(name=_ARROWS[end], kind=kind)]
        if end != "u" or not code:
            return []
        name = _named(chr(int(code)))
        control = (int(match["modifiers"] or 1) - 1) & _CONTROL
        return [Key(name=f"ctrl+{name}" if control else name, kind=kind)]


class HeldKeys:
    """Which keys are down."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def take(self, key: Key, now: float, *, tells_releases: bool) -> None:
        """Notes a key at the time `now`, in seconds.

        Where releases are not told, a key is let go some time after its last repeat. A terminal repeats only the newest
        key, so that its presses keep the others down too, save for its opposite.
        """
        if key.kind == "release":
            self._until.pop(key.name, None)
            return
        held = self.names(now)
        if tells_releases:
            self._until[key.name] = float("inf")
            return
        hold = now + (REPEAT_HOLD if key.name in held else FIRST_HOLD)
        self._until = {name: max(self._until[name], hold) for name in held if name != _OPPOSITES.get(key.name)} | {
            key.name: max(self._until.get(key.name, 0.0), hold)
        }

    def names(self, now: float) -> set[str]:
        """Returns the names of the keys that are down."""
        return {name for name, until in self._until.items() if until > now}

    def clear(self) -> None:
        """Lets all keys go."""
        self._until.clear()


def bindings(spec: ActionSpec, commands: frozenset[str]) -> dict[str, str]:
    """Returns which button each key presses: arrows and WASD steer, up and space jump, further buttons by their letter.

    Args:
      spec: the world's actions.
      commands: keys that mean something to the player and press nothing.
    """
    buttons = spec.buttons
    jump = "jump" if "jump" in buttons else None
    others = [button for button in buttons if button not in (*_OPPOSITES, "jump")]
    wanted = {
        "left": "left", "right": "right", "down": "down", "up": jump or "up",
        "a": "left", "d": "right", "s": "down", "w": jump or "up",
        "space": jump or (others[0] if others else "up"),
    }  # fmt: skip
    wanted = {key: button for key, button in wanted.items() if button in buttons}
    letters = {button: button for button in others if len(button) == 1 and button not in commands}
    return letters | wanted


def _named(character: str) -> str:
    return _NAMES.get(character, character.lower())
