"""Causal dynamics: a trunk that runs once a tick, and a small denoiser head that draws the next latent.

The trunk reads the newest latent, the one before it and the action. It is made of groups of (space attention, time
attention over a ring, long-range memory, space attention); registers, extra tokens without a place, carry what belongs
to the whole frame. The head mixes the trunk's features with a noisy next latent and predicts the clean one
(shortcut forcing, see `diffusion`). A tick therefore costs trunk + K · head, not K + 1 whole networks (arXiv
2509.24527 runs the whole network K + 1 times).

With a spatial map (see `spatial_map`) the trunk is told how the camera moved and says how it will move next, and the
head is given a draft: what the map shows there. It then predicts how the frame differs from the draft. A camera of its
own (see `camera`) may say how it moves instead, before the trunk, which is then told that too.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

from oyster_jax.models.action_encoder import ActionEncoder, EventEncoder
from oyster_jax.models.camera import SCALE, Camera, CameraConfig, motion_features, told
from oyster_jax.models.fine_head import FineHead, posterior_mean
from oyster_jax.models.heads import Heads, HeadsConfig
from oyster_jax.models.lattice import LatticeReader
from oyster_jax.models.memory import LongRangeMemory
from oyster_jax.models.spatial_map import CELLS, MapConfig
from oyster_jax.nn import functional, ring_cache
from oyster_jax.nn.attention import ParallelBlock, attend, rms_norm
from oyster_jax.nn.dense import Dense, lifted
from oyster_jax.nn.level import LevelEmbedding
from oyster_jax.nn.patch import merge_tokens, split_tokens
from oyster_jax.nn.rope import rotate
from oyster_jax.typing import Actions, Array, Bool, Float, Int32, Latents, Params, PRNGKey


@dataclasses.dataclass(frozen=True, kw_only=True)
class DynamicsConfig:
    """The size of the dynamics.

    Attributes:
      tokens: places of the latent grid.
      columns: places in a row of it.
      channels: features of one latent token.
      actions: how many actions there are.
      events: how many events can be made to happen (see `EventSpec`).
      merge: `merge × merge` latent tokens become one token here.
      features: width of the network.
      heads: attention heads.
      groups: groups of trunk layers.
      space_layers: layers of space attention in a group, 1 or 2: before the time attention, and after.
      head_depth: layers of the denoiser head.
      posterior: the head says how sure it is of each feature of the next latent, and what the noisy one tells is
        weighed against that; see `posterior_mean`. Without it the head hardly looks at the noisy one.
      fine_head: width of a head that works on the latent's own tokens; see `FineHead`. The other works on the trunk's.
      fine_current: whether that head is shown the newest latent, too, so that the trunk need not say again what the
        frame before shows at each place.
      registers: tokens without a place.
      window: ticks that time attention sees, the present one included.
      memory_heads: independent associative memories a group; none switches the memory off.
      memory_features: length of their keys and values.
      map: the spatial map; None switches it off.
      camera: a network that says how the camera of a map moves; without one that is read off the trunk's registers.
      readouts: what the heads read.
      dtype: of the matrix products.
    """

    tokens: int = 64
    columns: int = 8
    channels: int = 16
    actions: int = 15
    events: int = 0
    merge: int = 2
    features: int = 256
    heads: int = 4
    groups: int = 2
    space_layers: int = 2
    head_depth: int = 2
    posterior: bool = False
    fine_head: int = 0
    fine_current: bool = False
    registers: int = 4
    window: int = 16
    memory_heads: int = 4
    memory_features: int = 32
    map: MapConfig | None = None
    camera: CameraConfig | None = None
    readouts: HeadsConfig = HeadsConfig()
    dtype: str = "bfloat16"

    def __post_init__(self) -> None:
        if self.columns % self.merge or (self.tokens // self.columns) % self.merge:
            raise ValueError(
                f"A latent grid of {self.tokens // self.columns}×{self.columns} cannot be merged by {self.merge}; "
                "choose a number that divides both sides."
            )
        if self.space_layers not in (1, 2):
            raise ValueError(f"A group has 1 or 2 layers of space attention, but {self.space_layers} were asked for.")

    @property
    def draft_channels(self) -> int:
        """Features of one token of a draft: a latent, and how much of each quarter of the patch was seen."""
        return self.channels + CELLS**2

    @property
    def coarse(self) -> int:
        """Tokens that stand for places."""
        return self.tokens // self.merge**2


class Group(nnx.Module):
    """Space attention, time attention, long-range memory, space attention."""

    def __init__(self, config: DynamicsConfig, rngs: nnx.Rngs):
        self.config, self.dtype = config, jnp.dtype(config.dtype)
        self.first = ParallelBlock(config.features, config.heads, rngs=rngs)
        self.time = ParallelBlock(config.features, config.heads, rngs=rngs)
        self.second = ParallelBlock(config.features, config.heads, rngs=rngs) if config.space_layers == 2 else None
        self.memory = (
            LongRangeMemory(config.features, config.memory_heads, config.memory_features, config.registers, rngs=rngs)
            if config.memory_heads
            else None
        )

    def sequence(self, x: Float[Array, "batch ticks slots width"], visible: Bool[Array, "ticks ticks"]) -> Array:
        """All ticks of a batch of windows at once; `visible[i, j]`: tick i sees tick j."""
        x = self.first(x, dtype=self.dtype)
        q, k, v, hidden = self.time.project(x.swapaxes(1, 2), self.dtype)
        ticks = jnp.arange(x.shape[1])
        attended = attend(rotate(q, ticks), rotate(k, ticks), v, visible)
        x = self.time.merge(x, attended.swapaxes(1, 2), hidden.swapaxes(1, 2))
        if self.memory is not None:
            x = self.memory.sequence(x, dtype=self.dtype)
        return self._closed(x)

    def step(
        self, x: Float[Array, "slots width"], ring: Array, memory: Array | None, step: Int32[Array, ""]
    ) -> tuple[Array, tuple[Array, Array | None]]:
        """One tick of one world.

        Args:
          x: residual stream.
          ring: keys and values, `[window, 2, tokens, width]`, heads beside each other.
          memory: `[heads, keys, values]`, None without memory heads.
          step: the tick.
        """
        x = self.first(x, dtype=self.dtype)
        q, k, v, hidden = self.time.project(x[:, None], self.dtype)
        now = step[None]
        ring = ring_cache.write(ring, jnp.stack([rotate(k, now)[:, 0], v[:, 0]]).reshape(ring.shape[1:]), step)
        seen = ring.reshape(*ring.shape[:-1], *v.shape[-2:])
        keys, values = seen[:, 0].swapaxes(0, 1), seen[:, 1].swapaxes(0, 1)
        visible = ring_cache.written(self.config.window, step)
        attended = attend(rotate(q, now), keys.astype(self.dtype), values.astype(self.dtype), visible)
        x = self.time.merge(x, attended[:, 0], hidden[:, 0])
        if self.memory is not None and memory is not None:
            x, memory = self.memory.step(x, memory, dtype=self.dtype)
        return self._closed(x), (ring, memory)

    def _closed(self, x: Array) -> Array:
        return x if self.second is None else self.second(x, dtype=self.dtype)


class Dynamics(nnx.Module):
    """Trunk, denoiser head and read-out heads."""

    def __init__(self, config: DynamicsConfig, rngs: nnx.Rngs):
        self.config, self.dtype = config, jnp.dtype(config.dtype)
        inputs, width = config.channels * config.merge**2, config.features
        self.actions = ActionEncoder(config.actions, width, rngs=rngs)
        self.events = EventEncoder(config.events, width, rngs=rngs) if config.events else None
        self.embed = Dense(2 * inputs, width, rngs=rngs, bias=True)
        self.place = nnx.Param(0.02 * jax.random.normal(rngs.params(), (config.coarse, width)))
        self.registers = nnx.Param(0.02 * jax.random.normal(rngs.params(), (config.registers, width)))
        self.noise_level = LevelEmbedding(width, rngs=rngs)
        self.trunk = functional.Stack(lambda rngs: Group(config, rngs), config.groups, rngs=rngs)
        draft = config.draft_channels if config.map else 0
        self.fine = _fine_head(config, draft, rngs) if config.fine_head else None
        if not config.fine_head:
            self.signal_level = LevelEmbedding(width, rngs=rngs)
            self.step_size = LevelEmbedding(width, rngs=rngs)
            self.embed_noisy = Dense(inputs, width, rngs=rngs)
            self.embed_draft = Dense(draft * config.merge**2, width, rngs=rngs, bias=True) if draft else None
            self.head = functional.Stack(
                lambda rngs: ParallelBlock(width, config.heads, rngs=rngs), config.head_depth, rngs=rngs
            )
            self.out = Dense(width, inputs, rngs=rngs, scale=0.0, bias=True)
            self.spread = Dense(width, inputs, rngs=rngs, scale=0.0, bias=True) if config.posterior else None
        self.readouts = Heads(config.readouts, width, config.merge, config.columns, rngs=rngs)
        mapped, seeing = config.map is not None, config.map is not None and config.camera is not None
        self.embed_motion = Dense(motion_features(), width, rngs=rngs) if mapped else None
        self.embed_next_motion = Dense(motion_features(), width, rngs=rngs, scale=0.0) if seeing else None
        self.camera = _camera(config, rngs) if seeing else None
        self.motion = (
            Dense(config.registers * width, 2, rngs=rngs, scale=0.0, bias=True) if mapped and not seeing else None
        )

    def tokens(
        self,
        latents: Latents,
        previous: Latents,
        actions: Actions,
        noise: Float[Array, "*batch"],
        motion: Float[Array, "*batch 2"] | None = None,
        next_motion: Float[Array, "*batch 2"] | None = None,
        events: Int32[Array, "*batch"] | None = None,
    ) -> Float[Array, "*batch slots width"]:
        """Embeds what a tick is given: its latent, the one before, the action, the noise level of the latents.

        With a map also how the camera moved to the latent's frame from the one before, in pixels, zero where none was;
        with a camera, how it will move to the next. Of a world with events also which is made to happen, by default
        none.
        """
        pair = jnp.concatenate([self._merged(latents), self._merged(previous)], axis=-1)
        x = self.embed(pair.astype(self.dtype)).astype(jnp.float32)
        x = x + lifted(self.place[...], x.ndim)
        registers = self.registers[...]
        registers = jnp.broadcast_to(lifted(registers, x.ndim), (*x.shape[:-2], *registers.shape))
        given = self.actions(actions) + self.noise_level(noise)
        if events is not None and self.events is not None:
            given = given + self.events(events)
        for moved, embed in ((motion, self.embed_motion), (next_motion, self.embed_next_motion)):
            if moved is not None and embed is not None:
                given = given + embed(told(moved))
        return jnp.concatenate([x, registers], axis=-2) + given[..., None, :]

    def features_of_sequence(self, x: Float[Array, "batch ticks slots width"], window: Int32[Array, ""] | int) -> Array:
        """Runs the trunk over whole windows; time attention sees `window` ticks."""
        ticks = jnp.arange(x.shape[1])
        age = ticks[:, None] - ticks[None, :]
        visible = (age >= 0) & (age < window)
        x, _ = self.trunk(x, lambda group, x, _: (group.sequence(x, visible), None))
        return x

    def features_of_step(
        self, x: Array, ring: Array, memory: Array | None, step: Array
    ) -> tuple[Array, Array, Array | None]:
        """Runs the trunk over one tick of one world: features, new ring and new memory, stacked over groups.

        Ring and memory are as `empty_history` begins them.
        """
        x, (ring, memory) = self.trunk(x, lambda group, x, carry: group.step(x, *carry, step), (ring, memory))
        return x, ring, memory

    def denoise(
        self,
        features: Float[Array, "*batch slots width"],
        noisy: Latents,
        signal: Array,
        size: Array,
        draft: Float[Array, "*batch tokens features"] | None = None,
        current: Latents | None = None,
    ) -> Latents:
        """Predicts the clean next latent from a noisy one at level `signal`, for a step of `size`.

        With a map, `draft` is what it shows of the next frame (see `spatial_map.draft`), by default nothing. A fine
        head is shown the newest latent too, `current`, which it takes to be all zero by default.
        """
        if self.fine is not None:
            return self.fine(features[..., : self.config.coarse, :], noisy, signal, size, draft, current, self.dtype)
        if self.spread is not None:
            # The trunk's residual stream has grown tens of times as large as what is added here.
            features = rms_norm(features)
        x = self.embed_noisy(self._merged(noisy).astype(self.dtype)).astype(jnp.float32)
        if draft is not None and self.embed_draft is not None:
            x = x + self.embed_draft(self._merged(draft).astype(self.dtype)).astype(jnp.float32)
        x = x + (self.signal_level(signal) + self.step_size(size))[..., None, :]
        places = self.config.coarse
        x = jnp.concatenate([features[..., :places, :] + x, features[..., places:, :]], axis=-2)
        x, _ = self.head(x, lambda block, x, _: (block(x, dtype=self.dtype), None))
        x = rms_norm(x[..., :places, :]).astype(self.dtype)
        mean = self._split(self.out(x))
        if draft is not None:
            mean = mean + draft[..., : self.config.channels]
        return mean if self.spread is None else posterior_mean(mean, self._split(self.spread(x)), noisy, signal)

    def _split(self, out: Array) -> Array:
        return split_tokens(out.astype(jnp.float32), self.config.merge, self.config.columns // self.config.merge)

    def camera_motion(
        self, features: Float[Array, "*batch slots width"], motion: Float[Array, "*batch 2"]
    ) -> Float[Array, "*batch 2"]:
        """Reads how the camera will move to the next frame: as it did before, `motion`, and what changes that.

        For dynamics with a map but without a camera. Pixels a tick, x to the right and y downwards.
        """
        assert self.motion is not None, "only worlds with a map and without a camera are asked"
        registers = rms_norm(features[..., self.config.coarse :, :])
        change = self.motion(registers.reshape(*registers.shape[:-2], -1).astype(self.dtype)).astype(jnp.float32)
        return motion + SCALE * change

    def read(self, features: Float[Array, "*batch slots width"]) -> Float[Array, "*batch outputs"]:
        """Reads reward, end and entities of the coming tick."""
        places = self.config.coarse
        return self.readouts(features[..., :places, :], features[..., places:, :], self.dtype)

    def _merged(self, latents: Latents) -> Array:
        return merge_tokens(latents, self.config.merge, self.config.columns)


def init(config: DynamicsConfig, key: PRNGKey) -> Params:
    """Draws the parameters of a dynamics."""
    return functional.init(Dynamics, config, key)


def bind(config: DynamicsConfig, params: Params) -> Dynamics:
    """Returns the dynamics with `params` in it, for use inside a traced function."""
    return functional.bind(Dynamics, config, params)


def init_camera(config: DynamicsConfig, key: PRNGKey) -> Params:
    """Draws the parameters of a dynamics' camera alone, as they stand under "camera" in those of `init`."""
    return functional.init(_camera, config, key)


