"""Deployment plugins: the refs, commits and runs of a project's repository."""

from abc import ABC, abstractmethod
from datetime import datetime
from typing import ClassVar, Literal, TypeAlias

from pydantic import BaseModel

from imbi_sdk.context import PluginContext
from imbi_sdk.manifest import PluginManifest

CheckStatus: TypeAlias = Literal["pass", "fail", "warn", "unknown"]
DeploymentEventStatus: TypeAlias = Literal[
    "pending", "in_progress", "success", "failed", "rolled_back"
]


class Ref(BaseModel):
    """A branch, a tag or the default ref."""

    name: str
    kind: Literal["branch", "tag", "default"]
    sha: str
    is_default: bool = False
    ahead: int | None = None
    behind: int | None = None
    pr_number: int | None = None
    pr_title: str | None = None
    pr_state: Literal["open", "closed", "merged"] | None = None


class RefInfo(BaseModel):
    """A ref that was made."""

    name: str
    sha: str
    url: str | None = None


class Commit(BaseModel):
    """A commit and how its checks went."""

    sha: str
    short_sha: str
    message: str
    author: str | None = None
    authored_at: datetime | None = None
    url: str | None = None
    ci_status: CheckStatus = "unknown"
    pr_number: int | None = None
    is_head: bool = False


class CompareResult(BaseModel):
    """What lies between two commits."""

    base_sha: str
    head_sha: str
    ahead: int
    behind: int
    commits: list[Commit] = []
    files_changed: int = 0
    additions: int = 0
    deletions: int = 0
    pr_numbers: list[int] = []


class ReleaseInfo(BaseModel):
    """A release that was made."""

    id: str
    tag: str
    name: str | None = None
    url: str | None = None
    html_url: str | None = None
    prerelease: bool = False


class WorkflowFile(BaseModel):
    """A CI workflow in the repository."""

    id: str
    path: str
    name: str
    state: str = "active"


class DeploymentRun(BaseModel):
    """A deployment that was triggered."""

    run_id: str
    run_url: str | None = None
    status: Literal["queued", "in_progress", "success", "failure", "cancelled", "unknown"] = (
        "queued"
    )
    started_at: datetime | None = None
    completed_at: datetime | None = None


class RemoteDeployment(BaseModel):
    """A deployment as the remote knows it; *external_run_id* tells it from others."""

    environment: str
    sha: str
    ref: str | None = None
    status: DeploymentEventStatus
    created_at: datetime
    external_run_id: str
    run_url: str | None = None
    deployment_url: str | None = None
    description: str | None = None
    creator: str | None = None
    creator_subject: str | None = None


class DeploymentPlugin(ABC):
    """Acts on a repository. An instance serves one request; keep no state elsewhere."""

    manifest: ClassVar[PluginManifest]

    @abstractmethod
    async def list_refs(
        self,
        ctx: PluginContext,
        credentials: dict[str, str],
        kind: Literal["default", "branch", "tag", "all"] = "all",
        query: str | None = None,
    ) -> list[Ref]:
        """The refs of one kind, or all."""

    @abstractmethod
    async def list_commits(
        self, ctx: PluginContext, credentials: dict[str, str], ref: str, limit: int = 25
    ) -> list[Commit]:
        """The newest commits of a ref."""

    @abstractmethod
    async def resolve_committish(
        self, ctx: PluginContext, credentials: dict[str, str], committish: str
    ) -> Commit:
        """The commit that a ref, a tag or an abbreviated SHA means."""

    @abstractmethod
    async def compare(
        self, ctx: PluginContext, credentials: dict[str, str], base: str, head: str
    ) -> CompareResult:
        """What *head* has over *base*."""

    @abstractmethod
    async def trigger_deployment(
        self,
        ctx: PluginContext,
        credentials: dict[str, str],
        ref_or_sha: str,
        inputs: dict[str, str] | None = None,
    ) -> DeploymentRun:
        """Start a deployment."""

    @abstractmethod
    async def get_deployment_status(
        self, ctx: PluginContext, credentials: dict[str, str], run_id: str
    ) -> DeploymentRun:
        """How a deployment is going."""

    async def get_check_status(
        self, ctx: PluginContext, credentials: dict[str, str], committish: str
    ) -> CheckStatus:
        """How the checks of a commit went; ``unknown`` by default."""
        del ctx, credentials, committish
        return "unknown"

    async def create_tag(
        self, ctx: PluginContext, credentials: dict[str, str], sha: str, tag: str, message: str
    ) -> RefInfo:
        """Make an annotated tag, if the remote has such."""
        raise NotImplementedError

    async def create_release(  # noqa: PLR0917 - Imbi's signature
        self,
        ctx: PluginContext,
        credentials: dict[str, str],
        tag: str,
        name: str,
        body_markdown: str,
        prerelease: bool = False,  # noqa: FBT001, FBT002 - Imbi's signature
    ) -> ReleaseInfo:
        """Make a release, if the remote has such."""
        raise NotImplementedError

    async def list_workflows(
        self, ctx: PluginContext, credentials: dict[str, str]
    ) -> list[WorkflowFile]:
        """The CI workflows, if the remote has such."""
        raise NotImplementedError

    async def list_recent_deployments(
        self,
        ctx: PluginContext,
        credentials: dict[str, str],
        environments: list[str],
        limit: int = 1,
    ) -> list[RemoteDeployment]:
        """The newest *limit* deployments of each environment the remote knows.

        For manifests with ``supports_deployment_sync``.
        """
        raise NotImplementedError
