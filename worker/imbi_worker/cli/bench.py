"""`imbi-worker bench`: what this Redis and this machine can do."""

from datetime import timedelta
from typing import Annotated

import typer

from imbi_sdk.attempt import Redactor
from imbi_worker import wiring
from imbi_worker.cli.options import Json
from imbi_worker.cli.output import Output, counted
from imbi_worker.cli.session import Session, execute
from imbi_worker.observability import configure_logs
from imbi_worker.operations.benchmark import (
    Measured,
    Spread,
    Step,
    choose_database,
    measure,
    refuse_beside_work,
)


def bench(
    *,
    jobs: Annotated[
        int, typer.Option(min=100, max=1_000_000, help="How many jobs to enqueue and work off.")
    ] = 5_000,
    database: Annotated[
        int | None,
        typer.Option(min=0, help="The empty database to measure in; the highest without it."),
    ] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Measure although the queue has jobs.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure this Redis and this machine, with jobs that do nothing.

    In an empty database of the same Redis, which is empty again afterwards.
    """
    output = Output(as_json=as_json)

    async def work(session: Session) -> None:
        # What the worker within tells of each job would be part of the figures.
        configure_logs(level="error", style="auto", redactor=Redactor())
        settings, inspection = session.settings, session.inspection
        if not anyway:
            await refuse_beside_work(inspection)
        chosen = await choose_database(inspection, database)
        address = wiring.redis_url(settings)

        def on_step(step: Step) -> None:
            if not as_json:
                output.say(f"{step} …")

        found = await measure(
            address, chosen, jobs=jobs, slots=settings.concurrency, on_step=on_step
        )
        if as_json:
            output.record(found)
        else:
            _show(found, output)

    execute(work, output)


def _show(found: Measured, output: Output) -> None:
    output.facts(
        [
            ("round trip", f"{_spread(found.round_trip)} to {found.redis}"),
            ("enqueue", f"{found.enqueued_per_second:,.0f} jobs/s in deliveries of ten"),
            ("work", f"{found.worked_per_second:,.0f} jobs/s, {found.slots} at once, no-op"),
            ("pick-up", f"{_spread(found.pick_up)} from the enqueue to the action"),
        ]
    )
    jobs = counted(found.jobs, "job")
    output.say(f"{jobs} in database {found.database}, which is empty again.")


def _spread(found: Spread) -> str:
    return f"{_ms(found.median)} (p99 {_ms(found.p99)})"


def _ms(duration: timedelta) -> str:
    return f"{duration.total_seconds() * 1_000:.2f} ms"
