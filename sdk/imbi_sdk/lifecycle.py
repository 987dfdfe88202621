"""Lifecycle plugins: what a project's creation, move or end means elsewhere."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from pydantic import BaseModel

from imbi_sdk.context import PluginContext
from imbi_sdk.manifest import PluginManifest


class LifecycleResult(BaseModel):
    """What came of one lifecycle step."""

    status: Literal["ok", "skipped", "failed"]
    message: str | None = None
    artifacts: dict[str, str] = {}


class RelocationTarget(BaseModel):
    """Where a project would be routed."""

    link_key: str
    identifier: str
    display: str | None = None


class LifecyclePlugin(ABC):
    """Follows a project. A step that is not offered raises NotImplementedError."""

    manifest: ClassVar[PluginManifest]

    @abstractmethod
    async def on_project_archived(
        self, ctx: PluginContext, credentials: dict[str, str]
    ) -> LifecycleResult:
        """The project was archived."""

    async def on_project_unarchived(
        self, ctx: PluginContext, credentials: dict[str, str]
    ) -> LifecycleResult:
        """The project is back from the archive."""
        raise NotImplementedError

    async def on_project_created(
        self, ctx: PluginContext, credentials: dict[str, str]
    ) -> LifecycleResult:
        """The project is new."""
        raise NotImplementedError

    async def on_project_updated(
        self, ctx: PluginContext, credentials: dict[str, str]
    ) -> LifecycleResult:
        """The project has changed; ``ctx.previous_*`` tell from what."""
        raise NotImplementedError

    async def on_project_deleted(
        self, ctx: PluginContext, credentials: dict[str, str]
    ) -> LifecycleResult:
        """The project is gone; *ctx* was gathered before."""
        raise NotImplementedError

    async def on_project_relocated(
        self, ctx: PluginContext, credentials: dict[str, str]
    ) -> LifecycleResult:
        """The project has another remote target now."""
        raise NotImplementedError

    async def resolve_relocation_target(
        self, ctx: PluginContext, credentials: dict[str, str]
    ) -> RelocationTarget | None:
        """Where *ctx* would be routed, without asking the remote; None when it cannot move."""
        del ctx, credentials
        return None
