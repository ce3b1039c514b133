"""Pictures of a video file, one after the other."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from oyster_jax.data.errors import DatasetError


def rate_of(path: Path) -> float | None:
    """Returns the pictures a second of a video, where it tells.

    Raises:
      DatasetError: it is no video, or it is damaged.
    """
    try:
        with av.open(str(path)) as container:
            rate = _stream(container, path).average_rate
    except FFmpegError as error:
        raise damaged(path, error) from error
    return float(rate) if rate else None


def pictures(path: Path, start: float | None = None) -> Iterator[np.ndarray]:
    """Yields the pictures of a video as RGB, uint8 `[height, width, 3]`.

    Args:
      path: of the file.
      start: seconds; pictures before it are left out.

    Raises:
      DatasetError: it is no video, or it is damaged.
    """
    try:
        with av.open(str(path)) as container:
            stream = _stream(container, path)
            # Without this, a damaged picture is guessed from its neighbours and nobody is told.
            stream.codec_context.options = {"err_detect": "explode"}
            stream.thread_type = "AUTO"
            if start:
                container.seek(int(start / stream.time_base), stream=stream)
            # A picture's time is a whole number of the stream's units: half of the time between two tells them apart.
            margin = 0.5 / float(stream.average_rate or 1000)
            for frame in container.decode(stream):
                if start is None or frame.time is None or frame.time >= start - margin:
                    if frame.is_corrupt:
                        raise damaged(path, "a picture cannot be decoded")
                    yield frame.to_ndarray(format="rgb24")
    except (FFmpegError, EOFError) as error:
        raise damaged(path, error) from error


def damaged(path: Path, error: object) -> DatasetError:
    """Returns what to say of a video that cannot be read."""
    return DatasetError(f"{path} cannot be read as a video ({error}); restore it or leave it out.")


def _stream(container: InputContainer, path: Path) -> VideoStream:
    if not container.streams.video:
        raise damaged(path, "it has no pictures")
    return container.streams.video[0]
