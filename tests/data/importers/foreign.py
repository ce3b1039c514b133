"""Recordings for importers: a square whose place says which episode and tick a picture is of."""

from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream

from oyster_jax.data.dataset import EpisodeDataset
from oyster_jax.data.importers.conversion import Conversion, Wishes, conversion, write
from oyster_jax.data.importers.formats import format_of, opened

HEIGHT, WIDTH = 48, 64


def pictures(episode: int, count: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A grey ground, darker from episode to episode, on which a square walks two pixels a tick."""
    frames = np.full((count, height, width, 3), 200 - 30 * episode, np.uint8)
    for tick in range(count):
        frames[tick, 16:32, 2 * tick : 2 * tick + 16] = (250, 30, 30)
    return frames


def video(path: Path, frames: np.ndarray, *, rate: int = 10, codec: str = "libx264") -> Path:
    """Writes frames as a video, nearly without loss."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "yuv420p"
        stream.options = {"crf": "4", "b": "0"} if codec == "libvpx-vp9" else {"crf": "4"}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def plan(path: Path, camera: str | None = None, **wishes) -> Conversion:
    return conversion(opened(path, format_of(path), camera), path, Wishes(**wishes))


def imported(path: Path, out: Path, camera: str | None = None, **wishes) -> EpisodeDataset:
    write(plan(path, camera, **wishes), out)
    dataset = EpisodeDataset(out)
    dataset.verify()
    return dataset


def differ(one: np.ndarray | None, other: np.ndarray) -> float:
    """How far frames are from others, the mean over all values."""
    assert one is not None
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other.astype(int)).mean())
