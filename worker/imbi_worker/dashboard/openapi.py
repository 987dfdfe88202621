"""The OpenAPI 3.1 document of the API, made of what the endpoints say of themselves."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from imbi_worker.dashboard import problems
from imbi_worker.dashboard.access import Role
from imbi_worker.dashboard.asking import Question
from imbi_worker.dashboard.endpoint import Endpoint, TailEndpoint
from imbi_worker.dashboard.shape import Shapes

PREFIX: Final = "/api/v1"
_REFERENCE: Final = "#/components/schemas/{model}"
_PART: Final = re.compile(r"{(\w+)}")
_PROBLEM: Final = {
    "content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
}
_ALWAYS: Final = (400, 401, 403, 421, 500, 503)


def document(
    endpoints: Sequence[Endpoint], tails: Sequence[TailEndpoint], *, version: str
) -> dict[str, Any]:
    """The whole of it; the same for every caller."""
    shapes = Shapes()
    bodies = _bodies(endpoints)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, shapes)
    for tail in tails:
        paths[tail.path] = {"get": _tail(tail, shapes)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "imbi-worker",
            "version": version,
            "description": "What an operator can ask and do: the operations of the command line.",
        },
        "servers": [{"url": PREFIX}],
        "security": [{"token": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {**shapes.components, **bodies, "Problem": dict(problems.SCHEMA)},
        },
    }


def _bodies(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    models = {one.asks for one in endpoints if one.method == "POST"}
    listed = sorted(models, key=lambda model: model.__name__)
    _, found = models_json_schema([(one, "validation") for one in listed], ref_template=_REFERENCE)
    return dict(found.get("$defs", {}))


def _operation(endpoint: Endpoint, shapes: Shapes) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "description": _for_whom(endpoint.role),
        "responses": _responses(
            {"application/json": {"schema": shapes.of(endpoint.answer)}}, endpoint
        ),
    }
    if endpoint.method == "GET":
        described["parameters"] = _parameters(endpoint.path, endpoint.asks)
    else:
        schema = {"$ref": _REFERENCE.format(model=endpoint.asks.__name__)}
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    return described


def _for_whom(role: Role) -> str:
    return "For everybody who may look." if role is Role.VIEWER else f"For role {role} and above."


def _parameters(path: str, asks: type[Question]) -> list[dict[str, Any]]:
    schema = asks.model_json_schema()
    required, parts = set(schema.get("required", ())), set(_PART.findall(path))
    return [
        {
            "name": name,
            "in": "path" if name in parts else "query",
            "required": name in required,
            "schema": _without_null(member),
            **({"description": member["description"]} if "description" in member else {}),
        }
        for name, member in schema.get("properties", {}).items()
    ]


def _without_null(member: Mapping[str, Any]) -> dict[str, Any]:
    """An address cannot say null: a parameter that is not there is left out."""
    shown = {name: value for name, value in member.items() if name not in {"title", "description"}}
    choices = [one for one in shown.pop("anyOf", ()) if one != {"type": "null"}]
    if choices:
        shown = {name: value for name, value in shown.items() if value is not None} | choices[0]
    return shown


def _responses(content: Mapping[str, Any], endpoint: Endpoint) -> dict[str, Any]:
    statuses = {*_ALWAYS}
    if endpoint.method == "POST":
        statuses |= {409, 413, 415}
    # What is named may be gone, or no longer what it was.
    if _PART.search(endpoint.path) or endpoint.asks is not Question:
        statuses |= {404, 409}
    return {
        "200": {"description": "What was asked for.", "content": dict(content)},
        **{str(status): _problem(status) for status in sorted(statuses)},
    }


def _problem(status: int) -> dict[str, Any]:
    return {"description": HTTPStatus(status).phrase, **_PROBLEM}


def _tail(tail: TailEndpoint, shapes: Shapes) -> dict[str, Any]:
    content = {"text/event-stream": {"schema": {"type": "string"}}}
    event = {"schema": {"type": "string", "pattern": r"^\d{1,18}-\d{1,18}$"}}
    shape = shapes.of(tail.answer)["$ref"].rpartition("/")[2]
    return {
        "operationId": tail.name,
        "summary": tail.summary,
        "description": f"Server-sent events; the data of each is a {shape}.",
        "parameters": [
            *_parameters(tail.path, tail.asks),
            {"name": "Last-Event-ID", "in": "header", "required": False, **event},
        ],
        "responses": {
            "200": {"description": "Events, until the client goes.", "content": content},
            **{str(status): _problem(status) for status in (*_ALWAYS, 429)},
        },
    }
