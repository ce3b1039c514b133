"""The tokenizer: frames to latents (encoder) and latents to frames (Renderer), each frame by itself."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

from oyster_jax.core.observation import Observation
from oyster_jax.models import structure
from oyster_jax.models.structure import Cells, StructureConfig
from oyster_jax.nn import functional
from oyster_jax.nn.attention import ParallelBlock, rms_norm
from oyster_jax.nn.dense import Dense, lifted
from oyster_jax.nn.patch import patchify, unpatchify
from oyster_jax.typing import Array, Bool, Float, Frames, Latents, Params, PRNGKey


@dataclasses.dataclass(frozen=True, kw_only=True)
class TokenizerConfig:
    """A per-frame vision transformer with a tanh bottleneck.

    Attributes:
      height: pixels; a multiple of `patch`.
      width: pixels; a multiple of `patch`.
      patch: side of a patch in pixels.
      channels: features of one latent token.
      features: width of the transformer.
      heads: attention heads.
      encoder_depth: layers before the bottleneck.
      renderer_depth: layers after it.
      dtype: of the matrix products.
      structure: what of a world's structure is encoded beside its frames and told by latents; None for frames alone.
    """

    height: int = 64
    width: int = 64
    patch: int = 8
    channels: int = 16
    features: int = 128
    heads: int = 2
    encoder_depth: int = 3
    renderer_depth: int = 3
    dtype: str = "bfloat16"
    structure: StructureConfig | None = None

    def __post_init__(self) -> None:
        if self.height % self.patch or self.width % self.patch:
            raise ValueError(
                f"A frame of {self.height}×{self.width} pixels cannot be cut into patches of {self.patch}; "
                "choose a patch that divides both sides."
            )
        if self.structure is not None and self.structure.grid != (self.rows, self.columns):
            raise ValueError(
                f"Tiles lie in a grid of {self.structure.grid[0]}×{self.structure.grid[1]}, but the patches in one of "
                f"{self.rows}×{self.columns}; choose a patch of the size of a tile."
            )

    @property
    def rows(self) -> int:
        """Patches from top to bottom."""
        return self.height // self.patch

    @property
    def columns(self) -> int:
        """Patches from left to right."""
        return self.width // self.patch

    @property
    def tokens(self) -> int:
        """Patches of a frame."""
        return self.rows * self.columns


class _Transformer(nnx.Module):
    """Dense in, learned positions, layers, dense out."""

    def __init__(self, config: TokenizerConfig, inputs: int, outputs: int, depth: int, *, rngs: nnx.Rngs):
        self.dtype = jnp.dtype(config.dtype)
        self.embed = Dense(inputs, config.features, rngs=rngs, bias=True)
        self.position = nnx.Param(0.02 * jax.random.normal(rngs.params(), (config.tokens, config.features)))
        self.blocks = functional.Stack(
            lambda rngs: ParallelBlock(config.features, config.heads, rngs=rngs), depth, rngs=rngs
        )
        self.out = Dense(config.features, outputs, rngs=rngs, bias=True)

    def _embedded(self, x: Array) -> Array:
        return self.embed(x.astype(self.dtype)).astype(jnp.float32)

    def _layered(self, x: Array) -> Array:
        x = x + lifted(self.position[...], x.ndim)
        x, _ = self.blocks(x, lambda block, x, _: (block(x, dtype=self.dtype), None))
        return rms_norm(x).astype(self.dtype)

    def _transformed(self, x: Array) -> Array:
        return self.out(self._layered(x)).astype(jnp.float32)


class Encoder(_Transformer):
    """Frames to latents in (-1, 1)."""

    def __init__(self, config: TokenizerConfig, *, rngs: nnx.Rngs):
        super().__init__(config, 3 * config.patch**2, config.channels, config.encoder_depth, rngs=rngs)
        self.patch = config.patch
        self.masked = nnx.Param(0.02 * jax.random.normal(rngs.params(), (config.features,)))
        self.structure, self.tokens = config.structure, config.tokens
        if config.structure is not None:
            self.known = Dense(structure.inputs(config.structure), config.features, rngs=rngs, bias=True)

    def __call__(self, frames: Frames, dropped: Bool[Array, "*batch tokens"] | None = None) -> Latents:
        """Encodes frames; where `dropped` is true a learned token stands for the patch."""
        x = self._embedded(patchify(normalized(frames), self.patch))
        if dropped is not None:
            x = jnp.where(dropped[..., None], lifted(self.masked[...], x.ndim), x)
        if self.structure is not None:
            batch = frames.shape[:-3]
            unknown = {name: jnp.zeros(batch) for name in structure.PARTS}
            x = x + self._structured(structure.nothing(self.structure, batch), unknown)
        return self._latents(x)

    def observed(self, seen: Observation, present: dict[str, Array] | None = None) -> Latents:
        """Encodes whatever is known of moments.

        Args:
          seen: the moments.
          present: float `[*batch]` of `frame` and of each of `structure.PARTS`: zero where it is to be taken as
            unknown, although it is there. Each that is there counts unless given.
        """
        assert self.structure is not None, "only a tokenizer with structure takes observations"
        parts = {"frame": seen.frame, "tiles": seen.tiles, "entities": seen.entities, "quantities": seen.quantities}
        batch = seen.batch
        there = {name: jnp.full(batch, part is not None, jnp.float32) for name, part in parts.items()}
        shares = there if present is None else {name: there[name] * present[name] for name in there}
        x = jnp.zeros((*batch, self.tokens, self.masked.shape[0])) + lifted(self.masked[...], len(batch) + 2)
        if seen.frame is not None:
            pictured = self._embedded(patchify(normalized(seen.frame), self.patch))
            x = jnp.where(shares["frame"][..., None, None] > 0, pictured, x)
        return self._latents(x + self._structured(structure.cells(self.structure, seen), shares))

    def imagined(self, known: Cells) -> Latents:
        """Encodes structure of which every part is known, without a frame; as `observed` does of what lies so."""
        batch = known.free.shape[:-1]
        x = jnp.zeros((*batch, self.tokens, self.masked.shape[0])) + lifted(self.masked[...], len(batch) + 2)
        return self._latents(x + self._structured(known, dict.fromkeys(structure.PARTS, jnp.ones(batch))))

    def _structured(self, known: Cells, present: dict[str, Array]) -> Array:
        assert self.structure is not None
        return self.known(structure.features(self.structure, known, present).astype(self.dtype)).astype(jnp.float32)

    def _latents(self, x: Array) -> Latents:
        # The norm keeps tanh out of saturation: without it latents became bits (scale 0.93), and bits move in jumps.
        return jnp.tanh(rms_norm(self._transformed(x)))


class Renderer(_Transformer):
    """Latents to frames, each by itself: to rewind, no hidden decoder state is needed."""

    def __init__(self, config: TokenizerConfig, *, rngs: nnx.Rngs):
        super().__init__(config, config.channels, 3 * config.patch**2, config.renderer_depth, rngs=rngs)
        self.patch, self.columns, self.structure = config.patch, config.columns, config.structure
        if config.structure is not None:
            self.tells = Dense(config.features, structure.outputs(config.structure), rngs=rngs, scale=0.0, bias=True)

    def __call__(self, latents: Latents) -> Float[Array, "*batch height width 3"]:
        """Returns pixels, nominally in [-1, 1]."""
        return unpatchify(self._transformed(self._embedded(latents)), self.patch, self.columns)

    def told(self, latents: Latents) -> tuple[Float[Array, "*batch height width 3"], Cells]:
        """Returns pixels, and what latents tell of the structure; see `structure.told`."""
        assert self.structure is not None, "only a tokenizer with structure tells of it"
        features = self._layered(self._embedded(latents))
        pixels = unpatchify(self.out(features).astype(jnp.float32), self.patch, self.columns)
        return pixels, structure.told(self.structure, self.tells(features).astype(jnp.float32))


class Tokenizer(nnx.Module):
    """Encoder and Renderer."""

    def __init__(self, config: TokenizerConfig, rngs: nnx.Rngs):
        self.encoder = Encoder(config, rngs=rngs)
        self.renderer = Renderer(config, rngs=rngs)


def init(config: TokenizerConfig, key: PRNGKey) -> Params:
    """Draws the parameters of a tokenizer."""
    return functional.init(Tokenizer, config, key)


def bind(config: TokenizerConfig, params: Params) -> Tokenizer:
    """Returns the tokenizer with `params` in it, for use inside a traced function."""
    return functional.bind(Tokenizer, config, params)


def normalized(frames: Frames) -> Float[Array, "*batch height width 3"]:
    """Returns uint8 pixels as float32 in [-1, 1]."""
    return frames.astype(jnp.float32) * (2 / 255) - 1


def as_frames(pixels: Float[Array, "*batch height width 3"]) -> Frames:
    """Returns pixels in [-1, 1] as uint8, rounded and clipped."""
    return jnp.clip(jnp.round((pixels + 1) * (255 / 2)), 0, 255).astype(jnp.uint8)
