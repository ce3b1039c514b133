"""The rollouts that a study compares: from one start, with the same noise, under one intervention after the other."""

import dataclasses
from collections.abc import Iterable

import jax
import jax.numpy as jnp
from jaxtyping import Int32

from oyster_jax.core.state import Status, WorldState
from oyster_jax.generate import episodes
from oyster_jax.generate.episodes import Kept, Playing
from oyster_jax.generate.interventions import Intervened, Intervention
from oyster_jax.generate.measures import Measure, Rows
from oyster_jax.generate.policies import Policy
from oyster_jax.generate.starts import Starts
from oyster_jax.models.world_model import WorldNetwork
from oyster_jax.prng import named_key
from oyster_jax.typing import Array, Params, PRNGKey


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
    """

    params: Params
    policy: Policy
    starts: Starts
    interventions: tuple[Intervention, ...]
    model: WorldNetwork = dataclasses.field(metadata={"static": True})
    ticks: int = dataclasses.field(metadata={"static": True})
    seed: int = dataclasses.field(metadata={"static": True})


def branches(whole: Whole, start: Int32[Array, ""], seed: Int32[Array, ""], kept: Kept) -> list[dict[str, Array]]:
    """Returns the rows `[ticks, …]` of the rollouts from one start with one seed, under each intervention."""
    params, model = whole.params, whole.model
    place = named_key(jax.random.fold_in(jax.random.key(whole.seed), start), "start")
    state = whole.starts.begin(model, params, place, start)
    # The start is one and the same whatever follows; what follows depends on start and seed.
    key = jax.random.fold_in(named_key(place, "seeds"), seed)
    state = state.replace(key=named_key(key, "world"))
    return [_branch(whole, intervention, state, key, seed, kept=kept) for intervention in whole.interventions]


def _branch(
    whole: Whole, intervention: Intervention, state: WorldState, key: PRNGKey, seed: Array, *, kept: Kept
) -> dict[str, Array]:
    """Plays a rollout with an intervention; returns its rows `[ticks, …]`."""
    params, policy, ticks = whole.params, whole.policy, whole.ticks
    model = intervention.model(whole.model)
    if intervention.actions is not None:
        policy = Intervened(policy=policy, actions=intervention.actions, at=intervention.at)
    zero = jnp.int32(0)
    playing = Playing(
        world=state,
        policy=policy.begin(named_key(key, "policy"), seed),
        key=key,
        tick=zero,
        alive=state.status != Status.NONFINITE,
        length=zero,
        status=state.status,
    )
    before = intervention.at if intervention.edit else 0
    parts = []
    if before:
        playing, rows = episodes.play(model, params, policy, playing, ticks=before, kept=kept)
        parts.append(rows)
    if intervention.edit:
        noise = named_key(key, "intervention")
        world = intervention.edit(model, params, playing.world, noise, intervention.arguments)
        playing = dataclasses.replace(playing, world=world)
    playing, rows = episodes.play(model, params, policy, playing, ticks=ticks - before, kept=kept)
    return jax.tree.map(lambda *arrays: jnp.concatenate(arrays), *parts, rows)


def measured(
    whole: Whole, measures: Iterable[Measure], kept: Kept, start: Int32[Array, ""], seed: Int32[Array, ""]
) -> list[list[Array]]:
    """Returns what each measure says of each intervention, from one start with one seed."""
    rows = branches(whole, start, seed, kept)
    known = list(measures)
    return [[jnp.asarray(measure.function(branch, rows[0])) for measure in known] for branch in rows]


def row_shapes(whole: Whole) -> dict[str, jax.ShapeDtypeStruct]:
    """Returns shapes and dtypes of all rows that there can be."""
    first = dataclasses.replace(whole, interventions=whole.interventions[:1])
    zero = jax.ShapeDtypeStruct((), jnp.int32)
    return jax.eval_shape(lambda whole, zero: branches(whole, zero, zero, Kept(latents=True))[0], first, zero)


def kept_for(measures: Iterable[Measure], rows: dict[str, jax.ShapeDtypeStruct]) -> Kept:
    """Returns which rows measures look at: frames and latents are large, and not kept for nobody."""
    asked: set[str] = set()

    def look(rows: Rows) -> list[Array]:
        given = _Asked(rows)
        found = [jnp.asarray(measure.function(given, given)) for measure in measures]
        asked.update(given.names)
        return found

    jax.eval_shape(look, rows)
    return Kept(frames="frames" in asked, latents="latents" in asked)


class _Asked(dict[str, Array]):
    """Rows that know which of them were looked at."""

    def __init__(self, rows: Rows) -> None:
        super().__init__(rows)
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> Array:
        self.names.add(name)
        return super().__getitem__(name)
