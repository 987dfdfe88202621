"""What the hashes of Redis tell of jobs, deliveries and workers, as the views of them."""

from collections.abc import Mapping
from datetime import datetime

from imbi_worker.queue.inspection.replies import number, when
from imbi_worker.queue.inspection.surroundings import SILENCE
from imbi_worker.queue.inspection.views import DeliveryView, JobView, State, WorkerView
from imbi_worker.queue.inspection.waiting import Surroundings, not_taken_in, why


def job_view(job: str, facts: Mapping[str, str], around: Surroundings) -> JobView:
    """*job* as its hash tells it; *facts* holds ``state`` at least."""
    state = facts["state"]
    return JobView(
        id=job,
        handler=facts.get("handler", ""),
        state=State.WAITING if state == "parked" else State(state),
        project=facts.get("project", ""),
        plugin_id=facts.get("plugin") or None,
        delivery=facts.get("delivery", ""),
        lane=facts.get("lane", ""),
        seq=number(facts.get("seq")),
        ordinal=number(facts.get("ordinal")),
        attempts=number(facts.get("attempts")),
        crashes=number(facts.get("crashes")),
        run=number(facts.get("run")) or 1,
        enqueued=when(facts.get("enqueued")),
        started=when(facts.get("started")),
        ended=when(facts.get("ended")),
        not_before=when(facts.get("not_before")),
        worker=facts.get("worker") or None,
        wait=why(job, facts, around),
        reason=facts.get("reason", ""),
        error=facts.get("error", ""),
        reported_as=facts.get("status", ""),
        replayed_by=facts.get("replayed_by") or None,
        cancelled_by=facts.get("cancelled_by") or None,
    )


def delivery_view(delivery: str, record: Mapping[str, str]) -> DeliveryView:
    return DeliveryView(
        id=delivery,
        received=when(record.get("received")),
        open=max(0, number(record.get("open"))),
        jobs={
            name.removeprefix("job:"): state
            for name, state in record.items()
            if name.startswith("job:")
        },
    )


def stranger_view(job: str, due: datetime | None, now: datetime) -> JobView:
    """A job that a stock arq client enqueued and no worker has taken in: it has no hash yet."""
    return JobView(
        id=job,
        handler="",
        state=State.WAITING,
        project="",
        plugin_id=None,
        delivery="",
        lane="",
        seq=0,
        ordinal=0,
        attempts=0,
        crashes=0,
        run=1,
        enqueued=None,
        wait=not_taken_in(due, now),
    )


def worker_view(id_: str, seen: datetime, facts: Mapping[str, str], now: datetime) -> WorkerView:
    # The script's memory of its last claim; ids and tokens are nothing to show.
    told = {name: v for name, v in facts.items() if name not in {"claim", "claimed", "slugs"}}
    return WorkerView(
        id=id_,
        seen=seen,
        is_alive=now - seen <= SILENCE,
        slugs=tuple(facts.get("slugs", "").split()),
        facts=told,
    )
