"""The demo plugin: actions whose work, waiting and failing can be watched.

It is no part of what the worker offers: `load_plugins` gets it as a built-in
only where the demo or a test asks for it.
"""

import asyncio
from typing import Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from imbi_sdk.context import PluginContext
from imbi_sdk.errors import ConfigurationError
from imbi_sdk.manifest import CredentialField, PluginManifest
from imbi_sdk.webhook import ActionDescriptor, WebhookActionPlugin
from imbi_worker.builtin import SESSIONS
from imbi_worker.identity import ApiAddress, ApiClient

SLUG: Final = "demo"


class NotifyConfig(BaseModel):
    """*message* goes to the service as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    message: str = Field(default="something happened", min_length=1)


class HangConfig(BaseModel):
    """Nothing to choose."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class WorkConfig(BaseModel):
    """How long the work takes, and a *label* to know it by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float = Field(default=0.0, ge=0, le=3600)
    label: str = ""


async def notify(
    *,
    ctx: PluginContext,
    credentials: dict[str, str],
    external_identifier: str,
    action_config: NotifyConfig,
    event: dict[str, Any],
) -> None:
    """Tell the service about the event, with the plugin's credential."""
    report = {"message": action_config.message, "type": event["type"]}
    await _tell(
        "notify",
        report,
        ctx=ctx,
        credentials=credentials,
        external_identifier=external_identifier,
    )


async def hang(
    *,
    ctx: PluginContext,  # noqa: ARG001 - the contract's keyword
    credentials: dict[str, str],  # noqa: ARG001 - the contract's keyword
    external_identifier: str,  # noqa: ARG001 - the contract's keyword
    action_config: HangConfig,  # noqa: ARG001 - the contract's keyword
    event: dict[str, Any],  # noqa: ARG001 - the contract's keyword
) -> None:
    """Wait for a cancel, which a timeout or a drain will send."""
    await asyncio.Event().wait()


async def work(
    *,
    ctx: PluginContext,
    credentials: dict[str, str],
    external_identifier: str,
    action_config: WorkConfig,
    event: dict[str, Any],
) -> None:
    """Report the start, take its time, report the end.

    The reports carry the delivery's number if it has one, so that order, and a
    kill in between, can be read from what the service has seen.
    """
    delivery = event["metadata"]["headers"].get("x-github-delivery", "")
    for phase, seconds in (("start", action_config.seconds), ("end", 0.0)):
        report = {"label": action_config.label, "phase": phase, "delivery": delivery}
        await _tell(
            "work",
            report,
            ctx=ctx,
            credentials=credentials,
            external_identifier=external_identifier,
        )
        await asyncio.sleep(seconds)


async def _tell(
    action: str,
    report: dict[str, str],
    *,
    ctx: PluginContext,
    credentials: dict[str, str],
    external_identifier: str,
) -> None:
    endpoint = ctx.assignment_options.get("service_endpoint")
    if not isinstance(endpoint, str):
        raise ConfigurationError("the plugin's service has no api_endpoint: set it in Imbi")
    address = ApiAddress(
        endpoint,
        SecretStr(credentials["api_token"]),
        url_name="the service's api_endpoint",
        token_name="the plugin's credential api_token",  # noqa: S106 - a name
    )
    body = {"project_id": ctx.project_id, "external_identifier": external_identifier, **report}
    await ApiClient(address, SESSIONS).post(action, body=body, handler=f"{SLUG}#{action}")


class DemoPlugin(WebhookActionPlugin):
    """Needs an ``api_token`` for a service that `ImbiApi` plays."""

    manifest: ClassVar[PluginManifest] = PluginManifest(
        slug=SLUG,
        name="Demo",
        description="Actions to watch the worker with.",
        plugin_type="webhook",
        credentials=[CredentialField(name="api_token", label="API token")],
    )

    @classmethod
    def actions(cls) -> list[ActionDescriptor]:
        return [
            ActionDescriptor(
                name="notify", label="Notify", callable=notify, config_model=NotifyConfig
            ),
            ActionDescriptor(name="hang", label="Hang", callable=hang, config_model=HangConfig),
            ActionDescriptor(name="work", label="Work", callable=work, config_model=WorkConfig),
        ]
