"""The chaos plugin: one action that does what its config says, harm included.

Each attempt notes its start and its end in the history. ``os._exit`` leaves a start without
an end, as it should. In a calm pod every deed just succeeds.
"""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict

from chaos.history import History
from imbi_sdk.errors import PermanentError, PluginRateLimited, Skip, UpstreamError
from imbi_sdk.manifest import PluginManifest
from imbi_sdk.webhook import ActionDescriptor, WebhookActionPlugin
from imbi_worker.queue import Engine
from imbi_worker.queue.telling import JOB_FIELDS

SLUG: Final = "chaos"
HANDLER: Final = f"{SLUG}#act"
EXIT_CODE: Final = 41
_FIVE_MEGABYTES: Final = 5 * 1024 * 1024


class Deed(BaseModel):
    """What an attempt does, and how long that takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    does: str = "work"
    seconds: float = 0.0


class Witness:
    """Writes the attempts of one pod down, with what its engine knows of them."""

    def __init__(self, history: History, engine: Engine, *, is_calm: bool) -> None:
        self.is_calm = is_calm
        self._history = history
        self._engine = engine
        self._count = 0

    def start(self, lane: str) -> tuple[str, int]:
        """The mark that its end bears as well, and the attempt's number."""
        job = str(JOB_FIELDS.get()["job_id"])
        claimed = self._engine._parts.in_hand._jobs[job].claimed
        self._count += 1
        mark = f"{os.getpid()}.{self._count}"
        self._history.note(
            "start",
            pid=os.getpid(),
            job=job,
            lane=lane,
            run=claimed.run,
            attempt=claimed.number,
            token=claimed.token,
            mark=mark,
        )
        return mark, claimed.number

    def end(self, mark: str, how: str) -> None:
        self._history.note("end", pid=os.getpid(), mark=mark, how=how)


class ChaosPlugin(WebhookActionPlugin):
    """*witness* is set by the pod before its engine runs."""

    manifest: ClassVar[PluginManifest] = PluginManifest(
        slug=SLUG, name="Chaos", plugin_type="webhook"
    )
    witness: ClassVar[Witness]

    @classmethod
    def actions(cls) -> list[ActionDescriptor]:
        return [ActionDescriptor(name="act", label="Act", callable=act, config_model=Deed)]


async def act(
    *,
    ctx: Any,
    credentials: dict[str, str],
    external_identifier: str,
    action_config: Deed,
    event: Any,
) -> str | None:
    witness = ChaosPlugin.witness
    mark, attempt = witness.start(f"{ctx.project_id}/{SLUG}")
    how = "failed"
    try:
        how = "ok" if witness.is_calm else await _DEEDS[action_config.does](action_config, attempt)
    except asyncio.CancelledError:
        how = "cancelled"
        raise
    except Skip:
        how = "skipped"
        raise
    finally:
        witness.end(mark, how)
    return "x" * _FIVE_MEGABYTES if action_config.does == "long result" else None


async def _work(deed: Deed, attempt: int) -> str:
    await asyncio.sleep(deed.seconds)
    return "ok"


async def _dawdle(deed: Deed, attempt: int) -> str:
    """Longer than a lease, at times beyond the timeout."""
    if attempt == 1:
        await asyncio.sleep(deed.seconds)
    return "ok"


async def _fail_twice(deed: Deed, attempt: int) -> str:
    await asyncio.sleep(deed.seconds)
    if attempt <= 2:
        raise UpstreamError("answered 503")
    return "ok"


async def _fail_always(deed: Deed, attempt: int) -> str:
    raise UpstreamError("answered 503")


async def _fail_for_good(deed: Deed, attempt: int) -> str:
    raise PermanentError("no such release")


async def _skip(deed: Deed, attempt: int) -> str:
    raise Skip("nothing to do")


async def _limit(deed: Deed, attempt: int) -> str:
    if attempt == 1 and time.time() % 10 < 5:  # a deferral counts no attempt
        raise PluginRateLimited(time.time())
    return "ok"


async def _long_error(deed: Deed, attempt: int) -> str:
    if attempt == 1:
        raise RuntimeError("x" * _FIVE_MEGABYTES)
    return "ok"


async def _exit_once(deed: Deed, attempt: int) -> str:
    if attempt == 1:
        os._exit(EXIT_CODE)
    return "ok"


async def _exit_always(deed: Deed, attempt: int) -> str:
    os._exit(EXIT_CODE)


async def _leave(deed: Deed, attempt: int) -> str:
    if attempt == 1:
        sys.exit(3)
    return "ok"


async def _block(deed: Deed, attempt: int) -> str:
    time.sleep(deed.seconds)  # noqa: ASYNC251 - blocking is the harm it does
    return "ok"


async def _swallow(deed: Deed, attempt: int) -> str:
    how = "ok"
    end = time.monotonic() + deed.seconds
    while time.monotonic() < end:
        try:
            await asyncio.sleep(end - time.monotonic())
        except asyncio.CancelledError:
            how = "late"
    return how


_DEEDS: Final[dict[str, Callable[[Deed, int], Awaitable[str]]]] = {
    "work": _work,
    "long result": _work,
    "dawdle": _dawdle,
    "fail twice": _fail_twice,
    "fail always": _fail_always,
    "fail for good": _fail_for_good,
    "skip": _skip,
    "limit": _limit,
    "long error": _long_error,
    "exit once": _exit_once,
    "exit always": _exit_always,
    "leave": _leave,
    "block": _block,
    "swallow": _swallow,
}
