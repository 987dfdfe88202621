"""A plugin whose actions do what tests ask of them, and tell what happened."""

import asyncio
import logging
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import BaseModel

from imbi_sdk.errors import PermanentError, PluginRateLimited, Skip, UpstreamError
from imbi_sdk.manifest import PluginManifest
from imbi_sdk.registry import load_plugins
from imbi_sdk.webhook import ActionDescriptor, WebhookActionPlugin


@dataclass
class Journal:
    """What the actions of this process did, in order."""

    lines: list[tuple[str, str]] = field(default_factory=list)
    running: Counter[str] = field(default_factory=Counter)
    most_at_once: Counter[str] = field(default_factory=Counter)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def of(self, phase: str) -> list[str]:
        return [label for name, label in self.lines if name == phase]


JOURNAL = Journal()


class Config(BaseModel):
    label: str = ""
    does: str = "return"
    seconds: float = 0.0
    fails: int = 0
    says: str = ""
    times: int = 1


_TRIES: Counter[str] = Counter()


def reset() -> None:
    JOURNAL.lines.clear()
    JOURNAL.running.clear()
    JOURNAL.most_at_once.clear()
    JOURNAL.gate = asyncio.Event()
    _TRIES.clear()


async def act(
    *,
    ctx: Any,
    credentials: dict[str, str],
    external_identifier: str,
    action_config: Config,
    event: Any,
) -> None:
    label, lane = action_config.label, ctx.project_id
    JOURNAL.lines.append(("start", label))
    JOURNAL.running[lane] += 1
    JOURNAL.most_at_once[lane] = max(JOURNAL.most_at_once[lane], JOURNAL.running[lane])
    try:
        await _do(action_config)
        JOURNAL.lines.append(("end", label))
    finally:
        JOURNAL.running[lane] -= 1


async def _do(config: Config) -> None:
    _TRIES[config.label] += 1
    for _ in range(config.times if config.says else 0):
        logging.getLogger("probe").warning("%s %d", config.says, _TRIES[config.label])
    if _TRIES[config.label] <= config.fails:
        raise UpstreamError("answered 503")
    await _DEEDS[config.does](config)


async def _wait(config: Config) -> None:
    await JOURNAL.gate.wait()


async def _sleep(config: Config) -> None:
    await asyncio.sleep(config.seconds)


async def _block(config: Config) -> None:
    time.sleep(config.seconds)  # noqa: ASYNC251 - blocking is what is tested


async def _permanent(config: Config) -> None:
    raise PermanentError("no such release")


async def _unwritable(config: Config) -> None:
    logging.getLogger("probe").warning("half a pair: \ud83d")
    raise PermanentError("half a pair: \ud83d, and \x00")


async def _rate_limit(config: Config) -> None:
    raise PluginRateLimited(time.time() + config.seconds)


async def _skip(config: Config) -> None:
    raise Skip("nothing to do")


async def _exit(config: Config) -> None:
    sys.exit(3)


async def _return(config: Config) -> None:
    return


async def _swallow(config: Config) -> None:
    while not JOURNAL.gate.is_set():
        try:
            await JOURNAL.gate.wait()
        except asyncio.CancelledError:
            JOURNAL.lines.append(("swallowed", ""))


_DEEDS = {
    "wait": _wait,
    "sleep": _sleep,
    "block": _block,
    "swallow": _swallow,
    "permanent": _permanent,
    "unwritable": _unwritable,
    "rate limit": _rate_limit,
    "skip": _skip,
    "exit": _exit,
    "return": _return,
}


class Probe(WebhookActionPlugin):
    manifest: ClassVar[PluginManifest] = PluginManifest(
        slug="probe", name="Probe", plugin_type="webhook"
    )

    @classmethod
    def actions(cls) -> list[ActionDescriptor]:
        return [
            ActionDescriptor(name="act", label="Act", callable=act, config_model=Config),
            ActionDescriptor(
                name="once", label="Once", callable=act, config_model=Config, idempotent=False
            ),
        ]


@contextmanager
def installed() -> Iterator[None]:
    """The one plugin there is, with an empty journal; at the end its gate lets all go on."""
    load_plugins(builtins=(Probe,))
    reset()
    yield
    JOURNAL.gate.set()
