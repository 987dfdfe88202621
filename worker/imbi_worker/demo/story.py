"""The story of the demo as data: what is done, what must come of it, and what it shows.

Jobs of one project and plugin share a lane, so the order of the scenes decides who waits
for whom. The worker is killed while nothing else runs, lest other jobs crash with it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, TypeAlias

from imbi_sdk.attempt import DeathReason
from imbi_worker.builtin.update_project import HANDLER as UPDATE
from imbi_worker.demo.imbi_api import Fault
from imbi_worker.demo.rules import ADD_DEPLOYMENT_EVENT, CREATE_RELEASE, PUBLISH_RELEASE
from imbi_worker.queue.inspection.views import State

ORGANIZATION: Final = "tidewater"
HARBOR: Final = "harbor-api"
TIDES: Final = "tide-tables"
PILOTS: Final = "pilot-roster"
PROJECTS: Final = (HARBOR, TIDES, PILOTS)

NOTIFY: Final = "demo#notify"
HANG: Final = "demo#hang"
WORK: Final = "demo#work"

# Plugin ids in the graph; the last one has no credentials.
GITHUB: Final = "demo-github"
PAGERDUTY: Final = "demo-pagerduty"
SONARQUBE: Final = "demo-sonarqube"

RETRY_AFTER: Final = timedelta(seconds=2)

# Short, so that a story of leases, retries and timeouts fits into half a minute.
NUMBERS: Final[Mapping[str, str]] = {
    "IMBI_WORKER_LEASE": "3s",
    "IMBI_WORKER_BACKOFF": "1s",
    "IMBI_WORKER_MAX_ATTEMPTS": "2",
    "IMBI_WORKER_TIMEOUTS": f"{HANG}=2s",
    "IMBI_WORKER_CONCURRENCY": "8",
}


@dataclass(frozen=True, slots=True)
class Told:
    """How a job must end: its attempts, and what the stand-in answered to its requests."""

    state: State = State.SUCCEEDED
    attempts: tuple[str, ...] = ("succeeded",)
    answers: tuple[int, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One rule and the end of its job; the stand-in finds *mark* in what the job sends."""

    handler: str
    config: str
    mark: str
    told: Told


@dataclass(frozen=True, slots=True)
class Deliver:
    """One delivery: a job for each project and part. *faults* are set just before."""

    sample: str
    projects: tuple[str, ...]
    parts: tuple[Part, ...]
    integration: str = GITHUB
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Redeliver:
    """The same delivery once more."""

    delivery: Deliver


@dataclass(frozen=True, slots=True)
class AwaitEnd:
    """Every job of the scene has ended."""


@dataclass(frozen=True, slots=True)
class AwaitHold:
    """A hold stands on the integration."""

    integration: str


@dataclass(frozen=True, slots=True)
class KillWorker:
    """SIGKILL for the worker that runs the scene's job, once its work has begun."""


@dataclass(frozen=True, slots=True)
class Replay:
    """The scene's job is a dead letter; an operator replays it."""


Act: TypeAlias = Deliver | Redeliver | AwaitEnd | AwaitHold | KillWorker | Replay


class Claim(StrEnum):
    """What a scene says beyond how each of its jobs ends."""

    IN_ORDER = "each rule began after the one before it had ended"
    HELD = "nothing was sent for the integration before Retry-After was over"
    BY_ANOTHER = "another worker finished what the killed one had begun"
    RELEASED = "Imbi has the release once, with the status of its deployment, published"
    DROPPED = "no job was added, and every job of the redelivery was counted as a duplicate"


@dataclass(frozen=True, slots=True)
class Scene:
    """*opening* acts run scene after scene; then the *sequels* of all scenes at once."""

    title: str
    sentence: str
    opening: tuple[Act, ...] = ()
    sequel: tuple[Act, ...] = ()
    claims: tuple[Claim, ...] = ()


def _text(config: Any) -> str:
    return json.dumps(config)


def update(mark: str, source: str, told: Told) -> Part:
    return Part(UPDATE, _text([{"path": f"/{mark}", "from": source}]), mark, told)


def notify(mark: str, told: Told) -> Part:
    return Part(NOTIFY, _text({"message": mark}), mark, told)


def work(mark: str, seconds: float, told: Told) -> Part:
    return Part(WORK, _text({"label": mark, "seconds": seconds}), mark, told)


def deployment(create: Told) -> tuple[Part, Part, Part]:
    """The three rules of a deployment. The one kind of part without a mark: once a project."""
    return (
        Part(*CREATE_RELEASE, "", create),
        Part(*ADD_DEPLOYMENT_EVENT, "", Told(answers=(200, 201))),
        Part(*PUBLISH_RELEASE, "", Told(answers=(200,))),
    )


def mark_of(body: Any) -> str:
    """The mark in the body of a request that an action of a marked part has sent."""
    if isinstance(body, list) and body:
        return str(body[0].get("path", "")).removeprefix("/")
    if isinstance(body, dict):
        return str(body.get("message") or body.get("label") or "")
    return ""


