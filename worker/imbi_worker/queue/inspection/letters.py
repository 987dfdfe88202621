"""Whole dead letters, with bodies and events, as an export needs them: in bounded memory."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field

from imbi_sdk.queue import keys
from imbi_worker.queue.inspection.asking import Command, ask
from imbi_worker.queue.inspection.attempts import attempts
from imbi_worker.queue.inspection.hashes import job_view
from imbi_worker.queue.inspection.reader import Inspection
from imbi_worker.queue.inspection.replies import number, server_time, texts
from imbi_worker.queue.inspection.views import AttemptView, JobView, State
from imbi_worker.queue.inspection.waiting import Surroundings

_CHUNK = 200
_ORDERED = 1_000
# Bodies and events that are read in one go; a larger one comes alone.
_BYTES_AT_ONCE = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class WholeLetter:
    """All that Redis holds of a dead letter. *facts* is its hash; *event* is None when gone."""

    view: JobView
    attempts: tuple[AttemptView, ...]
    digest: str
    facts: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    event: bytes | None = field(repr=False)


async def in_order(inspection: Inspection, jobs: Sequence[str]) -> list[str]:
    """*jobs* in the order they were first enqueued; those that are gone are left out."""
    found: list[tuple[int, str]] = []
    for start in range(0, len(jobs), _ORDERED):
        chunk = jobs[start : start + _ORDERED]
        replies = await ask(
            inspection.redis, [("HGET", f"{keys.JOB}{id_}", "seq") for id_ in chunk]
        )
        found += [
            (number(seq), id_) for id_, seq in zip(chunk, replies, strict=True) if seq is not None
        ]
    return [id_ for _, id_ in sorted(found)]


async def whole_letters(
    inspection: Inspection, jobs: Sequence[str]
) -> AsyncGenerator[WholeLetter, None]:
    """Those of *jobs* that are dead letters still, in their order."""
    for start in range(0, len(jobs), _CHUNK):
        chunk = jobs[start : start + _CHUNK]
        commands: list[Command] = [("TIME",)]
        for id_ in chunk:
            commands += [("HGETALL", f"{keys.JOB}{id_}"), ("STRLEN", f"{keys.BODY}{id_}")]
        at, *replies = await ask(inspection.redis, commands)
        around = Surroundings(server_time(at))
        group: list[tuple[str, dict[str, str]]] = []
        weight = 0
        for id_, raw, size in zip(chunk, replies[::2], replies[1::2], strict=True):
            facts = texts(raw)
            if facts.get("state") != State.DEAD:
                continue
            group.append((id_, facts))
            weight += int(size) + number(facts.get("size"))
            if weight >= _BYTES_AT_ONCE:
                for letter in await _read(inspection, group, around):
                    yield letter
                group, weight = [], 0
        for letter in await _read(inspection, group, around):
            yield letter


async def _read(
    inspection: Inspection, group: Sequence[tuple[str, Mapping[str, str]]], around: Surroundings
) -> list[WholeLetter]:
    commands: list[Command] = []
    for id_, facts in group:
        event = f"{keys.EVENT}{facts.get('delivery', '')}"
        commands += [("GET", f"{keys.BODY}{id_}"), ("HGET", event, facts.get("digest", ""))]
    replies = await ask(inspection.redis, commands)
    return [
        WholeLetter(
            view=job_view(id_, facts, around),
            attempts=attempts(facts),
            digest=facts.get("digest", ""),
            facts=facts,
            body=body,
            event=event,
        )
        for (id_, facts), body, event in zip(group, replies[::2], replies[1::2], strict=True)
        # Replayed and ended between two looks.
        if body is not None
    ]
