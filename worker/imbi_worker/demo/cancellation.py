"""A cancel that arrives, whatever runs when it comes."""

import asyncio
from collections.abc import Coroutine
from typing import Final, TypeVar

_AGAIN_AFTER_SECONDS: Final = 0.1

Result = TypeVar("Result")


async def cancellable(work: Coroutine[None, None, Result]) -> Result:
    """The result of *work*, which runs in a task of its own and has ended when this returns.

    A cancel of the caller is repeated until *work* gives in: redis-py 5.3 on Python 3.11
    loses one now and then while it takes a connection, and a loop would go on for ever.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task})
        return task.result()
    finally:
        await stop(task)


async def stop(task: "asyncio.Task[Result]") -> None:
    """Returns when *task* has ended; what it came to is left to its owner."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_AGAIN_AFTER_SECONDS)
