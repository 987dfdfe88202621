"""Analysis plugins: findings about a project."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, TypeAlias

from pydantic import BaseModel

from imbi_sdk.context import PluginContext
from imbi_sdk.manifest import PluginManifest

AnalysisResultStatus: TypeAlias = Literal["pass", "warn", "fail"]


class AnalysisResultItem(BaseModel):
    """One finding. *slug* stays the same from run to run; *description* is Markdown."""

    slug: str
    title: str
    description: str
    status: AnalysisResultStatus


class AnalysisPlugin(ABC):
    """An inspection. An instance serves one request; keep no state elsewhere."""

    manifest: ClassVar[PluginManifest]

    @abstractmethod
    async def analyze(
        self, ctx: PluginContext, credentials: dict[str, str]
    ) -> list[AnalysisResultItem]:
        """The findings about the project."""
