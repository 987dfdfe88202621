"""The plugin contract, sections 1.7 to 1.9: the models of identity, deployment, lifecycle.

One entry for each fact of the document; sections and words are its own.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal

import pytest
from contract_fact import Fact, holds, model, table

import imbi_sdk
from imbi_sdk import (
    AnalysisResultItem,
    AuthorizationRequest,
    Commit,
    CompareResult,
    DeploymentRun,
    IdentityCredentials,
    IdentityProfile,
    LifecycleResult,
    PollingDescriptor,
    Ref,
    RefInfo,
    ReleaseInfo,
    RelocationTarget,
    RemediationOffer,
    RemoteDeployment,
    WorkflowFile,
)

Text = str | None


def identity_models() -> Iterator[Fact]:
    yield from model(
        "1.7",
        IdentityProfile,
        {
            "subject": str,
            "email": (Text, None),
            "email_verified": (bool, False),
            "name": (Text, None),
            "avatar_url": (Text, None),
            "groups": (list[str], []),
            "raw_claims": (dict[str, Any], {}),
        },
    )
    yield from model(
        "1.7",
        IdentityCredentials,
        {
            "access_token": str,
            "token_type": (str, "Bearer"),
            "expires_at": (datetime | None, None),
            "refresh_token": (Text, None),
            "scopes": (list[str], []),
            "extra": (dict[str, Any], {}),
        },
    )
    tokens = IdentityCredentials(access_token="canary-4f1d-do-not-leak")
    for function in (repr, str):
        yield Fact(
            "1.7",
            f"{function.__name__} of IdentityCredentials is a constant",
            lambda f=function: f(tokens) == "<IdentityCredentials redacted>",
        )
    yield from model(
        "1.7",
        PollingDescriptor,
        {
            "user_code": str,
            "verification_uri": str,
            "verification_uri_complete": (Text, None),
            "interval": (int, 5),
            "expires_in": int,
        },
    )
    yield from model(
        "1.7",
        AuthorizationRequest,
        {
            "authorization_url": str,
            "state": str,
            "code_verifier": (Text, None),
            "polling": (PollingDescriptor | None, None),
            "registered_credentials": (dict[str, str] | None, None),
        },
    )


def deployment_models() -> Iterator[Fact]:
    checks = Literal["pass", "fail", "warn", "unknown"]
    events = Literal["pending", "in_progress", "success", "failed", "rolled_back"]
    runs = Literal["queued", "in_progress", "success", "failure", "cancelled", "unknown"]
    yield Fact("1.8", "CheckStatus has four values", lambda: imbi_sdk.CheckStatus == checks)
    yield Fact(
        "1.8",
        "DeploymentEventStatus has five values",
        lambda: events == imbi_sdk.DeploymentEventStatus,
    )
    yield from model(
        "1.8",
        Ref,
        {
            "name": str,
            "kind": Literal["branch", "tag", "default"],
            "sha": str,
            "is_default": (bool, False),
            "ahead": (int | None, None),
            "behind": (int | None, None),
            "pr_number": (int | None, None),
            "pr_title": (Text, None),
            "pr_state": (Literal["open", "closed", "merged"] | None, None),
        },
    )
    yield from model(
        "1.8",
        Commit,
        {
            "sha": str,
            "short_sha": str,
            "message": str,
            "author": (Text, None),
            "authored_at": (datetime | None, None),
            "url": (Text, None),
            "ci_status": (checks, "unknown"),
            "pr_number": (int | None, None),
            "is_head": (bool, False),
        },
    )
    yield from model(
        "1.8",
        CompareResult,
        {
            "base_sha": str,
            "head_sha": str,
            "ahead": int,
            "behind": int,
            "commits": (list[Commit], []),
            "files_changed": (int, 0),
            "additions": (int, 0),
            "deletions": (int, 0),
            "pr_numbers": (list[int], []),
        },
    )
    yield from model("1.8", RefInfo, {"name": str, "sha": str, "url": (Text, None)})
    yield from model(
        "1.8",
        ReleaseInfo,
        {
            "id": str,
            "tag": str,
            "name": (Text, None),
            "url": (Text, None),
            "html_url": (Text, None),
            "prerelease": (bool, False),
        },
    )
    yield from model(
        "1.8", WorkflowFile, {"id": str, "path": str, "name": str, "state": (str, "active")}
    )
    yield from model(
        "1.8",
        DeploymentRun,
        {
            "run_id": str,
            "run_url": (Text, None),
            "status": (runs, "queued"),
            "started_at": (datetime | None, None),
            "completed_at": (datetime | None, None),
        },
    )
    yield from model(
        "1.8",
        RemoteDeployment,
        {
            "environment": str,
            "sha": str,
            "ref": (Text, None),
            "status": events,
            "created_at": datetime,
            "external_run_id": str,
            "run_url": (Text, None),
            "deployment_url": (Text, None),
            "description": (Text, None),
            "creator": (Text, None),
            "creator_subject": (Text, None),
        },
    )
    yield from model(
        "1.9",
        LifecycleResult,
        {
            "status": Literal["ok", "skipped", "failed"],
            "message": (Text, None),
            "artifacts": (dict[str, str], {}),
        },
    )
    yield from model(
        "1.9", RelocationTarget, {"link_key": str, "identifier": str, "display": (Text, None)}
    )
    yield from model(
        "0.1",
        RemediationOffer,
        {"id": str, "label": str, "confirm": (Text, None), "destructive": (bool, False)},
    )
    yield from model(
        "0.1",
        AnalysisResultItem,
        {
            "slug": str,
            "title": str,
            "description": str,
            "status": Literal["pass", "warn", "fail"],
            "remediation": (RemediationOffer | None, None),
        },
    )


@pytest.mark.parametrize("fact", table([*identity_models(), *deployment_models()]))
async def test_the_contract_holds(fact: Fact) -> None:
    """Each line of the document, by its section."""
    assert await holds(fact)
