"""Turning somebody else's recording into a dataset: told first, then written whole or not at all."""

import dataclasses
import itertools
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from oyster_jax.core.spec import FrameSpec, WorldSpec
from oyster_jax.data import action_table
from oyster_jax.data.action_table import ActionTable
from oyster_jax.data.episode import Episode
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.importers.foreign import Foreign, ForeignEpisode, inferred
from oyster_jax.data.manifest import HELD_OUT, TRAINING, Manifest, Provenance
from oyster_jax.data.pictures import as_rgb, fitting, parse_size, resized
from oyster_jax.data.writer import DatasetWriter, check_free

#: Ticks a second of a recording that does not say.
RATE = 15.0

#: Longer episodes are cut into several, so that an hour of video needs no hour of memory.
LONGEST = 4096


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wishes:
    """What is to be otherwise than the files say, or what they do not say.

    Attributes:
      name: of the world; the file's or folder's unless given.
      size: of the frames, as in `64x96`.
      rate: ticks a second.
      actions: names, or names with values (`action_table.parsed`).
      licence: SPDX name.
      held_out: the recording is kept for evaluation, and nothing may train on it.
    """

    name: str | None = None
    size: str | None = None
    rate: float | None = None
    actions: str | None = None
    licence: str = "NOASSERTION"
    held_out: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Conversion:
    """What a recording becomes.

    Attributes:
      foreign: the recording.
      spec: of the world that it shows.
      table: what its actions stood for.
      found: height and width of its pictures.
      provenance: what the manifest will say.
    """

    foreign: Foreign
    spec: WorldSpec
    table: ActionTable
    found: tuple[int, int]
    provenance: Provenance

    @property
    def kept(self) -> float:
        """How much of the variance of the recorded actions the actions of the world keep, 1 where they are the same."""
        values = self.foreign.actions
        ids = self.table.nearest(values)
        known = values[ids >= 0]
        if not len(known):
            return 1.0
        lost = np.square(known - np.asarray(self.table.values)[ids[ids >= 0]]).mean(axis=0)
        variance = known.var(axis=0)
        moved = variance > 0
        return float(1 - (lost[moved] / variance[moved]).mean()) if moved.any() else float(not lost.any())


def conversion(foreign: Foreign, path: Path, wishes: Wishes) -> Conversion:
    """Returns what a recording becomes, having looked at its actions and its first picture.

    Raises:
      DatasetError: a wish cannot be met, or the first picture cannot be read.
    """
    first = next(foreign.episodes[0].frames(), None)
    if first is None:
        raise DatasetError(f"{foreign.episodes[0].name} shows no picture; give a whole file.")
    height, width, _ = as_rgb(first).shape
    rows, columns = parse_size(wishes.size) if wishes.size else fitting(height, width)
    rate = wishes.rate or foreign.rate or RATE
    if not rate > 0:
        raise DatasetError(f"A world makes some ticks a second, but {rate} were asked for.")
    table = _table(foreign, wishes.actions)
    name = wishes.name or re.sub(r"\W+", "-", path.resolve().stem).strip("-").lower() or foreign.kind
    spec = WorldSpec(name=name, frame=FrameSpec(height=rows, width=columns, rate=float(rate)), action=table.spec)
    provenance = Provenance(
        spec=spec,
        split=HELD_OUT if wishes.held_out else TRAINING,
        levels=None,
        source=f"{foreign.kind}:{path.resolve().name}",
        options={"actions": table.to_json(), "pictures": [height, width]},
        policy="unknown",
        seed=0,
        licence=wishes.licence,
    )
    return Conversion(foreign=foreign, spec=spec, table=table, found=(height, width), provenance=provenance)


def write(what: Conversion, out: Path, progress: Callable[[int], None] | None = None) -> Manifest:
    """Writes the dataset into the folder `out`, which appears when all of it has been read.

    Args:
      what: what to write.
      out: a folder that is not there yet, or empty.
      progress: told the ticks written so far.

    Raises:
      DatasetError: `out` is in use, a file is damaged, or frames and actions do not belong together.
    """
    check_free(out)
    temporary = out.with_name(f".{out.name}.{os.getpid()}")
    out.parent.mkdir(parents=True, exist_ok=True)
    done = 0
    try:
        with DatasetWriter(temporary, what.provenance) as writer:
            for episode in what.foreign.episodes:
                for part in _episodes(episode, what):
                    writer.add(part)
                    done += part.ticks
                    if progress is not None:
                        progress(done)
        temporary.replace(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    assert writer.manifest is not None
    return writer.manifest


def _table(foreign: Foreign, text: str | None) -> ActionTable:
    if text is None:
        return foreign.table or inferred(foreign.actions, foreign.labels)
    if foreign.named:
        raise DatasetError("The actions of this recording have names already; leave --actions out.")
    table, components = action_table.parsed(text), foreign.episodes[0].actions.shape[1]
    if table.components != components:
        raise DatasetError(
            f"An action of this recording is {components} numbers, but {table.components} stand in --actions; "
            "write them as in noop=0:0,left=-1:0."
        )
    return table


def _episodes(episode: ForeignEpisode, what: Conversion) -> Iterator[Episode]:
    """Yields the parts of an episode: it is cut after every end of the world, and where it is very long."""
    ticks = episode.ticks
    actions = what.table.nearest(episode.actions)
    rewards = np.zeros(ticks, np.float32) if episode.rewards is None else episode.rewards
    terminals = np.zeros(ticks, bool) if episode.terminals is None else episode.terminals
    size = (what.spec.frame.height, what.spec.frame.width)
    pictures = (resized(as_rgb(picture), size) for picture in episode.frames())
    ends = sorted({*(np.flatnonzero(terminals) + 1).tolist(), ticks})
    start = 0
    for end in ends:
        while start < end:
            stop = min(end, start + LONGEST)
            frames = list(itertools.islice(pictures, stop - start))
            if len(frames) < stop - start:
                raise _unequal(episode, start + len(frames))
            span = slice(start, stop)
            yield Episode(
                frames=np.stack(frames),
                actions=actions[span],
                rewards=rewards[span],
                terminals=terminals[span],
                metadata={"from": episode.name, "ending": "terminal" if terminals[stop - 1] else "stopped"},
            )
            start = stop
    # The picture after the last action belongs to no tick.
    if (more := sum(1 for _ in pictures)) > 1:
        raise _unequal(episode, ticks + more)


def _unequal(episode: ForeignEpisode, frames: int) -> DatasetError:
    return DatasetError(
        f"{episode.name} has {frames:,} frames, but {episode.ticks:,} actions; there is one action for every frame, "
        "or for every frame but the last. Mend the file or leave it out."
    )
