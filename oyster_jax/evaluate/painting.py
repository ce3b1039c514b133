"""How a world begins from a description alone, whose picture it paints: beside the truth, and lived on in.

Each window of a recording that says what is in its frames begins twice: from the description of its first moment, and
from that moment's frame. Both worlds go on under the recorded actions.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from oyster_jax.core.observation import Observation
from oyster_jax.core.state import WorldState
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.errors import DatasetError
from oyster_jax.evaluate.batch import begin, render, simulate, window_keys
from oyster_jax.evaluate.bootstrap import Bootstrap, Estimate
from oyster_jax.evaluate.chunks import padded_chunks
from oyster_jax.evaluate.fidelity import psnr, squared_error
from oyster_jax.evaluate.windows import Windows, read_windows
from oyster_jax.models import painter
from oyster_jax.models.world_model import WorldNetwork
from oyster_jax.typing import Array, Frames, Params

#: What a recording has to say.
ARRAYS = ("frames", "actions", "tiles", "entities", "entity_mask")

#: Windows that are simulated in one call.
CHUNK = 32


def painting_figures(
    model: WorldNetwork, params: Params, dataset: EpisodeDataset, windows: Windows, ticks: int, seed: int = 0
) -> dict[str, Estimate]:
    """Measures worlds that begin from descriptions.

    Args:
      model: with a painter.
      params: its parameters.
      dataset: held-out levels, with tiles and entities.
      windows: of `ticks + 1` frames.
      ticks: that worlds go on alone.
      seed: of their noise.

    Returns:
      PSNR in dB, of the squared error pooled over windows: `painted`, the frame that was painted of a description;
      `shown`, what the world that begins with it shows; after `ticks`: `described`, `pictured` (that began with the
      true frame) and `copied` (the true frame held still).

    Raises:
      DatasetError: the recording does not say what is in its frames.
    """
    if missing := set(ARRAYS) - set(dataset.content):
        raise DatasetError(f"{dataset.folder} holds no {', '.join(sorted(missing))}; record with --entities --scenery.")
    found: dict[str, list[np.ndarray]] = {}
    for chosen, count in padded_chunks(len(windows), CHUNK):
        read = read_windows(dataset, windows, chosen, ticks + 1, ARRAYS)
        first, last = read["frames"][:, 0], read["frames"][:, -1]
        actions, keys = read["actions"][:, :-1], window_keys(seed, chosen.astype(np.int32))
        seen = Observation(**{name: jnp.asarray(read[name][:, 0]) for name in ARRAYS[2:]})
        painted, described = _spawned(model, params, seen, keys)
        pictured = begin(model, params, first[:, None], np.zeros((len(first), 0), np.int32), keys)
        shown = {
            "painted": (painted, first),
            "shown": (render(model, params, described), first),
            "described": (simulate(model, params, described, actions)[:, -1], last),
            "pictured": (simulate(model, params, pictured, actions)[:, -1], last),
            "copied": (first, last),
        }
        for name, (frames, truth) in shown.items():
            error = squared_error(jnp.asarray(frames), jnp.asarray(truth))
            found.setdefault(name, []).append(np.asarray(error)[:count])
    bootstrap = Bootstrap(windows.episodes, seed=seed)
    return {name: bootstrap.estimate(psnr, np.concatenate(errors)) for name, errors in found.items()}


@functools.partial(jax.jit, static_argnums=0)
def _spawned(model: WorldNetwork, params: Params, seen: Observation, keys: Array) -> tuple[Frames, WorldState]:
    """Returns the frames painted of descriptions `[worlds, …]`, and the worlds that begin with them."""
    assert model.painter is not None
    frame = model.spec.frame
    painted = painter.painted(model.painter, params["painter"], (frame.height, frame.width), seen)
    return painted, jax.vmap(model.spawn, (None, 0, 0))(params, seen, keys)
