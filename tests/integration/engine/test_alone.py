"""A job that crashed twice has its worker for itself: a third crash must tell its cause."""

import pytest
from probe import JOURNAL
from room import Room

from imbi_sdk.queue import Enqueued, keys
from waiting import until


async def suspects(room: Room, enqueued: Enqueued) -> None:
    """Two of its runs ended with their worker."""
    facts = {"crashes": "2", "attempts": "2", "started": "1"}
    await room.redis.hset(f"{keys.JOB}{enqueued.jobs[0].id}", mapping=facts)


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_jobs_of_the_same_claim_do_not_run_beside_it(room: Room, place: int) -> None:
    """Whatever its place among them: those before it end first, those after it are given back."""
    labels = ["a", "b", "c"]
    enqueued = [
        await room.enqueue(
            {"label": label, "does": "sleep", "seconds": 0.3}, delivery=label, project=label
        )
        for label in labels
    ]
    await suspects(room, enqueued[place])
    async with room.worker():
        for one in enqueued:
            await room.until_ended(one)
    lines = JOURNAL.lines
    began = lines.index(("start", labels[place]))
    assert lines[began + 1] == ("end", labels[place]), lines
    assert len(JOURNAL.of("end")) == 3
    jobs = [await room.job(one.jobs[0].id) for one in enqueued]
    # To be given back costs no attempt.
    assert [job["attempts"] for job in jobs] == ["3" if n == place else "1" for n in range(3)]


async def test_nothing_is_claimed_while_it_runs(room: Room) -> None:
    suspect = await room.enqueue({"label": "a", "does": "wait"})
    await suspects(room, suspect)
    async with room.worker():
        await until(lambda: JOURNAL.of("start") == ["a"])
        other = await room.enqueue({"label": "b"}, delivery="d2", project="p2")
        job = suspect.jobs[0].id

        async def is_noted() -> bool:
            return (await room.job(job)).get("alone") == "1"

        await until(is_noted)
        assert await room.state(other.jobs[0].id) == "waiting"
        JOURNAL.gate.set()
        await room.until_ended(suspect)
        await room.until_ended(other)
    assert JOURNAL.of("end") == ["a", "b"]
