"""Dead letters brought back from an export, as dead letters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, cast

from imbi_sdk.queue import keys
from imbi_sdk.queue.scripts import Executes, load_script
from imbi_worker.queue.claims import SCRIPTS
from imbi_worker.queue.control import Mandate
from imbi_worker.queue.janitor import Retention

ImportResult: TypeAlias = Literal["imported", "known", "event gone", "no room"]

_IMPORT = load_script("import", SCRIPTS)
# What a letter's hash says that no other key knows. The rest is of one Redis and one moment.
FACTS = (
    *("handler", "plugin", "lane", "project", "ordinal", "v", "enqueued", "attempts", "crashes"),
    *("started", "ended", "worker", "reason", "error", "status", "duration_ms", "replayed_by"),
)
ATTEMPT = "attempt:"


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it goes back into Redis. *facts* are fields of its hash, see ``FACTS``."""

    id: str
    delivery: str
    digest: str
    event: bytes = field(repr=False)
    body: bytes = field(repr=False)
    run: int
    facts: Mapping[str, str] = field(repr=False)

    @property
    def size_bytes(self) -> int:
        return len(self.body) + len(self.event)


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of one letter. *detail* is the state of one that is known."""

    job: str
    result: ImportResult
    detail: str


async def bring_back(
    redis: Executes,
    letters: Sequence[Letter],
    by: Mandate,
    *,
    queue: str,
    scope: str,
    retention: Retention,
) -> list[Imported]:
    """Import *letters* in one step; those that are here already are left as they are.

    Nothing is brought that *retention* would trim at once. Repeatable.
    """
    arguments: list[Any] = [keys.LAYOUT, by.actor, by.reason, scope, int(by.looks_only)]
    arguments += [retention.count, retention.size_bytes]
    for one in letters:
        arguments += [one.id, one.delivery, one.digest, one.event, one.body, one.run]
        arguments.append(len(one.facts))
        for name, value in one.facts.items():
            arguments += [name, value]
    flat = await _IMPORT(redis, [queue], arguments)
    return [
        Imported(one.id, cast("ImportResult", result.decode()), detail.decode())
        for one, result, detail in zip(letters, flat[::2], flat[1::2], strict=True)
    ]
