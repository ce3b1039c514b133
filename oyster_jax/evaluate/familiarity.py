"""How well a world shows a picture, and what that tells of whether it knows such pictures.

A picture is encoded and rendered again; its PSNR is compared with that of held-out frames of the world's own game and
with that of frames of other games, which it has never seen anything like. Between the lowest that its own give and the
highest that foreign ones give lies what it knows a little of.
"""

import dataclasses

import numpy as np
from jaxtyping import UInt8

from oyster_jax.core.model import WorldModel
from oyster_jax.data.pictures import resized
from oyster_jax.data.sources.procgen import Procgen
from oyster_jax.data.sources.source import Source
from oyster_jax.evaluate.batch import reconstruct, window_keys
from oyster_jax.evaluate.chunks import padded_chunks
from oyster_jax.typing import Params

#: Games whose frames are foreign to a world of any other game, and how many frames of each are looked at.
FOREIGN = ("bigfish", "bossfight", "chaser", "climber", "coinrun", "maze", "ninja", "starpilot")
FRAMES = 32

#: Shares of its own pictures that a world may fail to know, and of foreign ones that it may take for known.
MISSED, MISTAKEN = 0.025, 0.025

CHUNK = 32


@dataclasses.dataclass(frozen=True, kw_only=True)
class FamiliarityFigures:
    """PSNR in dB of pictures that a world shows again.

    Attributes:
      usual: median over held-out frames of its own game.
      known: its own frames lie above this, but for a share of `MISSED`.
      foreign: frames of other games lie below this, but for a share of `MISTAKEN`.
      told_apart: probability that a frame of its own is shown better than a foreign one, 0 to 1 (area under the curve).
      games: median over the frames of each foreign game.
    """

    usual: float
    known: float
    foreign: float
    told_apart: float
    games: dict[str, float]


def foreign_frames(source: Source, shape: tuple[int, int, int]) -> dict[str, UInt8[np.ndarray, "frames _ _ 3"]]:
    """Returns frames of games other than a world's own, brought to the size of its frames.

    Args:
      source: the world's own.
      shape: of its frames.

    Raises:
      DatasetError: the simulator is not installed.
    """
    found = {}
    for game in FOREIGN:
        if source.name.endswith(game):
            continue
        simulator = Procgen(game=game, backgrounds=True, themes=True).open(
            environments=FRAMES, levels=(0, 10_000), seed=1
        )
        try:
            frames = simulator.observe().frames
        finally:
            simulator.close()
        found[game] = np.stack([resized(frame, (shape[0], shape[1])) for frame in frames])
    return found


def familiarity_figures(
    model: WorldModel,
    params: Params,
    own: UInt8[np.ndarray, "frames height width 3"],
    foreign: dict[str, UInt8[np.ndarray, "_ height width 3"]],
) -> FamiliarityFigures:
    """Measures how well a world shows frames of its own and of other games."""
    mine = shown_psnr(model, params, own)
    others = {game: shown_psnr(model, params, frames) for game, frames in foreign.items()}
    strange = np.concatenate(list(others.values()))
    return FamiliarityFigures(
        usual=float(np.median(mine)),
        known=float(np.quantile(mine, MISSED)),
        foreign=float(np.quantile(strange, 1 - MISTAKEN)),
        told_apart=float((mine[:, None] > strange[None, :]).mean()),
        games={game: float(np.median(values)) for game, values in others.items()},
    )


def shown_psnr(model: WorldModel, params: Params, frames: UInt8[np.ndarray, "frames height width 3"]) -> np.ndarray:
    """Returns the PSNR in dB of each frame, encoded and rendered again: float64 `[frames]`, at most 99."""
    found = []
    for chosen, count in padded_chunks(len(frames), CHUNK):
        shown = np.asarray(reconstruct(model, params, frames[chosen][:, None], window_keys(0, chosen)))[:, 0]
        errors = np.square(shown.astype(np.float64) - frames[chosen]).mean(axis=(1, 2, 3))
        found.append((10 * np.log10(255**2 / np.maximum(errors, 255**2 / 10**9.9)))[:count])
    return np.concatenate(found)
