"""Whether a Redis can carry the queue: its version, memory policy, persistence, layout."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

from imbi_sdk.queue import QueueError, QueueUnavailable
from imbi_worker.queue.errors import NotAllowed
from imbi_worker.queue.inspection.asking import Client, ask
from imbi_worker.queue.inspection.replies import number, server_time, text

Persistence: TypeAlias = Literal["append-only file", "snapshots", "none"]

_KEY = "imbi:layout"
_TRIPS = 5
# The flags are what our scripts need; what Redis refuses here it would refuse there.
_SCRIPT = "#!lua flags=no-writes,allow-oom\nreturn redis.call('TIME')[1]"
# Script flags came with Redis 7.0. Valkey calls itself Redis 7.2.4 to old clients.
_OLDEST = {"Redis": (7, 0), "Valkey": (7, 2)}


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """What a Redis says of itself; None where it does not, *unseen* then says why.

    Without an append-only file a crash of Redis loses what was acknowledged since the
    last snapshot: minutes of jobs, or all of them.
    """

    product: str
    version: str
    policy: str | None
    layout: int | None
    persistence: Persistence | None = None
    unseen: str = ""

    @property
    def is_recent(self) -> bool:
        found = tuple(int(part) for part in re.findall(r"\d+", self.version)[:2])
        return found >= _OLDEST[self.product]


async def redis_facts(client: Client) -> RedisFacts:
    """:raises QueueUnavailable: Redis does not answer."""
    facts, unseen = await _info(client)
    (layout,) = await ask(client, [("GET", _KEY)])
    product = "Valkey" if "valkey_version" in facts else "Redis"
    return RedisFacts(
        product=product,
        version=facts.get("valkey_version") or facts.get("redis_version", "0"),
        policy=facts.get("maxmemory_policy") or None,
        layout=int(text(layout)) if layout and layout.isdigit() else None,
        persistence=await _persistence(client, facts),
        unseen=unseen,
    )


async def _info(client: Client) -> tuple[dict[str, str], str]:
    """What INFO tells, or nothing and why."""
    try:
        (info,) = await ask(client, [("INFO",)])
    except NotAllowed as error:
        return {}, str(error)
    return {str(name): str(value) for name, value in info.items()}, ""


@dataclass(frozen=True, slots=True)
class RedisPulse:
    """How a Redis behaves towards this command; None where it does not tell.

    *ahead* is how much its clock is ahead of ours, *refusal* why it runs no script of ours,
    which says nothing of others when that *is_forbidden* to this user.
    """

    round_trip: timedelta
    ahead: timedelta
    role: str | None
    is_cluster: bool
    used_bytes: int | None
    most_bytes: int | None
    refusal: str
    is_forbidden: bool = False


async def redis_pulse(client: Client) -> RedisPulse:
    """Looks at clock, speed, role and memory, and runs a script that writes nothing.

    :raises QueueUnavailable: Redis does not answer
    """
    facts, _ = await _info(client)
    trips = [await _trip(client) for _ in range(_TRIPS)]
    round_trip, ahead = min(trips)
    most = number(facts.get("maxmemory"))
    refusal = await _refusal(client)
    return RedisPulse(
        round_trip=round_trip,
        ahead=ahead,
        role=facts.get("role"),
        is_cluster=facts.get("cluster_enabled") == "1",
        used_bytes=number(facts["used_memory"]) if "used_memory" in facts else None,
        most_bytes=most or None,
        refusal=str(refusal or ""),
        is_forbidden=isinstance(refusal, NotAllowed),
    )


async def _trip(client: Client) -> tuple[timedelta, timedelta]:
    begun = datetime.now(UTC)
    (at,) = await ask(client, [("TIME",)])
    took = datetime.now(UTC) - begun
    return took, server_time(at) - (begun + took / 2)


async def _refusal(client: Client) -> QueueError | None:
    try:
        await ask(client, [("EVAL", _SCRIPT, 0)])
    except QueueUnavailable:
        raise
    except QueueError as error:
        return error
    return None


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
