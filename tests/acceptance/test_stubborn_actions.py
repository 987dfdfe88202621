"""Actions of an installed plugin that will not end: the pod ends all the same."""

import signal
import time
from pathlib import Path

import pytest
from stage import Stage
from stubborn import installed_in

from waiting import until


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """What a worker's environment needs to find the plugin."""
    return installed_in(tmp_path)


@pytest.mark.parametrize(("action", "longest"), [("swallow", 5.0), ("block", 16.0)])
async def test_the_process_ends_after_drain_and_grace_whatever_an_action_does(
    stage: Stage, installed: dict[str, str], tmp_path: Path, action: str, longest: float
) -> None:
    """One that blocks the loop is ended by the watchdog's thread."""
    marker = tmp_path / "began"
    worker = await stage.worker(environment=installed, drain="500ms", grace="500ms", lease="3s")
    enqueued = await stage.enqueue((f"stubborn#{action}", {"marker": str(marker)}))
    await until(marker.exists)
    worker.process.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    await worker.ended(longest + 5)
    assert time.monotonic() - begun < longest
    job = await stage.job(enqueued.jobs[0].id)
    assert job["state"] in {"waiting", "running"}
