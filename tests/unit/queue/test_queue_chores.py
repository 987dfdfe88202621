"""What an engine does beside claiming goes on, whatever goes wrong in it."""

import asyncio
from contextlib import suppress

import pytest

from imbi_worker.queue import engine


async def test_a_chore_with_a_defect_is_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker without its chores would look alive and write nothing."""
    monkeypatch.setattr(engine, "CHORE_PAUSE", 0.0)
    begun: list[str] = []
    goes_on = asyncio.Event()

    async def chore() -> None:
        begun.append("")
        if len(begun) < 3:
            raise LookupError("a defect")
        goes_on.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(engine.kept_going(chore))
    await asyncio.wait_for(goes_on.wait(), 5)
    assert not task.done()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
