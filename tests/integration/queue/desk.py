"""A desk at one Redis where a test plays gateway and workers, step by step, without an engine."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

from redis.asyncio import Redis

from factories import WEBHOOK, make_event, make_rules, make_signer, make_targets
from imbi_sdk.queue import (
    ActionQueue,
    Enqueued,
    Lane,
    arq_deserializer,
    by_project_and_plugin,
    keys,
)
from imbi_sdk.queue.scripts import Executes, load_script
from imbi_worker.queue.claims import SCRIPTS, Claim, ClaimedJob, Claimer, Request
from imbi_worker.queue.control import Cancelled, Control, Held, Mandate, RunNow, Unheld
from imbi_worker.queue.dead_letters import Replayed, discard, replay
from imbi_worker.queue.finishing import Ending, Finisher, Kind
from imbi_worker.queue.janitor import Janitor, Retention

LEASE = timedelta(seconds=15)
PATIENCE = timedelta(minutes=30)
SLUGS = ("github", "sonar", "pagerduty")
MINUTE = 60_000
ACTOR = "ann@example.org"
_CLAIM = load_script("claim", SCRIPTS)
MANDATE = Mandate(ACTOR, "maintenance")
# Below it a score or a field is no moment.
_EARLIEST = 1_000_000_000_000
_MOMENTS_OF_A_JOB = (
    *("lease_until", "not_before", "held_since", "started", "deferred_since", "first_failed"),
    *("headed", "unresolved", "enqueued", "ended"),
)
_RENEW = load_script("renew", SCRIPTS)
_ALONE = load_script("alone", SCRIPTS)


@dataclass
class Desk:
    """Each method is one call of one script, or one look at what lies in Redis."""

    redis: Redis
    lane: Lane = by_project_and_plugin
    slugs: tuple[str, ...] = SLUGS
    claimers: dict[str, Claimer] = field(default_factory=dict)

    # --- the gateway

    @property
    def queue(self) -> ActionQueue:
        return ActionQueue(self.redis, signer=make_signer(), lane=self.lane)

    async def enqueue(
        self,
        *handlers: str,
        projects: Sequence[str] = ("p-1",),
        delivery: str = "delivery-1",
        event: Mapping[str, Any] | None = None,
        plugin_ids: Mapping[str, str] | None = None,
        nonce: str | None = None,
    ) -> Enqueued:
        return await self.queue.enqueue_delivery(
            delivery=delivery,
            webhook_id=WEBHOOK,
            event=make_event() if event is None else event,
            rules=make_rules(*handlers or ("github#sync",)),
            targets=make_targets(*projects),
            plugin_ids=plugin_ids,
            nonce=nonce,
        )

    async def job(self, *handlers: str, **options: Any) -> str:
        """Enqueue one job and return its id."""
        return (await self.enqueue(*handlers, **options)).jobs[0].id

    async def jobs(self, count: int, **options: Any) -> list[str]:
        """One job for each of *count* projects, so each in a lane of its own."""
        projects = [f"p-{number}" for number in range(1, count + 1)]
        return [job.id for job in (await self.enqueue(projects=projects, **options)).jobs]

    async def line(self, count: int, **options: Any) -> list[str]:
        """One job from each of *count* deliveries, all in one lane."""
        return [
            await self.job(delivery=f"delivery-{number}", **options)
            for number in range(1, count + 1)
        ]

    # --- the workers

    def claimer(self, worker: str) -> Claimer:
        if worker not in self.claimers:
            self.claimers[worker] = Claimer(
                self.redis, queue=keys.QUEUE, worker=worker, lease=LEASE, slugs=self.slugs
            )
        return self.claimers[worker]

    async def claim(
        self,
        worker: str = "w1",
        *,
        jobs: int = 100,
        event_bytes: int = 64 * 1024 * 1024,
        takes_any: bool = True,
        spares_expired: bool = False,
        graph_answers: bool = True,
        passes_on: bool = True,
    ) -> Claim:
        request = Request(
            jobs, event_bytes, takes_any, spares_expired, graph_answers, passes_on=passes_on
        )
        return await self.claimer(worker).claim(request)

    async def claim_again(self, worker: str = "w1") -> Claim:
        """The claim before, once more, as after a lost reply."""
        self.claimer(worker)._number -= 1
        return await self.claim(worker)

    def claim_arguments(self, worker: str = "w1") -> list[Any]:
        """A call of the script as *worker* would make it now, to be carried out later."""
        request = Request(100, 1_000_000, takes_any=True, spares_expired=False, graph_answers=True)
        return self.claimer(worker)._arguments(request)

    async def claim_late(self, arguments: Sequence[Any]) -> Any:
        """The script's reply."""
        return await _CLAIM(self.redis, [keys.QUEUE], arguments)

    async def claim_one(self, worker: str = "w1", **options: Any) -> ClaimedJob:
        (job,) = (await self.claim(worker, **options)).jobs
        return job

    async def claimed_ids(self, worker: str = "w1", **options: Any) -> list[str]:
        return [job.id for job in (await self.claim(worker, **options)).jobs]

    async def finish(self, *endings: Ending, patience: timedelta = PATIENCE) -> list[str]:
        finisher = Finisher(
            self.redis, queue=keys.QUEUE, patience=patience, on_settled=lambda _, __: None
        )
        return await finisher._call(endings)

    async def end(
        self, job: ClaimedJob, kind: Kind, *, patience: timedelta = PATIENCE, **fields: Any
    ) -> str:
        """Finish one claimed job; a retry waits a minute and a deferral, too, if not told."""
        (reply,) = await self.finish(ending(job, kind, **fields), patience=patience)
        return reply

    async def succeed(self, job: ClaimedJob) -> None:
        assert await self.end(job, "succeeded", status="succeeded") == "ok"

    async def bury(self, job: ClaimedJob, error: str = "HTTP 404") -> None:
        fields = {"reason": "permanent error", "error": error, "status": "failed"}
        assert await self.finish(ending(job, "dead", **fields)) == ["ok"]

    async def rate_limit(self, job: ClaimedJob, scope: str, *, seconds: float = 60) -> str:
        until = await self.now() + int(seconds * 1000)
        return await self.end(
            job, "deferred", counts=False, reason="429", wait_ms=until, hold=scope
        )

    async def renew(self, *jobs: ClaimedJob) -> list[int]:
        flat = [text for job in jobs for text in (job.id, job.token)]
        lease = int(LEASE / timedelta(milliseconds=1))
        return list(await _RENEW(self.redis, [keys.QUEUE], [keys.LAYOUT, lease, *flat]))

    async def note_alone(self, job: ClaimedJob) -> int:
        arguments = [keys.LAYOUT, job.id, job.token]
        return int(await _ALONE(self.redis, [keys.QUEUE], arguments))

    async def crash(self, job: str) -> None:
        """The holder goes away, and its lease runs out."""
        past = await self.now() - 1
        await self.write(job, lease_until=past)
        await self.redis.delete(f"{keys.IN_PROGRESS}{job}")
        await self.redis.zadd(keys.QUEUE, {job: past}, xx=True)

    async def abort(self, job: str) -> None:
        """The mark of a stock client's ``Job.abort()``."""
        await self.redis.zadd(keys.ABORT, {job: await self.now()})

    async def replay(self, job: str, *, body: bytes = b"", reason: str = "mended") -> Replayed:
        return await replay(
            self.redis, queue=keys.QUEUE, job=job, actor=ACTOR, reason=reason, body=body
        )

    async def discard(self, *jobs: str) -> list[str]:
        found = await discard(
            self.redis, queue=keys.QUEUE, jobs=jobs, mandate=MANDATE, scope="test"
        )
        return [one.result for one in found]

    async def tidy(self, retention: Retention | None = None) -> tuple[int, list[str]]:
        """A janitor's round, whenever the last one was."""
        await self.redis.delete("imbi:janitor")
        janitor = Janitor(
            self.redis, queue=keys.QUEUE, worker="w1", retention=retention or Retention()
        )
        return await janitor.tidy()

    # --- time

    async def now(self) -> int:
        seconds, micros = await self.redis.time()
        return int(seconds) * 1000 + int(micros) // 1000

    async def make_due(self, job: str) -> None:
        """As if the wait of a retry or deferral were over."""
        past = await self.now() - 1
        await self.write(job, not_before=past)
        await self.redis.zadd(keys.QUEUE, {job: past}, xx=True)

    async def look_again(self) -> None:
        """As if everything that was put off for some seconds were due again."""
        past = await self.now() - 1
        near = await self.redis.zrangebyscore(keys.QUEUE, past, past + MINUTE)
        if near:
            await self.redis.zadd(keys.QUEUE, dict.fromkeys(near, past))

    async def jump(self, milliseconds: int) -> None:
        """As if Redis' clock had leapt so far, or back: every moment that lies in Redis shifts."""
        for job in await self.redis.keys(f"{keys.JOB}*"):
            await self._shift_fields(job.decode(), _MOMENTS_OF_A_JOB, milliseconds)
        for mirror in await self.redis.keys(f"{keys.IN_PROGRESS}*"):
            left = await self.redis.pttl(mirror)
            await self.redis.pexpire(mirror, left - milliseconds)
        for hold in await self.redis.keys(f"{keys.HOLD}*"):
            await self._shift_fields(hold.decode(), ("since", "until"), milliseconds)
        for name in ("imbi:served", "imbi:slugs"):
            await self._shift_fields(name, tuple(await self.facts(name)), milliseconds)
        for index in (keys.QUEUE, keys.HOLDS, keys.DEAD, keys.WORKERS):
            for member, at in await self.redis.zrange(index, 0, -1, withscores=True):
                if _EARLIEST < at < keys.FAR:
                    await self.redis.zadd(index, {member: at - milliseconds})

    async def _shift_fields(self, key: str, names: tuple[str, ...], milliseconds: int) -> None:
        for name, at in (await self.facts(key)).items():
            if name in names and at.isdigit() and int(at) > _EARLIEST:
                await self.note(key, **{name: int(at) - milliseconds})

    async def end_hold(self, scope: str) -> None:
        """As if the end of a hold had come."""
        await self.redis.zadd(keys.HOLDS, {scope: await self.now() - 1}, xx=True)

    # --- operators

    @property
    def control(self) -> Control:
        return Control(self.redis, queue=keys.QUEUE)

    async def hold(self, scope: str, *, seconds: float | None = None) -> Held:
        span = None if seconds is None else timedelta(seconds=seconds)
        return await self.control.hold(scope, span, MANDATE)

    async def pause(self, scope: str) -> None:
        """A hold without an end."""
        assert (await self.hold(scope)).verdict in {"held", "changed"}

    async def unhold(self, scope: str, *, goes_on: bool = False) -> Unheld:
        """One step: at most 1,000 jobs come back."""
        return await self.control.unhold(scope, MANDATE, goes_on=goes_on)

    async def cancel(self, *jobs: str) -> list[str]:
        found: list[Cancelled] = await self.control.cancel(jobs, MANDATE, scope="test")
        assert tuple(one.job for one in found) == jobs
        return [one.verdict for one in found]

    async def run_now(self, job: str) -> RunNow:
        (found,) = await self.control.run_now([job], MANDATE, scope=f"job:{job}")
        return found

    # --- writing past the scripts

    async def write(self, job: str, **fields: str | int) -> None:
        """Fields of a job's hash."""
        await self.note(f"{keys.JOB}{job}", **fields)

    async def command(self, *words: str | float) -> Any:
        client: Executes = self.redis
        return await client.execute_command(*words)

    async def note(self, key: str, **fields: str | int) -> None:
        """Fields of any hash."""
        flat = [text for pair in fields.items() for text in pair]
        await self.command("HSET", key, *flat)

    # --- looking

    async def hash(self, job: str) -> dict[str, str]:
        return await self.facts(f"{keys.JOB}{job}")

    async def facts(self, key: str) -> dict[str, str]:
        found = await cast("Awaitable[dict[bytes, bytes]]", self.redis.hgetall(key))
        return {name.decode(): value.decode() for name, value in found.items()}

    async def state(self, job: str) -> str:
        return (await self.hash(job)).get("state", "")

    async def score(self, job: str) -> float | None:
        return cast("float | None", await self.redis.zscore(keys.QUEUE, job))

    async def is_far(self, job: str) -> bool:
        score = await self.score(job)
        return score is not None and score >= keys.FAR

    async def is_due(self, job: str) -> bool:
        score = await self.score(job)
        return score is not None and score <= await self.now()

    async def due(self) -> set[str]:
        found = await self.redis.zrangebyscore(keys.QUEUE, "-inf", await self.now())
        return {job.decode() for job in found}

    async def delivery(self, delivery: str = "delivery-1") -> dict[str, str]:
        return await self.facts(f"{keys.DELIVERY}{delivery}")

    async def events(self, delivery: str = "delivery-1") -> int:
        return int(await self.command("HLEN", f"{keys.EVENT}{delivery}"))

    async def weight(self, job: str) -> int:
        """Bytes of a job's body and of its event."""
        facts = await self.hash(job)
        event = f"{keys.EVENT}{facts['delivery']}"
        return int(
            await self.redis.strlen(f"{keys.BODY}{job}")
            + await self.command("HSTRLEN", event, facts["digest"])
        )

    async def counter(self, name: str) -> int:
        return int((await self.facts(keys.COUNTERS)).get(name, 0))

    async def tokens(self) -> int:
        """How many idle workers would wake."""
        return int(await self.command("LLEN", keys.WAKE))

    async def parked(self, scope: str) -> list[str]:
        return [job.decode() for job in await self.redis.zrange(f"{keys.PARKED}{scope}", 0, -1)]

    async def result(self, job: str) -> dict[str, Any]:
        body = await self.redis.get(f"{keys.RESULT}{job}")
        assert body is not None
        return arq_deserializer(body)

    async def outcomes(self) -> list[dict[str, str]]:
        return await self._entries(keys.OUTCOMES)

    async def audit(self) -> list[dict[str, str]]:
        return await self._entries(keys.AUDIT)

    async def _entries(self, stream: str) -> list[dict[str, str]]:
        return [
            {name.decode(): value.decode() for name, value in fields.items()}
            for _, fields in await self.redis.xrange(stream)
        ]

    async def everything(self) -> dict[bytes, tuple[bytes, int]]:
        """Every key with its bytes and the moment it expires, to be compared."""
        found = {}
        for key in sorted(await self.redis.keys("*")):
            text = cast("bytes", await self.redis.dump(key))
            found[key] = (text, int(await self.command("PEXPIRETIME", key)))
        return found

    async def everything_but_notes(self, job: str) -> tuple[dict[bytes, Any], dict[str, str]]:
        """The same without what stands in the job's attempt records."""
        found = dict(await self.everything())
        _, expires = found.pop(f"{keys.JOB}{job}".encode(), (b"", 0))
        facts = {name: text for name, text in (await self.hash(job)).items() if ":" not in name}
        return found, {**facts, "expires": str(expires)}


def ending(job: ClaimedJob, kind: Kind, **fields: Any) -> Ending:
    if kind == "retry":
        fields = {"wait_ms": MINUTE, "error": "HTTPError: HTTP 503", **fields}
    return Ending(job.id, job.token, kind)._replace(**fields)
