"""A world small enough to be known exactly, and models of it that are right or wrong on purpose."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.core.spec import ActionSpec, FrameSpec, WorldSpec
from oyster_jax.core.state import WorldState
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.episode import Episode
from oyster_jax.data.manifest import FIRST_HELD_OUT_LEVEL, Provenance, split_of
from oyster_jax.data.writer import DatasetWriter

SIZE = 16
SPEC = WorldSpec(
    name="toy",
    frame=FrameSpec(height=SIZE, width=SIZE),
    action=ActionSpec(names=("left", "noop", "right"), idle="noop"),
)


def moved(place, action):
    """A bar moves one column to the left or right, around the edge."""
    return (place + action - 1) % SIZE


def drawn(place):
    """Row upon row the same: a bar of brightness 250 over a gradient that tells the columns apart."""
    columns = jnp.arange(SIZE)
    row = jnp.where(columns == place, 250, 4 * columns).astype(jnp.uint8)
    return jnp.broadcast_to(row[None, :, None], SPEC.frame.shape)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Exact:
    """The toy world itself as a model: it sees where the bar is, moves it as it should and draws it.

    `heeds` is whether actions reach it; `moves` whether anything does.
    """

    heeds: bool = True
    moves: bool = True
    spec: WorldSpec = SPEC

    def init(self, key):
        return {}

    def reset(self, params, key):
        return self._state(jnp.zeros((), jnp.int32), key)

    def encode(self, params, frames, actions, key):
        return self._state(jnp.argmax(frames[-1, 0, :, 0]).astype(jnp.int32), key)

    def advance(self, params, state, action):
        place = state.latent[0, 0].astype(jnp.int32)
        if self.moves:
            place = moved(place, action if self.heeds else 2)
        return state.replace(step=state.step + 1, latent=place.astype(jnp.float32)[None, None])

    def render(self, params, state):
        return drawn(state.latent[0, 0].astype(jnp.int32))

    def readouts(self, params, state):
        return {}

    def _state(self, place, key):
        return WorldState(
            step=jnp.zeros((), jnp.int32),
            key=key,
            latent=place.astype(jnp.float32)[None, None],
            cache={},
            memory={},
            readout=jnp.zeros((1,)),
            status=jnp.zeros((), jnp.int32),
        )


def provenance(levels=(FIRST_HELD_OUT_LEVEL, FIRST_HELD_OUT_LEVEL + 10), spec=SPEC) -> Provenance:
    return Provenance(
        spec=spec,
        split=split_of(*levels),
        levels=levels,
        source="toy",
        options={},
        policy="random",
        seed=0,
        licence="Apache-2.0",
    )


def episode(ticks: int, seed: int) -> Episode:
    generator = np.random.default_rng(seed)
    actions = generator.integers(3, size=ticks).astype(np.int32)
    places = (generator.integers(SIZE) + np.cumsum(np.r_[0, actions[:-1] - 1])) % SIZE
    return Episode(
        frames=np.asarray(jax.vmap(drawn)(jnp.asarray(places))),
        actions=actions,
        rewards=np.zeros(ticks, np.float32),
        terminals=np.zeros(ticks, bool),
    )


def write(folder: Path, lengths=(5, 30, 23, 60), **about) -> EpisodeDataset:
    with DatasetWriter(folder, provenance(**about)) as writer:
        for seed, ticks in enumerate(lengths):
            writer.add(episode(ticks, seed))
    return EpisodeDataset(folder)


class ToyReader:
    """Reads the toy world's frames exactly: which way the bar went, and that there is one bar."""

    buttons = ("left", "right")

    def presses(self, frames):
        places = np.asarray(frames)[:, 0, :, 0].argmax(-1)
        step = np.diff(places) % SIZE
        return np.stack([step == SIZE - 1, step == 1], axis=-1).astype(np.float32)

    def agents(self, frames):
        return np.sum(np.asarray(frames)[:, 0, :, 0] == 250, axis=-1).astype(np.int32)
