"""The rollouts that a study compares: from one start, with the same noise, under one intervention after the other."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Literal
from jaxtyping import Int32

from oyster_jax.core.state import Status
from oyster_jax.generate import episodes
from oyster_jax.generate.episodes import Kept, Playing
from oyster_jax.generate.interventions import Intervened, Intervention
from oyster_jax.generate.measures import Measure
from oyster_jax.generate.policies import Policy
from oyster_jax.generate.starts import Starts
from oyster_jax.models.world_model import WorldNetwork
from oyster_jax.prng import named_key
from oyster_jax.typing import Array, Params


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Whole:
    """What all rollouts of one world and policy share; a pytree.

    Attributes:
      params: of the world.
      policy: who acts.
      starts: where rollouts begin.
      interventions: by name, in their order.
      model: the world's model.
      ticks: of every rollout.
      seed: of the starts.
      beyond: go on after the world has said that the episode ended.
    """

    params: Params
    policy: Policy
    starts: Starts
    interventions: tuple[Intervention, ...]
    model: WorldNetwork = dataclasses.field(metadata={"static": True})
    ticks: int = dataclasses.field(metadata={"static": True})
    seed: int = dataclasses.field(metadata={"static": True})
    beyond: bool = dataclasses.field(default=False, metadata={"static": True})


def branches(whole: Whole, start: Int32[Array, ""], seed: Int32[Array, ""], kept: Kept) -> list[dict[str, Array]]:
    """Returns the rows of the rollouts from one start with one seed, under each intervention.

    They are `[ticks, …]` as `episodes.play` returns them, and the scalars `start` and `seed`. Of a negative seed no
    tick is lived.
    """
    params, model = whole.params, whole.model
    place = named_key(jax.random.fold_in(jax.random.key(whole.seed), start), "start")
    state = whole.starts.begin(model, params, place, start)
    # The start is one and the same whatever follows; what follows depends on start and seed.
    key = jax.random.fold_in(named_key(place, "seeds"), seed)
    zero = jnp.int32(0)
    playing = Playing(
        world=state.replace(key=named_key(key, "world")),
        policy=whole.policy.begin(named_key(key, "policy"), start),
        key=key,
        tick=zero,
        alive=(state.status != Status.NONFINITE) & (seed >= 0),
        length=zero,
        status=state.status,
    )
    alike: dict[Any, list[int]] = {}
    for number, intervention in enumerate(whole.interventions):
        # Those that differ in their actions alone run one program, one after the other: it is compiled once.
        alike.setdefault((intervention.sampler, number if intervention.edit else None), []).append(number)
    found: dict[int, dict[str, Array]] = {}
    for numbers in alike.values():
        play = functools.partial(_branch, whole, whole.interventions[numbers[0]], playing, kept)
        taken = jnp.stack([whole.interventions[number].taken(whole.ticks) for number in numbers])
        rows = jax.lax.map(play, taken)
        found |= {number: {name: rows[name][place] for name in rows} for place, number in enumerate(numbers)}
    return [found[number] | {"start": start, "seed": seed} for number in sorted(found)]


def _branch(
    whole: Whole, intervention: Intervention, playing: Playing, kept: Kept, taken: Int32[Array, "ticks"]
) -> dict[str, Array]:
    """Plays a rollout with an intervention that takes certain actions; returns its rows `[ticks, …]`."""
    params, ticks = whole.params, whole.ticks
    model, kept = intervention.model(whole.model), dataclasses.replace(kept, beyond=whole.beyond)
    policy = Intervened(policy=whole.policy, actions=taken)
    parts, before = [], intervention.at if intervention.edit else 0
    if before:
        playing, rows = episodes.play(model, params, policy, playing, ticks=before, kept=kept)
        parts.append(rows)
    if intervention.edit:
        noise = named_key(playing.key, "intervention")
        world = intervention.edit(model, params, playing.world, noise, intervention.arguments)
        playing = dataclasses.replace(playing, world=world)
    playing, rows = episodes.play(model, params, policy, playing, ticks=ticks - before, kept=kept)
    return jax.tree.map(lambda *arrays: jnp.concatenate(arrays), *parts, rows)


def measured(
    whole: Whole, measures: Sequence[Measure], kept: Kept, start: Int32[Array, ""], seeds: Int32[Array, "seeds"]
) -> list[list[Array]]:
    """Returns what each measure says of each intervention, from one start with some seeds: arrays `[seeds, …]`."""
    rows = _rows(whole, kept, start, seeds)
    return [[measure.of(branch, rows[0]) for measure in measures] for branch in rows]


def row_shapes(whole: Whole, seeds: int) -> dict[str, jax.ShapeDtypeStruct]:
    """Returns shapes and dtypes of all rows that there can be of so many rollouts, `[seeds, …]`."""
    first = dataclasses.replace(whole, interventions=whole.interventions[:1])
    start, several = (jax.ShapeDtypeStruct(shape, jnp.int32) for shape in ((), (seeds,)))
    return jax.eval_shape(lambda *given: _rows(given[0], Kept(latents=True), *given[1:])[0], first, start, several)


def kept_for(measures: Sequence[Measure], rows: Mapping[str, jax.ShapeDtypeStruct]) -> Kept:
    """Returns which rows measures look at: frames and latents are large, and not kept for nobody.

    Args:
      measures: of a study.
      rows: as `row_shapes` returns them.
    """

    def look(large: dict[str, Array], rest: dict[str, Array]) -> list[Array]:
        return [measure.of(large | rest, large | rest) for measure in measures]

    large = {name: rows[name] for name in ("frames", "latents")}
    rest = {name: shape for name, shape in rows.items() if name not in large}
    traced = jax.make_jaxpr(look)(large, rest).jaxpr
    used = {variable for equation in traced.eqns for variable in equation.invars if not isinstance(variable, Literal)}
    frames, latents = (variable in used or variable in traced.outvars for variable in traced.invars[: len(large)])
    return Kept(frames=frames, latents=latents)


def _rows(whole: Whole, kept: Kept, start: Array, seeds: Array) -> list[dict[str, Array]]:
    return jax.vmap(lambda seed: branches(whole, start, seed, kept))(seeds)
