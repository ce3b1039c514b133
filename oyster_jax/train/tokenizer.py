"""The tokenizer stage: learns latents from which frames can be drawn again."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.loader import WindowConfig, windows
from oyster_jax.frames import contact_sheet, write_image
from oyster_jax.models import tokenizer
from oyster_jax.models.tokenizer import TokenizerConfig
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.loop import BatchIterator, Stage
from oyster_jax.train.step import Batch
from oyster_jax.typing import Array, Params, PRNGKey


@dataclasses.dataclass(frozen=True, kw_only=True)
class TokenizerLossConfig:
    """Weights of the reconstruction loss, all over pixels in [-1, 1].

    Attributes:
      squared: of the mean squared error, which is what PSNR measures.
      absolute: of the mean absolute error, which keeps small things from being averaged away.
      gradient: of the mean absolute error of horizontal and vertical differences, which keeps edges.
      noise: standard deviation of noise added to latents before rendering, so that the Renderer forgives the small
        errors of a dynamics model.
      patch_dropout: largest share of patches hidden from the encoder; each frame draws its own between 0 and this
        (masked autoencoding, arXiv 2111.06377).
    """

    squared: float = 10.0
    absolute: float = 1.0
    gradient: float = 0.5
    noise: float = 0.05
    patch_dropout: float = 0.0


def reconstruction_loss(
    config: TokenizerConfig, weights: TokenizerLossConfig, params: Params, frames: Array, key: PRNGKey
) -> tuple[Array, dict[str, Array]]:
    """Returns the loss of a batch of uint8 frames `[batch, height, width, 3]`, and its PSNR in dB."""
    model = tokenizer.bind(config, params)
    share_key, drop_key, noise_key = jax.random.split(key, 3)
    dropped = None
    if weights.patch_dropout > 0:
        share = weights.patch_dropout * jax.random.uniform(share_key, (len(frames), 1))
        dropped = jax.random.uniform(drop_key, (len(frames), config.tokens)) < share
    latents = model.encoder(frames, dropped)
    pixels = model.renderer(latents + weights.noise * jax.random.normal(noise_key, latents.shape))
    error = pixels - tokenizer.normalized(frames)
    squared, absolute = jnp.mean(jnp.square(error)), jnp.mean(jnp.abs(error))
    gradient = jnp.mean(jnp.abs(jnp.diff(error, axis=-3))) + jnp.mean(jnp.abs(jnp.diff(error, axis=-2)))
    loss = weights.squared * squared + weights.absolute * absolute + weights.gradient * gradient
    # Pixels span 2, so PSNR's peak is 2.
    return loss, {"psnr": 10 * jnp.log10(4 / squared), "latent_scale": jnp.std(latents)}


def tokenizer_stage(
    config: TokenizerConfig,
    weights: TokenizerLossConfig,
    training: TrainConfig,
    dataset: EpisodeDataset,
    seed: int,
) -> Stage:
    """Returns the stage that trains a tokenizer on the frames of `dataset`."""

    def loss(params: Params, batch: Batch, key: PRNGKey) -> tuple[Array, dict[str, Array]]:
        frames = batch["frames"]
        return reconstruction_loss(config, weights, params, frames.reshape(-1, *frames.shape[2:]), key)

    def batches(rows: Sequence[int] | None = None) -> BatchIterator:
        return iter(windows(dataset, WindowConfig(length=training.window, batch=training.batch, seed=seed), rows))

    def sample(params: Params, path: Path) -> None:
        frames = jnp.asarray(dataset.window(0, 0, min(8, int(dataset.lengths[0])), ("frames",))["frames"])
        drawn = jax.jit(lambda params, frames: reconstruct(config, params, frames))(params, frames)
        write_image(path.with_suffix(".png"), contact_sheet([frames, drawn]))

    return Stage(
        name="tokenizer", init=lambda key: tokenizer.init(config, key), loss=loss, batches=batches, sample=sample
    )


def reconstruct(config: TokenizerConfig, params: Params, frames: Array) -> Array:
    """Encodes frames and draws them again, uint8 to uint8."""
    model = tokenizer.bind(config, params)
    return tokenizer.as_frames(model.renderer(model.encoder(frames)))
