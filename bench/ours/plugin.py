"""A plugin as an author writes it, with a credential and a config, whose action does the work."""

from typing import Any, ClassVar

from pydantic import BaseModel

from bench.harness import Work
from imbi_sdk.manifest import CredentialField, PluginManifest
from imbi_sdk.webhook import ActionDescriptor, WebhookActionPlugin

HANDLER = "bench#nothing"
PLUGIN_ID = "bench-1"
# What the action calls; the contract has no other way to hand it anything.
WORK: list[Work] = []


class Config(BaseModel):
    label: str = "nothing"


async def nothing(
    *,
    ctx: Any,  # noqa: ARG001 - the contract's keyword
    credentials: dict[str, str],
    external_identifier: str,  # noqa: ARG001 - the contract's keyword
    action_config: Config,  # noqa: ARG001 - the contract's keyword
    event: dict[str, Any],
) -> None:
    assert credentials["api_token"]
    await WORK[0](event["payload"])


class Bench(WebhookActionPlugin):
    manifest: ClassVar[PluginManifest] = PluginManifest(
        slug="bench",
        name="Bench",
        plugin_type="webhook",
        credentials=[CredentialField(name="api_token", label="API token")],
    )

    @classmethod
    def actions(cls) -> list[ActionDescriptor]:
        return [
            ActionDescriptor(name="nothing", label="Nothing", callable=nothing, config_model=Config)
        ]
