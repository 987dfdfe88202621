"""All bodies of a folder through the whole path, each for three projects, and none lost.

Each updates the projects, notifies the service and creates a release of the commit that it
names, if it names one; a deployment status is written to the release, which is then published.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from rich.console import Console
from rich.progress import Progress

from imbi_sdk.queue import WebhookRule
from imbi_worker.builtin.update_project import HANDLER as UPDATE
from imbi_worker.demo.bodies import SERVICE, Body
from imbi_worker.demo.cancellation import cancellable, stop
from imbi_worker.demo.director import WEBHOOK, target
from imbi_worker.demo.imbi_api import ImbiApi
from imbi_worker.demo.names import GITHUB, NOTIFY, ORGANIZATION, PROJECTS
from imbi_worker.demo.rules import ADD_DEPLOYMENT_EVENT, CREATE_RELEASE, PUBLISH_RELEASE
from imbi_worker.demo.show import Wishes, announce, keep, show_logs
from imbi_worker.demo.stage import Stage, set_up
from imbi_worker.queue.inspection.views import JobView, State

_FIELD: Final = "deliveries"
# What these send names the body.
_MARKED: Final = frozenset({UPDATE, NOTIFY})
_LOOK_SECONDS: Final = 0.05
_STALLED_AFTER: Final = timedelta(seconds=20)
_READ_AT_ONCE: Final = 500
_LOST_SHOWN: Final = 20
# What goes wrong twice is lost, and is told at once.
_NUMBERS: Final = {"IMBI_WORKER_BACKOFF": "500ms", "IMBI_WORKER_MAX_ATTEMPTS": "2"}


@dataclass(frozen=True, slots=True)
class Sent:
    """One job of one body."""

    job: str
    body: Body
    project: str
    handler: str


@dataclass(frozen=True, slots=True)
class Totals:
    """What came of it; *lost* has a line for each job that did not end as it must."""

    bodies: int
    jobs: int
    requests: int
    skipped: int
    took: timedelta
    lost: tuple[str, ...]

    @property
    def jobs_per_second(self) -> float:
        return self.jobs / max(self.took.total_seconds(), 0.001)


async def run_batch(bodies: Sequence[Body], wishes: Wishes) -> bool:
    """Run *bodies*; whether every job ended well and the stand-in has seen each exactly once.

    :raises imbi_worker.embedded.EmbeddedServerError: a server is not installed or does not start
    :raises imbi_worker.demo.crew.CrewError: a worker does not start
    """
    console, began = wishes.console(), time.monotonic()
    announce(console)
    async with set_up(_NUMBERS) as stage:
        console.print(f"All there after {time.monotonic() - began:.1f} s.")
        for project in stage.api.projects.values():
            project[_FIELD] = {}
        began = time.monotonic()
        sent = await cancellable(_send(stage, bodies, console))
        took = timedelta(seconds=time.monotonic() - began)
        views = await cancellable(_views(stage, sent))
        totals = Totals(
            bodies=len(bodies),
            jobs=len(sent),
            requests=len(stage.api.requests),
            skipped=sum(view.state is State.SKIPPED for view in views.values()),
            took=took,
            lost=tuple(_lost(stage.api, sent, views)),
        )
        _tell(console, wishes, totals)
        if totals.lost:
            show_logs(console, stage)
        if wishes.keep:
            await keep(console, stage)
    return not totals.lost


async def _send(stage: Stage, bodies: Sequence[Body], console: Console) -> list[Sent]:
    """Enqueue everything, and return when it has ended or nothing has moved for long."""
    sent: list[Sent] = []
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        count = len(PROJECTS) * sum(len(_rules(body)) for body in bodies)
        bar = progress.add_task("jobs", total=count)
        watching = asyncio.create_task(
            _until_ended(stage, count, lambda ended: progress.update(bar, completed=ended))
        )
        try:
            for body in bodies:
                sent += await _enqueue(stage, body)
            await watching
        finally:
            await stop(watching)
    return sent


def _rules(body: Body) -> list[WebhookRule]:
    """Those whose filters the body would pass."""
    path = f"/{_FIELD}/{body.name.replace('~', '~0')}"
    # Every event has a type, whatever its body.
    rules = [
        (UPDATE, json.dumps([{"path": path, "from": "/type"}])),
        (NOTIFY, json.dumps({"message": body.name})),
        CREATE_RELEASE,
    ]
    if isinstance(body.event["payload"].get("deployment_status"), dict):
        rules += [ADD_DEPLOYMENT_EVENT, PUBLISH_RELEASE]
    return [
        WebhookRule(handler=handler, ordinal=ordinal, handler_config=config)
        for ordinal, (handler, config) in enumerate(rules, 1)
    ]


async def _enqueue(stage: Stage, body: Body) -> list[Sent]:
    answer = await stage.queue.enqueue_delivery(
        delivery=body.delivery,
        webhook_id=WEBHOOK,
        event=body.event,
        rules=_rules(body),
        targets=[target(project, SERVICE, body.external_identifier) for project in PROJECTS],
        plugin_ids={NOTIFY.partition("#")[0]: GITHUB},
    )
    return [Sent(job.id, body, job.project_id, job.handler) for job in answer.jobs]


async def _until_ended(stage: Stage, jobs: int, tell: Callable[[int], None]) -> None:
    """Returns when *jobs* jobs have ended, or none has for a long time."""
    ended, moved = 0, time.monotonic()
    while ended < jobs and time.monotonic() - moved < _STALLED_AFTER.total_seconds():
        stage.crew.check()
        await asyncio.sleep(_LOOK_SECONDS)
        found = await _ended(stage)
        if found != ended:
            ended, moved = found, time.monotonic()
            tell(ended)


async def _ended(stage: Stage) -> int:
    counters = (await stage.inspection.stats()).counters
    ends = {state.value for state in State if state.is_terminal}
    return sum(count for name, count in counters.items() if name.partition(":")[0] in ends)


async def _views(stage: Stage, sent: Sequence[Sent]) -> dict[str, JobView]:
    views: dict[str, JobView] = {}
    for start in range(0, len(sent), _READ_AT_ONCE):
        part = [one.job for one in sent[start : start + _READ_AT_ONCE]]
        views |= await stage.inspection.jobs(part)
    return views


def _lost(api: ImbiApi, sent: Sequence[Sent], views: Mapping[str, JobView]) -> list[str]:
    """What did not end as it must, by Redis or by the stand-in's own records."""
    seen = _seen(api)
    lost: list[str] = []
    for one in sent:
        flaw = _flaw(one, views.get(one.job), seen)
        if flaw:
            lost.append(f"{one.body.name} for {one.project}, {one.handler}: {flaw}")
    return lost


