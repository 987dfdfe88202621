"""Whether a Redis can carry the queue: its version, its memory policy, its layout."""

import re
from dataclasses import dataclass

from imbi_worker.queue.inspection.reading import Client, ask, text

_KEY = "imbi:layout"
# Script flags came with Redis 7.0. Valkey calls itself Redis 7.2.4 to old clients.
_OLDEST = {"Redis": (7, 0), "Valkey": (7, 2)}


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """What a Redis says of itself; ``policy`` and ``layout`` are None where it does not."""

    product: str
    version: str
    policy: str | None
    layout: int | None

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
    )