def _service_answers(*statuses: int) -> Told:
    return Told(answers=statuses)


_PUSH = Deliver(
    "github-push",
    PROJECTS,
    (
        update("last_commit", "/payload/after", Told(answers=(200,))),
        notify("pushed", _service_answers(202)),
    ),
)

STORY: Final = (
    Scene(
        "plain successes",
        "A push concerns three projects and matches two rules: six jobs, done at the first try.",
        opening=(_PUSH, AwaitEnd()),
    ),
    Scene(
        "a worker is killed",
        "SIGKILL in mid-job: when the dead worker's lease has run out, another one does the job.",
        opening=(
            Deliver(
                "github-deployment-status",
                (HARBOR,),
                (
                    work(
                        "roll-out",
                        1.0,
                        Told(attempts=("crashed", "succeeded"), answers=(202, 202, 202)),
                    ),
                ),
            ),
            KillWorker(),
        ),
        claims=(Claim.BY_ANOTHER,),
    ),
    Scene(
        "a deployment, in order",
        "Create its release, write its status, publish it: one after the other, on two workers.",
        opening=(
            Deliver("github-deployment-status", (HARBOR,), deployment(create=Told(answers=(201,)))),
        ),
        claims=(Claim.IN_ORDER, Claim.RELEASED),
    ),
    Scene(
        "a 503 to the first of three rules",
        "Imbi cannot create the release now: the other two rules wait for it, nothing is dropped.",
        opening=(
            Deliver(
                "github-deployment-status",
                (TIDES,),
                deployment(create=Told(attempts=("retry", "succeeded"), answers=(503, 201))),
                faults=(Fault(status=503, project_id=TIDES, method="POST", path="/organizations"),),
            ),
        ),
        claims=(Claim.IN_ORDER, Claim.RELEASED),
    ),
    Scene(
        "a 429 holds the integration",
        "A 429 with Retry-After costs no attempt and stops every job of that integration.",
        opening=(
            Deliver(
                "pagerduty-incident",
                (TIDES,),
                (notify("incident-1", _service_answers(429, 202)),),
                integration=PAGERDUTY,
                faults=(
                    Fault(
                        status=429,
                        retry_after=RETRY_AFTER.total_seconds(),
                        project_id=TIDES,
                        path="/service",
                    ),
                ),
            ),
        ),
        sequel=(
            AwaitHold(PAGERDUTY),
            Deliver(
                "pagerduty-incident",
                (PILOTS,),
                (notify("incident-2", _service_answers(202)),),
                integration=PAGERDUTY,
            ),
        ),
        claims=(Claim.HELD,),
    ),
    Scene(
        "an invalid handler_config",
        "A rule with a misspelt field is dead at once, with the reason; nothing was sent.",
        opening=(
            Deliver(
                "github-pull-request",
                (PILOTS,),
                (
                    Part(
                        NOTIFY,
                        _text({"mesage": "merged"}),
                        "misspelt",
                        Told(State.DEAD, ("dead",), reason=DeathReason.INVALID_CONFIG),
                    ),
                ),
            ),
        ),
    ),
    Scene(
        "missing credentials",
        "The plugin has no api_token in the graph: dead at once, and ready to be replayed.",
        opening=(
            Deliver(
                "sonarqube-quality-gate",
                (PILOTS,),
                (
                    notify(
                        "quality-gate",
                        Told(State.DEAD, ("dead",), reason=DeathReason.MISSING_CREDENTIALS),
                    ),
                ),
                integration=SONARQUBE,
            ),
        ),
    ),
    Scene(
        "an action that hangs",
        "It is cancelled after its timeout of 2 s, twice; then its attempts are used up.",
        opening=(
            Deliver(
                "github-push",
                (TIDES,),
                (
                    Part(
                        HANG,
                        "{}",
                        "sync-all",
                        Told(
                            State.DEAD,
                            ("timed out", "timed out"),
                            reason=DeathReason.ATTEMPTS_EXHAUSTED,
                        ),
                    ),
                ),
            ),
        ),
    ),
    Scene(
        "a dead letter is replayed",
        "A 404 buries the job; its cause is mended, an operator replays it, and it succeeds.",
        opening=(
            Deliver(
                "github-deployment-status",
                (TIDES,),
                (
                    update(
                        "deployed",
                        "/payload/deployment/ref",
                        Told(attempts=("dead", "succeeded"), answers=(404, 200)),
                    ),
                ),
                faults=(
                    Fault(status=404, project_id=TIDES, method="PATCH", path="/organizations"),
                ),
            ),
        ),
        sequel=(Replay(),),
    ),
    Scene(
        "a redelivery is dropped",
        "The push of the first scene arrives once more: six duplicates, and nothing runs again.",
        opening=(Redeliver(_PUSH),),
        claims=(Claim.DROPPED,),
    ),
)
