"""A ``Graph`` in memory: the second implementation, which keeps the contract honest."""

from dataclasses import replace

from imbi_sdk.context import ServicePlugin
from imbi_sdk.errors import PluginRecordMissing
from imbi_sdk.graph import PluginRecord, ServiceApplicationRecord
from imbi_worker.graph.seed import Seed


class MemoryGraph:
    def __init__(self, seed: Seed) -> None:
        placed = [(service, plugin) for service in seed.services for plugin in service.plugins]
        self._applications = {
            plugin.id: ServiceApplicationRecord(
                plugin.application.client_id, plugin.application.client_secret
            )
            for _, plugin in placed
            if plugin.application
        }
        self._records = {
            plugin.id: PluginRecord(
                plugin_id=plugin.id,
                plugin_slug=plugin.plugin_slug,
                configuration=plugin.configuration,
                options=plugin.options,
                service_slug=service.slug,
                service_endpoint=service.api_endpoint,
                service_plugins=tuple(
                    ServicePlugin(slug=sibling.plugin_slug, options=dict(sibling.options))
                    for sibling in sorted(service.plugins, key=lambda each: each.plugin_slug)
                    if sibling.id != plugin.id
                ),
            )
            for service, plugin in placed
        }

    async def plugin(self, plugin_id: str) -> PluginRecord | None:
        return self._records.get(plugin_id)

    async def service_application(self, plugin_id: str) -> ServiceApplicationRecord | None:
        return self._applications.get(plugin_id)

    async def replace_configuration(
        self, plugin_id: str, *, expected: str | None, new: str | None
    ) -> bool:
        record = self._records.get(plugin_id)
        if record is None:
            raise PluginRecordMissing(plugin_id)
        if record.configuration != expected:
            return False
        self._records[plugin_id] = replace(record, configuration=new)
        return True
