"""Encodes recordings for dynamics training: latents, and what a spatial map would have known of each frame before."""

from typing import Any

import jax
import jax.numpy as jnp

from oyster_jax.data.latents import Arrays, Encode
from oyster_jax.models import spatial_map, tokenizer
from oyster_jax.models.spatial_map import MapConfig
from oyster_jax.models.tokenizer import TokenizerConfig
from oyster_jax.typing import Array, Float, Frames, Params, PRNGKey


def recall(
    config: MapConfig,
    canvas: spatial_map.Canvas,
    frames: Frames,
    began: Array,
    camera: Float[Array, "ticks 2"],
    jitter: float,
    key: PRNGKey,
) -> tuple[spatial_map.Canvas, tuple[Frames, Array]]:
    """Looks at each frame's place before it is written: returns the canvas, and what was seen with its coverage.

    Args:
      config: the canvas's size.
      canvas: what was seen before.
      frames: uint8 `[ticks, height, width, 3]`.
      began: bool `[ticks]`, where another episode begins, on a blank canvas.
      camera: where each frame lies, in pixels.
      jitter: standard deviation of the error with which the camera is placed for a look, in pixels.
      key: of those errors.
    """
    height, width = frames.shape[1:3]

    def tick(canvas: spatial_map.Canvas, given: tuple[Array, ...]) -> tuple[spatial_map.Canvas, tuple[Array, Array]]:
        frame, first, position, error = given
        canvas = jnp.where(first, spatial_map.blank(config), canvas)
        seen = spatial_map.look(canvas, position + error, height, width)
        return spatial_map.write(canvas, position, frame, config.changed), seen

    errors = jitter * jax.random.normal(key, camera.shape)
    return jax.lax.scan(tick, canvas, (frames, began, camera, errors))


def frame_encoder(
    config: TokenizerConfig, params: Params, canvas: MapConfig | None, *, jitter: float, seed: int
) -> Encode:
    """Returns what turns blocks of recorded frames into latents and, with a map, drafts; see `cache_latents`.

    Args:
      config: of the tokenizer.
      params: of the tokenizer.
      canvas: of the map, None without one.
      jitter: see `recall`.
      seed: of the jitter.
    """

    @jax.jit
    def latents(frames: Array) -> Array:
        return tokenizer.bind(config, params).encoder(frames).astype(jnp.float16)

    if canvas is None:
        return lambda memory, block: (memory, {"latents": latents(block["frames"])})

    @jax.jit
    def mapped(memory: tuple[Array, Array], block: dict[str, Array]) -> tuple[Any, dict[str, Array]]:
        seen, count = memory
        key = jax.random.fold_in(jax.random.key(seed), count)
        seen, (looks, coverage) = recall(canvas, seen, block["frames"], block["began"], block["camera"], jitter, key)
        encoded = tokenizer.bind(config, params).encoder(jnp.concatenate([block["frames"], looks]))
        known, looked = jnp.split(encoded, 2)
        drafts = spatial_map.draft(looked, spatial_map.cell_coverage(coverage, config.patch))
        return (seen, count + 1), {"latents": known.astype(jnp.float16), "drafts": drafts.astype(jnp.float16)}

    def encode(memory: Any, block: Arrays) -> tuple[Any, dict[str, Array]]:
        return mapped((spatial_map.blank(canvas), jnp.int32(0)) if memory is None else memory, dict(block))

    return encode
