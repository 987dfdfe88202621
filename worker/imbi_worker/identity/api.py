"""A JSON API behind a bearer token: Imbi's, and whatever speaks like it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import quote

import aiohttp
from pydantic import SecretStr
from yarl import URL

from imbi_sdk.errors import ConfigurationError, PermanentError, UpstreamError
from imbi_sdk.responses import raise_for_status
from imbi_worker.identity.sessions import Sessions

IMBI_URL: Final = "ACTIONS_IMBI_URL"
IMBI_TOKEN: Final = "ACTIONS_IMBI_TOKEN"  # noqa: S105 - the variable's name, not its value
DEFAULT_IMBI_URL: Final = "http://imbi-api:8000"
HANDLER_HEADER: Final = "X-Imbi-Handler"
JSON_PATCH: Final = "application/json-patch+json"

_FIRST_REDIRECT, _FIRST_ERROR = 300, 400


@dataclass(frozen=True, slots=True)
class ApiAddress:
    """Where an API is and how to prove oneself to it.

    *url_name* and *token_name* are what errors call the two: the setting that
    an operator has to put right. Errors never show a value.
    """

    url: str
    token: SecretStr
    url_name: str = IMBI_URL
    token_name: str = IMBI_TOKEN

    def __post_init__(self) -> None:
        if not _is_base_url(self.url):
            raise ConfigurationError(
                f"{self.url_name} must be http(s)://host[:port][/path] "
                "without credentials, query or fragment"
            )
        token = self.token.get_secret_value()
        if not token:
            raise ConfigurationError(f"{self.token_name} is not set: without it every call fails")
        if not (token.isascii() and token.isprintable() and " " not in token):
            raise ConfigurationError(
                f"{self.token_name} has spaces or characters no header can carry"
            )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Imbi's own API, as its other services find it."""
        url = environment.get(IMBI_URL, "").strip() or DEFAULT_IMBI_URL
        return cls(url, SecretStr(environment.get(IMBI_TOKEN, "").strip()))


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, wholly read; `imbi_sdk.responses.raise_for_status` understands it."""

    method: str
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body's value. Raises `UpstreamError` if it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            pass
        raise UpstreamError(f"{self.method} {self.url} answered {self.status} with no JSON")


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
        raise_for_status(reply)

    async def post(self, *path: str, body: Any, handler: str | None = None) -> None:
        reply = await self.send("POST", *path, body=body, handler=handler)
        raise_for_status(reply)

    async def send(
        self,
        method: str,
        *path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        handler: str | None = None,
    ) -> Reply:
        """Make one request and give its answer, whatever 2xx, 4xx or 5xx it is.

        Each part of *path* is one segment and stays one, whatever it contains.
        Raises `UpstreamError` when the answer does not come or takes too long, and
        `ConfigurationError` on a redirect: followed, it would carry the token
        to an address nobody configured.
        """
        url = self._url(path)
        headers = {}
        if handler is not None:
            headers[HANDLER_HEADER] = handler
        data = None
        if body is not None:
            headers["Content-Type"] = content_type
            data = _written(body)
        reply = await self._exchange(method, url, headers=headers, query=query, data=data)
        if _FIRST_REDIRECT <= reply.status < _FIRST_ERROR:
            raise ConfigurationError(
                f"{method} {url} answered with a redirect ({reply.status}), which is not "
                f"followed: set {self._address.url_name} to the final address"
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
    ) -> Reply:
        try:
            async with self._sessions.current().request(
                method,
                URL(url, encoded=True),
                params=query,
                data=data,
                headers=self._authorized(headers),
                allow_redirects=False,
            ) as response:
                return Reply(method, url, response.status, response.headers, await response.read())
        except (aiohttp.ClientError, OSError) as error:
            problem = self._problem(error)
        # Raised out here, with no context: aiohttp's errors keep the request's
        # headers, and with them the token.
        raise UpstreamError(f"{method} {url}: {problem}")

    def _authorized(self, headers: Mapping[str, str]) -> dict[str, str]:
        # Made in the call itself: no frame of ours has the token among its locals.
        return {**headers, "Authorization": f"Bearer {self._address.token.get_secret_value()}"}

    def _problem(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"no answer within {self._sessions.phase.total_seconds():g} s"
        return f"no usable answer ({type(error).__name__})"

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


def _is_base_url(text: str) -> bool:
    try:
        url = URL(text)
    except ValueError:
        return False
    is_plain = url.user is None and url.password is None
    return (
        url.scheme in {"http", "https"}
        and bool(url.host)
        and is_plain
        and not ("?" in text or "#" in text)
    )
