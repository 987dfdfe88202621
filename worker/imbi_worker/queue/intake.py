"""From claimed bytes to an attempt: decoded, its signature and its event's digest checked.

Nothing else of a job is believed before that.
"""

from datetime import UTC, datetime

import structlog

from imbi_sdk.attempt.outcome import Dead, DeathReason
from imbi_sdk.queue import keys
from imbi_sdk.queue.delivery import Lane, by_project_and_plugin
from imbi_sdk.queue.errors import ForeignJob, NewerWire, WireError
from imbi_sdk.queue.job import ActionJob
from imbi_sdk.queue.json_text import dump
from imbi_sdk.queue.scripts import Executes, load_script
from imbi_sdk.queue.signing import Signer, event_digest
from imbi_sdk.queue.wire import Body, decode
from imbi_worker.dispatch import Attempt
from imbi_worker.queue.claims import SCRIPTS, ClaimedJob

_ADOPT = load_script("adopt", SCRIPTS)
_LOG = structlog.get_logger("imbi_worker.queue")
_UNREADABLE = "(unreadable)"
_NEWER_HINT = "it waits: bring the workers to the gateway's version"
_FOREIGN_HINT = "it is parked: another arq program writes here, give it a queue of its own"


class Intake:
    """Checks what was claimed. Without *signer* only unsigned jobs can be accepted."""

    def __init__(self, *, signer: Signer | None, accepts_unsigned: bool) -> None:
        self._signer = signer
        self._accepts_unsigned = accepts_unsigned

    def attempt(self, claimed: ClaimedJob) -> Attempt | Dead:
        """The attempt to make, or why there can be none."""
        try:
            body = decode(claimed.id, claimed.body)
        except WireError as error:
            return Dead(DeathReason.INVALID_JOB, f"{error}: enqueue it with imbi_sdk.queue")
        event = claimed.event if body.job.event_ref else dump(body.job.event)
        problem = self.problem(body) or _event_problem(body.job, event)
        if problem is not None:
            return problem
        return Attempt(
            job=body.job,
            event=event,
            number=claimed.number,
            attempts_used=claimed.attempts,
            crashes=claimed.crashes,
            first_failed_at=claimed.first_failed_at,
            held=claimed.held,
            deferred_since=claimed.deferred_since,
            after_unknown=claimed.after_unknown,
            enqueued_at=claimed.enqueued_at,
        )

    def problem(self, body: Body) -> Dead | None:
        """Why a job is not to be believed, or None."""
        if body.job.sig is None and self._accepts_unsigned:
            return None
        if body.job.sig is None:
            return Dead(
                DeathReason.BAD_SIGNATURE,
                "the job is not signed: give the gateway IMBI_WORKER_SIGNING_KEY, or set"
                " IMBI_WORKER_ACCEPT_UNSIGNED=true where Redis is trusted",
            )
        if self._signer is not None and body.is_signed_by(self._signer):
            return None
        return Dead(
            DeathReason.BAD_SIGNATURE,
            "the signature matches none of this worker's keys: compare the gateway's"
            " IMBI_WORKER_SIGNING_KEY; if they agree, somebody else wrote this job",
        )


class Adopter:
    """Takes in jobs that a stock arq client enqueued, which have a body and no hash yet."""

    def __init__(
        self,
        redis: Executes,
        intake: Intake,
        *,
        queue: str,
        lane: Lane = by_project_and_plugin,
    ) -> None:
        self._redis = redis
        self._intake = intake
        self._queue = queue
        self._lane = lane

    async def adopt(self, job_id: str, body: bytes) -> str:
        """``adopted``, or why the job was put aside; repeatable."""
        try:
            decoded = decode(job_id, body)
        except NewerWire as error:
            _LOG.warning("job.newer", job_id=ascii(job_id), error=str(error), hint=_NEWER_HINT)
            return await self._call(job_id, "newer", _UNREADABLE)
        except ForeignJob as error:
            _LOG.error("job.foreign", job_id=ascii(job_id), error=str(error), hint=_FOREIGN_HINT)
            return await self._call(job_id, "foreign", _UNREADABLE, error=str(error))
        except WireError as error:
            reason = DeathReason.INVALID_JOB
            text = f"{error}: enqueue it with imbi_sdk.queue or arq_serializer"
            return await self._call(job_id, "dead", _UNREADABLE, reason=reason, error=text)
        job = decoded.job
        problem = self._intake.problem(decoded)
        if problem is not None:
            return await self._call(
                job_id, "dead", job.handler, reason=problem.reason, error=problem.error
            )
        reply = await self._call(job_id, "job", job.handler, job=job)
        if reply != "event":
            return reply
        text = f"delivery {job.delivery} has no stored event of that digest: enqueue it with one"
        return await self._call(
            job_id, "dead", job.handler, reason=DeathReason.INVALID_EVENT, error=text
        )

    async def _call(
        self,
        job_id: str,
        kind: str,
        handler: str,
        *,
        job: ActionJob | None = None,
        reason: str = "",
        error: str = "",
    ) -> str:
        if kind == "dead":
            _LOG.warning("job.refused", job_id=ascii(job_id), reason=reason, error=error)
        lane = plugin = project = delivery = digest = ""
        ordinal, version = 0, 0
        if job is not None:
            project = job.context.project_id
            lane = self._lane(project, handler.partition("#")[0])
            plugin, delivery, digest = job.plugin_id or "", job.delivery, job.event_ref or ""
            ordinal, version = job.rule.ordinal, job.v
        enqueued = int(datetime.now(UTC).timestamp() * 1000)
        name = job_id.encode(errors="surrogateescape")
        arguments = [keys.LAYOUT, name, kind, handler, plugin, lane, project, ordinal, version]
        arguments += [delivery, digest, enqueued, reason, error]
        reply = await _ADOPT(self._redis, [self._queue], arguments)
        return str(reply.decode())


def _event_problem(job: ActionJob, event: bytes) -> Dead | None:
    if job.event_ref is None:
        return None
    if not event:
        return Dead(
            DeathReason.INVALID_EVENT,
            f"the event of delivery {job.delivery} is gone: deliver again",
        )
    if event_digest(event) != job.event_ref:
        return Dead(
            DeathReason.INVALID_EVENT,
            f"the stored event of delivery {job.delivery} is not the one that was signed",
        )
    return None
