"""Which event loop a worker runs on: asyncio's own, or uvloop where that is installed."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Literal, TypeAlias, TypeVar

from imbi_worker.settings import SettingsError

Loop: TypeAlias = Literal["asyncio", "uvloop"]
_Result = TypeVar("_Result")


def run_on(loop: Loop, main: Coroutine[Any, Any, _Result]) -> _Result:
    """`asyncio.run` on *loop*.

    :raises SettingsError: it is not installed
    """
    try:
        factory = _factory(loop)
    except ModuleNotFoundError:
        main.close()
        raise SettingsError(
            "IMBI_WORKER_EVENT_LOOP is uvloop, which is not installed: "
            "pip install 'imbi-worker[uvloop]', or leave the variable out"
        ) from None
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


def _factory(loop: Loop) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if loop == "asyncio":
        return None
    import uvloop  # noqa: PLC0415 - an extra: only who asks for it needs it

    return uvloop.new_event_loop
