"""The ticks at which figures are given."""

from collections.abc import Sequence


def check_ascending(name: str, ticks: Sequence[int]) -> None:
    """Makes sure that there are ticks, that they are positive and that they ascend.

    Args:
      name: what they are called, to begin a sentence with, as in `Horizons`.
      ticks: what was given.

    Raises:
      ValueError: there are none, one is not positive, or one is not larger than the one before it.
    """
    if not ticks or ticks[0] < 1 or sorted(set(ticks)) != list(ticks):
        raise ValueError(f"{name} are positive and ascend, as in 1, 4, 8; {ticks} were given.")
