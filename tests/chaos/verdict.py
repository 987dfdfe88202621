"""The verdict: pure, from the history and from what Redis says at the end."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from chaos.attempts import Attempt, Disturbances, attempts, disturbances
from chaos.history import Line

_ENDS: Final = {"succeeded", "skipped", "dead", "cancelled"}
_GOOD: Final = {"ok", "skipped"}
# From a claim to the first line of its action, on a busy machine.
_ON_ITS_WAY: Final = 1.0


@dataclass(frozen=True, slots=True)
class Ended:
    """What Redis says of a job at the end; ``ended`` on the history's clock."""

    state: str
    run: int
    seq: int
    lane: str
    ended: float


@dataclass(frozen=True, slots=True)
class Books:
    """All that Redis says: jobs, outcomes as (job, run, state), crashes as (job, pid, from, to)."""

    jobs: Mapping[str, Ended]
    outcomes: Sequence[tuple[str, int, str]]
    crashes: Sequence[tuple[str, int, float, float]]


@dataclass(slots=True)
class Verdict:
    """Broken promises, one sentence each."""

    jobs: int = 0
    recovered_kills: int = 0
    lost: list[str] = field(default_factory=list)
    order_breaks: list[str] = field(default_factory=list)
    unexplained_duplicates: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    causes: Counter[str] = field(default_factory=Counter)

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.order_breaks or self.unexplained_duplicates or self.others)


def judge(lines: Sequence[Line], books: Books, *, lease: float) -> Verdict:
    made = attempts(lines)
    around = disturbances(lines, lease=lease)
    verdict = Verdict()
    verdict.jobs = sum(line.what == "accepted" for line in lines)
    verdict.lost += _lost(lines, books, made)
    verdict.lost += _unknown(lines, books, around, verdict.causes)
    verdict.lost += _outcomes(books)
    verdict.others += _enqueued(lines, books, around)
    verdict.others += _crashes(books, around)
    verdict.others += _cancels(lines, books)
    verdict.recovered_kills = _recovered(lines, made, books)
    _Lanes(books, around, verdict).walk(made)
    return verdict


def _unknown(
    lines: Sequence[Line], books: Books, around: Disturbances, causes: Counter[str]
) -> Iterator[str]:
    offered = {line.nonce: line.at for line in lines if line.what == "offered"}
    for line in lines:
        if line.what != "accepted" or line.job in books.jobs:
            continue
        if around.is_undone(offered[line.nonce], line.at):
            causes["lost: writes lost"] += 1
        else:
            yield f"job {line.job} was accepted and Redis knows nothing of it"


def _lost(lines: Sequence[Line], books: Books, made: Sequence[Attempt]) -> Iterator[str]:
    done = {(a.job, a.run) for a in made if a.how == "ok"}
    for line in lines:
        job = books.jobs.get(line.job)
        if line.what != "accepted" or job is None:
            continue
        if job.state not in _ENDS:
            yield f"job {line.job} is {job.state} in the end"
        elif job.state == "succeeded" and (line.job, job.run) not in done:
            yield f"job {line.job} has succeeded, it says, and no action of run {job.run} has"


def _outcomes(books: Books) -> Iterator[str]:
    told: dict[tuple[str, int], list[str]] = defaultdict(list)
    for job, run, state in books.outcomes:
        told[job, run].append(state)
    for (job, run), states in told.items():
        if len(states) > 1:
            yield f"run {run} of job {job} ended {len(states)} times: {', '.join(states)}"
    for job, ended in books.jobs.items():
        if ended.state in _ENDS and told.get((job, ended.run)) != [ended.state]:
            yield f"job {job} is {ended.state}, its outcomes are {told.get((job, ended.run))}"


def _enqueued(lines: Sequence[Line], books: Books, around: Disturbances) -> Iterator[str]:
    """New is never called a duplicate, and what was enqueued later stands later in its lane."""
    highest: dict[str, int] = {}
    before: dict[str, dict[str, int]] = {}
    offered: dict[str, float] = {}
    for line in lines:
        if line.what == "offered":
            before[line.nonce] = dict(highest)
            offered[line.nonce] = line.at
        elif line.what == "accepted":
            if line.how != "accepted":
                yield f"job {line.job} is new, and its producer was told {line.how}"
            job = books.jobs.get(line.job)
            if job is None or job.run != 1 or around.is_undone(offered[line.nonce], line.at):
                continue
            if job.seq <= before[line.nonce].get(line.lane, 0):
                yield f"job {line.job} stands in its lane before one enqueued earlier"
            highest[line.lane] = max(highest.get(line.lane, 0), job.seq)


