"""Recording: a policy acts in many environments at once, and their episodes become a dataset."""

import collections
import concurrent.futures
import dataclasses
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from oyster_jax.data import codec
from oyster_jax.data.episode import Episode
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.manifest import Manifest, Provenance, split_of
from oyster_jax.data.policies import Policy, make_policy
from oyster_jax.data.sources.source import Simulator, Source, TimeStep
from oyster_jax.data.writer import DatasetWriter

#: Called with the frames recorded so far.
type Progress = Callable[[int], None]

# Encoding runs in two threads (zlib releases the interpreter lock); this many episodes may wait for them.
_ENCODERS = 2
_WAITING = 32


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordConfig:
    """What to record.

    Attributes:
      source: the simulator with its options.
      frames: how many frames in all, shared evenly among the environments.
      levels: first level and the one after the last; training and held-out levels never mix (see `split_of`).
      policy: "sticky", "random", one of the source's own, or several of these; see `make_policy`.
      seed: of the policy and the simulator; the same seed gives the same bytes.
      environments: how many run side by side.

    Raises:
      DatasetError: a count is not positive, or the levels straddle the two splits.
    """

    source: Source
    frames: int
    levels: tuple[int, int]
    policy: str = "sticky"
    seed: int = 0
    environments: int = 64

    def __post_init__(self) -> None:
        for name in ("frames", "environments"):
            if getattr(self, name) < 1:
                raise DatasetError(
                    f"A recording needs at least one of its {name}, but {getattr(self, name)} was given."
                )
        if not 0 <= self.seed < 2**31:
            raise DatasetError(f"A recording's seed lies between 0 and {2**31 - 1}, but {self.seed} was given.")
        split_of(*self.levels)

    @property
    def provenance(self) -> Provenance:
        """What the manifest says of the recording."""
        return Provenance(
            spec=self.source.spec,
            split=split_of(*self.levels),
            levels=self.levels,
            source=self.source.name,
            options=self.source.options,
            policy=self.policy,
            seed=self.seed,
            licence=self.source.licence,
        )


def record(config: RecordConfig, out: str | os.PathLike[str], progress: Progress | None = None) -> Manifest:
    """Records `config.frames` frames into the folder `out`, exactly and reproducibly.

    Every environment contributes the same number of frames (the first ones one more where they do not divide), so no
    episode is favoured for its length; one that is still running when its environment's share is full is cut there.

    Returns:
      The manifest that was written.

    Raises:
      DatasetError: the folder is not empty, or the source cannot run.
    """
    environments = min(config.environments, config.frames)
    source = config.source
    policy = make_policy(config.policy, source.spec.action, environments, config.seed, source.policies)
    with DatasetWriter(out, config.provenance) as writer:
        simulator = config.source.open(environments=environments, levels=config.levels, seed=config.seed)
        try:
            with _EncodingQueue(writer) as queue:
                _run(config, simulator, policy, queue, progress or (lambda _: None))
        finally:
            simulator.close()
    assert writer.manifest is not None
    return writer.manifest


def _run(
    config: RecordConfig, simulator: Simulator, policy: Policy, queue: "_EncodingQueue", progress: Progress
) -> None:
    before: TimeStep = simulator.observe()
    environments = len(before.frames)
    share, rest = divmod(config.frames, environments)
    quota = share + (np.arange(environments) < rest)
    takes = [_Take(level) for level in before.levels.tolist()]
    began = np.ones(environments, bool)
    for tick in range(int(quota.max())):
        actions = policy.act(began, before)
        after = simulator.step(actions)
        for index, take in enumerate(takes):
            if tick >= quota[index]:
                continue
            take.append(index, before, int(actions[index]), after)
            ended, full = bool(after.ended[index]), tick + 1 == quota[index]
            if ended or full:
                queue.put(take, _ending(ended, bool(after.terminals[index])))
                takes[index] = _Take(int(after.levels[index]))
        began, before = after.ended, after
        progress(int(np.minimum(quota, tick + 1).sum()))


def _ending(ended: bool, terminal: bool) -> str:
    """Says how an episode ended: the world ended it, its clock ran out, or the recording stopped."""
    return "terminal" if terminal else "timeout" if ended else "stopped"


class _Take:
    """The ticks of an episode that is still running."""

    def __init__(self, level: int) -> None:
        self.level = level
        self.lost = 0
        self.facts: dict[str, Any] = {}
        self.columns: dict[str, list] = collections.defaultdict(list)

    def append(self, index: int, before: TimeStep, action: int, after: TimeStep) -> None:
        """Adds what environment `index` showed before an action, the action and its outcome."""
        add = self.columns
        # Copies, so that one long episode does not keep the frames of all its neighbours alive.
        add["frames"].append(before.frames[index].copy())
        add["actions"].append(action)
        add["rewards"].append(after.rewards[index])
        add["terminals"].append(after.terminals[index])
        if before.entities is not None and before.entity_mask is not None and before.entities_lost is not None:
            add["entities"].append(before.entities[index].copy())
            add["entity_mask"].append(before.entity_mask[index].copy())
            self.lost = max(self.lost, int(before.entities_lost[index]))
        for name in ("tiles", "quantities"):
            if (shown := getattr(before, name)) is not None:
                add[name].append(shown[index].copy())
        if after.events is not None:
            add["events"].append(after.events[index])
        if after.facts is not None:
            self.facts = after.facts[index]

    def episode(self, ending: str) -> Episode:
        """Returns the episode."""
        columns = self.columns
        entities = "entities" in columns
        return Episode(
            frames=np.stack(columns["frames"]),
            actions=np.asarray(columns["actions"], np.int32),
            rewards=np.asarray(columns["rewards"], np.float32),
            terminals=np.asarray(columns["terminals"], bool),
            entities=np.stack(columns["entities"]) if entities else None,
            entity_mask=np.stack(columns["entity_mask"]) if entities else None,
            tiles=np.stack(columns["tiles"]) if "tiles" in columns else None,
            quantities=np.stack(columns["quantities"]) if "quantities" in columns else None,
            events=np.asarray(columns["events"], np.int32) if "events" in columns else None,
            metadata={"level": self.level, "ending": ending}
            | ({"entities_lost": self.lost} if entities else {})
            | self.facts,
        )


class _EncodingQueue:
    """Encodes episodes in threads and writes them in the order in which they ended."""

    def __init__(self, writer: DatasetWriter) -> None:
        self._writer = writer
        self._pool = concurrent.futures.ThreadPoolExecutor(_ENCODERS)
        self._waiting: collections.deque = collections.deque()

    def __enter__(self) -> "_EncodingQueue":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            while kind is None and self._waiting:
                self._write_next()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def put(self, take: _Take, ending: str) -> None:
        """Takes over a finished episode; waits only while too many are unwritten."""
        self._waiting.append(self._pool.submit(_encode, take, ending))
        while self._waiting and (len(self._waiting) > _WAITING or self._waiting[0].done()):
            self._write_next()

    def _write_next(self) -> None:
        self._writer.add_encoded(*self._waiting.popleft().result())


def _encode(take: _Take, ending: str) -> tuple[bytes, int, tuple[str, ...]]:
    episode = take.episode(ending)
    return codec.encode(episode), episode.ticks, tuple(episode.arrays)
