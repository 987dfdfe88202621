"""Endings on their way to Redis: one that cannot be sent holds nobody up."""

import asyncio
from contextlib import suppress
from typing import Any

from desk import PATIENCE, Desk, ending

from imbi_sdk.queue import keys
from imbi_worker.queue.finishing import Finisher


async def test_an_ending_that_cannot_be_sent_holds_no_other_up(desk: Desk) -> None:
    """Its slot is free, and its job runs again when the lease is over; the others are written."""
    await desk.jobs(3)
    first, bad, last = (await desk.claim()).jobs
    answers: list[tuple[str, str]] = []
    finisher = Finisher(
        desk.redis,
        queue=keys.QUEUE,
        patience=PATIENCE,
        on_settled=lambda ended, reply: answers.append((ended.id, reply)),
    )
    no_text: Any = object()
    finisher.add(ending(first, "succeeded"))
    finisher.add(ending(bad, "succeeded")._replace(status=no_text))
    finisher.add(ending(last, "succeeded"))
    running = asyncio.create_task(finisher.run())
    await asyncio.wait_for(finisher.drained(), 10)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert answers == [(first.id, "ok"), (bad.id, "lost"), (last.id, "ok")]
    states = [(await desk.hash(job.id))["state"] for job in (first, bad, last)]
    assert states == ["succeeded", "running", "succeeded"]
