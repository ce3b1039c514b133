"""Recorded moments that come with a world, from which one can begin to live in it."""

import dataclasses
import io
from pathlib import Path

import numpy as np

from oyster_jax.core.spec import WorldSpec
from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.errors import DatasetError
from oyster_jax.files import write_whole
from oyster_jax.generate.errors import GenerateError
from oyster_jax.generate.starts import recorded_moments

#: Where in a world's folder they are.
PROMPTS = "prompts"

#: So many are drawn where nobody chose them.
_DRAWN = 6


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordedMoment:
    """A recorded moment to begin from.

    Attributes:
      title: what it shows, for people.
      frames: uint8 `[ticks, height, width, 3]`.
      actions: int32 `[ticks - 1]`, those between.
    """

    title: str
    frames: np.ndarray
    actions: np.ndarray


def read_moments(folder: Path) -> dict[str, RecordedMoment]:
    """Returns the moments in a world's folder, by the names of their files."""
    found = {}
    for path in sorted((folder / PROMPTS).glob("*.npz")):
        with np.load(path) as arrays:
            title, frames, actions = str(arrays["title"]), arrays["frames"], arrays["actions"]
        found[path.stem] = RecordedMoment(title=title, frames=frames, actions=actions)
    return found


def write_moments(folder: Path, moments: dict[str, RecordedMoment]) -> Path:
    """Puts moments into a world's folder in the place of those that were there; returns where they are."""
    files = {}
    for order, (name, moment) in enumerate(moments.items(), 1):
        file = io.BytesIO()
        np.savez_compressed(file, title=np.str_(moment.title), frames=moment.frames, actions=moment.actions)
        files[f"{order}-{name}.npz"] = file.getvalue()
    write_whole(folder / PROMPTS, files)
    for path in (folder / PROMPTS).glob("*.npz"):
        if path.name not in files:
            path.unlink()
    return folder / PROMPTS


def draw_moments(data: Path, spec: WorldSpec) -> dict[str, RecordedMoment]:
    """Draws moments of a recording for people to begin from.

    Args:
      data: folder of the recording.
      spec: of the world.

    Returns:
      The moments by name; none where the recording is gone, has unlabelled actions or only short episodes.
    """
    try:
        drawn = recorded_moments(EpisodeDataset(data), spec, moments=_DRAWN)
    except (DatasetError, GenerateError):
        return {}
    pairs = zip(np.asarray(drawn.frames), np.asarray(drawn.actions), strict=True)
    return {
        f"moment-{number}": RecordedMoment(title=f"Moment {number}", frames=frames, actions=actions)
        for number, (frames, actions) in enumerate(pairs, 1)
    }
