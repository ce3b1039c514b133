"""How far a picture lies from what a world knows, said in a sentence instead of pretended away."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
from jaxtyping import UInt8

type Verdict = Literal["familiar", "strange", "foreign"]

#: Decibels below what a world usually reaches, where nobody has measured its bounds.
_KNOWN, _FOREIGN = 6.0, 15.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Familiarity:
    """Bounds on how well a world shows a picture again, PSNR in dB; see `evaluate.familiarity`.

    Attributes:
      usual: what it reaches with frames of its own game, the median.
      known: from here on it knows pictures like that.
      foreign: below this it has seen nothing like that.
    """

    usual: float
    known: float
    foreign: float

    @classmethod
    def of(cls, record: Mapping[str, Any], usual: float) -> Self:
        """Returns the bounds that were measured, as `world.json` has them, or else ones set by rule.

        Args:
          record: of the world.
          usual: what it reaches with frames of its own, where nothing was measured.
        """
        measured = record.get("figures", {}).get("familiarity")
        if measured is None:
            return cls(usual=usual, known=usual - _KNOWN, foreign=usual - _FOREIGN)
        # Where its own and foreign pictures overlap there is no telling what lies between.
        known, foreign = measured["known"], measured["foreign"]
        return cls(usual=measured["usual"], known=max(known, foreign), foreign=min(known, foreign))

    def verdict(self, psnr: float) -> tuple[Verdict, str]:
        """Returns what is to be thought of a picture that the world shows with `psnr` dB, and says so."""
        figures = (
            f"It can show this picture with {psnr:.1f} dB, pictures like those it learned from with {self.usual:.1f} "
            f"dB (nearly all above {self.known:.1f})."
        )
        if psnr >= self.known:
            return "familiar", f"The world knows pictures like this one. {figures}"
        if psnr >= self.foreign:
            return (
                "strange",
                f"The world has seen little like this; what it shows will drift to what it knows. {figures}",
            )
        return "foreign", f"The world was not trained on anything like this: expect it to fall apart. {figures}"


def picture_psnr(one: UInt8[np.ndarray, "height width 3"], other: UInt8[np.ndarray, "height width 3"]) -> float:
    """Returns the peak signal-to-noise ratio of two frames in dB, at most 99."""
    error = float(np.mean((one.astype(np.float64) - other.astype(np.float64)) ** 2))
    return min(99.0, 10 * math.log10(255**2 / error)) if error else 99.0
