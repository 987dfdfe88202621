"""An installed plugin takes the place of the built-in one of the same slug."""

from pathlib import Path

from stage import Stage

from installing import environment_with, install

MODULE = """
from typing import Any

from pydantic import BaseModel

from imbi_sdk.errors import Skip
from imbi_sdk.manifest import PluginManifest
from imbi_sdk.webhook import ActionDescriptor, WebhookActionPlugin


class Anything(BaseModel):
    pass


async def create_release(**_: Any) -> None:
    raise Skip("done by another distribution")


class TheirActions(WebhookActionPlugin):
    manifest = PluginManifest(slug="gateway-actions", name="Theirs", plugin_type="webhook")

    @classmethod
    def actions(cls) -> list[ActionDescriptor]:
        return [
            ActionDescriptor(
                name="create_release", label="-", callable=create_release, config_model=Anything
            )
        ]
"""


async def test_a_plugin_of_another_distribution_takes_precedence(
    stage: Stage, tmp_path: Path
) -> None:
    """Imbi's own package may be installed in the pod: its actions run, and none of ours."""
    points = {"gateway-actions": "their_actions:TheirActions"}
    install(tmp_path, "their-actions", points, modules={"their_actions": MODULE})
    worker = await stage.worker(environment=environment_with(tmp_path))
    theirs = await stage.enqueue(("gateway-actions#create_release", {}))
    ours = await stage.enqueue(("gateway-actions#update_project", []), delivery="d2")
    await stage.until_state(theirs, "skipped")
    await stage.until_state(ours, "dead")
    assert "done by another distribution" in (await stage.job(theirs.jobs[0].id))["reason"]
    assert "it has create_release" in (await stage.job(ours.jobs[0].id))["error"]
    assert stage.api.requests == ()
    assert "gives way to an installed one" in worker.log()
