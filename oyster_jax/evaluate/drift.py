"""Whether a world wears out: a long run by itself under a policy, early minutes against late ones and real frames.

Several worlds begin with real frames of held-out levels and go on under the policy that the recording was made with.
Where a world says that its episode has ended, its state is exchanged, in that very tick and inside the scan, for one
that stands by: a level that `model.reset` dreamt beforehand, as the game too goes on with another level. The host
dreams a new one between two chunks of ticks for every one that was used; a world that ends twice within a chunk begins
the same level again, with other noise.

Measured at every tick: the look of the frame (`evaluate.appearance`), which is worth something only beside that of real
frames. In the first and in the last minute besides:

- Control. From one state the world goes on for some ticks (4) under the policy's actions and under random ones; there
  is no truth in a dream, so what counts is how far the two futures are from each other:

      effect = sqrt(MSE between the futures),    control loss = 1 - effect in the last minute / effect in the first

  Beside it stands the same distance for the same actions with other noise: what of the effect is none of the actions'.
- Action F1 of the judge on the run's own frames (`evaluate.action_score`), and the share of frames with one agent.

A long run has no truth to be compared with: a world that shows the same sharp level for ever would do well here.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.core.model import WorldModel
from oyster_jax.core.state import Status, WorldState
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.policies import make_policy
from oyster_jax.evaluate.appearance import appearance
from oyster_jax.evaluate.chunks import Progress
from oyster_jax.evaluate.judge import FrameReader
from oyster_jax.evaluate.long_run import branch, run_chunk
from oyster_jax.evaluate.readings import Readings, read_real, read_run
from oyster_jax.evaluate.windows import check_dataset, choose_windows, read_windows
from oyster_jax.models.inverse_dynamics import button_table
from oyster_jax.prng import named_key
from oyster_jax.typing import Params

#: The two minutes that are compared.
EARLY, LATE = PHASES = ("early", "late")

#: Frames of one window of the recording that real figures are from.
REAL_WINDOW = 33


@dataclasses.dataclass(frozen=True, kw_only=True)
class DriftConfig:
    """How long and how many.

    Attributes:
      ticks: of the run; 27,000 are 30 minutes of CoinRun. A multiple of `chunk` is run, the next one up.
      worlds: how many run side by side, each from another held-out level.
      context: real frames that each begins with.
      chunk: ticks of one call.
      phase: ticks of the first and of the last minute; half of the run where that is shorter.
      branches: states in each phase and world from which two futures leave.
      branch_ticks: how long these futures are.
      look_every: ticks between two frames in which agents are counted.
      real_windows: windows of the recording that real figures are from, `REAL_WINDOW` frames each.
      respawn: whether a world that ends goes on with another level; without, it goes on as if nothing were.
      shown: moments of the run of which frames are kept, evenly spaced.
      seed: of everything that is drawn.

    Raises:
      ValueError: a number is not positive.
    """

    ticks: int = 2_700
    worlds: int = 8
    context: int = 8
    chunk: int = 30
    phase: int = 900
    branches: int = 16
    branch_ticks: int = 4
    look_every: int = 15
    real_windows: int = 128
    respawn: bool = True
    shown: int = 6
    seed: int = 0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            least = 0 if field.name in ("respawn", "seed") else 1
            if getattr(self, field.name) < least:
                raise ValueError(f"A long run's {field.name} is at least {least}, not {getattr(self, field.name)}.")

    @property
    def chunks(self) -> int:
        """Calls that make up the run."""
        return -(-self.ticks // self.chunk)

    @property
    def phase_chunks(self) -> int:
        """Chunks of one phase: the first so many and the last so many."""
        return max(1, min(self.phase // self.chunk, self.chunks // 2))

    def phases(self, chunk: int) -> tuple[str, ...]:
        """Returns the phases that a chunk belongs to; a run of one chunk is early and late at once."""
        late = chunk >= self.chunks - self.phase_chunks
        return tuple(name for name, holds in ((EARLY, chunk < self.phase_chunks), (LATE, late)) if holds)

    @property
    def branch_chunks(self) -> dict[str, frozenset[int]]:
        """Chunks at whose end futures branch off, by phase, evenly spaced."""
        first = {EARLY: 0, LATE: self.chunks - self.phase_chunks}
        within = np.linspace(0, self.phase_chunks - 1, min(self.branches, self.phase_chunks)).round().astype(int)
        return {phase: frozenset((start + within).tolist()) for phase, start in first.items()}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Futures:
    """How far pairs of futures are from each other at their last tick.

    Attributes:
      other_actions: mean squared errors in [0, 1] between the policy's actions and random ones, `[pairs]`.
      other_noise: between the same actions with other noise.
    """

    other_actions: np.ndarray
    other_noise: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class DriftMeasurements:
    """What a long run showed, before any mean is taken.

    Attributes:
      config: how.
      policy: who acted.
      looks: statistics `APPEARANCE` of each frame of the run, float32 `[worlds, ticks, statistics]`.
      ended: whether an episode ended at a tick, bool `[worlds, ticks]`; the frame then shows the next level.
      broken: whether the world stood still because of a non-finite number, bool `[worlds, ticks]`.
      agents: agents seen at every `look_every`-th tick, int32 `[worlds, looks]`; None without a judge.
      futures: by phase.
      readings: by phase; empty without a judge.
      real_ends: how often an episode of the recording ended, in each 1,000 ticks, whatever ended it.
      real_looks: of real frames, float32 `[frames, statistics]`.
      real_episodes: which episode each is of.
      real_agents: int32 `[frames]`; None without a judge.
      real_readings: of real frames; None without a judge.
      frames: uint8 `[worlds, moments, height, width, 3]`.
      moments: the ticks that they are of.
    """

    config: DriftConfig
    policy: str
    looks: np.ndarray
    ended: np.ndarray
    broken: np.ndarray
    agents: np.ndarray | None
    futures: dict[str, Futures]
    readings: dict[str, Readings]
    real_ends: float
    real_looks: np.ndarray
    real_episodes: np.ndarray
    real_agents: np.ndarray | None
    real_readings: Readings | None
    frames: np.ndarray
    moments: np.ndarray


def measure_drift(
    model: WorldModel,
    params: Params,
    dataset: EpisodeDataset,
    judge: FrameReader | None,
    config: DriftConfig,
    progress: Progress | None = None,
) -> DriftMeasurements:
    """Lets worlds run for long; the same seed gives the same numbers.

    Args:
      model: the world's model.
      params: its parameters.
      dataset: held-out recording to begin from and to compare with.
      judge: without one neither agents are counted nor buttons read.
      config: how long.
      progress: told the ticks done and to do.

    Raises:
      DatasetError: the recordings are not held out, not of this world, too short or damaged.
    """
    check_dataset(dataset, model.spec)
    run = _Run(model, params, dataset, judge, config)
    for chunk in range(config.chunks):
        run.go_on(chunk)
        if progress is not None:
            progress((chunk + 1) * config.chunk, config.chunks * config.chunk)
    return run.measurements()


class _Run:
    """A long run that is going on."""

    def __init__(
        self, model: WorldModel, params: Params, dataset: EpisodeDataset, judge: FrameReader | None, config: DriftConfig
    ) -> None:
        self._model, self._params, self._dataset, self._judge, self._config = model, params, dataset, judge, config
        self._key = named_key(jax.random.key(config.seed), "drift")
        self._policy_name = dataset.manifest.provenance.policy
        self._policy = make_policy(self._policy_name, model.spec.action, config.worlds, config.seed)
        self._generator = np.random.default_rng([config.seed, 3])
        self._reset = jax.jit(model.reset)
        # The carried states are given up: a chunk writes the next ones over them.
        self._chunk = jax.jit(functools.partial(run_chunk, model, config.respawn), donate_argnums=1)
        self._branch = jax.jit(functools.partial(branch, model))
        self._states = self._begin()
        self._dreamt = 0
        self._waiting = [self._dream() for _ in range(config.worlds)] if config.respawn else []
        self._seen: dict[str, list[np.ndarray]] = {"looks": [], "ended": [], "broken": [], "agents": [], "frames": []}
        self._minutes: dict[str, list[dict[str, np.ndarray]]] = {phase: [] for phase in PHASES}
        self._futures: dict[str, list[dict[str, np.ndarray]]] = {phase: [] for phase in PHASES}
        total = config.chunks * config.chunk
        self._moments = np.unique(np.linspace(0, total - 1, config.shown).round().astype(int))

    def _begin(self) -> WorldState:
        config = self._config
        windows = choose_windows(self._dataset.lengths, config.context, config.worlds, config.seed, spread=True)
        # Fewer places than worlds: some begin alike and differ by their noise.
        chosen = np.arange(config.worlds) % len(windows)
        read = read_windows(self._dataset, windows, chosen, config.context, ("frames", "actions"))
        frames, actions = read["frames"], read["actions"][:, :-1]
        keys = jax.random.split(named_key(self._key, "begin"), config.worlds)
        return jax.jit(jax.vmap(self._model.encode, in_axes=(None, 0, 0, 0)))(self._params, frames, actions, keys)

    def _dream(self) -> WorldState:
        self._dreamt += 1
        return self._reset(self._params, jax.random.fold_in(named_key(self._key, "respawn"), self._dreamt))

    def go_on(self, chunk: int) -> None:
        """Runs one chunk of ticks and keeps what was measured."""
        config = self._config
        began = np.full(config.worlds, chunk == 0)
        actions = np.stack([self._policy.act(began & (tick == 0)) for tick in range(config.chunk)], axis=1)
        standing_by = jax.tree.map(lambda *leaves: jnp.stack(leaves), *self._waiting) if self._waiting else None
        self._states, seen = self._chunk(self._params, self._states, standing_by, actions)
        frames, looks, status = (np.asarray(array) for array in seen)
        ended = status == Status.TERMINAL
        if config.respawn:
            for world in np.flatnonzero(ended.any(axis=1)):
                self._waiting[world] = self._dream()
        ticks = chunk * config.chunk + np.arange(config.chunk)
        self._seen["looks"].append(looks)
        self._seen["ended"].append(ended)
        self._seen["broken"].append(status == Status.NONFINITE)
        self._seen["frames"].append(frames[:, np.isin(ticks, self._moments)])
        if self._judge is not None:
            looked = frames[:, ticks % config.look_every == 0]
            counted = (
                self._judge.agents(looked.reshape(-1, *looked.shape[2:])) if looked.size else np.zeros(0, np.int32)
            )
            self._seen["agents"].append(counted.reshape(looked.shape[:2]))
        for phase in config.phases(chunk):
            if self._judge is not None:
                self._minutes[phase].append({"frames": frames, "actions": actions, "ended": ended})
            if chunk in config.branch_chunks[phase]:
                self._futures[phase].append(self._branch_off(chunk))

    def _branch_off(self, chunk: int) -> dict[str, np.ndarray]:
        """Lets two futures leave from the states as they stand; gives the pairs in which no episode ended."""
        config = self._config
        # A policy of its own, so that how often is branched does not change what the run itself does.
        policy = make_policy(self._policy_name, self._model.spec.action, config.worlds, config.seed + 1 + chunk)
        nobody = np.zeros(config.worlds, bool)
        own = np.stack([policy.act(nobody) for _ in range(config.branch_ticks)], axis=1)
        count = self._model.spec.action.count
        random = self._generator.integers(count, size=own.shape, dtype=np.int32)
        result = jax.tree.map(np.asarray, self._branch(self._params, self._states, own, random))
        sound = result.pop("sound")
        return {name: array[sound] for name, array in result.items()}

    def measurements(self) -> DriftMeasurements:
        """Returns everything, with the same of real frames beside it."""
        judge, config = self._judge, self._config
        joined = {name: np.concatenate(parts, axis=1) for name, parts in self._seen.items() if parts}
        futures = {
            phase: Futures(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
            for phase, parts in self._futures.items()
        }
        frames, actions, episodes = _real(self._dataset, config)
        flat = frames.reshape(-1, *frames.shape[2:])
        real_looks = _appearances(flat)
        readings, real_readings, real_agents = {}, None, None
        if judge is not None:
            table = button_table(self._model.spec.action, judge.buttons)
            for phase, parts in self._minutes.items():
                minute = {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}
                readings[phase] = read_run(judge, table, **minute)
            real_readings = read_real(judge, table, frames, actions, episodes)
            real_agents = judge.agents(flat)
        return DriftMeasurements(
            config=config,
            policy=self._policy_name,
            looks=joined["looks"],
            ended=joined["ended"],
            broken=joined["broken"],
            agents=joined.get("agents"),
            futures=futures,
            readings=readings,
            real_ends=1000 * len(self._dataset) / self._dataset.frames,
            real_looks=real_looks,
            real_episodes=np.repeat(episodes, frames.shape[1]),
            real_agents=real_agents,
            real_readings=real_readings,
            frames=joined["frames"],
            moments=self._moments,
        )


def _real(dataset: EpisodeDataset, config: DriftConfig) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reads frames `[windows, REAL_WINDOW, …]`, the actions between them and the episodes that they are of."""
    length = min(REAL_WINDOW, int(dataset.lengths.max()))
    windows = choose_windows(dataset.lengths, length, config.real_windows, config.seed + 1, spread=True)
    read = read_windows(dataset, windows, np.arange(len(windows)), length, ("frames", "actions"))
    return read["frames"], read["actions"][:, :-1], windows.episodes


def _appearances(frames: np.ndarray) -> np.ndarray:
    look = jax.jit(appearance)
    return np.concatenate([np.asarray(look(frames[first : first + 512])) for first in range(0, len(frames), 512)])
