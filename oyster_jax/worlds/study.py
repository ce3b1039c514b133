"""Studies in loaded worlds: one call from a question to a labelled dataset, and the effect of a treatment."""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from oyster_jax.core.spec import WorldSpec
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.evaluate.bootstrap import Bootstrap
from oyster_jax.generate.design import Design
from oyster_jax.generate.errors import GenerateError
from oyster_jax.generate.interventions import Intervention, nothing
from oyster_jax.generate.measures import as_measures
from oyster_jax.generate.policies import make_policy
from oyster_jax.generate.starts import Dreams, Moments, recorded_moments
from oyster_jax.generate.study import Progress, run
from oyster_jax.worlds.errors import WorldError
from oyster_jax.worlds.generation import origin_of
from oyster_jax.worlds.registry import load
from oyster_jax.worlds.world import World

if TYPE_CHECKING:
    import xarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class Study:
    """Worlds × starts × policies × interventions × seeds, all of them combined.

    Whatever policy and intervention they have, rollouts of one world, start and seed share start and noise.

    Attributes:
      ticks: of every rollout.
      worlds: loaded worlds, names or folders; or these by the names under which they are to appear.
      policies: as `generate_rollouts` takes them; or these by name.
      interventions: by name, see `generate.interventions`; with the first the others are compared.
      measures: names of built-in ones (`generate.measures.MEASURES`); or by name functions `(rows, first) → number`,
        and `Measure`s for those whose result has axes.
      seeds: of what happens after the start: a number of them, or which.
      starts: how many places rollouts begin in.
      prompts: a recording at whose moments these lie, or all moments themselves; they are dreamt from nothing unless
        given.
      context: frames that a world sees of a moment.
      seed: of the starts.
      beyond: go on after the world has said that an episode ended.
      block: seeds that are played at once and share a file.
    """

    ticks: int
    worlds: str | World | Sequence[str | World] | Mapping[str, Any] = "coinrun"
    policies: Any = ("sticky",)
    interventions: Mapping[str, Intervention] = dataclasses.field(default_factory=lambda: {"nothing": nothing()})
    measures: str | Sequence[str] | Mapping[str, Any] = ("return", "survival", "displacement")
    seeds: int | Sequence[int] = 32
    starts: int = 1
    prompts: EpisodeDataset | Moments | str | os.PathLike[str] | None = None
    context: int = 8
    seed: int = 0
    beyond: bool = False
    block: int = 16

    def run(
        self, out: str | os.PathLike[str], *, devices: Sequence[Any] | None = None, progress: Progress | None = None
    ) -> "xarray.Dataset":
        """Measures what is not measured yet and returns all of it, read from the folder as it is looked at.

        Args:
          out: the folder; what was measured there already is not measured again.
          devices: to compute on; all of this process unless given.
          progress: called with the rollouts so far and in all.

        Returns:
          One variable a measure, with the axes world, start, policy, intervention, seed and its own, all labelled.

        Raises:
          WorldError: there is no such world, or what studies need is not installed.
          GenerateError: the folder holds something else, or the worlds differ in their actions.
          ValueError: a number is out of range, a name unknown, or a measure does not name its axes.
        """
        try:
            import xarray
        except ImportError as error:
            raise WorldError(
                "Studies need the package xarray; install it with `pip install oyster-jax[studies]`."
            ) from error

        worlds = self._worlds()
        design = self._design(worlds)
        about = {
            "digests": {name: dict(origin_of(world).world) for name, world in worlds.items()},
            "conditions": dict(origin_of(next(iter(worlds.values()))).conditions),
        }
        run(design, about, Path(out), devices=devices, progress=progress)
        return xarray.open_zarr(out)

    def _worlds(self) -> dict[str, World]:
        given = self.worlds
        if isinstance(given, Mapping):
            named = dict(given)
        else:
            several = [given] if isinstance(given, str | os.PathLike | World) else list(given)
            named = {world.name if isinstance(world, World) else Path(world).name: world for world in several}
            if len(named) < len(several):
                raise GenerateError("Two worlds have one name; give them as {name: world}.")
        return {name: world if isinstance(world, World) else load(world) for name, world in named.items()}

    def _design(self, worlds: Mapping[str, World]) -> Design:
        specs = [world.spec for world in worlds.values()]
        if any((spec.action, spec.frame) != (specs[0].action, specs[0].frame) for spec in specs):
            raise GenerateError("The worlds of a study share their actions and frames, but these differ.")
        named = self.policies
        if not isinstance(named, Mapping):
            several = [named] if isinstance(named, str) or not isinstance(named, Sequence) else named
            policies = [make_policy(policy, specs[0].action) for policy in several]
            named = {policy.name: policy for policy in policies}
            if len(named) < len(policies):
                raise GenerateError("Two policies have one name; give them as {name: policy}.")
        starts = self._starts(specs[0])
        return Design(
            worlds=worlds,
            starts=starts,
            begun=len(starts.frames) if isinstance(starts, Moments) else self.starts,
            policies={name: make_policy(policy, specs[0].action) for name, policy in named.items()},
            interventions=self.interventions,
            measures=as_measures(self.measures),
            seeds=tuple(range(self.seeds)) if isinstance(self.seeds, int) else tuple(self.seeds),
            ticks=self.ticks,
            seed=self.seed,
            beyond=self.beyond,
            block=self.block,
        )

    def _starts(self, spec: WorldSpec) -> Dreams | Moments:
        prompts = self.prompts
        if prompts is None or isinstance(prompts, Moments):
            return prompts or Dreams()
        data = prompts if isinstance(prompts, EpisodeDataset) else EpisodeDataset(prompts)
        return recorded_moments(data, spec, moments=self.starts, context=self.context, seed=self.seed)


