"""The REST interface: one method a route, each of a few lines; what they do is elsewhere."""

import asyncio
import collections
import json
import time
from typing import Any

import msgspec
import numpy as np
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from oyster_jax.serve.errors import Refusal, missing
from oyster_jax.serve.limits import Allowance
from oyster_jax.serve.lobby import Start
from oyster_jax.serve.metrics import CONTENT_TYPE
from oyster_jax.serve.pictures import png
from oyster_jax.serve.protocol import encode
from oyster_jax.serve.resources import CreateSession, ExportSpan
from oyster_jax.serve.security import Owner
from oyster_jax.serve.services import Services
from oyster_jax.serve.stage import Stage

_FRAMES = 64  # that are kept encoded


class Rest:
    """Answers requests.

    Args:
      services: of the server.
      document: the description of this interface, as OpenAPI has it.
    """

    def __init__(self, services: Services, document: dict[str, Any]):
        self._services, self._document = services, document
        self._allowances: dict[tuple[str, str], Allowance] = {}
        self._frames: collections.OrderedDict[tuple[str, str, int], bytes] = collections.OrderedDict()

    async def create_session(self, request: Request) -> Response:
        """Begins a session."""
        owner = self._owner(request, heavy=True)
        self._services.check_ready()
        self._services.check_room()
        asked = _decoded(await self._body(request, self._services.limits.body_bytes), CreateSession)
        return _answer(await self._services.lobby.create(owner, self._start(owner, asked)), 201)

    async def list_sessions(self, request: Request) -> Response:
        """Lists the owner's sessions."""
        return _answer({"sessions": await self._services.lobby.owned_by(self._owner(request))})

    async def session(self, request: Request) -> Response:
        """Tells of one session."""
        return _answer(await self._services.lobby.info(self._owner(request), request.path_params["id"]))

    async def delete_session(self, request: Request) -> Response:
        """Deletes a session."""
        await self._services.lobby.delete(self._owner(request), request.path_params["id"])
        return Response(status_code=204)

    async def timeline(self, request: Request) -> Response:
        """Tells the branches of a session."""
        live = await self._services.lobby.find(self._owner(request), request.path_params["id"])
        return _answer({"branches": live.branches})

    async def frame(self, request: Request) -> Response:
        """Shows a frame of a session, these very pixels."""
        owner, identity = self._owner(request), request.path_params["id"]
        branch, tick = request.path_params["branch"], _number(request.path_params["tick"])
        live = await self._services.lobby.find(owner, identity)
        name, settled = (live.id, branch, tick), self._services.lobby.is_settled(live, branch, tick)
        if (found := self._frames.get(name)) is None:
            self._owner(request, heavy=True)
            found = png(await self._services.lobby.frame(live, branch, tick))
            if settled:
                self._frames[name] = found
            if len(self._frames) > _FRAMES:
                self._frames.popitem(last=False)
        kept = "private, max-age=3600" if settled else "no-store"
        return Response(found, media_type="image/png", headers={"cache-control": kept})

    async def export(self, request: Request) -> Response:
        """Makes a recording and sends it."""
        owner = self._owner(request, heavy=True)
        self._services.check_room()
        live = await self._services.lobby.find(owner, request.path_params["id"])
        made = await self._services.recordings.make(owner, live, _queried(request, ExportSpan))
        return await self._sent(owner, made.id)

    async def list_recordings(self, request: Request) -> Response:
        """Lists the owner's recordings."""
        return _answer({"recordings": await self._services.recordings.owned_by(self._owner(request))})

    async def recording(self, request: Request) -> Response:
        """Sends a recording."""
        return await self._sent(self._owner(request), request.path_params["id"])

    async def delete_recording(self, request: Request) -> Response:
        """Deletes a recording."""
        await self._services.recordings.delete(self._owner(request), request.path_params["id"])
        return Response(status_code=204)

    async def list_worlds(self, request: Request) -> Response:
        """Lists the worlds that can be played."""
        self._owner(request)
        self._services.check_ready()
        return _answer({"worlds": [stage.card for stage in self._services.stages.values()]})

    async def world(self, request: Request) -> Response:
        """Tells of one world."""
        self._owner(request)
        self._services.check_ready()
        return _answer(self._stage(request.path_params["name"]).card)

    async def picture(self, request: Request) -> Response:
        """Shows a picture of a world."""
        self._owner(request)
        self._services.check_ready()
        found = self._stage(request.path_params["name"]).pictures.get(request.path_params["file"])
        if found is None:
            raise missing("picture")
        return Response(found, media_type="image/png", headers={"cache-control": "private, max-age=3600"})

    async def prompts(self, request: Request) -> Response:
        """Lists recorded moments."""
        self._owner(request)
        name = request.query_params.get("world")
        stages = self._services.stages.values() if name is None else [self._stage(name)]
        return _answer({"prompts": [prompt for stage in stages for prompt in stage.prompts]})

    async def upload(self, request: Request) -> Response:
        """Takes a picture."""
        owner = self._owner(request, heavy=True)
        self._services.check_ready()
        stage = self._stage(request.query_params.get("world", ""))
        if request.headers.get("content-type", "").partition(";")[0] not in ("image/png", "image/jpeg", "image/webp"):
            raise Refusal(415, "unsupported", "Send the file itself, with its Content-Type: PNG, JPEG or WebP.")
        data = await self._body(request, self._services.limits.upload_bytes)
        return _answer(await self._services.uploads.add(owner, stage, data), 201)

    async def uploaded(self, request: Request) -> Response:
        """Shows an uploaded picture, or what the world makes of it."""
        picture = self._services.uploads.find(self._owner(request), request.path_params["id"])
        frames = {"picture.png": picture.frame, "shown.png": picture.shown}
        if (file := request.path_params["file"]) not in frames:
            raise missing("picture")
        return Response(png(frames[file]), media_type="image/png")

    async def live(self, _: Request) -> Response:
        """Tells that the server lives."""
        return _answer({"live": True})

    async def ready(self, _: Request) -> Response:
        """Tells whether all is compiled and warm."""
        ready = self._services.ready.is_set()
        return _answer({"ready": ready}, 200 if ready else 503)

    async def metrics(self, request: Request) -> Response:
        """Tells what the server counts and measures."""
        self._owner(request)
        self._services.measure()
        return Response(self._services.metrics.text(), media_type=CONTENT_TYPE)

    async def openapi(self, request: Request) -> Response:
        """Describes this interface to programs."""
        self._owner(request)
        return _answer(self._document)

    async def _sent(self, owner: Owner, identity: str) -> Response:
        file = await self._services.recordings.find(owner, identity)
        return FileResponse(file.path, media_type=file.media_type, filename=file.name)

    def _start(self, owner: Owner, asked: CreateSession) -> Start:
        stage = self._stage(asked.world)
        beginnings = (asked.prompt, asked.image, asked.sentence, asked.entities)
        if sum(given is not None for given in beginnings) > 1:
            sentence = "A session begins from one of a recorded moment, an upload, a sentence and a description."
            raise Refusal(400, "bad_request", sentence)
        longest = owner.tier.duration
        duration = min(longest, self._services.duration) if asked.duration is None else asked.duration
        if duration > longest:
            raise Refusal(422, "too_long", f"A session of yours lasts at most {longest:g} s of world time.")
        seed = asked.seed if asked.seed is not None else self._services.new_seed()
        prompt: tuple[np.ndarray, np.ndarray] | str | None = None
        about = f"seed {seed}"
        if asked.prompt is not None:
            if (moment := stage.moments.get(asked.prompt)) is None:
                raise missing("recorded moment")
            about, prompt = moment.title, (moment.frames, moment.actions)
        elif asked.image is not None:
            picture = self._services.uploads.find(owner, asked.image)
            if picture.about.world != stage.name:
                raise Refusal(422, "other_world", f"The upload is for the world '{picture.about.world}'.")
            about, prompt = "an uploaded picture", (picture.frame[None], np.zeros(0, np.int32))
        elif asked.sentence is not None:
            about = prompt = asked.sentence
        elif asked.entities is not None:
            about = "a description"
        return Start(stage=stage, about=about, seed=seed, prompt=prompt, entities=asked.entities, duration=duration)

    def _stage(self, name: str) -> Stage:
        stages = self._services.stages
        if name not in stages:
            raise Refusal(
                404, "not_found", f"There is no world {json.dumps(name[:40])} here; there is {', '.join(stages)}."
            )
        return stages[name]

    def _owner(self, request: Request, *, heavy: bool = False) -> Owner:
        """Returns who asks.

        Raises:
          Refusal: they ask too often.
        """
        owner: Owner = request.state.owner
        limits, kind = self._services.limits, "heavy" if heavy else "call"
        rate, burst = (limits.heavy, 10 * limits.heavy) if heavy else (limits.calls, 4 * limits.calls)
        allowance = self._allowances.setdefault((owner.id, kind), Allowance(rate, burst))
        if not allowance.take(time.monotonic()):
            self._services.metrics.refused.labels("rate").inc()
            raise Refusal(429, "too_many_requests", f"At most {rate:g} such requests a second; slow down.")
        return owner

    async def _body(self, request: Request, limit: int) -> bytes:
        """Reads the body, so far and no further, and not for ever.

        Raises:
          Refusal: it is too large, or takes too long.
        """
        too_large = Refusal(413, "too_large", f"The body may have at most {limit:,} bytes.")
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > limit:
            raise too_large
        data = bytearray()
        try:
            async with asyncio.timeout(self._services.limits.patience):
                async for chunk in request.stream():
                    data += chunk
                    if len(data) > limit:
                        raise too_large
        except TimeoutError:
            raise Refusal(408, "too_slow", "The body took too long to arrive.") from None
        return bytes(data)


def fault(status: int, code: str, message: str) -> Response:
    """Returns an answer that something is not done."""
    return _answer({"error": {"code": code, "message": message}}, status)


def _answer(content: Any, status: int = 200) -> Response:
    return Response(encode(content), status, media_type="application/json")


def _decoded[T](data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, "bad_request", f"The body is not what this takes: {error}.") from error


def _queried[T](request: Request, kind: type[T]) -> T:
    """Returns what the query asks for."""
    pairs = request.query_params.multi_items()
    if len({name for name, _ in pairs}) != len(pairs):
        raise Refusal(400, "bad_request", "Every field of the query may be given once.")
    try:
        return msgspec.convert(dict(pairs), kind, strict=False)
    except msgspec.ValidationError as error:
        raise Refusal(400, "bad_request", f"The query is not what this takes: {error}.") from error


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 10:
        raise Refusal(400, "bad_request", f"A tick is a whole number from 0 on, not {json.dumps(text[:40])}.")
    return int(text)
