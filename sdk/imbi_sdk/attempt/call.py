"""Running an action so that nothing it does can reach the worker.

The action runs in a task of its own, and whatever it raises stays in there:
asyncio re-raises SystemExit and KeyboardInterrupt of a task into the loop, which
would end the process. A task that swallows its cancel is left behind after the
grace, and handed to the caller, who keeps the job's slot taken until it ends.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias

Start: TypeAlias = Callable[[], Any]


class BadCallable(Exception):  # noqa: N818 - a finding about a plugin, not a failure of ours
    """The action cannot be called as the contract says."""


class NoCoroutine(Exception):  # noqa: N818 - a finding about a plugin, not a failure of ours
    """The action gave back something that cannot be awaited."""


class Interrupted(asyncio.CancelledError):
    """The caller was cancelled while an action ran; how the action ended is unknown.

    *unfinished* is its task, if that had not ended when the grace was over.
    """

    def __init__(self, unfinished: "asyncio.Task[Any] | None" = None) -> None:
        super().__init__("interrupted while an action ran")
        self.unfinished = unfinished


@dataclass(frozen=True, slots=True)
class Returned:
    """The action came back."""


@dataclass(frozen=True, slots=True)
class Raised:
    """The action ended with *error*, of whatever class."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The action was cancelled at its deadline; *unfinished* if it has not ended yet."""

    unfinished: "asyncio.Task[Any] | None"


End: TypeAlias = Returned | Raised | TimedOut


async def call(start: Start, *, within: timedelta, grace: timedelta, name: str = "action") -> End:
    """Run what *start* returns, at most for *within* and then *grace*.

    *start* is a `functools.partial` of the action: a Python frame of its own would
    make a call that does not fit look like a failure within the action.

    An action that swallows the cancel and returns late has timed out. Raises
    `Interrupted` when the caller's own task is cancelled, at most *grace* later.
    """
    if within <= timedelta(0):
        # A task with no time left would still run up to its first wait.
        return TimedOut(None)
    task = asyncio.get_running_loop().create_task(_contain(start), name=name)
    try:
        await _ended(task, within.total_seconds())
    except asyncio.CancelledError:
        if task.done():
            # It ended before the cancel was heard, so its end is known and stands.
            _forget_cancel()
            return _end(task)
        await _give_up(task, grace)
        raise Interrupted(None if task.done() else task) from None
    if task.done():
        return _end(task)
    await _give_up(task, grace)
    return TimedOut(None if task.done() else task)


async def _ended(task: "asyncio.Task[Any]", seconds: float) -> None:
    """Wait for *task* as ``asyncio.wait`` does, for *seconds* at most.

    That is made for many tasks, and costs each attempt 4 us more.
    """
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()

    def end(_: object = None) -> None:
        if not over.done():
            over.set_result(None)

    timer = loop.call_later(seconds, end)
    task.add_done_callback(end)
    try:
        await over
    finally:
        timer.cancel()
        task.remove_done_callback(end)


def _forget_cancel() -> None:
    current = asyncio.current_task()
    if current is not None:
        current.uncancel()


async def _contain(start: Start) -> End:
    try:
        await _begin(start)
    except BaseException as error:  # noqa: BLE001 - the purpose of this function
        return Raised(error)
    return Returned()


def _begin(start: Start) -> Awaitable[Any]:
    try:
        running = start()
    except TypeError as error:
        trace = error.__traceback__
        if trace is not None and trace.tb_next is not None:
            # A deeper frame: the action itself has run, and failed in its own way.
            raise
        raise BadCallable(f"the action cannot be called: {error}") from None
    if not inspect.isawaitable(running):
        raise NoCoroutine(f"the action gave back {type(running).__name__}, which cannot be awaited")
    return running


def _end(task: "asyncio.Task[End]") -> End:
    if task.cancelled():
        # Cancelled by somebody else before its first step.
        return Raised(asyncio.CancelledError("the action's task was cancelled"))
    return task.result()


async def _give_up(task: "asyncio.Task[Any]", grace: timedelta) -> None:
    """Cancel the action and wait for it; raises `Interrupted` when cancelled meanwhile."""
    task.cancel()
    try:
        await asyncio.wait({task}, timeout=grace.total_seconds())
    except asyncio.CancelledError:
        raise Interrupted(None if task.done() else task) from None
