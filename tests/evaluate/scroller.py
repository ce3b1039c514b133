"""A level wider than the screen, a camera that walks along it, and models that remember it or do not."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.core.spec import ActionSpec, EntitySpec, FrameSpec, WorldSpec
from oyster_jax.core.state import WorldState
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.episode import Episode
from oyster_jax.data.writer import DatasetWriter
from tests.evaluate.toy import provenance

SIZE, LEVEL = 26, 120

#: By its name the camera is known: 13 tiles across, so that a tile is two pixels.
SPEC = WorldSpec(
    name="coinrun",
    frame=FrameSpec(height=SIZE, width=SIZE),
    action=ActionSpec(names=("left", "noop", "right"), idle="noop"),
    entity=EntitySpec(capacity=1, fields=("x", "y")),
)

#: Brightness of each column of the level; no two stretches are alike.
TEXTURE = np.random.default_rng(0).integers(40, 255, LEVEL).astype(np.uint8)


def drawn(left):
    """The level from column `left` on; row upon row the same."""
    row = jax.lax.dynamic_slice(jnp.asarray(TEXTURE), (left,), (SIZE,))
    return jnp.broadcast_to(row[None, :, None], SPEC.frame.shape)


def places(frames):
    """Where each frame begins in the level."""
    stretches = jnp.asarray(np.lib.stride_tricks.sliding_window_view(TEXTURE, SIZE))
    return jnp.argmax((frames[:, 0, None, :, 0] == stretches[None]).sum(-1), 1).astype(jnp.int32)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Walker:
    """Knows where it is and what it has seen; the latent is its place and the columns from and to which it has seen.

    `remembers` is whether it draws what it has seen; what it has not seen it draws black, or, where it `invents`, as
    its key says. `knows` draws everything as it is.
    """

    remembers: bool = True
    invents: bool = False
    knows: bool = False
    spec: WorldSpec = SPEC

    def init(self, key):
        return {}

    def reset(self, params, key):
        return self._state(jnp.zeros(3, jnp.int32), key)

    def encode(self, params, frames, actions, key):
        seen = places(frames)
        return self._state(jnp.stack([seen[-1], seen.min(), seen.max() + SIZE]), key)

    def advance(self, params, state, action):
        left, first, end = state.latent[0].astype(jnp.int32)
        # What it showed itself it has not seen: it was black.
        return self._state(jnp.stack([jnp.clip(left + action - 1, 0, LEVEL - SIZE), first, end]), state.key)

    def render(self, params, state):
        left, first, end = state.latent[0].astype(jnp.int32)
        frame = drawn(left)
        columns = left + jnp.arange(SIZE)
        seen = (columns >= first) & (columns < end) & self.remembers
        brightness = jax.random.randint(state.key, (), 0, 255).astype(jnp.uint8) if self.invents else jnp.uint8(0)
        return jnp.where((seen | self.knows)[None, :, None], frame, brightness)

    def readouts(self, params, state):
        return {}

    def _state(self, latent, key):
        return WorldState(
            step=jnp.zeros((), jnp.int32),
            key=key,
            latent=latent.astype(jnp.float32)[None],
            cache={},
            memory={},
            readout=jnp.zeros((1,)),
            status=jnp.zeros((), jnp.int32),
        )


def episode(ticks: int, seed: int) -> Episode:
    generator = np.random.default_rng(seed)
    actions = generator.choice(3, size=ticks, p=(0.15, 0.15, 0.7)).astype(np.int32)
    lefts = [int(generator.integers(20))]
    for action in actions[:-1]:
        lefts.append(int(np.clip(lefts[-1] + action - 1, 0, LEVEL - SIZE)))
    left = np.asarray(lefts)
    entities = np.zeros((ticks, 1, 2), np.float32)
    entities[:, 0, 0] = (left + SIZE / 2) / 2
    return Episode(
        frames=np.asarray(jax.vmap(drawn)(jnp.asarray(left))),
        actions=actions,
        rewards=np.zeros(ticks, np.float32),
        terminals=np.zeros(ticks, bool),
        entities=entities,
        entity_mask=np.ones((ticks, 1), bool),
    )


def write(folder: Path, lengths=(40, 30, 50, 45)) -> EpisodeDataset:
    with DatasetWriter(folder, provenance(spec=SPEC)) as writer:
        for seed, ticks in enumerate(lengths):
            writer.add(episode(ticks, seed))
    return EpisodeDataset(folder)
