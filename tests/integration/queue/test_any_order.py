"""Whatever gateways, workers, operators and accidents do, in any order, I1 to I4 hold.

Hypothesis walks through the scripts at a real server. After each step everything that
lies in Redis is looked at; at the end every job is brought to its end, and none is lost.

`make walks WALKS=2000` walks that often, each time elsewhere.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable
from typing import Any, TypeVar

import pytest
from desk import MINUTE, Desk, ending
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from invariants import UNFINISHED, Picture, broken, look, standing_still
from redis.asyncio import Redis

from factories import make_keywords
from imbi_sdk.queue import (
    Enqueued,
    arq_serializer,
    by_project_and_plugin,
    keys,
    producer,
    without_lane,
)
from imbi_worker.queue.claims import Claim, ClaimedJob
from imbi_worker.queue.finishing import Kind
from imbi_worker.queue.intake import Adopter, Intake
from imbi_worker.queue.janitor import Retention

Result = TypeVar("Result")
WALKS = int(os.environ.get("WALKS", "0"))
STEPS = settings(
    max_examples=WALKS or 80,
    stateful_step_count=40,
    # Shrinking at a real server takes minutes; the walk that failed is printed as it was.
    phases=[Phase.generate],
    derandomize=not WALKS,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
PLUGINS = {"github": "gh-1"}
SCOPES = st.sampled_from(["plugin:gh-1", "handler:sonar#scan", "queue"])
WORKERS = st.sampled_from(["w1", "w2", "w3"])
ANY = st.integers(0, 1000)
# Longer than a step takes.
A_WHILE = 2_000
KINDS: st.SearchStrategy[Kind] = st.sampled_from(
    [
        "succeeded",
        "succeeded",
        "skipped",
        "dead",
        "dead",
        "cancelled",
        "retry",
        "deferred",
        "released",
        "abandoned",
    ]
)
DELIVERIES = st.fixed_dictionaries(
    {
        "delivery": st.sampled_from(["d-1", "d-2", "d-3", "d-4"]),
        "handlers": st.lists(
            st.sampled_from(["github#sync", "github#deploy", "sonar#scan"]), min_size=1, max_size=2
        ),
        "projects": st.sampled_from([("p-1",), ("p-1", "p-2")]),
        "variant": st.integers(0, 1),
        "lane": st.sampled_from([by_project_and_plugin, by_project_and_plugin, without_lane]),
    }
)


class AnyOrder(RuleBasedStateMachine):
    """Three workers, four deliveries, two projects: few enough to meet often."""

    def __init__(self, runner: asyncio.Runner, url: str) -> None:
        super().__init__()
        self.runner = runner
        self.desk = Desk(Redis.from_url(url))
        self.run(self.desk.redis.flushdb())
        self.asked: list[tuple[dict[str, Any], Enqueued]] = []
        self.claimed: list[ClaimedJob] = []
        self.stock = 0
        self.jumped_back_ms = 0

    def run(self, work: Awaitable[Result]) -> Result:
        async def step() -> Result:
            return await work

        return self.runner.run(step())

    def picture(self) -> Picture:
        return self.run(look(self.desk.redis))

    # --- gateways

    @rule(what=DELIVERIES)
    def enqueue(self, what: dict[str, Any]) -> None:
        self.asked.append((what, self.ask(what, len(self.asked))))

    @precondition(lambda self: self.asked)
    @rule(which=ANY)
    def enqueue_again_with_its_nonce(self, which: int) -> None:
        nonce = which % len(self.asked)
        what, reply = self.asked[nonce]
        before = self.run(self.desk.everything())
        # A delivery that nothing needed any more would be forgotten, with its nonces.
        assert self.ask(what, nonce) == reply
        assert self.run(self.desk.everything()) == before

    def ask(self, what: dict[str, Any], nonce: int) -> Enqueued:
        self.desk.lane = what["lane"]
        return self.run(
            self.desk.enqueue(
                *what["handlers"],
                projects=what["projects"],
                delivery=what["delivery"],
                event={"type": "push", "payload": {"variant": what["variant"]}},
                plugin_ids=PLUGINS,
                nonce=str(nonce),
            )
        )

    @rule(handler=st.sampled_from(["github#sync", "sonar#scan", "jira#create"]))
    def enqueue_with_a_stock_client(self, handler: str) -> None:
        self.stock += 1
        job = f"stock {self.stock}"
        keywords = make_keywords(handler=handler, delivery="d-stock")
        body = arq_serializer({"t": None, "f": handler, "a": [], "k": keywords, "et": 1})
        self.run(self.desk.redis.set(f"{keys.BODY}{job}", body, ex=86400))
        self.run(self.desk.redis.zadd(keys.QUEUE, {job: 1}))

    # --- workers

    @rule(
        worker=WORKERS,
        jobs=st.integers(1, 4),
        spares_expired=st.booleans(),
        graph_answers=st.sampled_from([True, True, False]),
    )
    def claim(self, worker: str, **options: Any) -> None:
        before = self.picture()
        claim = self.run(self.desk.claim(worker, **options))
        self.take(claim)
        for job in claim.jobs:
            facts = before.jobs.get(job.id, {"state": "waiting", "lane": ""})
            was_leased = facts["state"] == "running" and int(facts["lease_until"]) > before.now
            assert not was_leased, f"job {job.id} was handed out twice"
            held = [] if job.id not in before.jobs else before.holds_on(job.id)
            # A hold whose end has come is over for this claim.
            held = [scope for scope in held if before.hold_ends[scope] > before.now + A_WHILE]
            assert not held, f"job {job.id} was handed out under {held}"

    @precondition(lambda self: self.desk.claimers)
    @rule(which=ANY)
    def claim_again_after_a_lost_reply(self, which: int) -> None:
        worker = sorted(self.desk.claimers)[which % len(self.desk.claimers)]
        self.take(self.run(self.desk.claim_again(worker)))

    def take(self, claim: Claim) -> None:
        self.claimed.extend(claim.jobs)
        assert all(self.is_shown_running(job) for job in claim.jobs)
        intake = Intake(signer=None, accepts_unsigned=True)
        adopter = Adopter(self.desk.redis, intake, queue=keys.QUEUE)
        for job, body in claim.strangers:
            assert self.run(adopter.adopt(job, body)) == "adopted"

    @precondition(lambda self: self.claimed)
    @rule(which=ANY, kind=KINDS, counts=st.booleans(), scope=st.sampled_from(["", "plugin:gh-1"]))
    def finish_twice(self, which: int, kind: Kind, scope: str, *, counts: bool) -> None:
        """The second time is what a lost reply looks like."""
        job = self.one_of_the_claimed(which)
        fields: dict[str, Any] = {"counts": counts, "error": "HTTP 503", "record": "{}"}
        if kind == "deferred":
            fields |= {"wait_ms": self.run(self.desk.now()) + MINUTE, "hold": scope}
        elif kind == "retry":
            fields |= {"wait_ms": which * MINUTE}
        entry = ending(job, kind, **fields)
        is_ours = self.is_ours(job)
        for first in (True, False):
            before = self.run(self.desk.everything_but_notes(job.id))
            (reply,) = self.run(self.desk.finish(entry))
            counts_now = is_ours and (first or kind == "abandoned")
            assert (reply not in {"lost", "stale"}) is counts_now
            if not is_ours or not first:
                assert self.run(self.desk.everything_but_notes(job.id)) == before

    @precondition(lambda self: self.claimed)
    @rule(which=ANY)
    def renew(self, which: int) -> None:
        job = self.one_of_the_claimed(which)
        is_ours = self.is_ours(job)
        assert self.run(self.desk.renew(job)) == [int(is_ours)]
        assert self.is_shown_running(job) or not is_ours

    @precondition(lambda self: self.claimed)
    @rule(which=ANY)
    def begin_alone(self, which: int) -> None:
        job = self.one_of_the_claimed(which)
        assert self.run(self.desk.note_alone(job)) == int(self.is_ours(job))

    def one_of_the_claimed(self, which: int) -> ClaimedJob:
        """The latest for 0; the older the more likely lost."""
        return self.claimed[-1 - which % len(self.claimed)]

    def is_ours(self, job: ClaimedJob) -> bool:
        return self.run(self.desk.hash(job.id)).get("token") == job.token

    def is_shown_running(self, job: ClaimedJob) -> bool:
        return bool(self.run(self.desk.redis.exists(f"{keys.IN_PROGRESS}{job.id}")))

    # --- accidents and time

    @rule(which=ANY)
    def a_worker_goes_away(self, which: int) -> None:
        running = sorted(j for j, f in self.picture().jobs.items() if f["state"] == "running")
        if running:
            self.run(self.desk.crash(running[which % len(running)]))

    @rule()
    def waits_are_over(self) -> None:
        for job, facts in self.picture().jobs.items():
            if facts["state"] == "waiting" and not self.run(self.desk.is_far(job)):
                self.run(self.desk.make_due(job))

    @rule(worker=WORKERS)
    def somebody_makes_everything_due(self, worker: str) -> None:
        """Scores as a stock abort() sets them; a claim puts each back into its place.

        At a job that runs alone it ends, and the next one goes on.
        """
        members = self.run(self.desk.redis.zrange(keys.QUEUE, 0, -1))
        if members:
            self.run(self.desk.redis.zadd(keys.QUEUE, dict.fromkeys(members, 1)))
        left = "more"
        while left == "more":
            claim = self.run(self.desk.claim(worker))
            self.take(claim)
            left = claim.left

    @rule(seconds=st.sampled_from([-90, -7, 7, 20, 90, 3600]))
    def the_clock_jumps(self, seconds: int) -> None:
        self.run(self.desk.jump(seconds * 1000))
        self.jumped_back_ms += max(0, -seconds * 1000)

    # --- operators

    @rule(which=ANY)
    def abort(self, which: int) -> None:
        known = [*sorted(self.picture().jobs), "nobody"]
        self.run(self.desk.abort(known[which % len(known)]))

    @rule(which=ANY)
    def replay(self, which: int) -> None:
        jobs = self.picture().jobs
        if jobs:
            job = sorted(jobs)[which % len(jobs)]
            result = self.run(self.desk.replay(job)).result
            assert result == ("replayed" if jobs[job]["state"] == "dead" else "not dead")

    @rule(which=ANY)
    def discard_twice(self, which: int) -> None:
        """The second time is what a lost reply looks like."""
        before = self.picture()
        job = self.any_job(before, which)
        state = before.jobs.get(job, {}).get("state", "")
        results = [self.run(self.desk.discard(job))[0] for _ in range(2)]
        if state == "dead":
            assert results == ["discarded", "missing"]
        else:
            assert results == ["not dead" if state else "missing"] * 2

    @rule(scope=SCOPES, seconds=st.sampled_from([None, None, 30, 600]))
    def hold(self, scope: str, seconds: int | None) -> None:
        before = self.picture()
        verdict = self.run(self.desk.hold(scope, seconds=seconds)).verdict
        ends = before.hold_ends.get(scope, 0.0)
        if ends <= before.now:
            assert verdict == "held"
        else:
            facts = before.holds[scope]
            is_limit = facts["kind"] == "rate_limit" and facts["step"] == "0"
            is_longer = is_limit and seconds is not None and ends > before.now + seconds * 1000
            assert verdict == ("longer" if is_longer else "changed")

    @rule(scope=SCOPES, goes_on=st.booleans())
    def unhold(self, scope: str, *, goes_on: bool) -> None:
        before = self.picture()
        is_begun = before.holds.get(scope, {}).get("kind") == "removed"
        done = self.run(self.desk.unhold(scope, goes_on=goes_on))
        if scope not in before.hold_ends or (goes_on and not is_begun):
            assert done.verdict == "missing"
            return
        # Here no hold has more than a thousand jobs: all are back.
        assert (done.verdict, done.left) == ("going on" if is_begun else "removed", 0)
        assert done.given_back == len(before.parked.get(scope, ()))
        assert scope not in self.picture().hold_ends

    @rule(scope=SCOPES)
    def end_hold(self, scope: str) -> None:
        self.run(self.desk.end_hold(scope))

    @rule(which=ANY)
    def cancel_twice(self, which: int) -> None:
        """The second time is what a lost reply looks like."""
        before = self.picture()
        job = self.any_job(before, which)
        verdicts = [self.run(self.desk.cancel(job))[0] for _ in range(2)]
        state = before.jobs.get(job, {}).get("state")
        lease_ends = int(before.jobs[job]["lease_until"]) if state == "running" else 0
        if state is None:
            assert verdicts == (["asked"] if job in before.scores else ["missing"]) * 2
        elif state not in UNFINISHED:
            assert verdicts == ["ended", "ended"]
        elif lease_ends > before.now + A_WHILE:
            assert verdicts == ["asked", "asked"]
        elif state != "running":
            assert verdicts == ["cancelled", "ended"]

    @rule(which=ANY)
    def run_now(self, which: int) -> None:
        before = self.picture()
        job = self.any_job(before, which)
        found = self.run(self.desk.run_now(job))
        facts = before.jobs.get(job)
        if facts is None:
            assert (found.verdict == "missing") is (job not in before.scores)
        elif facts["state"] == "running":
            assert found.verdict == "running"
        elif facts["state"] not in UNFINISHED:
            assert (found.verdict, found.detail) == ("ended", facts["state"])
        elif not before.is_head(job):
            members = before.lanes[facts["lane"]]
            assert (found.verdict, found.detail) == (
                "behind",
                min(members, key=members.__getitem__),
            )
        elif facts["state"] == "parked":
            assert (found.verdict, found.detail) == ("held", facts["hold"])
        elif held := before.holds_on(job):
            assert (found.verdict, found.detail) == ("held", held[0])
        else:
            assert found.verdict in {"due", "already due"}
            assert self.run(self.desk.is_due(job))

    def any_job(self, picture: Picture, which: int) -> str:
        """One of all jobs, taken in or not, or one that never was."""
        known = sorted({*picture.jobs, *picture.scores, "nobody"})
        return known[which % len(known)]

    @rule(count=st.sampled_from([0, 1, 100]))
    def keep_house(self, count: int) -> None:
        _, repairs = self.run(self.desk.tidy(Retention(count=count)))
        assert repairs == []

    # --- what holds

    @invariant()
    def nothing_is_broken(self) -> None:
        assert self.run(broken(self.desk.redis)) == []

    @invariant()
    def no_lane_stands_still_while_it_could_go(self) -> None:
        found = standing_still(self.picture(), jumped_back_ms=self.jumped_back_ms)
        assert list(found) == []

    def teardown(self) -> None:
        try:
            self.bring_everything_to_its_end()
        finally:
            self.run(self.desk.redis.aclose())

    def bring_everything_to_its_end(self) -> None:
        self.desk.slugs = (*self.desk.slugs, "jira")
        for _ in range(100):
            picture = self.picture()
            if not picture.scores:
                break
            for scope in self.run(self.desk.redis.zrange(keys.HOLDS, 0, -1)):
                self.run(self.desk.end_hold(scope.decode()))
            for job, facts in picture.unfinished().items():
                if facts["state"] == "running":
                    self.run(self.desk.crash(job))
                    # A clock that was put back has not come to the run's own beginning yet.
                    self.run(self.desk.write(job, not_before=0))
            self.waits_are_over()
            self.look_again()
            claim = self.run(self.desk.claim("the last"))
            self.take(claim)
            for claimed in claim.jobs:
                self.run(self.desk.succeed(claimed))
        self.check_the_end(self.picture())

    def look_again(self) -> None:
        """Whatever was put off, by a claim or by the clock."""
        scores = self.picture().scores
        if near := [job for job, score in scores.items() if score < keys.FAR]:
            self.run(self.desk.redis.zadd(keys.QUEUE, dict.fromkeys(near, 1)))

    def check_the_end(self, picture: Picture) -> None:
        assert self.run(broken(self.desk.redis)) == []
        assert picture.unfinished() == {}
        assert (picture.scores, picture.lanes, picture.parked) == ({}, {}, {})
        states = {
            name.removeprefix("job:"): state
            for record in picture.deliveries.values()
            for name, state in record.items()
            if name.startswith("job:")
        }
        accepted = {job.id for _, enqueued in self.asked for job in enqueued.jobs}
        accepted |= {f"stock {number + 1}" for number in range(self.stock)}
        assert accepted == states.keys()
        assert not UNFINISHED & set(states.values())
        runs = Counter((o["job"], o["run"]) for o in self.run(self.desk.outcomes()))
        assert accepted == {job for job, _ in runs}
        assert [run for run, times in runs.items() if times > 1] == []


@pytest.mark.timeout(300 + 2 * WALKS)
def test_in_any_order_every_job_ends_once_and_the_invariants_hold(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost, nothing runs twice at once, no run ends twice, no lane is overtaken."""
    # So that most deliveries of two projects go in two calls, the second without their event.
    monkeypatch.setattr(producer, "JOBS_PER_CALL", 2)
    with asyncio.Runner() as runner:

        class AnyOrderHere(AnyOrder):
            def __init__(self) -> None:
                super().__init__(runner, redis_url)

        run_state_machine_as_test(AnyOrderHere, settings=STEPS)
