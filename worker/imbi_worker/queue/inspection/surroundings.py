"""What stands around jobs: their lanes' heads, the holds, the live workers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from imbi_sdk.queue import keys
from imbi_worker.queue.inspection.asking import Client, Command, ask
from imbi_worker.queue.inspection.replies import number, pairs, text, texts, when
from imbi_worker.queue.inspection.views import HoldView
from imbi_worker.queue.inspection.waiting import Fleet, Surroundings, due_at

# A worker is taken for gone 30 s after its last beat; see presence.
SILENCE = timedelta(seconds=30)
_UNFINISHED = frozenset({"waiting", "parked", "running"})


@dataclass(frozen=True, slots=True)
class _Standing:
    """A hold, and the number that a job's pass through it names."""

    view: HoldView
    number: str

    def is_open_to(self, facts: Mapping[str, str]) -> bool:
        return self.number != "" and facts.get("pass") == self.number


async def read_holds(client: Client) -> tuple[HoldView, ...]:
    """Every hold, the one that ends first at the top."""
    (found,) = await ask(client, [("ZRANGE", keys.HOLDS, 0, -1, "WITHSCORES")])
    return tuple(one.view for one in await _read_holds(client, found))


async def gather(
    client: Client,
    found: Mapping[str, Mapping[str, str]],
    scores: Mapping[str, bytes | None],
    now: datetime,
) -> dict[str, Surroundings]:
    """For each job what its hash does not know, in two round trips for all of them."""
    unfinished = {id_: facts for id_, facts in found.items() if facts.get("state") in _UNFINISHED}
    around = {id_: Surroundings(now) for id_ in found}
    if not unfinished:
        return around
    commands: list[Command] = [
        ("ZRANGE", keys.HOLDS, 0, -1, "WITHSCORES"),
        ("ZRANGEBYSCORE", keys.WORKERS, _ms(now - SILENCE), "+inf"),
    ]
    for id_, facts in unfinished.items():
        lane = f"{keys.LANE}{facts.get('lane', '')}"
        commands += [("ZRANGE", lane, 0, 0), ("ZRANK", lane, id_)]
    scopes, workers, *replies = await ask(client, commands)
    holds = {one.view.scope: one for one in await _read_holds(client, scopes)}
    fleet = await _read_fleet(client, workers)
    for (id_, facts), head, rank in zip(
        unfinished.items(), replies[::2], replies[1::2], strict=True
    ):
        around[id_] = Surroundings(
            now=now,
            head=text(head[0]) if head else None,
            ahead=rank or 0,
            hold=_hold_on(facts, holds, now),
            due=due_at(scores.get(id_)),
            fleet=fleet,
        )
    return around


def _hold_on(
    facts: Mapping[str, str], holds: Mapping[str, _Standing], now: datetime
) -> HoldView | None:
    """The hold a job is parked under, or the one that keeps it from being claimed."""
    if facts.get("hold"):
        standing = holds.get(facts["hold"])
        return standing.view if standing is not None else None
    scopes = ("queue", f"plugin:{facts.get('plugin', '')}", f"handler:{facts.get('handler', '')}")
    for standing in (holds[scope] for scope in scopes if scope in holds):
        until = standing.view.until
        is_over = until is not None and until <= now and standing.view.parked == 0
        if not is_over and not standing.is_open_to(facts):
            return standing.view
    return None


async def _read_holds(client: Client, flat: Sequence[Any]) -> list[_Standing]:
    scopes = [(text(scope), when(ends)) for scope, ends in pairs(flat)]
    commands: list[Command] = []
    for scope, _ in scopes:
        commands += [("HGETALL", f"{keys.HOLD}{scope}"), ("ZCARD", f"{keys.PARKED}{scope}")]
    replies = await ask(client, commands)
    return [
        _standing(scope, ends, texts(facts), parked)
        for (scope, ends), facts, parked in zip(scopes, replies[::2], replies[1::2], strict=True)
    ]


def _standing(
    scope: str, ends: datetime | None, facts: Mapping[str, str], parked: int
) -> _Standing:
    view = HoldView(
        scope=scope,
        kind=facts.get("kind", ""),
        reason=facts.get("reason", ""),
        actor=facts.get("actor", ""),
        since=when(facts.get("since")),
        until=ends,
        parked=parked,
        is_half_open=number(facts.get("step")) > 0,
    )
    return _Standing(view, facts.get("number", ""))


async def _read_fleet(client: Client, workers: Sequence[bytes]) -> Fleet:
    slugs = await ask(client, [("HGET", f"{keys.WORKER}{text(id_)}", "slugs") for id_ in workers])
    return Fleet(len(workers), frozenset(slug for one in slugs for slug in text(one).split()))


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
