"""Tests for plugins: run an action as the worker does, with stand-ins for its surroundings.

    run = await run_action(TicketsPlugin, event=github_push(), config={"ticket": "/payload/ref"})
    assert run.outcome == Succeeded()

Needs neither a server nor pytest. `PluginContract` holds what every plugin should keep,
as a class of tests; ``imbi_sdk.testing.queue``, for gateways, needs ``imbi-sdk[queue]``.
"""

from imbi_sdk.testing.context import sample_context
from imbi_sdk.testing.contract import PluginContract, Sample
from imbi_sdk.testing.deliveries import (
    github_deployment_status,
    github_pull_request,
    github_push,
    pagerduty_incident,
    sonarqube_quality_gate,
)
from imbi_sdk.testing.graph import FakeGraph, fresh_encryption
from imbi_sdk.testing.identity import FakeIdentity
from imbi_sdk.testing.run import ActionRun, FakeClock, run_action

__all__ = [
    "ActionRun",
    "FakeClock",
    "FakeGraph",
    "FakeIdentity",
    "PluginContract",
    "Sample",
    "fresh_encryption",
    "github_deployment_status",
    "github_pull_request",
    "github_push",
    "pagerduty_incident",
    "run_action",
    "sample_context",
    "sonarqube_quality_gate",
]
