"""A plugin, written for Imbi, whose actions do not end when they are told to."""

from pathlib import Path

from installing import environment_with, install

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

async def spin(*, ctx, credentials, external_identifier, action_config, event):
    Path(action_config.marker).touch()
    while True:
        pass

class Stubborn(WebhookActionPlugin):
    manifest = PluginManifest(slug="stubborn", name="Stubborn", plugin_type="webhook")

    @classmethod
    def actions(cls):
        return [
            ActionDescriptor(name=action.__name__, label="s", callable=action, config_model=Config)
            for action in (swallow, block, spin)
        ]
"""


def installed_in(folder: Path) -> dict[str, str]:
    """Installs it there; what a worker's environment needs to find it."""
    points = {"stubborn": "stubborn_plugin:Stubborn"}
    install(folder, "stubborn-plugin", points, modules={"stubborn_plugin": PLUGIN})
    return environment_with(folder)
