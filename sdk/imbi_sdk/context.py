"""What a plugin is told about the project it is called for."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from pydantic import BaseModel, Field

from imbi_sdk.identity import IdentityCredentials

UserResolver: TypeAlias = Callable[[str], Awaitable[str | None]]


class ServicePlugin(BaseModel):
    """A sibling plugin on the same third-party service; never its credentials."""

    slug: str
    options: dict[str, Any] = Field(default_factory=dict)


class ServiceConnection(BaseModel):
    """How the project is known at a third-party service."""

    service_slug: str
    identifier: str
    canonical_url: str | None = None


class ServiceWriteback(BaseModel):
    """What a plugin wants stored about the project's connection to its service."""

    identifier: str
    canonical_url: str
    dashboard_links: dict[str, str] = Field(default_factory=dict)
    webhook_secret_enc: str | None = None
    remove: bool = False


class LinkWriteback(BaseModel):
    """A project link that a plugin found to have moved."""

    link_key: str
    new_url: str
    old_owner_repo: str | None = None
    new_owner_repo: str | None = None


class PluginContext(BaseModel):
    """The project, its surroundings and the acting user.

    For a webhook action the host fills the project, the team, the actor,
    ``assignment_options`` (with ``service_slug`` and, if set,
    ``service_endpoint``), ``service_plugins`` and ``resolve_user_by_identity``.
    ``link_writeback`` and ``service_writeback`` are for the plugin to set.
    """

    project_id: str
    project_slug: str
    org_slug: str
    team_slug: str | None = None
    environment: str | None = None
    assignment_options: dict[str, Any] = Field(default_factory=dict)
    project_links: dict[str, str] = Field(default_factory=dict)
    project_type_slugs: list[str] = Field(default_factory=list[str])
    environment_config: dict[str, Any] = Field(default_factory=dict)
    actor_user_id: str | None = None
    identity: IdentityCredentials | None = None
    link_writeback: LinkWriteback | None = None
    previous_project_slug: str | None = None
    project_name: str | None = None
    project_description: str | None = None
    project_ui_url: str | None = None
    previous_project_type_slugs: list[str] = Field(default_factory=list[str])
    service_plugins: list[ServicePlugin] = Field(default_factory=list[ServicePlugin])
    service_writeback: ServiceWriteback | None = None
    third_party_service_slug: str | None = None
    service_connections: list[ServiceConnection] = Field(default_factory=list[ServiceConnection])
    # Lives in the process only: a context that was serialized has to be given a new one.
    resolve_user_by_identity: UserResolver | None = Field(default=None, exclude=True, repr=False)
    previous_team_slug: str | None = None
