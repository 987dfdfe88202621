"""What one worker process does, with the chaos plugin; the nursery forks it.

CHAOS_HISTORY   the file to append to
CHAOS_CALM      1: every deed just succeeds
"""

import asyncio
import os
import threading
import time
from pathlib import Path
from typing import Final

from chaos.history import History
from chaos.plugin import ChaosPlugin, Witness
from imbi_sdk.attempt import Redactor
from imbi_worker import wiring
from imbi_worker.observability import configure_logs
from imbi_worker.settings import Settings

_TICK: Final = 0.05
_STALL: Final = 0.3


async def run(history: History, *, is_calm: bool) -> None:
    """Until SIGTERM; like the real command it does not wait for an action that will not end."""
    redactor = Redactor()
    settings = Settings.load()
    configure_logs(level=settings.log_level, style="json", redactor=redactor)
    async with wiring.worker(settings, redactor, plugins=(ChaosPlugin,)) as opened:
        ChaosPlugin.witness = Witness(history, opened.engine, is_calm=is_calm)
        opened.engine.handle_signals()
        await opened.engine.async_run()
    if opened.engine.has_unfinished:
        os._exit(0)


def watch(history: History) -> None:
    """Notes when this process got no turn: its leases then run out through nobody's fault."""
    seen = time.monotonic()
    while True:
        time.sleep(_TICK)
        now = time.monotonic()
        if now - seen > _STALL:
            history.note("stall", pid=os.getpid(), until=seen)
        seen = now


def main() -> None:
    history = History(Path(os.environ["CHAOS_HISTORY"]))
    threading.Thread(target=watch, args=(history,), daemon=True).start()
    asyncio.run(run(history, is_calm=os.environ["CHAOS_CALM"] == "1"))
