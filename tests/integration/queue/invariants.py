"""What holds between any two scripts, looked up in Redis itself and not through the scripts."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from redis.asyncio import Redis

from imbi_sdk.queue import keys

UNFINISHED = {"waiting", "running", "parked"}
Value = TypeVar("Value")
# What a claim puts a job off for that it cannot run itself.
PUT_OFF_MS = 5_000
GOOD_ENDS = {"succeeded", "skipped", "cancelled"}


@dataclass(frozen=True)
class Picture:
    """All of the queue's state at one moment."""

    now: int
    scores: dict[str, float]
    jobs: dict[str, dict[str, str]]
    lanes: dict[str, dict[str, float]]
    parked: dict[str, set[str]]
    deliveries: dict[str, dict[str, str]]
    events: dict[str, dict[str, int]]
    bodies: dict[str, int]
    dead: set[str]
    dead_bytes: int
    names: set[str]
    expiring: set[str]
    counters: dict[str, str]
    tokens: int
    holds: dict[str, dict[str, str]]
    hold_ends: dict[str, float]

    def head_of(self, lane: str) -> str | None:
        members = self.lanes.get(lane, {})
        return min(members, key=members.__getitem__, default=None)

    def is_head(self, job: str) -> bool:
        """Whether nothing of its lane is before it."""
        return self.head_of(self.jobs[job]["lane"]) in {None, job}

    def holds_on(self, job: str) -> list[str]:
        """The scopes that stop a job now; none that it was let through."""
        facts = self.jobs[job]
        scopes = ("queue", f"plugin:{facts['plugin']}", f"handler:{facts['handler']}")
        standing = [scope for scope in scopes if scope in self.hold_ends]
        return [one for one in standing if facts.get("pass") != self.holds[one]["number"]]

    def unfinished(self) -> dict[str, dict[str, str]]:
        return {job: facts for job, facts in self.jobs.items() if facts["state"] in UNFINISHED}


async def look(redis: Redis) -> Picture:
    names = sorted(key.decode() for key in await redis.keys("*"))
    hashes = [n for n in names if n.startswith((keys.JOB, keys.DELIVERY, keys.EVENT, keys.HOLD))]
    zsets = [n for n in names if n.startswith((keys.LANE, keys.PARKED))]
    bodies = [n for n in names if n.startswith(keys.BODY)]
    async with redis.pipeline(transaction=True) as pipe:
        pipe.time()
        pipe.zrange(keys.QUEUE, 0, -1, withscores=True)
        pipe.zrange(keys.DEAD, 0, -1)
        pipe.get(keys.DEAD_BYTES)
        pipe.hgetall(keys.COUNTERS)
        pipe.llen(keys.WAKE)
        pipe.zrange(keys.HOLDS, 0, -1, withscores=True)
        for name in hashes:
            pipe.hgetall(name)
        for name in zsets:
            pipe.zrange(name, 0, -1, withscores=True)
        for name in bodies:
            pipe.strlen(name)
        for name in names:
            pipe.pttl(name)
        found = iter(await pipe.execute())
    seconds, micros = next(found)
    scores, dead, dead_bytes, counters, tokens, hold_ends = (next(found) for _ in range(6))
    facts = {name: _text(next(found)) for name in hashes}
    members = {name: {job.decode(): score for job, score in next(found)} for name in zsets}
    sizes = {name: int(next(found)) for name in bodies}
    expiring = {name for name in names if next(found) >= 0}
    return Picture(
        now=seconds * 1000 + micros // 1000,
        scores={job.decode(): score for job, score in scores},
        jobs=_below(keys.JOB, facts),
        lanes=_below(keys.LANE, members),
        parked={hold: set(jobs) for hold, jobs in _below(keys.PARKED, members).items()},
        deliveries=_below(keys.DELIVERY, facts),
        events={
            delivery: {digest: len(event.encode()) for digest, event in stored.items()}
            for delivery, stored in _below(keys.EVENT, facts).items()
        },
        bodies=_below(keys.BODY, sizes),
        dead={job.decode() for job in dead},
        dead_bytes=int(dead_bytes or 0),
        names=set(names),
        expiring=expiring,
        counters=_text(counters),
        tokens=tokens,
        holds=_below(keys.HOLD, facts),
        hold_ends={scope.decode(): ends for scope, ends in hold_ends},
    )


async def broken(redis: Redis) -> list[str]:
    """What does not hold, one sentence each."""
    picture = await look(redis)
    checks = (
        *(_queue, _lanes, _heads, _parked, _holds, _leases, _mirrors),
        *(_bodies, _deliveries, _references, _upkeep),
    )
    return [problem for check in checks for problem in check(picture)]


