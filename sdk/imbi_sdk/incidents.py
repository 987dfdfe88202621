"""Incidents plugins: what is wrong with a project's services."""

from abc import ABC, abstractmethod
from datetime import datetime
from typing import ClassVar

from pydantic import BaseModel

from imbi_sdk.context import PluginContext
from imbi_sdk.manifest import PluginManifest


class IncidentView(BaseModel):
    """One incident."""

    id: str
    title: str
    status: str
    urgency: str | None = None
    created_at: datetime
    resolved_at: datetime | None = None
    url: str
    service: str | None = None


class IncidentResult(BaseModel):
    """A page of incidents and the cursor of the next one."""

    incidents: list[IncidentView] = []
    next_cursor: str | None = None
    total: int | None = None


class IncidentsPlugin(ABC):
    """A source of incidents. An instance serves one request; keep no state elsewhere."""

    manifest: ClassVar[PluginManifest]

    @abstractmethod
    async def list_incidents(
        self,
        ctx: PluginContext,
        credentials: dict[str, str],
        *,
        start_time: datetime,
        end_time: datetime,
        statuses: list[str] | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> IncidentResult:
        """A page of the incidents between two moments, of all statuses or some."""
