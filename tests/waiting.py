"""Waiting for a condition, in place of sleeping and hoping."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest


async def until(condition: Callable[[], bool | Awaitable[bool]], within: float = 10) -> None:
    """Returns when *condition*, plain or async, holds; fails the test when it never does."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within
    while True:
        met = condition()
        if met if isinstance(met, bool) else await met:
            return
        if loop.time() > end:
            pytest.fail(f"not within {within} s: {condition}")
        await asyncio.sleep(0.01)
