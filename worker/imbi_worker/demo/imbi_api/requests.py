"""What the stand-in has been asked, and what it makes of a request."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request that was answered.

    *number* is its place in the order of arrival, *peer* the port it came from:
    one port is one connection.
    """

    number: int
    at: datetime
    peer: int
    method: str
    path: str
    project_id: str | None
    handler: str | None
    body: Any
    status: int


def refusal(status: int, detail: str) -> web.Response:
    return web.json_response({"detail": detail}, status=status)


def parsed(body: bytes) -> Any:
    """The JSON value; None when there is none."""
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None


def project_of(request: web.Request, body: Any) -> str | None:
    """Which project it is about, by its path or else by its body."""
    named = body.get("project_id") if isinstance(body, dict) else None
    return request.match_info.get("project_id") or (named if isinstance(named, str) else None)


def port(request: web.Request) -> int:
    peer = request.get_extra_info("peername")
    # A client that has gone away has no address any more.
    return int(peer[1]) if peer else 0
