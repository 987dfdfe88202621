"""The API's routes: who asks, what, and the answer or the problem."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from imbi_worker.dashboard import asking, tails
from imbi_worker.dashboard.access import Access, Person
from imbi_worker.dashboard.desk import Desk
from imbi_worker.dashboard.endpoint import Endpoint, TailEndpoint
from imbi_worker.dashboard.openapi import PREFIX, document
from imbi_worker.dashboard.problems import Problem
from imbi_worker.operations.json_form import plain

_LOG = structlog.get_logger("imbi_worker.dashboard")
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="imbi-worker"'}
Answering = Callable[[Request], Awaitable[Response]]


class Api:
    """The endpoints at one desk."""

    def __init__(
        self,
        desk: Desk,
        access: Access,
        endpoints: Sequence[Endpoint],
        tail_endpoints: Sequence[TailEndpoint],
    ) -> None:
        self._desk = desk
        self._access = access
        self._tails = tails.Tails()
        self._endpoints = endpoints
        self._tail_endpoints = tail_endpoints
        self._document = document(endpoints, tail_endpoints, version=desk.version)

    def routes(self) -> list[Route]:
        """One for each path; a method that does nothing there is told which do."""
        methods: dict[str, dict[str, Answering]] = {"/openapi.json": {"GET": self._describe}}
        for tail in self._tail_endpoints:
            methods[tail.path] = {"GET": self._tailing(tail)}
        for endpoint in self._endpoints:
            methods.setdefault(endpoint.path, {})[endpoint.method] = self._answering(endpoint)
        return [
            # Ids are anybody's text and may have slashes in them.
            Route(f"{PREFIX}{path}".replace("}", ":path}"), _Methods(answering))
            for path, answering in methods.items()
        ]

    async def _describe(self, _request: Request) -> Response:
        return JSONResponse(self._document)

    def _answering(self, endpoint: Endpoint) -> Answering:
        async def answer(request: Request) -> Response:
            by = self._person(request)
            if not by.role.includes(endpoint.role):
                hint = f"It takes the role {endpoint.role}."
                raise Problem("forbidden", 403, f"The role {by.role} may not do this.", hint)
            if endpoint.method == "GET":
                asked = asking.of_address(endpoint.asks, request)
            else:
                asked = await asking.of_body(endpoint.asks, request)
            found = plain(await endpoint.work(self._desk, by, asked))
            if endpoint.method == "POST":
                _LOG.info("dashboard.changed", operation=endpoint.name, actor=by.actor)
            return _json(found)

        return answer

    def _tailing(self, endpoint: TailEndpoint) -> Answering:
        async def answer(request: Request) -> Response:
            self._person(request)
            asked = asking.of_address(endpoint.asks, request)
            place = tails.place_of(request.headers.get("last-event-id"))
            return self._tails.open(endpoint.tail(self._desk, asked, place))

        return answer

    def _person(self, request: Request) -> Person:
        found = self._access.person(request.headers.get("authorization"))
        if found is None:
            told = "This needs a token: Authorization: Bearer TOKEN."
            hint = "Ask an admin; `imbi-worker tokens new NAME` makes one."
            raise Problem("unauthorized", 401, told, hint, _CHALLENGE)
        return found


class _Methods:
    """What one path answers, by method. An ASGI app: Starlette adds no method to it."""

    def __init__(self, answering: Mapping[str, Answering]) -> None:
        self._answering = answering
        self._allowed = ", ".join(sorted({*answering, *(("HEAD",) if "GET" in answering else ())}))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        answer = self._answering.get("GET" if request.method == "HEAD" else request.method)
        if answer is None:
            told = f"This answers to {self._allowed}."
            raise Problem("method-not-allowed", 405, told, headers={"Allow": self._allowed})
        response = await answer(request)
        await response(scope, receive, send)


def _json(found: Any) -> Response:
    # Escaped, so that a lone surrogate of somebody's text can be sent at all.
    return Response(json.dumps(found, allow_nan=False), media_type="application/json")
