"""A JSON API behind a bearer token: Imbi's, and whatever speaks like it."""

import io
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from yarl import URL

from imbi_sdk.errors import (
    ConfigurationError,
    PermanentError,
    PluginAuthenticationFailed,
    UpstreamError,
)
from imbi_sdk.responses import raise_for_status
from imbi_worker.identity.address import ApiAddress
from imbi_worker.identity.client_span import calling
from imbi_worker.identity.reply import Reply, Unanswered, read
from imbi_worker.identity.sessions import Sessions

HANDLER_HEADER: Final = "X-Imbi-Handler"
JSON_PATCH: Final = "application/json-patch+json"

_FIRST_REDIRECT, _FIRST_ERROR, _UNAUTHORIZED = 300, 400, 401
# What fails before a byte of the request is sent.
_NOT_SENT: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
# aiohttp writes a longer body in one go; from a file it takes piece by piece.
_ONE_GO_BYTES: Final = 512 * 1024


class ApiClient:
    """Calls one API over the sessions of the worker.

    Errors come by kind, as `imbi_sdk.errors` draws them, and name method, host
    and path only.
    """

    def __init__(self, address: ApiAddress, sessions: Sessions) -> None:
        self._address = address
        self._sessions = sessions

    async def patch(
        self, *path: str, operations: list[dict[str, Any]], handler: str | None = None
    ) -> None:
        """Send one JSON Patch (RFC 6902)."""
        reply = await self.send(
            "PATCH", *path, body=operations, content_type=JSON_PATCH, handler=handler
        )
        self.check(reply)

    async def post(self, *path: str, body: Any, handler: str | None = None) -> None:
        reply = await self.send("POST", *path, body=body, handler=handler)
        self.check(reply)

    def check(self, reply: Reply) -> None:
        """Raise by kind what is no success, as `raise_for_status` does, with a hint at a 401."""
        if reply.status == _UNAUTHORIZED:
            raise PluginAuthenticationFailed(
                f"{reply.method} {reply.url} answered 401: it refuses "
                f"{self._address.token_name}; set it to a token that is valid, then replay"
            )
        raise_for_status(reply)

    async def send(
        self,
        method: str,
        *path: str,
        is_collection: bool = False,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        handler: str | None = None,
        within: timedelta | None = None,
    ) -> Reply:
        """Make one request and give its answer, whatever 2xx, 4xx or 5xx it is.

        Each part of *path* is one segment and stays one, whatever it contains; the
        path of a collection ends in a slash. A *body* of bytes is sent as it is.
        *within* takes the place of both limits of the sessions.

        Raises `UpstreamError` when the answer does not come, takes too long or is a
        web page, and `ConfigurationError` on a redirect: followed, it would carry
        the token to an address nobody configured.
        """
        url = self._url(path) + ("/" if is_collection else "")
        headers = {}
        if handler is not None:
            headers[HANDLER_HEADER] = handler
        data = None
        if body is not None:
            headers["Content-Type"] = content_type
            data = body if isinstance(body, bytes) else _written(body)
        reply = await self._exchange(
            method, url, headers=headers, query=query, data=data, within=within
        )
        if _FIRST_REDIRECT <= reply.status < _FIRST_ERROR:
            raise ConfigurationError(
                f"{method} {url} answered with a redirect ({reply.status}), which is not "
                f"followed: set {self._address.url_name} to the final address"
            )
        if reply.status < _FIRST_REDIRECT and reply.is_html:
            raise UpstreamError(
                f"{method} {url} answered {reply.status} with a web page: is "
                f"{self._address.url_name} the address of the API?"
            )
        return reply

    async def _exchange(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str],
        query: Mapping[str, str] | None,
        data: bytes | None,
        within: timedelta | None,
    ) -> Reply:
        is_long = data is not None and len(data) > _ONE_GO_BYTES
        try:
            with calling(method, url) as call:
                async with self._sessions.current().request(
                    method,
                    URL(url, encoded=True),
                    params=query,
                    data=io.BytesIO(data) if data is not None and is_long else data,
                    headers=self._authorized({**headers, **call.headers}),
                    allow_redirects=False,
                    timeout=self._sessions.timeout(within),
                ) as response:
                    call.answered(response.status)
                    body = await read(response)
                    return Reply(method, url, response.status, response.headers, body)
        except (aiohttp.ClientError, OSError) as error:
            failure = self._failure(f"{method} {url}", error, within)
        except PermanentError as error:
            failure = PermanentError(f"{method} {url}: {error}")
        # Raised out here, with no context: aiohttp's errors keep the request's
        # headers, and with them the token.
        raise failure

    def _authorized(self, headers: Mapping[str, str]) -> dict[str, str]:
        # Made in the call itself: no frame of ours has the token among its locals.
        return {**headers, "Authorization": f"Bearer {self._address.token.get_secret_value()}"}

    def _failure(self, request: str, error: Exception, within: timedelta | None) -> Exception:
        if isinstance(error, _NOT_SENT):
            return UpstreamError(f"{request}: no connection ({type(error).__name__})")
        if isinstance(error, aiohttp.ServerTimeoutError):
            phase = within or self._sessions.phase
            return Unanswered(f"{request}: no answer within {phase.total_seconds():g} s")
        if isinstance(error, TimeoutError):
            whole = within or self._sessions.whole
            return Unanswered(f"{request}: no whole answer within {whole.total_seconds():g} s")
        return Unanswered(f"{request}: no usable answer ({type(error).__name__})")

    def _url(self, path: tuple[str, ...]) -> str:
        for segment in path:
            # Encoded or not, a dot segment climbs up the path it stands in.
            if segment in {"", ".", ".."}:
                raise PermanentError(f"{segment!r} cannot stand in a path")
        segments = (quote(segment, safe="") for segment in path)
        return "/".join([self._address.url.rstrip("/"), *segments])


def _written(body: Any) -> bytes:
    try:
        return json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
    except ValueError:
        pass
    # Python reads 1e999 as infinity, which JSON cannot write.
    raise PermanentError("a number in the request's body is too large for JSON")
