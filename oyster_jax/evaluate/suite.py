"""What all sections of an evaluation share: the world, the recording, the judge, and rollouts made once for several."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8

from oyster_jax.core.model import WorldModel
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.sources.source import Source
from oyster_jax.evaluate.chunks import Progress
from oyster_jax.evaluate.judge import FrameReader
from oyster_jax.evaluate.open_loop import OpenLoopConfig, OpenLoopMeasurements, measure_open_loop
from oyster_jax.evaluate.prompts import Speaker
from oyster_jax.models.tile_probe import ProbeConfig
from oyster_jax.models.tokenizer import TokenizerConfig
from oyster_jax.models.world_model import WorldNetwork
from oyster_jax.typing import Params

#: Beyond the 32 ticks that most episodes last: horizons, and how many windows of 256 are simulated so far.
FAR = (((64, 128), 64), ((256,), 48))


@runtime_checkable
class Reader(FrameReader, Protocol):
    """What sections ask of a judge; `evaluate.judge.Judge` is one."""

    def motion(self, frames: UInt8[np.ndarray, "frames height width 3"]) -> Float32[np.ndarray, "steps 2"]:
        """See `Judge.motion`."""
        ...

    def features(self, frames: UInt8[np.ndarray, "frames height width 3"]) -> Float32[np.ndarray, "frames features"]:
        """See `Judge.features`."""
        ...


class Report(Protocol):
    """Opens a progress bar for what is being done, in units of something; gives what tells it done and to do."""

    def __call__(self, what: str, unit: str) -> contextlib.AbstractContextManager[Progress]:
        """See the class."""
        ...


@contextlib.contextmanager
def silent(what: str, unit: str) -> Iterator[Progress]:
    """A `Report` that says nothing."""
    del what, unit
    yield _nothing


def _nothing(done: int, total: int) -> None:
    del done, total


class Suite:
    """What the sections of one evaluation work on.

    Args:
      model: the world's model.
      params: its parameters.
      name: what the world is called.
      recording: opens (and makes, where need be) the recording of held-out levels.
      eventful: the same of a recording in which things are made to happen.
      scenic: the same of a recording that says what is in its frames, for a world that paints descriptions.
      probe: makes a network that reads tiles off frames.
      source: the simulator that the world was learned from, where it is known.
      judge: frozen networks trained on real frames alone, where the world has them.
      words: what understands sentences and draws scenes, where the world has any.
      windows: how many stretches of the recording are simulated up to 32 ticks.
      context: real frames before a world goes on alone.
      seed: of everything that is drawn.
      quick: whether counts are made small.
      start: a command whose process makes a first frame, where start-up is to be timed.
      conditions: what a figure of speed depends on beside the machine, JSON-ready.
      report: opens progress bars.
    """

    def __init__(
        self,
        *,
        model: WorldModel,
        params: Params,
        name: str,
        recording: Callable[[], EpisodeDataset],
        eventful: Callable[[], EpisodeDataset] | None = None,
        scenic: Callable[[], EpisodeDataset] | None = None,
        probe: Callable[[], tuple[ProbeConfig, Params]] | None = None,
        source: Source | None = None,
        judge: Reader | None = None,
        words: Speaker | None = None,
        windows: int = 256,
        context: int = 8,
        seed: int = 0,
        quick: bool = False,
        start: Sequence[str] | None = None,
        conditions: dict[str, Any] | None = None,
        report: Report = silent,
    ) -> None:
        self.model, self.params, self.name = model, params, name
        self.source, self.judge, self.words = source, judge, words
        self.windows, self.context, self.seed, self.quick = windows, context, seed, quick
        self.start, self.conditions, self.report = start, conditions or {}, report
        self._recording, self._eventful, self._scenic, self._probe = recording, eventful, scenic, probe

    @functools.cached_property
    def dataset(self) -> EpisodeDataset:
        """The recording of held-out levels.

        Raises:
          DatasetError: there is none, and none can be made.
        """
        return self._recording()

    @functools.cached_property
    def eventful(self) -> EpisodeDataset:
        """A recording of held-out levels in which things are made to happen.

        Raises:
          DatasetError: there is none, and none can be made.
        """
        if self._eventful is None:
            raise DatasetError(f"There is no recording of '{self.name}' in which anything is made to happen.")
        return self._eventful()

    @functools.cached_property
    def scenic(self) -> EpisodeDataset:
        """A recording of held-out levels that says what is in its frames.

        Raises:
          DatasetError: there is none, and none can be made.
        """
        if self._scenic is None:
            raise DatasetError(f"There is no recording of '{self.name}' that says what is in its frames.")
        return self._scenic()

    def probe(self) -> tuple[ProbeConfig, Params]:
        """Returns a network that reads tiles, creatures and counts off frames, trained on real ones only.

        Raises:
          DatasetError: there is none, and none can be made.
        """
        if self._probe is None:
            raise DatasetError(f"There is no probe that could read the frames of '{self.name}'.")
        return self._probe()

    @property
    def opened(self) -> EpisodeDataset | None:
        """The recording, if some section has needed it."""
        return self.__dict__.get("dataset")

    @property
    def simulator(self) -> Source:
        """The simulator that the world was learned from.

        Raises:
          DatasetError: it is not known.
        """
        if self.source is None:
            raise DatasetError(f"The world '{self.name}' does not say of which simulator it was learned.")
        return self.source

    @property
    def reader(self) -> Reader:
        """The judge.

        Raises:
          DatasetError: the world has none.
        """
        if self.judge is None:
            raise DatasetError(f"The world '{self.name}' has no judge, networks trained on real frames, in its folder.")
        return self.judge

    @property
    def sight(self) -> tuple[TokenizerConfig, Params] | None:
        """The world's tokenizer and its parameters, where it tells structure."""
        if not isinstance(self.model, WorldNetwork) or self.model.tokenizer.structure is None:
            return None
        return self.model.tokenizer, self.params["tokenizer"]

    @functools.cached_property
    def far(self) -> list[OpenLoopMeasurements]:
        """Open-loop rollouts of more ticks, of windows of different episodes, as far as episodes are long enough."""
        measured = []
        for horizons, windows in FAR:
            config = OpenLoopConfig(
                windows=max(self.windows * windows // 256, 1),
                context=self.context,
                horizons=horizons,
                random=False,
                spread=True,
                seed=self.seed,
                shown=2,
            )
            if self.dataset.lengths.max(initial=0) >= config.length:
                measured.append(self.measure(config))
        return measured

    @functools.cached_property
    def near(self) -> OpenLoopMeasurements:
        """Open-loop rollouts of up to 32 ticks."""
        return self.measure(OpenLoopConfig(windows=self.windows, context=self.context, seed=self.seed))

    def measure(self, config: OpenLoopConfig) -> OpenLoopMeasurements:
        """Returns open-loop rollouts of the recording.

        Raises:
          DatasetError: the recording is not held out, not of this world, or too short.
        """
        with self.report(f"simulating up to {config.ticks} ticks", "windows") as progress:
            return measure_open_loop(self.model, self.params, self.dataset, config, progress)
