"""Imbi's gateway as it runs rules today (2.11.5), from the plugin contract, sections 2.2 and 3.1.

A model to compare with: one rule after the other inside the request, no timeout, no retry.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from imbi_sdk import find_action
from imbi_sdk.attempt import HandlerOutcome
from imbi_sdk.encryption import TokenEncryption
from imbi_sdk.registry import RegistryEntry
from imbi_sdk.testing import sample_context

Row = Mapping[str, Any]


@dataclass
class GatewayToday:
    """*plugins_by_slug* are the plugins attached to the service: ``id`` and ciphertext."""

    encryption: TokenEncryption
    plugins_by_slug: Mapping[str, Row]

    async def run(self, rules: Sequence[Row], event: Mapping[str, Any]) -> list[HandlerOutcome]:
        return [
            HandlerOutcome(handler=rule["handler"], **await self._run(rule, event))
            for rule in rules
        ]

    async def _run(self, rule: Row, event: Mapping[str, Any]) -> dict[str, Any]:
        slug, _, name = rule["handler"].partition("#")
        try:
            entry, descriptor = find_action(slug, name)
        except Exception:  # noqa: BLE001 - whatever keeps a handler from resolving
            return {"status": "skipped", "error": "handler not resolvable"}
        credentials = self._credentials(slug, entry)
        if credentials is None:
            return {"status": "skipped", "error": "missing credentials"}
        try:
            config = descriptor.config_model.model_validate_json(rule["handler_config"])
        except ValidationError as error:
            return {"status": "skipped", "error": f"invalid handler_config: {error}"}
        began = time.perf_counter()
        try:
            await descriptor.callable(
                ctx=sample_context(),
                credentials=credentials,
                external_identifier="",
                action_config=config,
                event=event,
            )
        except Exception as error:  # noqa: BLE001 - what an action raises is its outcome
            said: dict[str, Any] = {"status": "failed", "error": f"{type(error).__name__}: {error}"}
        else:
            said = {"status": "succeeded"}
        return said | {"duration_ms": int((time.perf_counter() - began) * 1000)}

    def _credentials(self, slug: str, entry: RegistryEntry) -> dict[str, str] | None:
        """The blob, whatever the manifest's auth_type says and requires."""
        if not entry.manifest.credentials:
            return {}
        blob = self.plugins_by_slug.get(slug, {}).get("plugin_configuration")
        text = self.encryption.decrypt(blob) if blob else None
        found: dict[str, str] = json.loads(text) if text else {}
        return found or None
