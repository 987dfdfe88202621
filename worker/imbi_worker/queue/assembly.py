"""One worker's engine from its parts: the only place that knows all of them."""

import os
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from arq.connections import ArqRedis
from pydantic import SecretStr
from redis import Redis

from imbi_sdk.queue.delivery import Lane
from imbi_sdk.queue.signing import Signer
from imbi_worker.dispatch import Dispatches
from imbi_worker.queue.claims import Claimer
from imbi_worker.queue.connection import connect_blocking
from imbi_worker.queue.engine import Engine, EngineOptions, Parts
from imbi_worker.queue.event_budget import EventBudget
from imbi_worker.queue.finishing import Ending, Finisher
from imbi_worker.queue.held import StopReason
from imbi_worker.queue.in_hand import JobsInHand
from imbi_worker.queue.intake import Adopter, Intake
from imbi_worker.queue.janitor import Janitor, Retention
from imbi_worker.queue.last_words import LastWords
from imbi_worker.queue.leases import Watchdog
from imbi_worker.queue.presence import Presence
from imbi_worker.queue.running import Runner
from imbi_worker.queue.witness import NoWitness, Witness


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """What an operator decides about a worker; plain values, no settings object."""

    redis_url: SecretStr
    slugs: Sequence[str]
    signer: Signer | None
    accepts_unsigned: bool
    lane: Lane
    patience: timedelta = timedelta(minutes=30)
    options: EngineOptions = field(default_factory=EngineOptions)
    retention: Retention = field(default_factory=Retention)


def worker_id() -> str:
    """Host, process and chance: two lives of one pod never share a token."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


def build_engine(
    redis: ArqRedis,
    dispatcher: Dispatches,
    plan: WorkerPlan,
    *,
    witness: Witness | None = None,
) -> Engine:
    """An engine that runs claimed jobs through *dispatcher*; start it with ``async_run``."""
    queue, name, lease = redis.default_queue_name, worker_id(), plan.options.lease
    listener: Witness = witness or NoWitness()
    intake = Intake(signer=plan.signer, accepts_unsigned=plan.accepts_unsigned)
    claimer = Claimer(redis, queue=queue, worker=name, lease=lease, slugs=plan.slugs)
    crew = _crew(
        redis, dispatcher, plan, name=name, claimer=claimer, intake=intake, witness=listener
    )
    parts = Parts(
        claimer=claimer,
        in_hand=crew.in_hand,
        finisher=crew.finisher,
        watchdog=crew.watchdog,
        adopter=Adopter(redis, intake, queue=queue, lane=plan.lane),
        presence=crew.presence,
        janitor=Janitor(redis, queue=queue, worker=name, retention=plan.retention),
        graph_answers=_graph_answers(dispatcher),
        witness=listener,
    )
    return Engine(redis, parts, plan.options)


@dataclass(frozen=True, slots=True)
class _Crew:
    """Those that know each other."""

    watchdog: Watchdog
    finisher: Finisher
    in_hand: JobsInHand
    presence: Presence


def _crew(
    redis: ArqRedis,
    dispatcher: Dispatches,
    plan: WorkerPlan,
    *,
    name: str,
    claimer: Claimer,
    intake: Intake,
    witness: Witness,
) -> _Crew:
    queue, on_error = redis.default_queue_name, witness.redis_failed

    # A renewal that is refused stops its job, a written ending frees its slot.
    def on_lost(ids: Sequence[str]) -> None:
        in_hand.stop(ids, StopReason.LOST)

    def on_settled(ending: Ending, reply: str) -> None:
        in_hand.settled(ending, reply)

    def say_last(blocking: Redis) -> None:
        LastWords(
            claimer=claimer, finisher=finisher, in_hand=in_hand, presence=presence, queue=queue
        ).say(blocking)

    watchdog = Watchdog(
        connect_blocking(plan.redis_url),
        queue=queue,
        lease=plan.options.lease,
        on_lost=on_lost,
        say_last=say_last,
        on_error=on_error,
    )
    finisher = Finisher(
        redis, queue=queue, patience=plan.patience, on_settled=on_settled, on_error=on_error
    )
    in_hand = JobsInHand(
        redis=redis,
        queue=queue,
        runner=Runner(
            worker=name,
            dispatcher=dispatcher,
            intake=intake,
            watchdog=watchdog,
            witness=witness,
        ),
        budget=EventBudget(plan.options.event_bytes),
        watchdog=watchdog,
        finisher=finisher,
        witness=witness,
    )
    report = _report(in_hand, plan.options)
    presence = Presence(
        redis, queue=queue, worker=name, slugs=plan.slugs, report=report, on_error=on_error
    )
    return _Crew(watchdog, finisher, in_hand, presence)


def _report(in_hand: JobsInHand, options: EngineOptions) -> Callable[[], Mapping[str, str | int]]:
    def report() -> Mapping[str, str | int]:
        return {"running": in_hand.running, "slots": options.concurrency, **in_hand.endings}

    return report


def _graph_answers(dispatcher: Dispatches) -> Callable[[], bool]:
    def answers() -> bool:
        until = dispatcher.graph_down_until
        return until is None or until <= datetime.now(UTC)

    return answers
