"""A grammar of paraphrases, of which some wordings are kept for testing."""

import random
import re
import zlib
from collections.abc import Mapping, Sequence

#: Alternatives from which on some of a symbol are kept for testing, and one in how many then.
ENOUGH, ONE_IN = 4, 5

_SLOT = re.compile(r"\{(\w+)\}")


class Grammar:
    """Symbols, each with several wordings, in which other symbols may stand in braces.

    Of a symbol with at least `ENOUGH` wordings one in `ONE_IN` is held out, chosen by the seed alone, but never its
    first, which is the plainest: what is said for training never uses it, wherever the symbol stands.

    Args:
      rules: wordings by symbol.
      seed: of what is held out.

    Raises:
      ValueError: a wording stands twice under its symbol.
    """

    def __init__(self, rules: Mapping[str, Sequence[str]], seed: int = 0) -> None:
        self.training: dict[str, tuple[str, ...]] = {}
        self.held_out: dict[str, tuple[str, ...]] = {}
        for symbol, wordings in rules.items():
            if len(set(wordings)) < len(wordings):
                raise ValueError(f"The symbol '{symbol}' has the same wording twice; leave one out.")
            chosen = set()
            if len(wordings) >= ENOUGH:
                # By its own name, so that a new symbol changes no other's.
                order = random.Random(zlib.crc32(f"{seed} {symbol}".encode()))
                chosen = set(order.sample(list(wordings[1:]), -(-len(wordings) // ONE_IN)))
            self.training[symbol] = tuple(wording for wording in wordings if wording not in chosen)
            self.held_out[symbol] = tuple(wording for wording in wordings if wording in chosen)

    def say(
        self,
        symbol: str,
        generator: random.Random,
        bindings: Mapping[str, str] | None = None,
        *,
        held_out: bool = False,
    ) -> str:
        """Returns a symbol in words.

        Args:
          symbol: what is to be said.
          generator: chooses the wordings.
          bindings: which symbols the slots of its wordings stand for, where not for those of their own names.
          held_out: use at least one wording that is held out, where any symbol on the way has one.

        Raises:
          KeyError: there is no such symbol.
        """
        # Drawn again until one is in it; symbols without any are said as they are.
        for _ in range(64 if held_out else 0):
            text, kept = self._say(symbol, generator, bindings or {}, held_out)
            if kept:
                return text
        return self._say(symbol, generator, bindings or {}, held_out)[0]

    def words(self) -> set[str]:
        """Returns the words of all wordings that are used in training, in lower case."""
        texts = [_SLOT.sub(" ", wording) for wordings in self.training.values() for wording in wordings]
        return {word for text in texts for word in re.findall(r"[\w']+", text.lower())}

    def _say(
        self, symbol: str, generator: random.Random, bindings: Mapping[str, str], held_out: bool
    ) -> tuple[str, bool]:
        symbol = bindings.get(symbol, symbol)
        kept = bool(self.held_out[symbol]) and held_out and generator.random() < 0.5
        wording = generator.choice((self.held_out if kept else self.training)[symbol])
        text, end = "", 0
        for slot in _SLOT.finditer(wording):
            said, inner = self._say(slot[1], generator, bindings, held_out)
            text, end, kept = text + wording[end : slot.start()] + said, slot.end(), kept or inner
        return text + wording[end:], kept
