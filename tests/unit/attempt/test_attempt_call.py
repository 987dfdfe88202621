"""The call: hard timeout, grace, and nothing that reaches the loop."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from imbi_sdk.attempt.call import (
    BadCallable,
    End,
    Interrupted,
    NoCoroutine,
    Raised,
    Returned,
    TimedOut,
    call,
)

LONG = timedelta(seconds=60)
SHORT = timedelta(milliseconds=30)


async def run(
    function: Callable[..., Any], *, within: timedelta = LONG, grace: timedelta = LONG
) -> End:
    return await call(partial(function), within=within, grace=grace)


async def hang() -> None:
    await asyncio.Event().wait()


async def test_an_action_that_returns_has_returned() -> None:
    """The simple case."""

    async def act() -> None:
        await asyncio.sleep(0)

    assert await run(act) == Returned()


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        SystemExit(1),
        KeyboardInterrupt(),
        GeneratorExit(),
        asyncio.CancelledError(),
        BaseException("odd"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_an_action_raises_stays_inside(error: BaseException) -> None:
    """The loop would be ended by SystemExit and KeyboardInterrupt of a task."""

    async def act() -> None:
        await asyncio.sleep(0)
        raise error

    assert await run(act) == Raised(error)


async def test_an_action_that_cancels_itself_has_failed() -> None:
    """Nobody asked it to stop, so it is no cancel."""

    async def act() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    end = await run(act)
    assert isinstance(end, Raised)
    assert isinstance(end.error, asyncio.CancelledError)


async def test_a_hanging_action_is_cancelled_at_its_deadline() -> None:
    """It has its `finally` and leaves nothing behind."""
    cleaned = asyncio.Event()

    async def act() -> None:
        try:
            await hang()
        finally:
            cleaned.set()

    assert await run(act, within=SHORT) == TimedOut(None)
    assert cleaned.is_set()


async def test_a_swallowed_cancel_that_returns_late_is_a_timeout() -> None:
    """asyncio.wait_for would call it a success."""

    async def act() -> None:
        try:
            await hang()
        except asyncio.CancelledError:
            await asyncio.sleep(0)

    assert await run(act, within=SHORT) == TimedOut(None)


async def test_an_error_after_the_cancel_is_a_timeout() -> None:
    """How an action answers its cancel changes nothing."""

    async def act() -> None:
        try:
            await hang()
        finally:
            raise ValueError("late")

    assert await run(act, within=SHORT) == TimedOut(None)


async def test_an_action_that_outlives_its_grace_is_handed_over() -> None:
    """The caller knows the task and learns when it ends after all."""
    release = asyncio.Event()
    end = await run(partial(stubborn, release), within=SHORT, grace=SHORT)
    assert isinstance(end, TimedOut)
    assert end.unfinished is not None
    assert not end.unfinished.done()
    release.set()
    await end.unfinished


async def stubborn(release: asyncio.Event) -> None:
    while not release.is_set():
        try:
            await release.wait()
        except asyncio.CancelledError:
            continue


async def interrupt(act: Callable[[], Awaitable[None]], grace: timedelta) -> Interrupted:
    started = asyncio.Event()

    async def announced() -> None:
        started.set()
        await act()

    caller = asyncio.create_task(run(announced, grace=grace))
    await started.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError) as raised:
        await caller
    assert caller.cancelled()
    assert isinstance(raised.value, Interrupted)
    return raised.value


async def test_a_cancelled_caller_stops_its_action() -> None:
    """A drain leaves nothing running that wants to stop."""
    assert (await interrupt(hang, LONG)).unfinished is None


async def test_a_cancelled_caller_hands_over_what_does_not_stop() -> None:
    """After the grace, and not later."""
    release = asyncio.Event()
    interrupted = await interrupt(partial(stubborn, release), SHORT)
    assert interrupted.unfinished is not None
    assert not interrupted.unfinished.done()
    release.set()
    await interrupted.unfinished


async def test_a_second_cancel_ends_the_grace() -> None:
    """Whoever insists does not have to wait."""
    release, started, cancelled = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def act() -> None:
        started.set()
        try:
            await release.wait()
        except asyncio.CancelledError:
            cancelled.set()
            await release.wait()

    caller = asyncio.create_task(run(act))
    await started.wait()
    caller.cancel()
    await cancelled.wait()
    caller.cancel()
    with pytest.raises(Interrupted) as raised:
        await caller
    assert raised.value.unfinished is not None
    release.set()
    await raised.value.unfinished


async def test_a_call_that_does_not_fit_is_told_from_a_type_error_within() -> None:
    """The one is the plugin's signature, the other a failure like any other."""

    async def act(*, other: int) -> None:
        pass

    def wrapped(**_: object) -> Any:
        return len(None)  # type: ignore[arg-type]  # the point of the test

    unfit, within = await run(act), await run(wrapped)
    assert isinstance(unfit, Raised)
    assert isinstance(unfit.error, BadCallable)
    assert isinstance(within, Raised)
    assert type(within.error) is TypeError


async def test_an_action_that_gives_nothing_to_await_is_named() -> None:
    """It has run already, and blocked the loop while it did."""
    end = await run(lambda: 5)
    assert isinstance(end, Raised)
    assert isinstance(end.error, NoCoroutine)
    assert "gave back int" in str(end.error)


async def test_no_time_at_all_is_a_timeout_without_a_call() -> None:
    """A second call whose time the first one has used up has no effect anywhere."""

    async def act() -> None:
        pytest.fail("called")

    assert await run(act, within=timedelta(0)) == TimedOut(None)


async def test_a_task_that_somebody_else_cancels_has_failed() -> None:
    """Even before its first step, when nothing of the action has run."""
    caller = asyncio.create_task(run(hang))
    await asyncio.sleep(0)
    (task,) = (task for task in asyncio.all_tasks() if task.get_name() == "action")
    task.cancel()
    end = await caller
    assert isinstance(end, Raised)
    assert isinstance(end.error, asyncio.CancelledError)


async def test_an_action_that_ended_before_the_cancel_was_heard_has_ended() -> None:
    """A drain in that moment must not run it again."""

    async def act() -> None:
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(caller.cancel)

    within, grace = timedelta(seconds=5), timedelta(seconds=1)
    caller = asyncio.create_task(call(act, within=within, grace=grace))
    assert await caller == Returned()
    assert caller.cancelling() == 0
