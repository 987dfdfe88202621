"""Analysis plugins: findings about a project."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, TypeAlias

from pydantic import BaseModel

from imbi_sdk.context import PluginContext
from imbi_sdk.errors import PluginRemediationNotSupported
from imbi_sdk.manifest import PluginManifest

AnalysisResultStatus: TypeAlias = Literal["pass", "warn", "fail"]


class RemediationOffer(BaseModel):
    """A fix that can be asked for; *id* comes back to ``AnalysisPlugin.remediate`` as it is.

    *confirm* is the question to put before, and a *destructive* fix is always
    confirmed.
    """

    id: str
    label: str
    confirm: str | None = None
    destructive: bool = False


class RemediationResult(BaseModel):
    """What came of a fix; ``noop`` when there was nothing left to fix."""

    status: Literal["fixed", "noop", "failed"]
    message: str


class AnalysisResultItem(BaseModel):
    """One finding. *slug* stays the same from run to run; *description* is Markdown."""

    slug: str
    title: str
    description: str
    status: AnalysisResultStatus
    remediation: RemediationOffer | None = None


class AnalysisPlugin(ABC):
    """An inspection. An instance serves one request; keep no state elsewhere."""

    manifest: ClassVar[PluginManifest]

    @abstractmethod
    async def analyze(
        self, ctx: PluginContext, credentials: dict[str, str]
    ) -> list[AnalysisResultItem]:
        """The findings about the project."""

    async def remediate(
        self, ctx: PluginContext, credentials: dict[str, str], remediation_id: str
    ) -> RemediationResult:
        """Fix the finding whose offer has this id; to be repeated without harm."""
        del ctx, credentials
        raise PluginRemediationNotSupported(self.manifest.slug, remediation_id)
