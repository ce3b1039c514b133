"""What the denoiser makes of a noisy next latent, level by level.

After true frames and a true action the denoiser is given the true next latent x with noise n in it,
τ · x + (1 − τ) · n, at each level τ of its finest grid, and predicts x. With nothing but noise (τ = 0) it can tell no
more than the past does; the nearer the level is to 1, the more the noisy latent tells: alone it gives x with an error
of ((1 − τ) / τ)². A denoiser that weighs both is at every level better than either. One that only looks at the past is
as good at all levels, and drawing in many steps then gives nothing but the expected latent, however many there are.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.diffusion.schedule import mix
from oyster_jax.evaluate.batch import begin, window_keys
from oyster_jax.evaluate.chunks import Progress, padded_chunks
from oyster_jax.evaluate.windows import Windows, check_dataset, read_windows
from oyster_jax.models import tokenizer
from oyster_jax.models.world_model import WorldNetwork
from oyster_jax.prng import named_key
from oyster_jax.typing import Array, Float, Params

CHUNK = 32


def levels(model: WorldNetwork) -> tuple[float, ...]:
    """Returns the signal levels of the finest grid, from noise alone upwards."""
    return tuple(step / model.sampler.finest for step in range(model.sampler.finest))


def denoising_errors(
    model: WorldNetwork, params: Params, dataset: EpisodeDataset, windows: Windows, *, context: int, seed: int = 0,
    progress: Progress | None = None,
) -> Float[np.ndarray, "windows levels"]:  # fmt: skip
    """Returns the mean squared error of the predicted latent, latents being within [-1, 1].

    Args:
      model: of the world.
      params: of the world.
      dataset: held-out recording of it.
      windows: where in it, of `context + 1` ticks.
      context: true frames before the one that is predicted.
      seed: of the noise.
      progress: told how many windows are done.

    Raises:
      DatasetError: the recording is not held out or not of this world.
    """
    check_dataset(dataset, model.spec)
    rows = []
    for chosen, count in padded_chunks(len(windows), min(CHUNK, len(windows))):
        read = read_windows(dataset, windows, chosen, context + 1, ("frames", "actions"))
        keys = window_keys(seed, chosen)
        states = begin(model, params, read["frames"][:, :context], read["actions"][:, : context - 1], keys)
        found = _errors(model, params, states, read["actions"][:, context - 1], read["frames"][:, context], keys)
        rows.append(np.asarray(found)[:count])
        if progress is not None:
            progress(int(chosen[-1]) + 1, len(windows))
    return np.concatenate(rows)


@functools.partial(jax.jit, static_argnums=0)
def _errors(model: WorldNetwork, params: Params, states: Any, actions: Array, frames: Array, keys: Array) -> Array:
    def one(state: Any, action: Array, frame: Array, key: Array) -> Array:
        clean = tokenizer.bind(model.tokenizer, params["tokenizer"]).encoder(frame[None])[0]
        noise = jax.random.normal(named_key(key, "denoising"), clean.shape)

        signal = jnp.array(levels(model))
        noisy = jax.vmap(lambda level: mix(clean, noise, level))(signal)
        said = model.denoised(params, state, action, noisy, signal)
        return jnp.mean(jnp.square(said - clean[None]), axis=(1, 2))

    return jax.vmap(one)(states, actions, frames, keys)
