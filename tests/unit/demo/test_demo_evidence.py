"""The demo judges what was read back; each of its verdicts can be a bad one."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from imbi_sdk.queue import Enqueued, EnqueuedJob, EnqueueStatus
from imbi_worker.demo import report
from imbi_worker.demo.director import Redelivered
from imbi_worker.demo.evidence import Ended, Evidence, is_kept
from imbi_worker.demo.imbi_api import RecordedRequest, Release
from imbi_worker.demo.names import HARBOR
from imbi_worker.demo.parts import Part, Told, mark_of, notify, work
from imbi_worker.demo.scenes import Claim, Deliver, Scene
from imbi_worker.demo.story import STORY
from imbi_worker.demo.watch import Cast
from imbi_worker.queue.inspection.views import AttemptView, JobView, State, StoredJob

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
PUSHED = notify("pushed", Told(answers=(202,)))


def make_stored(part: Part, *, state: State, reason: str, workers: Sequence[str]) -> StoredJob:
    view = JobView(
        id="j-1",
        handler=part.handler,
        state=state,
        project=HARBOR,
        plugin_id="demo-github",
        delivery="demo-01",
        lane="harbor-api/demo",
        seq=1,
        ordinal=0,
        attempts=len(workers),
        crashes=0,
        run=1,
        enqueued=NOON,
        reason=reason,
    )
    last = "succeeded" if state is State.SUCCEEDED else "dead"
    outcomes = ["crashed"] * (len(workers) - 1) + [last]
    attempts = tuple(
        AttemptView(1, number, outcome, worker, NOON, NOON, timedelta(seconds=1))
        for number, (outcome, worker) in enumerate(zip(outcomes, workers, strict=True), 1)
    )
    return StoredJob(view, attempts, body=None, event=None, later_ran=False)


def make_request(number: int, part: Part, status: int = 202, **body: str) -> RecordedRequest:
    """Request *number* arrives that many seconds after noon."""
    return RecordedRequest(
        number=number,
        at=NOON + timedelta(seconds=number),
        peer=1,
        method="POST",
        path="/service",
        project_id=HARBOR,
        handler=part.handler,
        body={"message": part.mark, **body},
        status=status,
    )


def make_ended(
    part: Part = PUSHED,
    *,
    state: State = State.SUCCEEDED,
    reason: str = "",
    workers: Sequence[str] = ("w-1",),
    requests: Sequence[RecordedRequest] | None = None,
) -> Ended:
    stored = make_stored(part, state=state, reason=reason, workers=workers)
    found = [make_request(1, part)] if requests is None else requests
    return Ended(Cast("j-1", 1, "github push", HARBOR, part), stored, tuple(found))


def make_evidence(*ended: Ended, killed: Sequence[str] = ()) -> Evidence:
    return Evidence(ended, (), {}, 0, frozenset(killed))


def test_a_job_that_ended_as_told_has_no_flaw() -> None:
    """State, reason, attempts and answers are all as the story has them."""
    assert make_ended().flaws == ()


@pytest.mark.parametrize(
    ("ended", "flaw"),
    [
        (replace(make_ended(), stored=None), "state: succeeded was to come, none came"),
        (make_ended(state=State.DEAD), "state: succeeded was to come, dead came"),
        (make_ended(reason="poison pill"), "reason: none was to come, poison pill came"),
        (
            make_ended(workers=("w", "w")),
            "attempts: succeeded was to come, crashed, succeeded came",
        ),
        (make_ended(requests=()), "answers: 202 was to come, none came"),
    ],
    ids=["lost", "state", "reason", "attempts", "answers"],
)
def test_whatever_is_not_as_told_is_a_flaw(ended: Ended, flaw: str) -> None:
    """What was to come and what came, side by side."""
    assert flaw in ended.flaws


@pytest.mark.parametrize(
    ("order", "is_right"), [((1, 2, 3, 4), True), ((1, 3, 2, 4), False), ((3, 4, 1, 2), False)]
)
def test_rules_are_in_order_only_when_none_began_before_another_ended(
    order: tuple[int, ...], *, is_right: bool
) -> None:
    """Overlapping or swapped rules break the claim."""
    numbers, jobs = iter(order), []
    for mark in ("first", "second"):
        part = work(mark, 0.0, Told())
        phases = [make_request(next(numbers), part, phase=phase) for phase in ("start", "end")]
        jobs.append(make_ended(part, requests=phases))
    assert is_kept(Claim.IN_ORDER, 1, make_evidence(*jobs)) is is_right


@pytest.mark.parametrize(
    ("statuses", "published", "count", "is_right"),
    [
        (["success"], 1, 1, True),
        (["success"], 0, 1, False),
        (["in_progress"], 1, 1, False),
        (["success", "success"], 1, 1, False),
        (["success"], 1, 2, False),
        ([], 1, 0, False),
    ],
)
def test_a_release_is_there_once_with_its_status_and_published(
    statuses: list[str], published: int, count: int, *, is_right: bool
) -> None:
    """As Imbi has it in the end, whatever the jobs say."""
    release = Release(
        id="r-1",
        committish="c02f9d5",
        title="v1",
        deployments=[{"status": status} for status in statuses],
        published=published,
    )
    evidence = replace(make_evidence(make_ended()), releases={HARBOR: [release] * count})
    assert is_kept(Claim.RELEASED, 1, evidence) is is_right


@pytest.mark.parametrize(
    ("second", "status", "is_right"), [(3, 429, True), (2, 429, False), (3, 202, False)]
)
def test_a_hold_is_kept_only_when_nothing_was_sent_before_retry_after(
    second: int, status: int, *, is_right: bool
) -> None:
    """The story's Retry-After is 2 s; the first answer comes at second 1."""
    requests = [make_request(1, PUSHED, status), make_request(second, PUSHED)]
    evidence = make_evidence(make_ended(requests=requests))
    assert is_kept(Claim.HELD, 1, evidence) is is_right