def bind_camera(config: DynamicsConfig, params: Params) -> Camera:
    """Returns the camera of a dynamics with `params` in it, for use inside a traced function."""
    return functional.bind(_camera, config, params)


def init_lattice(config: DynamicsConfig, key: PRNGKey) -> Params:
    """Draws the parameters of what reads the lattice, as they stand under "lattice" in those of `init_camera`."""
    return functional.init(_lattice, config, key)


def bind_lattice(config: DynamicsConfig, params: Params) -> LatticeReader:
    """Returns what reads the lattice with `params` in it, for use inside a traced function."""
    return functional.bind(_lattice, config, params)


def _lattice(config: DynamicsConfig, rngs: nnx.Rngs) -> LatticeReader:
    assert config.camera is not None, "only dynamics with a camera are asked"
    return LatticeReader(config.channels, config.camera.reader, config.camera.tile, rngs=rngs)


def _camera(config: DynamicsConfig, rngs: nnx.Rngs) -> Camera:
    assert config.camera is not None, "only dynamics with a camera are asked"
    return Camera(config.camera, config.channels, config.actions, rngs=rngs)


def _fine_head(config: DynamicsConfig, draft: int, rngs: nnx.Rngs) -> FineHead:
    grid = (config.tokens // config.columns, config.columns)
    return FineHead(
        grid, config.channels, config.merge, config.features, config.fine_head, config.head_depth, draft,
        current=config.fine_current, rngs=rngs,
    )  # fmt: skip


def empty_history(config: DynamicsConfig) -> tuple[Array, Array | None]:
    """Returns the ring and the memory of a world that has seen nothing; no memory without memory heads."""
    tokens = config.coarse + config.registers
    # All heads in one axis: a TPU lays the last one out in steps of 128, and half of a head of 64 would be padding.
    ring = jnp.zeros((config.groups, config.window, 2, tokens, config.features), jnp.dtype(config.dtype))
    if not config.memory_heads:
        return ring, None  # an array of no size could not be saved
    size = config.memory_features
    return ring, jnp.zeros((config.groups, config.memory_heads, size, size), jnp.float32)
