"""The releases of one project in Imbi's API."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

from imbi_sdk.context import PluginContext
from imbi_sdk.errors import PermanentError, Skip, UpstreamError
from imbi_worker import builtin, identity

# What a proxy says when Imbi itself may have got the request.
_LOST_ON_THE_WAY: Final = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})
# Imbi takes an SBoM of many MB apart before it answers.
_SBOM_WITHIN: Final = timedelta(seconds=120)
# An SBoM is an object of long lists: their elements are written one by one.
_PIECES_DOWN_TO: Final = 2


class Releases:
    """Asks Imbi's API on behalf of *handler*; errors come by kind, as of `ApiClient`."""

    def __init__(self, ctx: PluginContext, handler: str) -> None:
        self._client = builtin.imbi_client()
        self._project = ("organizations", ctx.org_slug, "projects", ctx.project_id)
        self._handler = handler

    async def create(self, body: Mapping[str, Any]) -> str | None:
        """The id of the new release; None when there is such a one already (409)."""
        reply = await self._send("POST", "releases", is_collection=True, body=dict(body))
        if reply.status == HTTPStatus.CONFLICT:
            return None
        self._client.check(reply)
        return _id(reply, reply.json())

    async def find(self, *, committish: str | None = None, tag: str | None = None) -> str | None:
        """The id of the first release with that committish and tag, if there is one."""
        query = {"committish": committish, "tag": tag}
        given = {name: value for name, value in query.items() if value is not None}
        reply = await self._send("GET", "releases", is_collection=True, query=given)
        self._client.check(reply)
        found = reply.json()
        if not isinstance(found, list):
            raise UpstreamError(f"{reply.method} {reply.url} answered with no list of releases")
        return _id(reply, found[0]) if found else None

    async def record_deployment(
        self, release_id: str, environment: str, body: Mapping[str, Any]
    ) -> None:
        """Write what happened to the release in *environment*.

        :raises UpstreamError: Imbi does not know the one or the other yet
        :raises Unanswered: a proxy has lost the answer; nobody knows whether it is written
        """
        path = ("releases", release_id, "environments", environment)
        reply = await self._send("POST", *path, body=dict(body))
        if reply.status == HTTPStatus.NOT_FOUND:
            raise UpstreamError(
                f"{reply.method} {reply.url} answered 404: the release is gone or the "
                "environment is not known yet"
            )
        if reply.status in _LOST_ON_THE_WAY:
            raise identity.Unanswered(f"{reply.method} {reply.url} answered {reply.status}")
        self._client.check(reply)

    async def put_sbom(self, release_id: str, document: dict[str, Any]) -> None:
        """Replace the SBoM of the release.

        :raises PermanentError: it holds a number that JSON has no word for
        """
        body = await asyncio.to_thread(_written, document)
        path = ("releases", release_id, "sbom")
        reply = await self._send("PUT", *path, body=body, within=_SBOM_WITHIN)
        self._client.check(reply)

    async def publish(self, tag: str, *, is_prerelease: bool) -> None:
        """Publish the release of *tag*; harmless when it is published already.

        :raises UpstreamError: Imbi has no such release yet
        :raises Skip: somebody has blocked it
        """
        path = ("deployments", "releases", tag, "publish")
        reply = await self._send("POST", *path, body={"prerelease": is_prerelease})
        if reply.status == HTTPStatus.NOT_FOUND:
            raise UpstreamError(f"Imbi has no release with the tag {tag!r} yet")
        if reply.status == HTTPStatus.CONFLICT:
            raise Skip(f"the release {tag!r} is blocked in Imbi and was not published")
        self._client.check(reply)

    async def _send(self, method: str, *path: str, **request: Any) -> "identity.Reply":
        """As `ApiClient.send`, below the project's path."""
        return await self._client.send(
            method, *self._project, *path, handler=self._handler, **request
        )


def _id(reply: "identity.Reply", release: Any) -> str:
    found = release.get("id") if isinstance(release, dict) else None
    if not (isinstance(found, str) and found):
        raise UpstreamError(f"{reply.method} {reply.url} answered with a release that has no id")
    return found


def _written(document: dict[str, Any]) -> bytes:
    try:
        return "".join(_pieces(document, _PIECES_DOWN_TO)).encode()
    except ValueError:
        pass
    raise PermanentError("the SBoM has a number that JSON has no word for: NaN, or beyond a double")


def _pieces(value: Any, levels: int) -> Iterator[str]:
    """JSON text in pieces: in one go the event loop would stand still for 300 ms of 20 MB."""
    if levels and isinstance(value, dict):
        for number, (name, member) in enumerate(value.items()):
            yield f"{',' if number else '{'}{json.dumps(name)}:"
            yield from _pieces(member, levels - 1)
        yield "}" if value else "{}"
    elif levels and isinstance(value, list):
        for number, element in enumerate(value):
            yield "," if number else "["
            yield from _pieces(element, levels - 1)
        yield "]" if value else "[]"
    else:
        yield json.dumps(value, separators=(",", ":"), allow_nan=False)
