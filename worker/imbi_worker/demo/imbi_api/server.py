"""The stand-in's server: who may ask, what is recorded, which fault strikes."""

import asyncio
import hmac
import json
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import count
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import SecretStr, ValidationError

from imbi_worker.demo.imbi_api.faults import Fault, Faults
from imbi_worker.demo.imbi_api.misbehaviour import misbehave
from imbi_worker.demo.imbi_api.projects import Projects
from imbi_worker.demo.imbi_api.releases import Release, Releases
from imbi_worker.demo.imbi_api.requests import (
    RecordedRequest,
    parsed,
    port,
    project_of,
    refusal,
)
from imbi_worker.demo.pulse import Pulse
from imbi_worker.identity.api import HANDLER_HEADER

CONTROL: Final = "/_"
SERVICE: Final = "/service"
REMEMBERED_REQUESTS: Final = 100_000
LARGEST_BODY_BYTES: Final = 32 * 1024 * 1024
_STOP_SECONDS: Final = 1.0


class ImbiApi:
    """The stand-in as an async context manager: ``async with ImbiApi(...) as api``.

    *projects* (by organization and id) and *users* (emails by plugin slug and
    subject) are the state, free to read and to change; *in_hand* is how many
    requests have arrived and are not answered yet, *answered* how many are.
    """

    def __init__(
        self,
        *,
        token: SecretStr,
        service_token: SecretStr | None = None,
        port: int = 0,
        remembered: int = REMEMBERED_REQUESTS,
    ) -> None:
        self.users: dict[tuple[str, str], str] = {}
        self.faults = Faults()
        self.in_hand = 0
        self.answered = 0
        self._projects = Projects()
        self._releases = Releases(self._projects)
        self._token = token
        self._service_token = service_token or token
        self._port = port
        self._records: deque[RecordedRequest] = deque(maxlen=remembered)
        self._numbers = count(1)
        self._changed = Pulse()
        self._runner: web.AppRunner | None = None

    @property
    def projects(self) -> dict[tuple[str, str], dict[str, Any]]:
        return self._projects.kept

    def releases(self, org_slug: str, project_id: str) -> list[Release]:
        """The releases of a project in the order of their creation; the list itself, not a copy."""
        return self._releases.kept[org_slug, project_id]

    @property
    def url(self) -> str:
        """The address, known once started."""
        if self._runner is None:
            raise RuntimeError("the stand-in API is not started")
        host, number, *_ = self._runner.addresses[0]
        return f"http://{host}:{number}"

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
        app.add_routes([*self._projects.routes(), *self._releases.routes(), *self._routes()])
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
        return [
            web.get("/users/by-identity", self._get_user),
            web.post(SERVICE + "/{what:.+}", self._accept),
            web.post("/_faults", self._post_fault),
            web.delete("/_faults", self._delete_faults),
            web.post("/_faults/release", self._release_faults),
            web.get("/_requests", self._get_requests),
        ]

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not self._is_authorized(request):
            return refusal(401, "the bearer token is wrong or missing")
        if request.path.startswith(CONTROL):
            return await handler(request)
        number, at = next(self._numbers), datetime.now(UTC)
        body = parsed(await request.read())
        project_id = project_of(request, body)
        self.in_hand += 1
        self._changed.beat()
        try:
            response = await self._response(request, handler, project_id)
        finally:
            self.in_hand -= 1
        self.answered += 1
        self._records.append(
            RecordedRequest(
                number=number,
                at=at,
                peer=port(request),
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

    async def _response(
        self, request: web.Request, handler: Handler, project_id: str | None
    ) -> web.StreamResponse:
        async def answer() -> web.StreamResponse:
            try:
                return await handler(request)
            except web.HTTPException as error:
                return refusal(error.status, error.text or error.reason)

        fault = self.faults.take(request.method, request.path, project_id)
        if fault is None:
            return await answer()
        return await misbehave(fault, self.faults, request, answer)

    def _is_authorized(self, request: web.Request) -> bool:
        is_service = request.path.startswith(SERVICE + "/")
        token = self._service_token if is_service else self._token
        expected = f"Bearer {token.get_secret_value()}".encode()
        given = request.headers.get("Authorization", "").encode(errors="surrogateescape")
        return hmac.compare_digest(given, expected)

    async def _get_user(self, request: web.Request) -> web.Response:
        key = (request.query.get("plugin_slug", ""), request.query.get("subject", ""))
        email = self.users.get(key)
        if email is None:
            return refusal(404, "no such user")
        return web.json_response({"email": email})

    async def _accept(self, _request: web.Request) -> web.Response:
        return web.json_response({"accepted": True}, status=202)

    async def _post_fault(self, request: web.Request) -> web.Response:
        try:
            self.faults.add(Fault.model_validate_json(await request.read()))
        except ValidationError as error:
            return refusal(422, str(error))
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
