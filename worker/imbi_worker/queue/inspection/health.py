"""Whether a Redis can carry the queue: its version, memory policy, persistence, layout."""

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from imbi_sdk.queue import QueueError, QueueUnavailable
from imbi_worker.queue.inspection.reading import Client, ask, text

Persistence: TypeAlias = Literal["append-only file", "snapshots", "none"]

_KEY = "imbi:layout"
# Script flags came with Redis 7.0. Valkey calls itself Redis 7.2.4 to old clients.
_OLDEST = {"Redis": (7, 0), "Valkey": (7, 2)}


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """What a Redis says of itself; None where it does not.

    Without an append-only file a crash of Redis loses what was acknowledged since the
    last snapshot: minutes of jobs, or all of them.
    """

    product: str
    version: str
    policy: str | None
    layout: int | None
    persistence: Persistence | None = None

    @property
    def is_recent(self) -> bool:
        found = tuple(int(part) for part in re.findall(r"\d+", self.version)[:2])
        return found >= _OLDEST[self.product]


async def redis_facts(client: Client) -> RedisFacts:
    """:raises QueueUnavailable: Redis does not answer."""
    info, layout = await ask(client, [("INFO",), ("GET", _KEY)])
    facts = {str(name): str(value) for name, value in info.items()}
    product = "Valkey" if "valkey_version" in facts else "Redis"
    return RedisFacts(
        product=product,
        version=facts.get("valkey_version") or facts.get("redis_version", "0"),
        policy=facts.get("maxmemory_policy") or None,
        layout=int(text(layout)) if layout and layout.isdigit() else None,
        persistence=await _persistence(client, facts),
    )


async def _persistence(client: Client, facts: dict[str, str]) -> Persistence | None:
    """Snapshots stand in the configuration only, which a managed Redis may not show."""
    if "aof_enabled" not in facts:
        return None
    if facts["aof_enabled"] == "1":
        return "append-only file"
    try:
        (answer,) = await ask(client, [("CONFIG GET", "save")])
    except QueueUnavailable:
        raise
    except QueueError:
        return None
    return "snapshots" if answer.get("save") else "none"