def _flaw(one: Sent, view: JobView | None, seen: Mapping[tuple[str, str, str], int]) -> str:
    if view is None:
        return "Redis knows nothing of its job"
    # Bodies that name no commit, and statuses that publish nothing, are skipped with a reason.
    is_marked = one.handler in _MARKED
    if view.state is not State.SUCCEEDED and (is_marked or view.state is not State.SKIPPED):
        why = view.wait.text if view.wait else f"{view.reason} {view.error}".strip()
        return f"{view.state} ({why})"
    times = seen[one.project, one.handler, one.body.name]
    return f"the stand-in has seen it {times} times" if is_marked and times != 1 else ""


def _seen(api: ImbiApi) -> Counter[tuple[str, str, str]]:
    """How often each body was answered with a success, by project, handler and file name."""
    seen: Counter[tuple[str, str, str]] = Counter()
    for request in api.requests:
        if request.status < 300 and request.project_id and request.handler in _MARKED:  # noqa: PLR2004 - a status
            seen[request.project_id, request.handler, _name_in(request.body)] += 1
    return seen


def _name_in(body: Any) -> str:
    if isinstance(body, dict):
        return str(body.get("message", ""))
    path = str(body[0]["path"]).removeprefix(f"/{_FIELD}/")
    return path.replace("~0", "~")


def _tell(console: Console, wishes: Wishes, totals: Totals) -> None:
    if wishes.as_json:
        told = {
            "bodies": totals.bodies,
            "jobs": totals.jobs,
            "skipped": totals.skipped,
            "requests": totals.requests,
            "seconds": round(totals.took.total_seconds(), 3),
            "jobs_per_second": round(totals.jobs_per_second, 1),
            "lost": totals.lost,
        }
        sys.stdout.write(json.dumps(told) + "\n")
        return
    console.print(
        f"{totals.bodies:,} bodies, {totals.jobs:,} jobs for {len(PROJECTS)} projects of"
        f" {ORGANIZATION}, {totals.requests:,} requests at the stand-in:"
        f" {totals.took.total_seconds():.1f} s, {totals.jobs_per_second:,.0f} jobs/s."
    )
    if not totals.lost:
        nothing = f" ({totals.skipped:,} had nothing to do)" if totals.skipped else ""
        console.print(f"Every job ended well{nothing}; nothing was lost.", style="bold green")
        return
    console.print(f"{len(totals.lost):,} jobs are lost:", style="bold red")
    for line in totals.lost[:_LOST_SHOWN]:
        console.print(f"  {line}", markup=False, soft_wrap=True)
    if len(totals.lost) > _LOST_SHOWN:
        console.print(f"  ... {len(totals.lost) - _LOST_SHOWN:,} more")
