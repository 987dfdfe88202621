"""Who, in Imbi, is the user that a third-party service knows by a subject."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from imbi_sdk.context import UserResolver
from imbi_sdk.errors import UpstreamError
from imbi_worker.identity.address import ApiAddress
from imbi_worker.identity.api import ApiClient
from imbi_worker.identity.reply import Reply
from imbi_worker.identity.sessions import Sessions

LOGGER = logging.getLogger(__name__)

FOUND_SECONDS: Final = 300.0
# Short: somebody who has just connected an account expects to be seen.
UNKNOWN_SECONDS: Final = 30.0
CACHE_SIZE: Final = 8192

_Key: TypeAlias = tuple[str, str]
_NOT_FOUND, _FIRST_ERROR, _FIRST_SERVER_ERROR = 404, 400, 500
_FOR_NOW: Final = frozenset({408, 425, 429})


class ImbiIdentity:
    """Resolves subjects to users' emails through Imbi's API, with a small cache.

    A user nobody knows is ``None``. When Imbi is away or busy the lookup raises
    `UpstreamError`, so that the job runs again and its work gets its author;
    a 429 does so too, because a rest until then is Imbi's wish and must not hold
    the integration that the action belongs to. A plain refusal (401, 403, ...)
    would stay one at every attempt: it is logged and gives ``None``, as in Imbi's
    gateway, since an author is no reason to lose the work.
    """

    def __init__(
        self,
        address: ApiAddress,
        sessions: Sessions,
        *,
        clock: Callable[[], float] = time.monotonic,
        cache_size: int = CACHE_SIZE,
    ) -> None:
        self._client = ApiClient(address, sessions)
        self._clock = clock
        self._cache_size = cache_size
        self._known: dict[_Key, tuple[str | None, float]] = {}
        self._asking: dict[_Key, asyncio.Task[str | None]] = {}

    def resolver(self, plugin_slugs: Sequence[str]) -> UserResolver:
        """What `PluginContext.resolve_user_by_identity` calls.

        Each of the identity plugins *plugin_slugs* is asked; if they name two
        different users, nobody is named.
        """

        async def resolve(subject: str) -> str | None:
            if not subject:
                return None
            found = {await self.find(slug, subject) for slug in dict.fromkeys(plugin_slugs)}
            emails = found - {None}
            return emails.pop() if len(emails) == 1 else None

        return resolve

    async def find(self, plugin_slug: str, subject: str) -> str | None:
        """The email of the user whom *plugin_slug* knows as *subject*.

        Who asks while somebody else does gets the same answer, or the same error.
        """
        key = (plugin_slug, subject)
        email, expires_at = self._known.get(key, (None, 0.0))
        if self._clock() < expires_at:
            return email
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(self._ask(key))
            asking.add_done_callback(lambda _: self._asking.pop(key, None))
            # Should all who asked have gone, nobody is left to hear of a failure.
            asking.add_done_callback(lambda done: done.cancelled() or done.exception())
        # Not cancelled with one of those who wait for it.
        return await asyncio.shield(asking)

    async def _ask(self, key: _Key) -> str | None:
        plugin_slug, subject = key
        reply = await self._client.send(
            "GET",
            "users",
            "by-identity",
            query={"plugin_slug": plugin_slug, "subject": subject},
        )
        if _is_refusal(reply):
            LOGGER.warning("Imbi refused to look up a user of %s (%d)", plugin_slug, reply.status)
            return None
        email = _email(reply)
        self._remember(key, email)
        return email

    def _remember(self, key: _Key, email: str | None) -> None:
        self._known.pop(key, None)
        if len(self._known) >= self._cache_size:
            # A dict keeps the order of insertion: the first key is the oldest.
            del self._known[next(iter(self._known))]
        lasts = UNKNOWN_SECONDS if email is None else FOUND_SECONDS
        self._known[key] = (email, self._clock() + lasts)


def _is_refusal(reply: Reply) -> bool:
    is_client_error = _FIRST_ERROR <= reply.status < _FIRST_SERVER_ERROR
    return is_client_error and reply.status != _NOT_FOUND and reply.status not in _FOR_NOW


def _email(reply: Reply) -> str | None:
    if reply.status == _NOT_FOUND:
        return None
    if reply.status >= _FIRST_ERROR:
        raise UpstreamError(f"{reply.method} {reply.url} answered {reply.status}")
    user = reply.json()
    email = user.get("email") if isinstance(user, dict) else None
    if email is not None and not isinstance(email, str):
        raise UpstreamError(f"{reply.method} {reply.url} answered with no email of a user")
    return email or None
