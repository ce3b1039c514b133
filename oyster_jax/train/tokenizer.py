"""The tokenizer stage: learns latents from which frames can be drawn again."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp

from oyster_jax.core.observation import Observation
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.episode import STRUCTURE
from oyster_jax.data.errors import DatasetError
from oyster_jax.data.loader import WindowConfig, windows
from oyster_jax.frames import contact_sheet, write_image
from oyster_jax.models import tokenizer
from oyster_jax.models.tokenizer import TokenizerConfig
from oyster_jax.train.config import TrainConfig
from oyster_jax.train.loop import BatchIterator, Stage
from oyster_jax.train.step import Batch
from oyster_jax.train.structure import StructureLossConfig, moments_of, reading_loss, shown_parts
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
      structure: what is asked beside that of a tokenizer with structure.
    """

    squared: float = 10.0
    absolute: float = 1.0
    gradient: float = 0.5
    noise: float = 0.05
    patch_dropout: float = 0.0
    structure: StructureLossConfig = StructureLossConfig()


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
    loss, psnr = pixel_loss(weights, pixels, frames)
    return loss, {"psnr": psnr, "latent_scale": jnp.std(latents)}


def pixel_loss(weights: TokenizerLossConfig, pixels: Array, frames: Array) -> tuple[Array, Array]:
    """Returns the loss of pixels in [-1, 1] against uint8 frames, and their PSNR in dB."""
    error = pixels - tokenizer.normalized(frames)
    squared, absolute = jnp.mean(jnp.square(error)), jnp.mean(jnp.abs(error))
    gradient = jnp.mean(jnp.abs(jnp.diff(error, axis=-3))) + jnp.mean(jnp.abs(jnp.diff(error, axis=-2)))
    loss = weights.squared * squared + weights.absolute * absolute + weights.gradient * gradient
    # Pixels span 2, so PSNR's peak is 2.
    return loss, 10 * jnp.log10(4 / squared)


def structured_loss(
    config: TokenizerConfig, weights: TokenizerLossConfig, params: Params, moments: Observation, key: PRNGKey
) -> tuple[Array, dict[str, Array]]:
    """Returns the loss of a batch of moments, of which the encoder is told a part, and how well it did.

    Half of the latents that are rendered and read come from frames alone, the others from what of a moment is left
    after whole parts of it were hidden; and these are drawn towards those.
    """
    assert moments.frame is not None
    model = tokenizer.bind(config, params)
    hide_key, side_key, noise_key = jax.random.split(key, 3)
    pictured = model.encoder(moments.frame)
    other = model.encoder.observed(moments, shown_parts(weights.structure, len(pictured), hide_key))
    side = jax.random.bernoulli(side_key, 0.5, (len(pictured), 1, 1))
    latents = jnp.where(side, pictured, other)
    pixels, said = model.renderer.told(latents + weights.noise * jax.random.normal(noise_key, latents.shape))
    loss, psnr = pixel_loss(weights, pixels, moments.frame)
    assert config.structure is not None
    read, figures = reading_loss(config.structure, weights.structure, said, moments)
    apart = jnp.mean(jnp.square(other - jax.lax.stop_gradient(pictured)))
    figures |= {"psnr": psnr, "latent_scale": jnp.std(pictured), "apart": apart}
    return loss + read + weights.structure.agreement * apart, figures


def tokenizer_loss(
    config: TokenizerConfig, weights: TokenizerLossConfig, params: Params, batch: Batch, key: PRNGKey
) -> tuple[Array, dict[str, Array]]:
    """Returns the loss of a batch of windows `[batch, ticks, …]`, whose frames count each by itself, and its parts."""
    flat = {name: array.reshape(-1, *array.shape[2:]) for name, array in batch.items()}
    if config.structure is None:
        return reconstruction_loss(config, weights, params, flat["frames"], key)
    return structured_loss(config, weights, params, moments_of(flat), key)


def tokenizer_stage(
    config: TokenizerConfig,
    weights: TokenizerLossConfig,
    training: TrainConfig,
    dataset: EpisodeDataset,
    seed: int,
) -> Stage:
    """Returns the stage that trains a tokenizer on the frames of `dataset`, and on their structure if it has any.

    Raises:
      DatasetError: the tokenizer has structure, but the recording has none.
    """
    arrays = ("frames",) if config.structure is None else ("frames", *STRUCTURE)
    if missing := set(arrays) - set(dataset.content):
        raise DatasetError(
            f"{dataset.folder} holds no {', '.join(sorted(missing))}, which this tokenizer learns from; record a world "
            "that has them, or train a tokenizer without structure."
        )

    def loss(params: Params, batch: Batch, key: PRNGKey) -> tuple[Array, dict[str, Array]]:
        return tokenizer_loss(config, weights, params, batch, key)

    drawn = {"length": training.window, "batch": training.batch, "seed": seed, "arrays": arrays}

    def batches(rows: Sequence[int] | None = None) -> BatchIterator:
        return iter(windows(dataset, WindowConfig(**drawn), rows))

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
