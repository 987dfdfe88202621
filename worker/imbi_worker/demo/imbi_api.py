"""A stand-in for Imbi's API on loopback, for the demo, the tests and the benchmarks.

It keeps projects and users in memory, records every request and misbehaves on
demand. Under ``/service`` it also plays the third-party service that the demo
plugin talks to. Two bearer tokens: one for Imbi and the control routes, one for
the service.

Control routes, for a test in another process: ``POST`` and ``DELETE /_faults``,
``POST /_faults/release``, ``GET /_requests``, ``GET /_projects``.
"""

import asyncio
import hmac
import json
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import SecretStr, ValidationError

from imbi_worker.demo.faults import Fault, Faults
from imbi_worker.demo.json_patch import PatchRefused, patched
from imbi_worker.demo.pulse import Pulse
from imbi_worker.identity.api import HANDLER_HEADER

CONTROL: Final = "/_"
SERVICE: Final = "/service"
REMEMBERED_REQUESTS: Final = 100_000
LARGEST_BODY_BYTES: Final = 32 * 1024 * 1024
_STOP_SECONDS: Final = 1.0


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


class ImbiApi:
    """The stand-in as an async context manager: ``async with ImbiApi(...) as api``.

    *projects* (by organization and id) and *users* (emails by plugin slug and
    subject) are the state, free to read and to change; *in_hand* is how many
    requests have arrived and are not answered yet.
    """

    def __init__(
        self,
        *,
        token: SecretStr,
        service_token: SecretStr | None = None,
        port: int = 0,
        remembered: int = REMEMBERED_REQUESTS,
    ) -> None:
        self.projects: dict[tuple[str, str], dict[str, Any]] = {}
        self.users: dict[tuple[str, str], str] = {}
        self.faults = Faults()
        self.in_hand = 0
        self._token = token
        self._service_token = service_token or token
        self._port = port
        self._records: deque[RecordedRequest] = deque(maxlen=remembered)
        self._numbers = count(1)
        self._changed = Pulse()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The address, known once started."""
        if self._runner is None:
            raise RuntimeError("the stand-in API is not started")
        host, port, *_ = self._runner.addresses[0]
        return f"http://{host}:{port}"

    @property
    def service_endpoint(self) -> str:
        """The address of the third-party service, for a plugin's ``service_endpoint``."""
        return self.url + SERVICE

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        """What was answered so far, in the order of arrival, control routes left out."""
        return tuple(sorted(self._records, key=lambda record: record.number))

    async def until(
        self, condition: Callable[[], bool], *, within: timedelta = timedelta(seconds=10)
    ) -> None:
        """Wait for *condition*, looked at whenever a request has arrived or was answered.

        Raises `TimeoutError` when it does not come true *within* that time.
        """
        async with asyncio.timeout(within.total_seconds()):
            while not condition():
                await self._changed.wait()

    def add_project(self, org_slug: str, project_id: str, **fields: Any) -> None:
        self.projects[org_slug, project_id] = {"id": project_id, **fields}

    async def start(self) -> None:
        app = web.Application(middlewares=[self._answer], client_max_size=LARGEST_BODY_BYTES)
        app.add_routes(self._routes())
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_STOP_SECONDS)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self._port).start()
        self._runner = runner

    async def stop(self) -> None:
        """Let hanging requests go and close the port. Idempotent."""
        self.faults.clear()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    def _routes(self) -> list[web.RouteDef]:
        project = "/organizations/{org_slug}/projects/{project_id}"
        return [
            web.get(project, self._get_project),
            web.patch(project, self._patch_project),
            web.get("/users/by-identity", self._get_user),
            web.post(SERVICE + "/{what:.+}", self._accept),
            web.post("/_faults", self._post_fault),
            web.delete("/_faults", self._delete_faults),
            web.post("/_faults/release", self._release_faults),
            web.get("/_requests", self._get_requests),
            web.get("/_projects", self._get_projects),
        ]

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not self._is_authorized(request):
            return _refusal(401, "the bearer token is wrong or missing")
        if request.path.startswith(CONTROL):
            return await handler(request)
        number, at = next(self._numbers), datetime.now(UTC)
        body = _parsed(await request.read())
        project_id = request.match_info.get("project_id") or _named_project(body)
        self.in_hand += 1
        self._changed.beat()
        try:
            response = await self._faulted(request, project_id) or await _answered(handler, request)
        finally:
            self.in_hand -= 1
        self._records.append(
            RecordedRequest(
                number=number,
                at=at,
                peer=_port(request),
                method=request.method,
                path=request.path,
                project_id=project_id,
                handler=request.headers.get(HANDLER_HEADER),
                body=body,
                status=response.status,
            )
        )
        self._changed.beat()
        return response

    def _is_authorized(self, request: web.Request) -> bool:
        is_service = request.path.startswith(SERVICE + "/")
        token = self._service_token if is_service else self._token
        expected = f"Bearer {token.get_secret_value()}".encode()
        given = request.headers.get("Authorization", "").encode(errors="surrogateescape")
        return hmac.compare_digest(given, expected)

    async def _faulted(
        self, request: web.Request, project_id: str | None
    ) -> web.StreamResponse | None:
        fault = self.faults.take(request.path, project_id)
        if fault is None:
            return None
        if fault.kind == "hang":
            await self.faults.released()
            return None
        response = _refusal(fault.status, "a fault was asked for")
        if fault.retry_after is not None:
            response.headers["Retry-After"] = f"{fault.retry_after:g}"
        if fault.location is not None:
            response.headers["Location"] = fault.location
        return response

    def _project(self, request: web.Request) -> tuple[tuple[str, str], dict[str, Any]]:
        key = (request.match_info["org_slug"], request.match_info["project_id"])
        if key not in self.projects:
            raise web.HTTPNotFound(text="no such project")
        return key, self.projects[key]

    async def _get_project(self, request: web.Request) -> web.Response:
        _, project = self._project(request)
        return web.json_response(project)

    async def _patch_project(self, request: web.Request) -> web.Response:
        key, project = self._project(request)
        # Imbi reads the body as JSON whatever patch type it is called; sonarqube sends plain JSON.
        if request.content_type not in {"application/json-patch+json", "application/json"}:
            return _refusal(415, "send application/json-patch+json")
        try:
            self.projects[key] = patched(project, _parsed(await request.read()))
        except PatchRefused as refused:
            return _refusal(422, str(refused))
        return web.json_response(self.projects[key])

    async def _get_user(self, request: web.Request) -> web.Response:
        key = (request.query.get("plugin_slug", ""), request.query.get("subject", ""))
        email = self.users.get(key)
        if email is None:
            return _refusal(404, "no such user")
        return web.json_response({"email": email})

    async def _accept(self, _request: web.Request) -> web.Response:
        return web.json_response({"accepted": True}, status=202)

    async def _post_fault(self, request: web.Request) -> web.Response:
        try:
            self.faults.add(Fault.model_validate_json(await request.read()))
        except ValidationError as error:
            return _refusal(422, str(error))
        return web.Response(status=204)

    async def _delete_faults(self, _request: web.Request) -> web.Response:
        self.faults.clear()
        return web.Response(status=204)

    async def _release_faults(self, _request: web.Request) -> web.Response:
        self.faults.release()
        return web.Response(status=204)

    async def _get_requests(self, request: web.Request) -> web.Response:
        wanted = request.query.get("project_id")
        records = [asdict(one) for one in self.requests if wanted in {None, one.project_id}]
        return web.json_response(records, dumps=lambda data: json.dumps(data, default=str))

    async def _get_projects(self, _request: web.Request) -> web.Response:
        return web.json_response(list(self.projects.values()))


async def _answered(handler: Handler, request: web.Request) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _refusal(error.status, error.text or error.reason)


def _refusal(status: int, detail: str) -> web.Response:
    return web.json_response({"detail": detail}, status=status)


def _port(request: web.Request) -> int:
    peer = request.get_extra_info("peername")
    # A client that has gone away has no address any more.
    return int(peer[1]) if peer else 0


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None


def _named_project(body: Any) -> str | None:
    named = body.get("project_id") if isinstance(body, dict) else None
    return named if isinstance(named, str) else None
