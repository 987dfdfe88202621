"""Webhook plugins: a manifest and a catalogue of actions."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import BaseModel, Field, ImportString

from imbi_sdk.manifest import PluginManifest

WebhookActionCallable: TypeAlias = Callable[..., Awaitable[None]]
"""``async (*, ctx, credentials, external_identifier, action_config, event) -> None``.

Keywords only. ``credentials`` is ``{}`` for a plugin that declares none,
``external_identifier`` is ``""`` when not in play, ``action_config`` is an
instance of the descriptor's ``config_model``. An action written before Imbi
2.10 takes ``payload``, the raw body, in place of ``event``.
"""

PositiveDuration: TypeAlias = Annotated[timedelta, Field(gt=timedelta(0))]


class ActionDescriptor(BaseModel):
    """One action in a plugin's catalogue.

    ``callable`` and ``config_model`` take the object or its dotted path, which
    is imported at once: a wrong path fails here, when the plugin is loaded.

    The fields below ``config_model`` are for imbi-worker, and hosts without
    them pay no heed; durations are seconds or a timedelta. ``timeout`` bounds
    one attempt, ``max_attempts`` counts the first one, ``retry`` is the waits
    between them (the last one repeats), and ``idempotent=False`` says that a run
    of unknown outcome must never be repeated by itself - unless ``idempotent_when``,
    given the rule's validated config, says True: a function without side effects.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", min_length=1)
    label: str = Field(min_length=1)
    description: str | None = None
    callable: ImportString[WebhookActionCallable]
    config_model: ImportString[type[BaseModel]]
    timeout: PositiveDuration | None = None
    max_attempts: int | None = Field(default=None, ge=1)
    retry: tuple[PositiveDuration, ...] | None = Field(default=None, min_length=1)
    idempotent: bool = True
    idempotent_when: ImportString[Callable[[Any], bool]] | None = None


class WebhookActionPlugin(ABC):
    """A plugin that answers webhooks with the actions of its catalogue.

    The host never makes an instance: it reads ``manifest``, calls ``actions``
    and then the callable of the descriptor that a rule's handler
    ``"<plugin_slug>#<action_name>"`` names.
    """

    manifest: ClassVar[PluginManifest]

    @classmethod
    @abstractmethod
    def actions(cls) -> list[ActionDescriptor]:
        """The catalogue, as a new list at each call: callers may change theirs."""
