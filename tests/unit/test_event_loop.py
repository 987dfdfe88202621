"""The loop a worker runs on is the one it was told, or it says what is missing."""

import asyncio
import sys

import pytest
import uvloop

from imbi_worker.settings import SettingsError
from imbi_worker.wiring import run_on


async def running() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def test_asyncio_s_own_is_taken_unless_another_is_asked_for() -> None:
    assert not isinstance(run_on("asyncio", running()), uvloop.Loop)


def test_uvloop_is_taken_when_it_is_asked_for() -> None:
    assert isinstance(run_on("uvloop", running()), uvloop.Loop)


def test_without_uvloop_the_error_names_the_variable_and_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    with pytest.raises(SettingsError, match=r"IMBI_WORKER_EVENT_LOOP.*imbi-worker\[uvloop\]"):
        run_on("uvloop", running())
