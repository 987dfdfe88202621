"""A plugin that says every secret it gets hold of, in every way a plugin might by accident.

`LEAKS` names the ways; a rule's config picks one.
"""

import asyncio
import base64
import json
import logging
import os
import sys
import textwrap
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any, ClassVar
from urllib.parse import quote, quote_plus

import aiohttp
import structlog
from multidict import CIMultiDict, CIMultiDictProxy
from opentelemetry import trace
from pydantic import BaseModel
from yarl import URL

from imbi_sdk.errors import (
    PermanentError,
    PluginAuthenticationFailed,
    RetryableError,
    Skip,
)
from imbi_sdk.manifest import CredentialField, PluginManifest
from imbi_sdk.webhook import ActionDescriptor, WebhookActionPlugin

_LOG = logging.getLogger("leaky")
_SECRET_VARIABLES = ("REDIS_URL", "NEO4J_PASSWORD", "IMBI_WORKER_SIGNING_KEY", "ACTIONS_IMBI_TOKEN")


class Config(BaseModel):
    """*api_token* is a secret that somebody wrote into a rule."""

    way: str = "nothing"
    of: str = "config"
    api_token: str = ""


class Numbers(BaseModel):
    one: int = 1
    many: dict[int, int] = {}


class Told:
    """What an action was told; its repr tells it on."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def __repr__(self) -> str:
        return f"Told({self.secret!r})"


class HttpStatusError(Exception):
    """As httpx has it: the response hangs on the error, and the request on the response."""

    def __init__(self, secret: str) -> None:
        super().__init__(
            f"Client error '401 Unauthorized' for url 'https://api.example/x?key={quote(secret)}'"
            f"\nAuthorization: Basic {_basic(secret)}"
        )
        self.response = self
        self.status_code = 503
        self.headers = {"set-cookie": secret, "retry-after": secret}


def _basic(secret: str) -> str:
    return base64.b64encode(f"user:{secret}".encode()).decode()


def _raised(error: BaseException) -> None:
    raise error


def _valid(model: type[BaseModel], given: dict[str, Any]) -> None:
    model.model_validate(given)


def _from_cause(secret: str) -> None:
    try:
        _raised(KeyError(secret))
    except KeyError as error:
        raise PermanentError("could not") from error


def _in_context(secret: str) -> None:
    try:
        _raised(KeyError(secret))
    except KeyError:
        raise RuntimeError("could not either")  # noqa: B904 - the context is the point


def _with_note(secret: str) -> None:
    error = ValueError("noted")
    error.add_note(secret)
    _LOG.error("noted", exc_info=error)
    raise error


def _client_response(secret: str) -> None:
    headers = CIMultiDictProxy(CIMultiDict({"Authorization": f"Bearer {secret}"}))
    address = URL("https://api.example/x").with_query(token=secret)
    about = aiohttp.RequestInfo(address, "GET", headers, address)
    raise aiohttp.ClientResponseError(about, (), status=403, message=repr(headers), headers=headers)


def _logged(secret: str) -> None:
    _LOG.info("token %s", secret, extra={"token": secret, "told": Told(secret), "hint": secret})
    _LOG.warning({"token": secret, "odd": Told(secret)})
    _LOG.warning("%s %d", secret, secret)
    structlog.get_logger("leaky").warning(secret, told=Told(secret), many=[secret], a={secret: 1})
    structlog.get_logger("leaky").warning("as a name", **{secret: 1})
    try:
        _raised(RuntimeError(secret))
    except RuntimeError:
        _LOG.exception("failed")
        structlog.get_logger("leaky").exception("failed")
    logging.getLogger("arq.worker").info("args %s", secret)
    logging.getLogger("neo4j").warning("params %s", secret)


def _printed(secret: str) -> None:
    print(secret)  # noqa: T201 - what authors do
    print(secret, file=sys.stderr)  # noqa: T201 - what authors do
    sys.stdout.write(f"half a line {secret}")
    sys.stdout.flush()


def _warned(secret: str) -> None:
    warnings.warn(secret, stacklevel=1)


def _in_a_thread(secret: str) -> None:
    def fail() -> None:
        raise RuntimeError(secret)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()


class _Unraisable:
    def __init__(self, secret: str) -> None:
        self.secret = secret

    def __del__(self) -> None:
        raise RuntimeError(self.secret)


def _unraisable(secret: str) -> None:
    _Unraisable(secret)


_LATER: set[asyncio.Task[None]] = set()


def _later(secret: str) -> None:
    async def tell() -> None:
        await asyncio.sleep(0.3)
        _LOG.warning("later: %s", secret)
        raise RuntimeError(secret)

    task = asyncio.create_task(tell())
    _LATER.add(task)
    task.add_done_callback(_LATER.discard)


def _traced(secret: str) -> None:
    here = trace.get_current_span()
    here.set_attribute("leaky.token", secret)
    here.set_attribute("leaky.tokens", [secret])
    here.add_event("told", {"token": secret})
    with trace.get_tracer("leaky").start_as_current_span(f"GET {quote(secret)}") as span:
        span.set_attribute("url.full", f"https://api.example/?token={quote(secret)}")
        raise RuntimeError(secret)


def _all_said(secret: str) -> None:
    for way in (_logged, _printed, _warned, _in_a_thread, _unraisable):
        way(secret)


def _environment(_: str) -> None:
    for name in _SECRET_VARIABLES:
        value = os.environ.get(name, "")
        _LOG.warning("the value: %s", value)
        _LOG.warning("a part of it: %s", value.partition("@")[0].rpartition(":")[2])
    _LOG.warning("a key: %s", os.environ.get("IMBI_AUTH_ENCRYPTION_KEY"))
    raise RuntimeError(str(dict(os.environ)))


LEAKS: Mapping[str, Callable[[str], None]] = {
    "nothing": lambda _: None,
    "plain": lambda secret: _raised(RuntimeError(f"bad token {secret}")),
    "bare": lambda secret: _raised(RuntimeError(secret)),
    "repr": lambda secret: _raised(RuntimeError(repr(Told(secret)))),
    "bytes": lambda secret: _raised(RuntimeError(repr(secret.encode()))),
    "url": lambda secret: _raised(
        RuntimeError(
            f"GET https://user:{quote(secret, safe='')}@api.example/?k={quote_plus(secret)}"
        )
    ),
    "base64": lambda secret: _raised(RuntimeError(_basic(secret))),
    "base64 lines": lambda secret: _raised(
        RuntimeError(base64.encodebytes(f"user:{secret * 3}".encode()).decode())
    ),
    "lines": lambda secret: _raised(RuntimeError("\n  ".join(textwrap.wrap(secret, 11)))),
    "one line": lambda secret: _raised(RuntimeError(f"at {secret.splitlines()[-1]}")),
    "json": lambda secret: _raised(RuntimeError(json.dumps({"x": secret}))),
    "json twice": lambda secret: _raised(RuntimeError(json.dumps(json.dumps({"x": secret})))),
    "hex": lambda secret: _raised(RuntimeError(secret.encode().hex())),
    "cause": _from_cause,
    "context": _in_context,
    "note": _with_note,
    "group": lambda secret: _raised(ExceptionGroup(secret, [KeyError(secret)])),
    "validation": lambda secret: _valid(Numbers, {"one": secret}),
    "validation key": lambda secret: _valid(Numbers, {"many": {secret: secret}}),
    "aiohttp": _client_response,
    "httpx": lambda secret: _raised(HttpStatusError(secret)),
    "skip": lambda secret: _raised(Skip(secret)),
    "retry": lambda secret: _raised(RetryableError(secret)),
    "refused": lambda secret: _raised(PluginAuthenticationFailed(secret)),
    "exit": sys.exit,
    "logs": _logged,
    "prints": _printed,
    "warns": _warned,
    "thread": _in_a_thread,
    "unraisable": _unraisable,
    "all said": _all_said,
    "later": _later,
    "spans": _traced,
    "environment": _environment,
}


async def leak(
    *,
    ctx: Any,
    credentials: dict[str, str],
    external_identifier: str,
    action_config: Config,
    event: dict[str, Any],
) -> None:
    """Leak the one secret that the config names, in the way it names."""
    known = {
        **credentials,
        "config": action_config.api_token,
        "header": event["metadata"]["headers"].get("x-api-key", ""),
        "login": event["metadata"]["headers"].get("authorization", ""),
    }
    LEAKS[action_config.way](known[action_config.of])


class Leaky(WebhookActionPlugin):
    manifest: ClassVar[PluginManifest] = PluginManifest(
        slug="leaky",
        name="Leaky",
        plugin_type="webhook",
        credentials=[
            CredentialField(name="api_token", label="Token"),
            CredentialField(name="private_key", label="Key"),
        ],
    )

    @classmethod
    def actions(cls) -> list[ActionDescriptor]:
        return [ActionDescriptor(name="leak", label="Leak", callable=leak, config_model=Config)]


class LeakyApplication(Leaky):
    """Its credentials are those of a service application."""

    manifest: ClassVar[PluginManifest] = PluginManifest(
        slug="leaky-app", name="Leaky app", plugin_type="webhook", auth_type="oauth2"
    )
