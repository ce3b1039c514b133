"""The REST interface as a table, and the same as an OpenAPI document."""

import dataclasses
import re
from typing import Any

import msgspec

from oyster_jax.serve import resources
from oyster_jax.serve.protocol import VERSION

_NAME = {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"}
_IDENTITY = {"type": "string", "pattern": "^[0-9a-f]{16}$"}
_PARAMETERS: dict[str, dict[str, Any]] = {
    "id": _IDENTITY,
    "branch": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
    "tick": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
    "name": _NAME,
    "file": _NAME,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Call:
    """One route.

    Attributes:
      method: of HTTP.
      path: as Starlette has it.
      handler: the method of `rest.Rest` that answers.
      about: what it does.
      status: where all goes well.
      body: what it takes, or None.
      answer: a resource, or a resource in a list under a name, or the type of its content.
      query: fields of the query, as a resource or as schemas by name.
      refusals: statuses of what it may refuse, beside 421, 401 and 403 of the guard and 429.
    """

    method: str
    path: str
    handler: str
    about: str
    status: int = 200
    body: type | str | None = None
    answer: type | tuple[str, type] | str | None = None
    query: type | dict[str, dict[str, Any]] | None = None
    refusals: tuple[int, ...] = ()


_R = resources
_SESSION, _TICKED = "/v1/sessions/{id:id}", "/v1/sessions/{id:id}/frames/{branch}/{tick}"

ROUTES = (
    Call(method="POST", path="/v1/sessions", handler="create_session", about="Begins a session.", status=201,
         body=_R.CreateSession, answer=_R.SessionInfo, refusals=(400, 404, 408, 413, 422, 503, 507)),
    Call(method="GET", path="/v1/sessions", handler="list_sessions", about="Lists your sessions.",
         answer=("sessions", _R.SessionInfo)),
    Call(method="GET", path=_SESSION, handler="session", about="Tells of a session.", answer=_R.SessionInfo,
         refusals=(404, 422)),
    Call(method="DELETE", path=_SESSION, handler="delete_session", about="Deletes a session.", status=204,
         refusals=(404, 422)),
    Call(method="GET", path=f"{_SESSION}/timeline", handler="timeline", about="Tells its branches and labels.",
         answer=("branches", _R.BranchLine), refusals=(404, 409, 422)),
    Call(method="GET", path=_TICKED, handler="frame", about="Shows a frame, exactly.", answer="image/png",
         refusals=(400, 404, 409, 422)),
    Call(method="GET", path=f"{_SESSION}/export", handler="export", about="Makes a recording and sends it.",
         answer="application/octet-stream", query=_R.ExportSpan, refusals=(400, 404, 409, 422, 507)),
    Call(method="GET", path="/v1/recordings", handler="list_recordings", about="Lists your recordings.",
         answer=("recordings", _R.Recording)),
    Call(method="GET", path="/v1/recordings/{id:id}", handler="recording", about="Sends a recording.",
         answer="application/octet-stream", refusals=(404,)),
    Call(method="DELETE", path="/v1/recordings/{id:id}", handler="delete_recording", about="Deletes a recording.",
         status=204, refusals=(404,)),
    Call(method="GET", path="/v1/worlds", handler="list_worlds", about="Lists the worlds.",
         answer=("worlds", _R.WorldCard), refusals=(503,)),
    Call(method="GET", path="/v1/worlds/{name}", handler="world", about="Tells of a world.", answer=_R.WorldCard,
         refusals=(404, 503)),
    Call(method="GET", path="/v1/worlds/{name}/pictures/{file}", handler="picture", about="Shows a picture of it.",
         answer="image/png", refusals=(404, 503)),
    Call(method="GET", path="/v1/prompts", handler="prompts", about="Lists recorded moments to begin from.",
         answer=("prompts", _R.Prompt), query={"world": _NAME}, refusals=(404,)),
    Call(method="POST", path="/v1/uploads", handler="upload", about="Takes a picture to begin from.", status=201,
         body="image/png", answer=_R.Upload, query={"world": _NAME}, refusals=(404, 408, 413, 415, 422, 503, 507)),
    Call(method="GET", path="/v1/uploads/{id:id}/{file}", handler="uploaded", about="Shows an upload.",
         answer="image/png", refusals=(404,)),
    Call(method="GET", path="/v1/health/live", handler="live", about="Tells that the server lives.",
         answer="application/json"),
    Call(method="GET", path="/v1/health/ready", handler="ready", about="Tells whether all is compiled and warm.",
         answer="application/json", refusals=(503,)),
    Call(method="GET", path="/v1/metrics", handler="metrics", about="Tells what is counted and measured.",
         answer="text/plain"),
    Call(method="GET", path="/v1/openapi.json", handler="openapi", about="This document.", answer="application/json"),
)  # fmt: skip

_ALWAYS = (401, 403, 421, 429)


def document() -> dict[str, Any]:
    """Returns the interface as an OpenAPI 3.1 document."""
    kinds = [kind for kind in vars(resources).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
    _, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    schemas["Refusal"] = {
        "type": "object",
        "required": ["error"],
        "properties": {"error": {"$ref": "#/components/schemas/Fault"}},
    }
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        path = re.sub(r"{(\w+):\w+}", r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, path)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Oyster's player", "version": str(VERSION), "description": "See PROTOCOL.md."},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _operation(route: Call, path: str) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _PARAMETERS[name]}
        for name in re.findall(r"{(\w+)}", path)
    ]
    operation: dict[str, Any] = {
        "operationId": route.handler,
        "summary": route.about,
        "parameters": parameters + _queried(route.query),
        "responses": {str(route.status): {"description": route.about, **_content(route.answer)}},
    }
    for status in (*route.refusals, *_ALWAYS):
        refused = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
        answer = {"description": "It is not done; the answer says why.", "content": refused}
        operation["responses"][str(status)] = answer
    if isinstance(route.body, type):
        operation["requestBody"] = {"required": True, **_content(route.body)}
    elif route.body is not None:
        picture = {"schema": {"type": "string", "format": "binary"}}
        kinds = ("image/png", "image/jpeg", "image/webp")
        operation["requestBody"] = {"required": True, "content": dict.fromkeys(kinds, picture)}
    return operation


def _queried(query: type | dict[str, dict[str, Any]] | None) -> list[dict[str, Any]]:
    if isinstance(query, type):
        query = msgspec.json.schema(query)["$defs"][query.__name__]["properties"]
    fields = (query or {}).items()
    return [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in fields]


def _content(answer: type | tuple[str, type] | str | None) -> dict[str, Any]:
    if answer is None:
        return {}
    if isinstance(answer, str):
        return {"content": {answer: {}}}
    if isinstance(answer, tuple):
        name, kind = answer
        items = {"type": "array", "items": {"$ref": f"#/components/schemas/{kind.__name__}"}}
        schema: dict[str, Any] = {"type": "object", "required": [name], "properties": {name: items}}
    else:
        schema = {"$ref": f"#/components/schemas/{answer.__name__}"}
    return {"content": {"application/json": {"schema": schema}}}
