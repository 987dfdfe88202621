"""From a command to its connections and its exit code."""

import asyncio
import getpass
import platform
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine
from functools import cached_property
from typing import TypeVar

import typer

from imbi_sdk.errors import ConfigurationError, PluginSchemaCollisionError
from imbi_sdk.queue import SigningKeyError
from imbi_worker import graph, wiring
from imbi_worker.cli.output import INTERRUPTED, OK, Output
from imbi_worker.graph import GraphMisconfigured
from imbi_worker.operations.errors import Misconfigured, OperationError
from imbi_worker.queue import RedisAddressError, inspection
from imbi_worker.settings import Settings, SettingsError

_CANCEL_AGAIN = 0.1

# What an operator has to put right before a command can do anything.
MISCONFIGURED = (
    SettingsError,
    RedisAddressError,
    SigningKeyError,
    GraphMisconfigured,
    PluginSchemaCollisionError,
    ConfigurationError,
)


class Session:
    """The connections of one command, each made when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._graphs: list[graph.Neo4jGraph] = []

    @cached_property
    def redis(self) -> "inspection.Client":
        return wiring.open_redis(self.settings)

    @cached_property
    def inspection(self) -> "inspection.Inspection":
        return inspection.Inspection(self.redis, queue=self.settings.queue)

    @cached_property
    def graph(self) -> "graph.Neo4jGraph":
        self._graphs.append(wiring.open_graph(self.settings))
        return self._graphs[0]

    async def close(self) -> None:
        if "redis" in self.__dict__:
            await self.redis.aclose()
        for opened in self._graphs:
            await opened.close()


Found = TypeVar("Found")
Work = Callable[[Session], Awaitable[int | None]]


def execute(work: Work, output: Output) -> None:
    """Do *work*, and leave with its exit code or that of its error."""
    code = perform(work, output)
    raise typer.Exit(OK if code is None else code)


def perform(work: Callable[[Session], Awaitable[Found]], output: Output) -> Found:
    """Do *work* and return what it found; leave only with the exit code of its error.

    For a command that goes on: with a question, then with more work.
    """
    try:
        return asyncio.run(_until_interrupted(_run(work)))
    except OperationError as error:
        code = output.fail(error)
    except asyncio.CancelledError:
        code = INTERRUPTED
    raise typer.Exit(code)


async def _until_interrupted(work: Coroutine[None, None, Found]) -> Found:
    """Cancel *work* at Ctrl-C, and again until it ends.

    redis-py 5.3 on Python 3.11 can lose a cancel that meets its check of an idle
    connection: once would leave ``enqueue --wait`` waiting for its whole time.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)

    def cancel() -> None:
        if not task.done():
            task.cancel()
            loop.call_later(_CANCEL_AGAIN, cancel)

    # Only the main thread hears signals.
    if threading.current_thread() is threading.main_thread():
        loop.add_signal_handler(signal.SIGINT, cancel)
    return await task


async def _run(work: Callable[[Session], Awaitable[Found]]) -> Found:
    try:
        session = Session(Settings.load())
        try:
            return await work(session)
        finally:
            await session.close()
    except MISCONFIGURED as error:
        raise Misconfigured(str(error), "See the settings in the README.") from None


def actor() -> str:
    """Who stands in the audit for what is done here."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container's user needs no name.
        user = "unknown"
    return f"{user}@{platform.node()}"


def run_here(work: Callable[[], int], output: Output) -> None:
    """Do *work* that needs no connection, and leave with its exit code."""
    try:
        code = work()
    except OperationError as error:
        code = output.fail(error)
    raise typer.Exit(code)
