"""Makes plugins of one action, good and bad."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from imbi_sdk import ActionDescriptor, CredentialField, PluginManifest, WebhookActionPlugin


class Config(BaseModel):
    """What the rules of these plugins say."""

    names: list[str]


@pytest.fixture
def canary() -> str:
    return "canary-4f1d-do-not-leak"


@pytest.fixture
def make_plugin() -> Callable[..., type[WebhookActionPlugin]]:
    """Makes a plugin of the action ``act``; *extras* go into its descriptor."""

    def make(
        function: Callable[..., Any],
        *,
        credentials: tuple[str, ...] = (),
        auth_type: Any = "api_token",
        config_model: type[BaseModel] = Config,
        slug: str = "tickets",
        names: tuple[str, ...] = ("act",),
        **extras: Any,
    ) -> type[WebhookActionPlugin]:
        class Tickets(WebhookActionPlugin):
            manifest = PluginManifest(
                slug=slug,
                name="Tickets",
                plugin_type="webhook",
                auth_type=auth_type,
                credentials=[CredentialField(name=name, label=name) for name in credentials],
            )

            @classmethod
            def actions(cls) -> list[ActionDescriptor]:
                return [
                    ActionDescriptor(
                        name=name,
                        label="Act",
                        callable=function,
                        config_model=config_model,
                        **extras,
                    )
                    for name in names
                ]

        return Tickets

    return make
