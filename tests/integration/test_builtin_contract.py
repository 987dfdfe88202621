"""The contract that authors of plugins run, run on our own plugin."""

import json
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar
from unittest.mock import patch

from pydantic import SecretStr

from imbi_sdk.context import PluginContext
from imbi_sdk.testing import PluginContract, Sample
from imbi_sdk.testing.deliveries import sample
from imbi_worker import builtin
from imbi_worker.builtin import GatewayActions
from imbi_worker.demo.imbi_api import ImbiApi, Release
from imbi_worker.demo.rules import ADD_DEPLOYMENT_EVENT, CREATE_RELEASE, PUBLISH_RELEASE

EVENT = sample("github-deployment-status").event()
TOKEN = "canary-4f1d-do-not-leak"
PROJECT = ("tidewater", "p-1")


def rule(text: str, **changes: Any) -> Sample:
    return Sample(EVENT, json.loads(text) | changes, bad_configs=[{"version_expression": 7}])


class TestGatewayActions(PluginContract):
    plugin = GatewayActions
    samples: ClassVar[Mapping[str, Sample]] = {
        "update_project": Sample(EVENT, [{"path": "/a", "from": "/payload/action"}]),
        "create_release": rule(CREATE_RELEASE[1], version_expression='"v9"'),
        "add_deployment_event": rule(ADD_DEPLOYMENT_EVENT[1]),
        "ingest_sbom": Sample(
            EVENT, {"version_expression": "payload.deployment.ref", "sbom_selector": "/metadata"}
        ),
        "publish_release": rule(PUBLISH_RELEASE[1]),
    }

    @asynccontextmanager
    async def surroundings(self) -> AsyncGenerator[PluginContext | None]:
        async with ImbiApi(token=SecretStr(TOKEN)) as self.api:
            self.api.add_project(*PROJECT)
            self.api.releases(*PROJECT).append(Release("r-1", "c02f9d5", "v4", tag="v4.11.0"))
            address = {"ACTIONS_IMBI_URL": self.api.url, "ACTIONS_IMBI_TOKEN": TOKEN}
            with patch.dict(os.environ, address):
                yield PluginContext(project_id="p-1", project_slug="p", org_slug="tidewater")
            await builtin.close()

    def observed(self) -> Any:
        releases = self.api.releases(*PROJECT)
        told = [(one.tag, one.title, one.deployments, one.sbom) for one in releases]
        return self.api.projects[PROJECT], told