def standing_still(picture: Picture, *, jumped_back_ms: int = 0) -> Iterator[str]:
    """Jobs at the head of their lane, or without one, that no claim will come to.

    A job that waits must be due when its wait is over, but for five seconds that it may be
    put off for, and for what Redis' clock has lost since.
    """
    latest = picture.now + PUT_OFF_MS + jumped_back_ms
    for job, facts in picture.unfinished().items():
        if not picture.is_head(job):
            continue
        score = picture.scores.get(job, float("inf"))
        if facts["state"] == "parked":
            if facts["hold"] != "foreign" and facts["hold"] not in picture.hold_ends:
                yield f"job {job} is parked under {facts['hold']}, which does not stand"
        elif facts["state"] == "running":
            if score > max(int(facts["lease_until"]), latest):
                yield f"job {job} runs, and nobody would see its lease run out"
        elif score > max(int(facts.get("not_before") or 0), latest):
            yield f"job {job} could go and stands still: its score is {score - picture.now} ahead"


def _queue(picture: Picture) -> Iterator[str]:
    unfinished = picture.unfinished()
    for job in unfinished.keys() - picture.scores.keys():
        yield f"job {job} is {unfinished[job]['state']} and not in the queue"
    for job in picture.scores.keys() - unfinished.keys():
        if job in picture.jobs or job not in picture.bodies:
            yield f"job {job} is in the queue and has ended or never was"


def _lanes(picture: Picture) -> Iterator[str]:
    unfinished = picture.unfinished()
    expected: dict[str, dict[str, float]] = {}
    for job, facts in unfinished.items():
        if facts["lane"]:
            expected.setdefault(facts["lane"], {})[job] = float(facts["seq"])
    if expected != picture.lanes:
        yield f"the lanes hold {picture.lanes}, their unfinished jobs are {expected}"
    for lane, members in picture.lanes.items():
        for job in sorted(members, key=members.__getitem__)[1:]:
            if picture.scores.get(job, keys.FAR) < keys.FAR:
                yield f"I1: job {job} can run before the head of lane {lane}"


def _heads(picture: Picture) -> Iterator[str]:
    """What a hash says of its place: a moment for the head, '0' behind it, '' without a lane."""
    for job, facts in picture.unfinished().items():
        if not facts["lane"]:
            is_right = facts["headed"] == ""
        else:
            is_right = (facts["headed"] != "0") == picture.is_head(job)
        if not is_right:
            yield f"job {job} says that it leads its lane since {facts['headed']!r}"


def _parked(picture: Picture) -> Iterator[str]:
    for job, facts in picture.unfinished().items():
        hold = facts.get("hold", "")
        if (facts["state"] == "parked") != bool(hold):
            yield f"job {job} is {facts['state']} with hold {hold!r}"
        if hold and job not in picture.parked.get(hold, set()):
            yield f"job {job} is not among those parked under {hold}"
        if facts["state"] == "parked" and picture.scores.get(job, 0) < keys.FAR:
            yield f"job {job} is parked and can run"
    for hold, jobs in picture.parked.items():
        for job in jobs:
            if picture.jobs.get(job, {}).get("hold") != hold:
                yield f"job {job} is parked under {hold} and does not know"


def _holds(picture: Picture) -> Iterator[str]:
    if picture.holds.keys() != picture.hold_ends.keys():
        yield f"holds are {set(picture.hold_ends)}, with facts of {set(picture.holds)}"
    for scope in picture.parked.keys() - picture.hold_ends.keys() - {"foreign"}:
        yield f"jobs are parked under {scope}, which does not stand"


def _leases(picture: Picture) -> Iterator[str]:
    live: Counter[str] = Counter()
    for job, facts in picture.unfinished().items():
        if facts["state"] != "running":
            continue
        if not facts.get("token") or not facts.get("lease_until"):
            yield f"job {job} runs without a lease"
        elif int(facts["lease_until"]) > picture.now and facts["lane"]:
            live[facts["lane"]] += 1
            if min(picture.lanes[facts["lane"]].items(), key=lambda pair: pair[1])[0] != job:
                yield f"I2: job {job} runs and is not the head of its lane"
    yield from (f"I2: {count} jobs of lane {lane} run" for lane, count in live.items() if count > 1)


