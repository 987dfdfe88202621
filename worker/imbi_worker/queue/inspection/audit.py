"""The audit, read: what operators changed, the newest entries and those that come."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from imbi_sdk.queue import keys
from imbi_worker.queue.inspection.asking import ask
from imbi_worker.queue.inspection.reader import Inspection
from imbi_worker.queue.inspection.replies import number, pairs, text, texts, when

# Well below the socket's own timeout of 5 s.
_LOOK_AGAIN_MS = 2_000
_NAMED = frozenset({"verb", "scope", "count", "actor", "reason", "at"})


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who changed what, how many jobs it touched, and why; *more* is what only this verb has."""

    id: str
    at: datetime | None
    verb: str
    scope: str
    count: int
    actor: str
    reason: str
    more: Mapping[str, str]


async def newest(inspection: Inspection, limit: int) -> tuple[AuditEntry, ...]:
    """The last *limit* entries, the oldest of them first."""
    (found,) = await ask(inspection.redis, [("XREVRANGE", keys.AUDIT, "+", "-", "COUNT", limit)])
    return tuple(_entry(id_, fields) for id_, fields in reversed(found))


async def coming(inspection: Inspection, after: str) -> AsyncGenerator[AuditEntry, None]:
    """Each entry after the one with the id *after*, as it is written; without an end."""
    while True:
        request = ("XREAD", "COUNT", 100, "BLOCK", _LOOK_AGAIN_MS, "STREAMS", keys.AUDIT, after)
        (found,) = await ask(inspection.redis, [request])
        for id_, fields in found[0][1] if found else ():
            entry = _entry(id_, fields)
            after = entry.id
            yield entry


def _entry(id_: bytes, raw: Any) -> AuditEntry:
    # redis-py gives the fields of a raw reply flat or as a map.
    facts = texts(raw) if isinstance(raw, dict) else texts(dict(pairs(raw)))
    return AuditEntry(
        id=text(id_),
        at=when(facts.get("at")),
        verb=facts.get("verb", ""),
        scope=facts.get("scope", ""),
        count=number(facts.get("count")),
        actor=facts.get("actor", ""),
        reason=facts.get("reason", ""),
        more={name: value for name, value in facts.items() if name not in _NAMED},
    )
