"""Actions of an installed plugin that will not end: the pod ends all the same."""

import signal
import time
from pathlib import Path

import pytest
from stage import Stage

from waiting import until

PLUGIN = """
import asyncio, time
from pathlib import Path
from pydantic import BaseModel
from imbi_common.plugins import ActionDescriptor, PluginManifest, WebhookActionPlugin

class Config(BaseModel):
    marker: str

async def swallow(*, ctx, credentials, external_identifier, action_config, event):
    Path(action_config.marker).touch()
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

async def block(*, ctx, credentials, external_identifier, action_config, event):
    Path(action_config.marker).touch()
    time.sleep(3600)

class Stubborn(WebhookActionPlugin):
    manifest = PluginManifest(slug="stubborn", name="Stubborn", plugin_type="webhook")

    @classmethod
    def actions(cls):
        return [
            ActionDescriptor(name="swallow", label="s", callable=swallow, config_model=Config),
            ActionDescriptor(name="block", label="b", callable=block, config_model=Config),
        ]
"""


@pytest.fixture
def installed(tmp_path: Path) -> str:
    """A plugin written for Imbi, on the path with its entry point."""
    (tmp_path / "stubborn_plugin.py").write_text(PLUGIN)
    info = tmp_path / "stubborn_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stubborn-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[imbi.plugins]\nstubborn = stubborn_plugin:Stubborn\n")
    return str(tmp_path)


@pytest.mark.parametrize(("action", "longest"), [("swallow", 5.0), ("block", 16.0)])
async def test_the_process_ends_after_drain_and_grace_whatever_an_action_does(
    stage: Stage, installed: str, tmp_path: Path, action: str, longest: float
) -> None:
    """One that blocks the loop is ended by the watchdog's thread."""
    marker = tmp_path / "began"
    worker = await stage.worker(
        environment={"PYTHONPATH": installed}, drain="500ms", grace="500ms", lease="3s"
    )
    enqueued = await stage.enqueue((f"stubborn#{action}", {"marker": str(marker)}))
    await until(marker.exists)
    worker.process.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    await worker.ended(longest + 5)
    assert time.monotonic() - begun < longest
    job = await stage.job(enqueued.jobs[0].id)
    assert job["state"] in {"waiting", "running"}