@pytest.mark.parametrize(
    ("workers", "is_right"),
    [(("w-1", "w-2"), True), (("w-2", "w-2"), False), (("w-1", "w-1"), False), ((), False)],
)
def test_another_worker_must_finish_what_the_killed_one_began(
    workers: tuple[str, ...], *, is_right: bool
) -> None:
    """The first attempt was the killed worker's, the second one was not."""
    ended = make_ended(workers=workers) if workers else replace(make_ended(), stored=None)
    assert is_kept(Claim.BY_ANOTHER, 1, make_evidence(ended, killed=["w-1"])) is is_right


@pytest.mark.parametrize(
    ("status", "known", "counted", "is_right"),
    [
        (EnqueueStatus.DUPLICATE, 1, 1, True),
        (EnqueueStatus.ACCEPTED, 1, 1, False),
        (EnqueueStatus.DUPLICATE, 2, 1, False),
        (EnqueueStatus.DUPLICATE, 1, 0, False),
    ],
    ids=["dropped", "accepted", "a job too many", "not counted"],
)
def test_a_redelivery_is_dropped_only_when_nothing_was_added(
    status: EnqueueStatus, known: int, counted: int, *, is_right: bool
) -> None:
    """The answer, the delivery's record and the counter must agree."""
    first = Enqueued("demo-01", (EnqueuedJob("j", "a#b", "p", EnqueueStatus.ACCEPTED),), 1)
    again = Enqueued("demo-01", (EnqueuedJob("j", "a#b", "p", status),), 1)
    told = (Redelivered(1, first, again),)
    evidence = Evidence((), told, {"demo-01": known}, counted, frozenset())
    assert is_kept(Claim.DROPPED, 1, evidence) is is_right
    assert not is_kept(Claim.DROPPED, 1, replace(evidence, redelivered=()))


@pytest.mark.parametrize("is_right", [True, False])
def test_the_report_says_for_every_job_whether_it_ended_as_told(*, is_right: bool) -> None:
    """In the table, in the last line and in JSON."""
    scene = Scene("a push", "It works.")
    state = State.SUCCEEDED if is_right else State.DEAD
    judged = report.judge((scene,), make_evidence(make_ended(state=state)))
    shown = StringIO()
    report.show(Console(file=shown, width=100), judged, timedelta(seconds=2))
    (line,) = report.as_json(judged)
    assert json.loads(line)["as_told"] is is_right
    assert judged[0].is_as_told is is_right
    assert ("All 1 jobs ended as told, in 2.0 s." in shown.getvalue()) is is_right
    assert ("WRONG" in shown.getvalue()) is not is_right


def test_a_scene_nobody_appeared_in_is_not_as_told() -> None:
    """A story that broke off is no good one."""
    assert not report.judge((Scene("a push", "It works."),), make_evidence())[0].is_as_told


def test_no_two_jobs_of_the_story_could_be_taken_for_each_other() -> None:
    """A request is laid to a job by project, handler and mark."""
    acts = [act for scene in STORY for act in (*scene.opening, *scene.sequel)]
    delivered = [act for act in acts if isinstance(act, Deliver)]
    known_by = [
        (project, part.handler, part.mark)
        for act in delivered
        for project in act.projects
        for part in act.parts
    ]
    assert len(known_by) == len(set(known_by)) == 19


@pytest.mark.parametrize(
    ("body", "mark"),
    [
        ([{"op": "add", "path": "/last_commit", "value": 1}], "last_commit"),
        ({"message": "pushed"}, "pushed"),
        ({"label": "roll-out", "phase": "start"}, "roll-out"),
        ([], ""),
        (None, ""),
    ],
)
def test_a_request_shows_the_mark_of_its_rule(body: Any, mark: str) -> None:
    """Whatever action has sent it."""
    assert mark_of(body) == mark
