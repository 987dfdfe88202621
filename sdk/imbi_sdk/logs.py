"""Logs plugins: a search over an external log store."""

from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from imbi_sdk.context import PluginContext
from imbi_sdk.manifest import PluginManifest


class LogFilter(BaseModel):
    """One condition on a field."""

    field: str
    op: Literal["eq", "ne", "contains", "starts_with", "regex"]
    value: str


class LogQuery(BaseModel):
    """A search; no *levels* means every level."""

    start_time: datetime
    end_time: datetime
    filters: list[LogFilter] = []
    limit: int = 100
    cursor: str | None = None
    levels: list[str] = []


class LogEntry(BaseModel):
    """One log line; further fields are kept as they come."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow")

    timestamp: datetime
    message: str
    level: str | None = None
    raw: dict[str, Any] = {}


class LogHistogramBucket(BaseModel):
    """How many entries fall into one span of time."""

    timestamp: datetime
    count: int
    levels: dict[str, int] = {}


class LogResult(BaseModel):
    """A page of entries and the cursor of the next one."""

    entries: list[LogEntry]
    next_cursor: str | None = None
    total: int | None = None
    warnings: list[str] = []


class LogsPlugin(ABC):
    """A log store. An instance serves one request; keep no state elsewhere."""

    manifest: ClassVar[PluginManifest]

    @abstractmethod
    async def search(
        self, ctx: PluginContext, credentials: dict[str, str], query: LogQuery
    ) -> LogResult:
        """A page of entries.

        :raises CursorExpiredError: the search must begin again
        """

    @abstractmethod
    async def schema(self, ctx: PluginContext, credentials: dict[str, str]) -> list[dict[str, Any]]:
        """The fields a filter may name."""

    async def histogram(
        self,
        ctx: PluginContext,
        credentials: dict[str, str],
        query: LogQuery,
        bucket_count: int = 60,
    ) -> list[LogHistogramBucket]:
        """Counts over time, for manifests with ``supports_histogram``; none by default."""
        del ctx, credentials, query, bucket_count
        return []
