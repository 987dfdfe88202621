"""The ASGI application: routes, and what holds for every answer."""

from typing import Final

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from imbi_worker.dashboard import problems
from imbi_worker.dashboard.access import Access
from imbi_worker.dashboard.address import is_known_name
from imbi_worker.dashboard.api import Api
from imbi_worker.dashboard.catalogue import ENDPOINTS, TAILS
from imbi_worker.dashboard.desk import Desk
from imbi_worker.dashboard.openapi import PREFIX
from imbi_worker.dashboard.pages import Pages, trouble
from imbi_worker.dashboard.problems import Problem
from imbi_worker.operations.errors import OperationError, operation_errors
from imbi_worker.queue.inspection.asking import redis_errors

# Nothing of another origin, no script at all; nobody may frame, store or index a page.
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
    "Cache-Control": "no-store",
}


def build(desk: Desk, access: Access) -> Starlette:
    """The API, the pages and the probes at *desk*, for those whom *access* knows."""
    api = Api(desk, access, ENDPOINTS, TAILS)
    pages = Pages(desk, access)
    app = Starlette(
        routes=[*_probes(desk), *api.routes(), *pages.routes()],
        exception_handlers={
            Problem: _on_problem,
            OperationError: _on_operation_error,
            HTTPException: _on_http_error,
            Exception: _on_defect,
        },
    )
    # A path means one thing; a redirect of a change would lose its body.
    app.router.redirect_slashes = False
    app.add_middleware(_ForEveryAnswer, checks_host=access.is_open)
    return app


def _probes(desk: Desk) -> list[Route]:
    async def live(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(_request: Request) -> Response:
        with operation_errors(), redis_errors():
            await desk.inspection.redis.ping()
        return PlainTextResponse("ok\n")

    return [Route("/livez", live), Route("/readyz", ready)]


def _respond(request: Request, problem: Problem) -> Response:
    is_for_people = not request.url.path.startswith(("/api/", "/livez", "/readyz"))
    return trouble.problem_page(request, problem) if is_for_people else problems.response(problem)


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - Starlette looked it up by its class
    return _respond(request, error)


async def _on_operation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, OperationError)  # noqa: S101 - Starlette looked it up by its class
    return _respond(request, problems.of_operation(error))


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - Starlette looked it up by its class
    kind = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "invalid-input")
    told = "There is no such page." if kind == "not-found" else f"{error.detail}."
    hint = f"The API is described at {PREFIX}/openapi.json." if kind == "not-found" else ""
    return _respond(request, Problem(kind, error.status_code, told, hint, error.headers))


async def _on_defect(request: Request, error: Exception) -> Response:
    # The server logs the error itself; its text may hold anything and goes to nobody.
    told = f"The dashboard failed ({type(error).__name__}); its log says more."
    return _respond(request, Problem("defect", 500, told, "Please report it."))


class _ForEveryAnswer:
    """Headers that keep browsers strict; refuses names of others while there is no token."""

    def __init__(self, app: ASGIApp, *, checks_host: bool) -> None:
        self._app = app
        self._checks_host = checks_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_strictly(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        if self._checks_host and not is_known_name(Headers(scope=scope).get("host")):
            told = "Without tokens only this machine is served, under its own names."
            hint = "Ask at 127.0.0.1 or localhost, or make a token with `imbi-worker tokens new`."
            refusal = problems.response(Problem("unknown-host", 421, told, hint))
            await refusal(scope, receive, send_strictly)
            return
        await self._app(scope, receive, send_strictly)