def _crashes(books: Books, around: Disturbances) -> Iterator[str]:
    for job, pid, begun, noted in books.crashes:
        if around.is_undone(begun, noted):
            continue
        if around.why_lost(pid, begun, noted) is None:
            yield f"job {job} was taken for crashed on {pid}, and nothing had happened to that"


def _cancels(lines: Sequence[Line], books: Books) -> Iterator[str]:
    asked = {line.job for line in lines if line.what == "abort"}
    for job, ended in books.jobs.items():
        if ended.state == "cancelled" and job not in asked:
            yield f"job {job} is cancelled, and nobody asked"


def _recovered(lines: Sequence[Line], made: Sequence[Attempt], books: Books) -> int:
    """Workers that died with an action running, all of whose jobs have come to their end."""
    held: dict[int, set[str]] = defaultdict(set)
    for attempt in made:
        if attempt.how == "died":
            held[attempt.pid].add(attempt.job)
    return sum(
        all(job in books.jobs and books.jobs[job].state in _ENDS for job in jobs)
        for jobs in held.values()
    )


class _Lanes:
    """Walks through all starts in their order: order, overlap, repetition."""

    def __init__(self, books: Books, around: Disturbances, verdict: Verdict) -> None:
        self._books = books
        self._around = around
        self._verdict = verdict
        self._latest: dict[str, tuple[int, float]] = {}
        self._in_lane: dict[str, list[Attempt]] = defaultdict(list)
        self._of_run: dict[tuple[str, int], list[Attempt]] = defaultdict(list)

    def walk(self, made: Sequence[Attempt]) -> None:
        for attempt in made:
            self._repetition(attempt)
            self._overlap(attempt)
            self._order(attempt)
            self._of_run[attempt.job, attempt.run].append(attempt)

    def _repetition(self, now: Attempt) -> None:
        """A start after an earlier attempt of its run has done its work."""
        for before in self._of_run[now.job, now.run]:
            if before.how in _GOOD and before.ended < now.at:
                cause = self._why_both(before, now)
                # It ended in the very pass of the loop that another action then blocked for good.
                if cause is None and (before.pid, before.job) in self._around.given_back:
                    cause = "forced exit of a drain"
                self._verdict.causes[f"duplicate: {cause}"] += 1
                if cause is None:
                    self._verdict.unexplained_duplicates.append(
                        f"job {now.job} ran again after it had ended {before.how}: {_tell(before)},"
                        f" then {_tell(now)}"
                    )

    def _overlap(self, now: Attempt) -> None:
        lane = self._in_lane[now.lane] = [
            other for other in self._in_lane[now.lane] if other.ended > now.at
        ]
        for other in lane:
            cause = self._why_both(other, now)
            # What a drain gives back may still live until its process has ended.
            if cause is None and self._around.is_drained(other.pid, now.at):
                cause = "drain"
            self._verdict.causes[f"overlap: {cause}"] += 1
            if cause is None:
                self._verdict.order_breaks.append(
                    f"two at once in lane {now.lane}: {_tell(other)}, and {_tell(now)}"
                )
        lane.append(now)

    def _order(self, now: Attempt) -> None:
        job = self._books.jobs.get(now.job)
        if job is None or job.run != now.run:
            return  # its place was another one then
        latest, started = self._latest.get(now.lane, (0, 0.0))
        if job.seq >= latest:
            self._latest[now.lane] = job.seq, now.at
            return
        # A worker that lost its lease before its action's first line starts what has ended.
        cause = self._around.why_lost(now.pid, now.at, now.at) if job.ended < now.at else None
        if cause is None and self._around.is_undone(started - _ON_ITS_WAY, started):
            cause = "writes lost"
        self._verdict.causes[f"late start: {cause}"] += 1
        if cause is None:
            self._verdict.order_breaks.append(
                f"job {now.job} (seq {job.seq}) of lane {now.lane} started after seq {latest}:"
                f" {_tell(now)}"
            )

    def _why_both(self, before: Attempt, now: Attempt) -> str | None:
        """How *before* could lose its lease; or *now*, if it was claimed first and woke late."""
        if self._around.is_undone(before.at, min(now.at, before.ended + self._around.lease)):
            return "writes lost"
        return self._around.why_lost(before.pid, before.at, now.at) or self._around.why_lost(
            now.pid, now.at, now.at
        )


def _tell(attempt: Attempt) -> str:
    return (
        f"attempt {attempt.run}.{attempt.number} of {attempt.job} under {attempt.token}"
        f" [{attempt.at:.3f} to {attempt.ended:.3f} {attempt.how}]"
    )
