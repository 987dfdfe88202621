"""The story of the demo as data: what is done, what must come of it, and what it shows.

Jobs of one project and plugin share a lane, so the order of the scenes decides who waits
for whom. The worker is killed while nothing else runs, lest other jobs crash with it.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from imbi_sdk.attempt import DeathReason
from imbi_worker.demo.imbi_api import Fault
from imbi_worker.demo.names import (
    HANG,
    HARBOR,
    NOTIFY,
    PAGERDUTY,
    PILOTS,
    PROJECTS,
    SONARQUBE,
    TIDES,
)
from imbi_worker.demo.parts import Part, Told, deployment, notify, update, work
from imbi_worker.demo.scenes import (
    AwaitEnd,
    AwaitHold,
    Claim,
    Deliver,
    KillWorker,
    Redeliver,
    Replay,
    Scene,
)
from imbi_worker.queue.inspection.views import State

RETRY_AFTER: Final = timedelta(seconds=2)

# Short, so that a story of leases, retries and timeouts fits into half a minute.
NUMBERS: Final[Mapping[str, str]] = {
    "IMBI_WORKER_LEASE": "3s",
    "IMBI_WORKER_BACKOFF": "1s",
    "IMBI_WORKER_MAX_ATTEMPTS": "2",
    "IMBI_WORKER_TIMEOUTS": f"{HANG}=2s",
    "IMBI_WORKER_CONCURRENCY": "8",
}


_PUSH = Deliver(
    "github-push",
    PROJECTS,
    (
        update("last_commit", "/payload/after", Told(answers=(200,))),
        notify("pushed", Told(answers=(202,))),
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
                (notify("incident-1", Told(answers=(429, 202))),),
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
                (notify("incident-2", Told(answers=(202,))),),
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
                        json.dumps({"mesage": "merged"}),
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
