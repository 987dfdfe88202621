"""What every job came to, read back from Redis and the stand-in, and held against the story."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, assert_never

from imbi_sdk.queue import EnqueueStatus
from imbi_worker.demo.crew import Worker
from imbi_worker.demo.director import Redelivered
from imbi_worker.demo.imbi_api import RecordedRequest, Release
from imbi_worker.demo.names import ORGANIZATION, PROJECTS
from imbi_worker.demo.parts import mark_of
from imbi_worker.demo.scenes import Claim
from imbi_worker.demo.stage import Stage
from imbi_worker.demo.story import RETRY_AFTER
from imbi_worker.demo.watch import Cast
from imbi_worker.queue.inspection.views import State, StoredJob


@dataclass(frozen=True, slots=True)
class Ended:
    """One job as Redis and the stand-in know it; *flaws* is where that is not as told."""

    member: Cast
    stored: StoredJob | None
    requests: tuple[RecordedRequest, ...]

    @property
    def state(self) -> State | None:
        return self.stored.view.state if self.stored else None

    @property
    def attempts(self) -> tuple[str, ...]:
        return tuple(one.outcome for one in self.stored.attempts) if self.stored else ()

    @property
    def answers(self) -> tuple[int, ...]:
        return tuple(request.status for request in self.requests)

    @property
    def reason(self) -> str:
        return self.stored.view.reason if self.stored else ""

    @property
    def flaws(self) -> tuple[str, ...]:
        told = self.member.part.told
        pairs = (
            ("state", told.state, self.state),
            ("reason", told.reason, self.reason),
            ("attempts", told.attempts, self.attempts),
            ("answers", told.answers, self.answers),
        )
        return tuple(
            f"{name}: {_listed(expected)} was to come, {_listed(found)} came"
            for name, expected, found in pairs
            if expected != found
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known when the curtain has fallen.

    *killed* are ids of workers, *releases* what Imbi has, by project.
    """

    ended: tuple[Ended, ...]
    redelivered: tuple[Redelivered, ...]
    jobs_of_deliveries: Mapping[str, int]
    duplicates: int
    killed: frozenset[str]
    releases: Mapping[str, Sequence[Release]] = field(default_factory=dict)

    def scene(self, number: int) -> tuple[Ended, ...]:
        return tuple(one for one in self.ended if one.member.scene == number)


async def gather(
    stage: Stage, cast: Sequence[Cast], redelivered: Sequence[Redelivered]
) -> Evidence:
    """Read back everything that is to be judged, while the workers still stand."""
    inspection, requests = stage.inspection, stage.api.requests
    ended = [
        Ended(
            member,
            await inspection.stored(member.id),
            tuple(request for request in requests if _is_by(request, member)),
        )
        for member in cast
    ]
    names = {one.worker for job in ended if job.stored for one in job.stored.attempts}
    workers = {name: stage.crew.worker(name) for name in names if name}
    deliveries = {one.first.delivery for one in redelivered}
    views = {name: await inspection.delivery(name) for name in deliveries}
    stats = await inspection.stats()
    return Evidence(
        ended=tuple(ended),
        redelivered=tuple(redelivered),
        jobs_of_deliveries={name: len(view.jobs) for name, view in views.items() if view},
        duplicates=stats.counters.get("duplicates", 0),
        killed=frozenset(name for name, worker in workers.items() if _is_killed(worker)),
        releases={
            project: tuple(stage.api.releases(ORGANIZATION, project)) for project in PROJECTS
        },
    )


def _is_killed(worker: Worker | None) -> bool:
    return worker is not None and not worker.is_alive


def _is_by(request: RecordedRequest, member: Cast) -> bool:
    return (
        request.project_id == member.project
        and request.handler == member.part.handler
        and mark_of(request.body) == member.part.mark
    )


def is_kept(claim: Claim, scene: int, evidence: Evidence) -> bool:
    """Whether what was read back bears *claim* out."""
    jobs = evidence.scene(scene)
    match claim:
        case Claim.IN_ORDER:
            return _is_in_order(jobs)
        case Claim.HELD:
            return _is_held(jobs)
        case Claim.BY_ANOTHER:
            workers = [one.worker for job in jobs if job.stored for one in job.stored.attempts]
            return [worker in evidence.killed for worker in workers] == [True, False]
        case Claim.RELEASED:
            projects = {job.member.project for job in jobs}
            return all(_is_released(evidence.releases.get(name, ())) for name in projects)
        case Claim.DROPPED:
            return _is_dropped(scene, evidence)
        case _:
            assert_never(claim)


def _is_in_order(jobs: Sequence[Ended]) -> bool:
    numbers = [request.number for job in jobs for request in job.requests]
    return all(job.requests for job in jobs) and numbers == sorted(numbers)


def _is_released(releases: Sequence[Release]) -> bool:
    if len(releases) != 1:
        return False
    statuses = [one["status"] for one in releases[0].deployments]
    return statuses == ["success"] and releases[0].published > 0


def _is_held(jobs: Sequence[Ended]) -> bool:
    requests = _requests(jobs)
    if not requests or requests[0].status != HTTPStatus.TOO_MANY_REQUESTS:
        return False
    return all(later.at - requests[0].at >= RETRY_AFTER for later in requests[1:])


def _is_dropped(scene: int, evidence: Evidence) -> bool:
    told = [one for one in evidence.redelivered if one.scene == scene]
    count = sum(len(one.again.jobs) for one in told)
    return bool(told) and all(
        (
            [job.id for job in one.first.jobs] == [job.id for job in one.again.jobs]
            and one.again.count(EnqueueStatus.DUPLICATE) == len(one.again.jobs)
            and evidence.jobs_of_deliveries.get(one.first.delivery) == len(one.first.jobs)
            and evidence.duplicates == count
        )
        for one in told
    )


def _requests(jobs: Sequence[Ended]) -> list[RecordedRequest]:
    return sorted((one for job in jobs for one in job.requests), key=lambda one: one.number)


def _listed(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value) or "none"
    return str(value) if value else "none"
