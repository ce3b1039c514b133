"""Pictures that people bring: decoded apart, and shown as a world sees them, with a word on how well it knows such."""

import asyncio
import collections
import dataclasses
import json
import logging
import math
import secrets
import subprocess
import sys
from concurrent.futures import Executor

import numpy as np

from oyster_jax.serve import decoder
from oyster_jax.serve.errors import Refusal, missing
from oyster_jax.serve.limits import Limits
from oyster_jax.serve.resources import Upload
from oyster_jax.serve.security import Owner
from oyster_jax.serve.stage import Stage
from oyster_jax.worlds.familiarity import Familiarity, picture_psnr

_LOG = logging.getLogger(__name__)

_SECONDS = 20.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture that somebody brought.

    Attributes:
      owner: who.
      frame: as the world's frames are, uint8 `[height, width, 3]`.
      shown: what the world makes of it.
      about: what is told of it.
    """

    owner: str
    frame: np.ndarray
    shown: np.ndarray
    about: Upload


class Uploads:
    """The pictures that were brought since the server began; they are kept in memory, a few for each owner.

    Args:
      pool: of threads to compute on.
      limits: of the server.
    """

    def __init__(self, *, pool: Executor, limits: Limits):
        self._pool, self._limits = pool, limits
        self._pictures: collections.OrderedDict[str, Picture] = collections.OrderedDict()
        self._decoding = asyncio.Semaphore(2)
        self._bounds: dict[str, Familiarity] = {}

    async def add(self, owner: Owner, stage: Stage, data: bytes) -> Upload:
        """Takes a file.

        Raises:
          Refusal: it is no picture, or too large a one; that goes to the server's log.
        """
        try:
            frame = await self._decoded(stage, data)
        except Refusal as refusal:
            told = {"owner": owner.id, "world": stage.name, "bytes": len(data), "reason": refusal.message}
            _LOG.warning("A picture was refused: %s", json.dumps(told))
            raise
        shown, bounds = await asyncio.get_running_loop().run_in_executor(self._pool, self._seen, stage, frame)
        identity, psnr = secrets.token_hex(8), picture_psnr(frame, shown)
        verdict, sentence = bounds.verdict(psnr)
        about = Upload(
            id=identity,
            world=stage.name,
            picture=f"/v1/uploads/{identity}/picture.png",
            shown=f"/v1/uploads/{identity}/shown.png",
            psnr=round(psnr, 2),
            usual=round(bounds.usual, 2),
            verdict=verdict,
            sentence=sentence,
        )
        self._pictures[identity] = Picture(owner=owner.id, frame=frame, shown=shown, about=about)
        own = [name for name, picture in self._pictures.items() if picture.owner == owner.id]
        for name in own[: -self._limits.uploads]:
            del self._pictures[name]
        return about

    def find(self, owner: Owner, identity: str) -> Picture:
        """Returns a picture.

        Raises:
          Refusal: there is none, or it is somebody else's.
        """
        picture = self._pictures.get(identity)
        if picture is None or picture.owner != owner.id:
            raise missing("upload")
        return picture

    async def _decoded(self, stage: Stage, data: bytes) -> np.ndarray:
        height, width, _ = shape = stage.world.spec.frame.shape
        options = [str(number) for number in (height, width, self._limits.upload_pixels)]

        def decode() -> subprocess.CompletedProcess[bytes]:
            # In isolation: neither the folder it runs in nor the environment says what is imported.
            command = [sys.executable, "-I", decoder.__file__, *options]
            return subprocess.run(command, input=data, capture_output=True, env={}, timeout=_SECONDS, check=False)

        async with self._decoding:
            try:
                done = await asyncio.get_running_loop().run_in_executor(self._pool, decode)
            except subprocess.TimeoutExpired:
                raise Refusal(422, "bad_picture", "Decoding the picture takes too long; bring a plainer one.") from None
        if done.returncode == decoder.REFUSED:
            raise Refusal(422, "bad_picture", done.stderr.decode(errors="replace").strip().splitlines()[-1][:300])
        if done.returncode != 0 or len(done.stdout) != math.prod(shape):
            raise Refusal(422, "bad_picture", "The picture could not be decoded; bring a plainer one.")
        return np.frombuffer(done.stdout, np.uint8).reshape(shape)

    def _seen(self, stage: Stage, frame: np.ndarray) -> tuple[np.ndarray, Familiarity]:
        """Returns what the world makes of a frame, and how well it shows what it knows."""
        if stage.name not in self._bounds:
            known = [moment.frames[-1] for moment in stage.moments.values()] or [
                stage.world.render(stage.world.reset(seed)) for seed in range(4)
            ]
            usual = float(np.median([picture_psnr(own, stage.as_shown(own)) for own in known]))
            self._bounds[stage.name] = Familiarity.of(stage.world.record, usual)
        return stage.as_shown(frame), self._bounds[stage.name]