def _mirrors(picture: Picture) -> Iterator[str]:
    """Arq's readers see what the hash says.

    But for a lease that a jump of the clock has brought back: its next renewal shows it again.
    """
    for job, facts in picture.jobs.items():
        state = facts["state"]
        if state != "running" and f"{keys.IN_PROGRESS}{job}" in picture.names:
            yield f"job {job} is {state}, and its lease is still mirrored"
        if state not in UNFINISHED and f"arq:retry:{job}" in picture.names:
            yield f"job {job} is {state}, and its attempts are still mirrored"
        if state == "dead" and "imported" in facts:
            # Its result stayed with the Redis it died in.
            continue
        if (state in UNFINISHED) == (f"{keys.RESULT}{job}" in picture.names):
            yield f"job {job} is {state}, and arq's result says something else"


def _bodies(picture: Picture) -> Iterator[str]:
    for job, facts in picture.jobs.items():
        state, has_body = facts["state"], job in picture.bodies
        if (state == "dead") != (job in picture.dead):
            yield f"job {job} is {state}, and the index of dead letters differs"
        if state in UNFINISHED and not has_body:
            yield f"job {job} is {state} and its body is gone"
        if state in GOOD_ENDS and has_body:
            yield f"job {job} is {state} and its body is still there"
        if (state in GOOD_ENDS) != (f"{keys.JOB}{job}" in picture.expiring):
            yield f"job {job} is {state}, and its hash is kept for the wrong time"
        if f"{keys.BODY}{job}" in picture.expiring:
            yield f"the body of job {job} expires"
    size = sum(picture.bodies.get(job, 0) for job in picture.dead)
    dead = [picture.jobs[job] for job in picture.dead if job in picture.jobs]
    for delivery, digest in {(facts["delivery"], facts["digest"]) for facts in dead}:
        size += picture.events.get(delivery, {}).get(digest, 0)
    if size != picture.dead_bytes:
        yield f"dead letters have {size} bytes, {picture.dead_bytes} are counted"


def _deliveries(picture: Picture) -> Iterator[str]:
    by_delivery: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for facts in picture.jobs.values():
        by_delivery[facts["delivery"]].append(facts)
    for delivery, record in picture.deliveries.items():
        jobs = by_delivery[delivery]
        projects = Counter(facts["project"] for facts in jobs if facts["state"] in UNFINISHED)
        if int(record.get("open", 0)) != projects.total():
            yield f"delivery {delivery}: open is {record.get('open')}, not {projects.total()}"
        counted = {
            name.removeprefix("open:"): int(value)
            for name, value in record.items()
            if name.startswith("open:") and value != "0"
        }
        if counted != dict(projects):
            yield f"delivery {delivery}: open projects are {counted}, not {dict(projects)}"
        needed = {f["digest"] for f in jobs if f["state"] in {*UNFINISHED, "dead"}} - {""}
        if set(picture.events.get(delivery, ())) != needed:
            yield f"delivery {delivery}: the stored events are not the ones referred to"
        is_needed = bool(needed) or projects.total() > 0
        is_dead = any(facts["state"] == "dead" for facts in jobs)
        if not is_dead and is_needed == (f"{keys.DELIVERY}{delivery}" in picture.expiring):
            yield f"delivery {delivery} is kept for the wrong time"
    for delivery in picture.events.keys() - picture.deliveries.keys():
        yield f"delivery {delivery} has an event and no record"


def _references(picture: Picture) -> Iterator[str]:
    """Each event is counted as often as jobs, and records of the feed, need it."""
    needed: Counter[tuple[str, str]] = Counter()
    buried: Counter[tuple[str, str]] = Counter()
    for facts in picture.jobs.values():
        if facts["digest"] and facts["state"] in {*UNFINISHED, "dead"}:
            needed[facts["delivery"], facts["digest"]] += 1
            buried[facts["delivery"], facts["digest"]] += facts["state"] == "dead"
    counted: Counter[tuple[str, str]] = Counter()
    weighed: Counter[tuple[str, str]] = Counter()
    for delivery, record in picture.deliveries.items():
        for name, value in record.items():
            kind, _, digest = name.partition(":")
            if kind == "refs":
                counted[delivery, digest] = int(value)
            elif kind == "dead":
                weighed[delivery, digest] = int(value)
            elif kind == "held":
                needed[delivery, digest.rpartition(":")[2]] += 1
    if counted != needed:
        yield f"events are counted {dict(counted)}, and needed {dict(needed)}"
    if weighed != buried:
        yield f"events of dead letters are counted {dict(weighed)}, and are {dict(buried)}"


def _upkeep(picture: Picture) -> Iterator[str]:
    for name, count in picture.counters.items():
        if name.startswith("repairs:"):
            yield f"{count} repairs were made: {name}"
    if picture.tokens > 1:
        yield f"{picture.tokens} tokens lie in the wake list"


def _text(fields: dict[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in fields.items()}


def _below(prefix: str, found: dict[str, Value]) -> dict[str, Value]:
    return {
        name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)
    }
