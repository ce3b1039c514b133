"""Draws the pictures of a world's README and card: a rollout beside the truth, and what different actions do.

    .venv/bin/python tools/pictures.py oyster_jax/worlds/coinrun HELD_OUT

HELD_OUT is a folder that `oyster record` wrote (`oyster eval` keeps one in its cache folder). The episodes are those
that come first and are long enough; none is chosen for its looks.
"""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import tyro

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.frames import contact_sheet, write_image
from oyster_jax.parallel.tpu import quiet_without_tpu
from oyster_jax.worlds.registry import load
from oyster_jax.worlds.world import World

CONTEXT, TICKS, EVERY = 8, 24, 2
ACTIONS = ("right*24", "jump*3,noop*21", "left*24", "right+jump*24")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Draws rollout.png and actions.png into a world's folder."""

    world: tyro.conf.Positional[Path]
    """The world's folder."""
    data: tyro.conf.Positional[Path]
    """A held-out recording."""
    start: int = 10
    """Tick of an episode at which its context begins."""
    episodes: int = 3
    """How many episodes to show."""
    actions: tuple[str, ...] = ACTIONS
    """What is done from one and the same place, a row each."""


def rollout_rows(world: World, dataset: EpisodeDataset, index: int, start: int) -> list[np.ndarray]:
    """Returns the truth and what the model makes of the same actions, one frame in every `EVERY`."""
    window = dataset.window(index, start, CONTEXT + TICKS, ("frames", "actions"))
    frames, actions = window["frames"], window["actions"]
    state = world.encode(frames[:CONTEXT], actions[: CONTEXT - 1])
    _, drawn = world.rollout(state, actions[CONTEXT - 1 : -1])
    return [frames[CONTEXT::EVERY], np.asarray(drawn)[::EVERY]]


def action_rows(
    world: World, dataset: EpisodeDataset, index: int, start: int, scripts: tuple[str, ...]
) -> list[np.ndarray]:
    """Returns a row for each script, all from one state; the first frame is that state's."""
    window = dataset.window(index, start, CONTEXT, ("frames", "actions"))
    state = world.encode(window["frames"], window["actions"][:-1])
    first = np.asarray(world.render(state))[None]
    return [np.concatenate([first, world.rollout(state, script)[1][1::EVERY]]) for script in scripts]


def main(config: Config) -> None:
    """Writes both pictures."""
    world, dataset = load(str(config.world)), EpisodeDataset(config.data)
    long = np.flatnonzero(dataset.lengths >= config.start + CONTEXT + TICKS + 1)[: config.episodes]
    rows = itertools.chain.from_iterable(rollout_rows(world, dataset, int(index), config.start) for index in long)
    write_image(config.world / "rollout.png", contact_sheet(list(rows)))
    futures = action_rows(world, dataset, int(long[0]), config.start, config.actions)
    write_image(config.world / "actions.png", contact_sheet(futures))
    print(f"Wrote {config.world / 'rollout.png'} and {config.world / 'actions.png'}.")


if __name__ == "__main__":
    quiet_without_tpu()
    main(tyro.cli(Config, description=__doc__))