def effect(
    measured: "xarray.DataArray",
    treatment: str,
    control: str | None = None,
    *,
    statistic: Callable[[np.ndarray], np.ndarray] | None = None,
    seed: int = 0,
) -> "xarray.Dataset":
    """Returns what a treatment does: the mean difference to its control, over pairs of one start and one noise.

    Args:
      measured: a variable of a study, with the axes start, intervention and seed.
      treatment: name of an intervention.
      control: of another, the study's first unless given.
      statistic: applied to the values first, element by element.
      seed: of the resampling.

    Returns:
      `effect`, `low` and `high` over the other axes: the ends of a 95 % bootstrap interval over starts, or, where
      there is only one, over seeds. NaN where no pair has both values.

    Raises:
      GenerateError: there is no such intervention.
    """
    import xarray

    names = [str(name) for name in measured["intervention"].values]
    control = names[0] if control is None else control
    for name in (treatment, control):
        if name not in names:
            raise GenerateError(f"There is no intervention '{name}' in this study; it has {', '.join(names)}.")
    values = measured.astype(float) if statistic is None else xarray.apply_ufunc(statistic, measured).astype(float)
    pairs = values.sel(intervention=treatment, drop=True) - values.sel(intervention=control, drop=True)
    pairs = pairs.stack(pair=("start", "seed")).transpose("pair", ...)
    groups = pairs["start"].values if measured.sizes["start"] > 1 else np.arange(pairs.sizes["pair"])
    flat = pairs.values.reshape(len(groups), -1)
    found = np.full((3, flat.shape[1]), np.nan)
    for column, differences in enumerate(flat.T):
        there = ~np.isnan(differences)
        if there.any():
            estimate = Bootstrap(groups[there], seed=seed).estimate(lambda mean: mean, differences[there])
            found[:, column] = estimate.value, estimate.low, estimate.high
    rest = pairs.isel(pair=0, drop=True)
    kept = rest.drop_vars([name for name in ("start", "seed", "pair") if name in rest.coords])
    return xarray.Dataset(
        {
            name: kept.copy(data=row.reshape(kept.shape))
            for name, row in zip(("effect", "low", "high"), found, strict=True)
        }
    )
